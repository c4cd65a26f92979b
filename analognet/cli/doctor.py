"""analognet doctor: is everything there, and does it work."""

from __future__ import annotations

import json as json_module
from dataclasses import asdict

from analognet import doctor as examination
from analognet.cli import console, options
from analognet.design import versions
from analognet.errors import ToolMissing
from analognet.metrics import SCHEMA

NEEDED = ("ngspice", "conversion and ngspice")


def doctor(json: options.Json = False) -> None:
    """Look for each tool and model, say how to install what is missing, and run one circuit as proof."""
    findings = examination.examine()
    if json:
        body = {
            "schema": SCHEMA,
            "metrics": {"tools": [asdict(f) for f in findings]},
            "provenance": {"versions": versions()},
        }
        console.out.print(json_module.dumps(body, allow_nan=False))
    else:
        rows = []
        for f in findings:
            rows.append((f.name, f"{f.found or 'missing'}, for {f.needed_for}"))
            told = f.path if f.found else f.note
            rows.append(("", told or f.note))
            if f.problem:
                rows.append(("", f"known problem: {f.problem}"))
        console.table("AnalogNet's tools", rows)
    missing = [f.name for f in findings if f.found is None and f.name in NEEDED]
    if missing:
        raise ToolMissing(f"needed and not there: {', '.join(missing)}")
