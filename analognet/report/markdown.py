"""The report as Markdown, figures beside it as files."""

from __future__ import annotations

from collections.abc import Sequence

from analognet.report.drawing import Drawn
from analognet.report.escape import to_markdown as e
from analognet.report.methods import methods
from analognet.report.table import rows
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
        shown = [e(c.main) + (f"<br>({e(c.band)})" if c.band else "") for c in cells]
        lines.append(f"| {e(row.title)} | " + " | ".join(shown) + " |")
    return lines


def _code(text: str) -> list[str]:
    """An indented block: it ends nowhere before its line does, whatever the line holds."""
    return ["    " + " ".join(text.split())]
