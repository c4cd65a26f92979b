"""The report as one HTML file: no network, light and dark, from a phone to paper."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from analognet.report.drawing import Drawn
from analognet.report.escape import plain
from analognet.report.methods import methods
from analognet.report.table import quantity, rows
from analognet.report.value import BY_KEY, Report

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
        empty=_empty(report),
        verdict=[_topic(said) for said in report["verdict"]],
        figures=[(f, Markup(f.inline)) for f in figures],
        methods=methods(report),
        tables=_tables(report),
        script=Markup(script),
        script_digest=fingerprint,
        style=Markup((_HERE / "page.css").read_text(encoding="utf-8")),
    )


def _empty(report: Report) -> list[tuple[str, list[tuple[str, list[str]]]]]:
    """Why cells of the rows shown are empty: column, and for each reason the rows."""
    found = []
    shown = [row for row, _ in rows(report)]
    for column in report["columns"]:
        reasons: dict[str, list[str]] = {}
        for row in shown:
            cell = column["cells"][row.key]
            if cell["value"] is None and not cell.get("text"):
                reasons.setdefault(str(cell["missing"]), []).append(row.title)
        if reasons:
            found.append((str(column["title"]), list(reasons.items())))
    return found


def _topic(said: str) -> tuple[str, str]:
    """A sentence of the verdict: what it is about, and what it says."""
    topic, colon, rest = said.partition(": ")
    return (topic, rest) if colon else ("", said)


def _tables(report: Report) -> list[tuple[str, tuple[str, ...], list[list[tuple[str, Any]]]]]:
    """Further tables: title, headings, rows of (shown, what to sort by)."""
    made: list[tuple[str, tuple[str, ...], list[list[tuple[str, Any]]]]] = []
    space = report["series"]["design_space"]
    if space:
        made.append(
            (
                "Other designs of the same network",
                ("design", "latency", "energy", "accuracy", "unbeaten"),
                [
                    [
                        (f"{p['column']}: {p['label']}", f"{p['column']}: {p['label']}"),
                        (quantity(BY_KEY["latency_s"], p["latency_s"]), p["latency_s"]),
                        (quantity(BY_KEY["energy_j"], p["energy_j"]), p["energy_j"]),
                        (f"{100 * p['accuracy']:.2f} % of {p['images']}", p["accuracy"]),
                        ("yes" if p["front"] else "no", int(p["front"])),
                    ]
                    for p in space
                ],
            )
        )
    chips = report["series"]["published"]["chip"]
    made.append(
        (
            "Published chips, energy per operation",
            ("chip", "node", "precision", "pJ per operation", "kind", "source"),
            [
                [
                    (c["name"], c["name"]),
                    (f"{1e9 * c['node_m']:.0f} nm", c["node_m"]),
                    (c["precision"], c["precision"]),
                    (f"{1 / c['tops_w']:.3g}", 1 / c["tops_w"]),
                    (c["kind"], c["kind"]),
                    (c["source"], c["source"]),
                ]
                for c in chips
            ],
        )
    )
    return made
