"""analognet characterize: cells of transistors over corners, and their datasheets."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Annotated

import typer

from analognet import storage
from analognet.characterize.datasheet import Datasheet, Row, datasheet, limit_text, shown
from analognet.characterize.library import open_kit
from analognet.characterize.measure import characterize as measure
from analognet.characterize.plots import datasheet_figure
from analognet.characterize.points import grid
from analognet.cli import console, options
from analognet.design import versions
from analognet.errors import InputError, SpecificationMissed, UsageError
from analognet.metrics import SCHEMA
from analognet.names import printable

SAMPLES_LIMIT = 10_000


def characterize(
    technology: Annotated[str, typer.Argument(help="sky130, or a .toml file beside its cells.")],
    cells: Annotated[
        str | None, typer.Option(help="Some cells, as opamp_miller,bias_gen. Default: all.")
    ] = None,
    corners: Annotated[str | None, typer.Option(help="Some corners, as tt,ss. Default: all.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Every corner, temperature and supply.")] = False,
    samples: Annotated[int, typer.Option(help="Mismatch samples at the nominal point; 0 for none.")] = 50,
    seed: Annotated[int, typer.Option(help="Of the first sample.")] = 1,
    jobs: Annotated[int, typer.Option(help="ngspice processes at once.")] = 2,
    out: Annotated[Path | None, typer.Option(help="Directory. Default: TECHNOLOGY-datasheets.")] = None,
    plots: Annotated[bool, typer.Option(help="Draw a figure for each cell.")] = True,
    json: options.Json = False,
) -> None:
    """Measure every cell over corner, temperature, supply and mismatch; write datasheets; hold them to limits."""
    if not (samples == 0 or 2 <= samples <= SAMPLES_LIMIT):
        raise UsageError(f"--samples {samples}: 0, or from 2 to {SAMPLES_LIMIT}")
    if not 0 <= seed < 1 << 30:
        raise UsageError(f"--seed {seed}: from 0 to {(1 << 30) - 1}")
    if not 1 <= jobs <= 64:
        raise UsageError(f"--jobs {jobs}: from 1 to 64")
    kit = open_kit(technology)
    points = grid(kit.technology, _names(corners), full)
    chosen = _names(cells) or list(kit.own)
    fixtures = [kit.fixture(name) for name in dict.fromkeys(chosen)]
    target = out or Path(f"{kit.technology.name}-datasheets")
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise InputError(f"{printable(target)} cannot be written: {e.strerror}") from None
    sheets = []
    for fixture in fixtures:
        name = fixture.cell.name
        with console.progress(f"{name}: runs") as advance:
            found = measure(fixture, points, samples=samples, seed=seed, jobs=jobs, progress=advance)
        sheet = datasheet(found, kit.limits)
        sheets.append(sheet)
        storage.write_file(target / f"{name}.json", storage.to_json(sheet.to_values()).encode())
        picture = f"{name}.png" if plots else None
        if picture is not None:
            storage.write_file(target / picture, datasheet_figure(sheet))
        storage.write_file(target / f"{name}.md", sheet.to_markdown(picture).encode())
    faults = [fault for sheet in sheets for fault in sheet.faults]
    if json:
        body = {
            "schema": SCHEMA,
            "metrics": {"passed": not faults, "cells": [sheet.to_values() for sheet in sheets]},
            "provenance": {
                "technology": kit.technology.name,
                "pdk": sheets[0].process if sheets else None,
                "versions": versions(),
                "method": "ngspice, one run per bench and point",
            },
        }
        console.out.print(json_module.dumps(body, allow_nan=False))
    else:
        for sheet in sheets:
            _show(sheet)
    console.say(f"written: {target}")
    if faults:
        more = f"; and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise SpecificationMissed(f"limits missed: {'; '.join(faults[:3])}{more}")


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def _show(sheet: Datasheet) -> None:
    console.table(
        f"{sheet.found.cell.name}: {len(sheet.found.points)} points, {len(sheet.found.samples)} samples",
        [_line(row) for row in sheet.rows],
    )


def _line(row: Row) -> tuple[str, str]:
    unit = row.figure.unit
    told = " .. ".join(
        dict.fromkeys(shown(v, unit) for v in (row.least, row.typical, row.largest) if v is not None)
    )
    parts = [told or "not reached"]
    if row.sigma is not None:
        parts.append(f"sigma {shown(row.sigma, unit)}")
    if row.limit is not None:
        parts.append(f"{limit_text(row.limit, unit)}: {'pass' if row.ok else 'FAIL'}")
    if row.missing:
        parts.append(f"not reached at {len(row.missing)} points")
    return row.key, "; ".join(parts)
