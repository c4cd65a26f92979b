"""The report as Markdown, figures beside it as files."""

from __future__ import annotations

from collections.abc import Sequence

from analognet.report.drawing import Drawn
from analognet.report.escape import to_markdown as e
from analognet.report.methods import methods
from analognet.report.table import Shown, further, remarks, rows
from analognet.report.value import Report


def render(report: Report, figures: Sequence[Drawn]) -> str:
    """The whole report. Code spans hold commands of ours, made of shell-quoted words without backticks."""
    network, data = report["network"], report["data"]
    how = methods(report)
    shape = "-".join(map(str, network["shape"]))
    lines = [
        f"# {e(network['name'])}: {shape} as float, integers, VHDL and circuits",
        "",
        f"{data['images']:,} inputs of {e(data['name'])}; "
        f"{', '.join(e(a) for a in network['activations'])}. Made by",
        "",
        *_code(how.command),
        "",
        "## Verdict",
        "",
        *(f"- {e(said)}" for said in report["verdict"]),
        "",
    ]
    lines += table(report)
    shown = [row for row, _ in rows(report)]
    lines += ["", "What the rows mean:", "", *(f"- {e(row.title)}: {e(row.meaning)}" for row in shown)]
    for told, part in (("How figures were found:", "note"), ("Why cells are empty:", "missing")):
        found = remarks(report, part)
        if found:
            lines += ["", told, ""]
        for column, said in found:
            lines += [
                f"- {e(column)}: " + ". ".join(f"{e(', '.join(names))}: {e(words)}" for words, names in said)
            ]
    if report["gaps"]:
        lines += ["", "## Gaps", "", "| not measured | reason | what would fill it |", "|---|---|---|"]
        lines += [f"| {e(g['title'])} | {e(g['reason'])} | {e(g['fix'])} |" for g in report["gaps"]]
    for figure in figures:
        lines += [
            "",
            f"## {figure.question}",
            "",
            f"![{figure.question}](figures/{figure.name}.svg)",
            "",
            e(figure.caption),
        ]
    for title, heads, held in further(report):
        lines += ["", f"## {title}", "", f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
        lines += ["| " + " | ".join(e(text) for text, _ in row) + " |" for row in held]
    lines += ["", "## Methods", ""]
    lines += [paragraph for said in how.paragraphs for paragraph in (e(said), "")]
    lines += [*(f"- {e(note)}" for note in report["notes"])]
    lines += ["", "Versions: " + e(", ".join(f"{name} {number}" for name, number in how.versions)) + "."]
    lines += ["", "Each is measured again, and compared, by", ""]
    lines += [line for _, _, again in how.stages for line in (*_code(again), "")]
    return "\n".join(lines).rstrip() + "\n"


def table(report: Report) -> list[str]:
    """The comparison as a table; a cell's band in brackets below it."""
    columns = report["columns"]
    lines = [
        "| | " + " | ".join(e(c["title"]) for c in columns) + " |",
        "|---|" + "---|" * len(columns),
    ]
    for row, cells in rows(report):
        shown = [e(c.main) + _beside(c) for c in cells]
        lines.append(f"| {e(row.title)} | " + " | ".join(shown) + " |")
    return lines


def _beside(shown: Shown) -> str:
    """A cell's band and over how many it was found, in brackets on a line of their own."""
    told = ", ".join(e(part) for part in (shown.band, shown.n) if part)
    return f"<br>({told})" if told else ""


def _code(text: str) -> list[str]:
    """An indented block: it ends nowhere before its line does, whatever the line holds."""
    return ["    " + " ".join(text.split())]
