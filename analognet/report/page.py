"""The report as one HTML file: no network, light and dark, from a phone to paper."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from analognet.report.drawing import Drawn
from analognet.report.escape import plain
from analognet.report.methods import methods
from analognet.report.table import further, remarks, rows
from analognet.report.value import Report

_HERE: Final = Path(__file__).parent


def render(report: Report, figures: Sequence[Drawn]) -> str:
    """The page. Everything from the report goes through jinja's escaping; figures are ours, as SVG."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    report = plain(report)
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    script = (_HERE / "page.js").read_text(encoding="utf-8")
    fingerprint = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("page.html.jinja").render(
        report=report,
        shape="-".join(map(str, report["network"]["shape"])),
        columns=report["columns"],
        rows=rows(report),
        empty=remarks(report, "missing"),
        notes=remarks(report, "note"),
        verdict=[_topic(said) for said in report["verdict"]],
        figures=[(f, Markup(f.inline)) for f in figures],
        methods=methods(report),
        tables=further(report),
        script=Markup(script),
        script_digest=fingerprint,
        style=Markup((_HERE / "page.css").read_text(encoding="utf-8")),
    )


def _topic(said: str) -> tuple[str, str]:
    """A sentence of the verdict: what it is about, and what it says."""
    topic, colon, rest = said.partition(": ")
    return (topic, rest) if colon else ("", said)
