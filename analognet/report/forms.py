"""Every form of a report, by file name: page, text, tables, figures, and the value itself."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Final

from analognet import storage
from analognet.report import figures, latex, markdown, page, spreadsheet
from analognet.report.value import Report

JSON: Final = "report.json"
HTML: Final = "report.html"
_RENDERERS: Final = ("matplotlib", "jinja2")


def files(report: Report) -> dict[str, bytes]:
    """All files of a report's directory. The same report gives the same bytes."""
    drawn = figures.draw_all(report)
    made = {
        JSON: storage.to_json(report).encode(),
        HTML: page.render(report, drawn).encode(),
        "report.md": markdown.render(report, drawn).encode(),
        "report.csv": spreadsheet.render(report).encode(),
        "tables/comparison.tex": latex.table(report).encode(),
        "tables/verdict.tex": latex.verdict(report).encode(),
    }
    for figure in drawn:
        made[f"figures/{figure.name}.svg"] = figure.svg
        made[f"figures/{figure.name}.pdf"] = figure.pdf
    return made


def program() -> list[str]:
    """What the rendered forms depend on beside the report: this room's text and the renderers' versions."""
    own = [storage.digest(p.read_bytes()) for p in sorted(Path(__file__).parent.iterdir()) if p.is_file()]
    return own + [version(name) for name in _RENDERERS]
