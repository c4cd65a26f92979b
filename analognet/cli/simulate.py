"""analognet simulate: a netlist becomes an accuracy."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from analognet import plots, storage
from analognet import simulation as simulations
from analognet.analog.bench import NOMINAL_C
from analognet.cli import console, options
from analognet.names import printable


def simulate(
    directory: options.Directory = None,
    data: options.Data = None,
    images: Annotated[int | None, typer.Option(help="Only the first so many inputs.")] = None,
    temperature: Annotated[float, typer.Option(help="Celsius.")] = NOMINAL_C,
    seed: Annotated[int, typer.Option(help="Of random inputs, where there is no data.")] = 0,
    jobs: Annotated[
        int | None, typer.Option(help="ngspice processes at a time. Default: one per core.")
    ] = None,
    save: Annotated[Path | None, typer.Option(help="Keep outputs and predictions in this .npz file.")] = None,
    json: options.Json = False,
) -> None:
    """Simulate a converted network in ngspice and compare it with the float network."""
    design, where = console.find_design(directory)
    with console.progress("ngspice") as advance:
        result = simulations.simulate(
            design,
            data,
            images=images,
            temperature=temperature,
            seed=seed,
            jobs=os.cpu_count() or 1 if jobs is None else jobs,
            progress=advance,
        )
    if save is not None:
        result.save(save)
    figure = where / "simulate.png"
    storage.write_file(figure, plots.simulation_figure(design, result))
    storage.write_file(where / "simulate.json", result.metrics.to_json().encode() + b"\n")
    console.notes(result.notes)
    if json:
        console.out.print(result.metrics.to_json())
        return
    console.table(
        f"{printable(where.name)} in ngspice {result.metrics.provenance['ngspice']}, "
        f"{design.technology.name}, {temperature:g} C",
        console.metric_rows(result.metrics),
    )
    console.say(f"figure: {printable(figure, 1000)}")
