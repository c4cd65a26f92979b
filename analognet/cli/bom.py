"""analognet bom: what it takes to build a design."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from analognet import bom as boms
from analognet import storage
from analognet.cli import console, options
from analognet.errors import UsageError
from analognet.metrics import Metrics
from analognet.names import printable
from analognet.prices import load_prices
from analognet.simulation import provenance

SHOWN = 12  # lines of the table on the terminal


def bom(
    directory: options.Directory = None,
    out: Annotated[
        Path | None, typer.Option(help="A .csv or .json file. Default: bom.csv in the design's directory.")
    ] = None,
    prices: Annotated[Path | None, typer.Option(help="Your own copy of prices.toml.")] = None,
    converters: Annotated[
        bool, typer.Option(help="Count input DACs, output converters and the reference.")
    ] = True,
    outputs: Annotated[str, typer.Option(help="Output converters: comparators, or adc.")] = "comparators",
    json: options.Json = False,
) -> None:
    """Write a bill of materials: designators, values, parts, prices and board area."""
    if out is not None and out.suffix.lower() not in (".csv", ".json"):
        raise UsageError(f"--out {printable(out)}: write to a .csv or a .json file")
    design, where = console.find_design(directory)
    found = boms.bill_of_materials(design, load_prices(prices), converters=converters, outputs=outputs)
    target = out or where / "bom.csv"
    text = storage.to_json(found.to_values()) if target.suffix.lower() == ".json" else found.to_csv()
    storage.write_file(target, text.encode())
    metrics = Metrics(
        {
            "cost": found.cost,
            "area_m2": found.area_m2,
            "opamps": design.tally.opamps,
            "resistors": design.tally.resistors,
        },
        provenance(design)
        | {
            "method": "parts of the netlist, counted; prices and courtyards of the price file",
            "currency": found.currency,
            "prices": "packaged" if prices is None else printable(prices.name),
        },
        {"bom": found.to_values()},
    )
    if json:
        console.out.print(metrics.to_json())
        return
    console.notes(found.notes)
    dear = sorted(found.lines, key=lambda line: -line.quantity * line.price)
    rows = [
        (
            f"{line.quantity:>6} x {line.price:.2f}",
            f"{line.part} {line.value}".strip() + f", {line.package}: {line.description}",
        )
        for line in dear[:SHOWN]
    ]
    if len(dear) > SHOWN:
        rest = dear[SHOWN:]
        rows.append((f"{sum(r.quantity for r in rest):>6}", f"others, in {len(rest)} lines"))
    rows += [
        ("parts", f"{found.quantity} for {found.parts_cost:.2f} {found.currency}"),
        ("board", f"{1e4 * found.area_m2:.4g} cm2 for {found.board_price:.2f} {found.currency}"),
        ("total", f"{found.cost:.2f} {found.currency}, without assembly"),
    ]
    console.table(f"{where.name}: bill of materials", rows)
    console.say(f"written: {target}")
