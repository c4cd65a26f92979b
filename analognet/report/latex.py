"""Tables for a paper: `booktabs`, no package beyond it; every text is escaped."""

from __future__ import annotations

from analognet.report.escape import to_latex
from analognet.report.table import DASH, rows
from analognet.report.value import Report

_SIZES = {"²": r"\textsuperscript{2}", "µ": r"\textmu{}", DASH: "--"}


def table(report: Report) -> str:
    """The comparison as a tabular, to `\\input` in a table; bands in small below the values."""
    columns = report["columns"]
    lines = [
        "% analognet compare; needs \\usepackage{booktabs}",
        f"\\begin{{tabular}}{{l{'r' * len(columns)}}}",
        "\\toprule",
        " & ".join(["", *(to_latex(c["title"]) for c in columns)]) + r" \\",
        "\\midrule",
    ]
    for row, cells in rows(report):
        if row.unit == "text":
            continue
        shown = [f"{_text(c.main)}{_small(c.band)}" for c in cells]
        lines.append(" & ".join([_text(row.title), *shown]) + r" \\")
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}", ""])


def verdict(report: Report) -> str:
    """The verdict as a paragraph."""
    return "\n".join(["% analognet compare", *(_text(said) for said in report["verdict"]), ""])


def _text(words: str) -> str:
    parts = [words]
    for mark in _SIZES:
        parts = [piece for part in parts for piece in _around(part, mark)]
    return "".join(_SIZES.get(part, to_latex(part)) for part in parts)


def _around(text: str, mark: str) -> list[str]:
    """The text cut at every mark, the marks kept."""
    pieces = text.split(mark)
    return [piece for k, p in enumerate(pieces) for piece in ((mark, p) if k else (p,))]


def _small(band: str) -> str:
    return f" {{\\scriptsize ({_text(band)})}}" if band else ""
