"""analognet compare: one network as float, integers, VHDL and circuits, in one report."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from analognet.cli import console, options
from analognet.comparison import compare as comparing
from analognet.comparison.clock import Progress
from analognet.comparison.stages import LEFT_OUT
from analognet.names import printable
from analognet.report.table import DASH, rows
from analognet.storage import to_json


def compare(
    model: Annotated[str, typer.Argument(help="A .safetensors or .onnx file, or module:callable.")],
    data: Annotated[
        str,
        typer.Option(
            help="An .npz with x and y, a .csv, idx files (images,labels), "
            "or digits, iris, mnist, fashion-mnist (their test split)."
        ),
    ],
    technology: Annotated[
        str, typer.Option(help="One or more, separated by commas: board, ideal, or .toml files.")
    ] = ",".join(comparing.TECHNOLOGIES),
    quick: Annotated[bool, typer.Option("--quick", help="A first page in a minute or two.")] = False,
    activations: options.Activations = None,
    topology: Annotated[
        str | None, typer.Option(help="Of the circuits: see convert. Default: the technology's own.")
    ] = None,
    calibrate: Annotated[str | None, typer.Option(help="As of convert.")] = None,
    images: Annotated[int | None, typer.Option(help="Only the first so many inputs.")] = None,
    seed: Annotated[int, typer.Option(help="Of boards, noise and transitions.")] = 0,
    fpga: Annotated[
        str | None,
        typer.Option(help="ecp5, ice40, xc7, separated by commas, or none. Default: all, ecp5 if quick."),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(help="Processes or threads at a time. Default: one per core.")
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Where what was measured is kept. Default: the user's cache.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Directory to write. Default: build/<model>-report/.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Measure a network every way on the same inputs, and write a report."""
    directory = out or console.default_directory(comparing.default_directory(model))
    with progress() as advance:
        found = comparing.compare(
            model,
            data,
            technologies=[name.strip() for name in technology.split(",")],
            out=directory,
            quick=quick,
            activations=activations,
            topology=topology,
            calibrate=calibrate,
            images=images,
            seed=seed,
            fpgas=None if fpga is None else [] if fpga == "none" else fpga.split(","),
            jobs=jobs,
            cache=cache,
            progress=advance,
        )
    for gap in found.gaps:
        if gap.reason != LEFT_OUT:
            console.say(f"gap: {gap.title}: {gap.reason} ({gap.fix})")
    if less := sum(gap.reason == LEFT_OUT for gap in found.gaps):
        console.say(f"{less} measurements are {LEFT_OUT}; the report names them")
    if json:
        console.out.print(to_json(found.report), end="")
        return
    titles = [c["title"] for c in found.report["columns"]]
    for row, cells in rows(found.report):
        told = [
            f"{t}: {c.main}" + (f" ({c.band})" if c.band else "") for t, c in zip(titles, cells, strict=True)
        ]
        console.table(row.title, [("", printable(line, 300)) for line in told if not line.endswith(DASH)])
    console.table("Verdict", [("", printable(said, 2000)) for said in found.verdict])
    console.say(f"report: {printable(directory)}{os.sep}report.html")


@contextmanager
def progress() -> Iterator[Callable[[Progress], None]]:
    """A line that is written over on a terminal; elsewhere one for every stage."""
    live, told = console.err.is_terminal, set[str]()

    def tell(p: Progress) -> None:
        left = "" if p.left_s is None else f", about {_minutes(p.left_s)} left"
        if live:
            now = "; ".join(f"{title} {100 * part:.0f} %" for title, part in p.running)
            room = console.err.width - len(left) - 1
            console.err.print(f"\r\x1b[K{f'{p.done} of {p.total} done: {now}'[:room]}{left}", end="")
            return
        for title, _ in p.running:
            if title not in told:
                told.add(title)
                console.say(f"{p.done} of {p.total} done: {title}{left}")

    try:
        yield tell
    finally:
        if live:
            console.err.print("\r\x1b[K", end="")


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
