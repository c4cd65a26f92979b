"""analognet convert: a model becomes a netlist."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from analognet import design as designs
from analognet.analog.layers import TOPOLOGIES
from analognet.cli import console, options
from analognet.metrics import Metrics
from analognet.names import printable
from analognet.simulation import provenance
from analognet.units import engineering


def convert(
    model: Annotated[str, typer.Argument(help="A .safetensors or .onnx file, or module:callable.")],
    activations: options.Activations = None,
    technology: Annotated[
        str,
        typer.Option(
            help="ideal, board, sky130, or a .toml file.", autocompletion=options.complete_technology
        ),
    ] = "board",
    topology: Annotated[
        str | None,
        typer.Option(
            help=f"{', '.join(TOPOLOGIES)}. Default: the technology's own.",
            autocompletion=options.complete_from(TOPOLOGIES),
        ),
    ] = None,
    calibrate: Annotated[
        str | None,
        typer.Option(
            help="Data whose ranges choose the voltage scales; a built-in set means its training split."
        ),
    ] = None,
    input_range: Annotated[
        str | None, typer.Option(help="LOW,HIGH of the inputs, where no data says.")
    ] = None,
    opamp: Annotated[
        str | None,
        typer.Option(help="Another op-amp of the cells, e.g. lm358.", autocompletion=options.complete_opamp),
    ] = None,
    resistors: Annotated[
        str | None, typer.Option(help="exact, E24, E96, E192, or pot8 (8-bit digital potentiometers).")
    ] = None,
    cell: Annotated[
        list[str] | None,
        typer.Option(help="ACTIVATION=CELL, e.g. sigmoid=act_sigmoid_pwl; may be repeated."),
    ] = None,
    full_scale: Annotated[float | None, typer.Option(help="Volts of the largest signal.")] = None,
    feedback: Annotated[float | None, typer.Option(help="Preferred feedback resistor in ohms.")] = None,
    out: Annotated[Path | None, typer.Option(help="Directory to write. Default: build/<model>/.")] = None,
    json: options.Json = False,
) -> None:
    """Turn a trained network into an op-amp circuit and write its netlist."""
    overrides: dict[str, Any] = {
        "opamp": opamp,
        "series": resistors,
        "full_scale": full_scale,
        "feedback_ohm": feedback,
        "cells": options.parse_pairs(cell, "--cell"),
    }
    design = designs.convert(
        model,
        activations=activations,
        technology=technology,
        topology=topology,
        calibrate=calibrate,
        input_range=options.parse_range(input_range, "--input-range"),
        overrides={k: v for k, v in overrides.items() if v is not None},
    )
    directory = out or console.default_directory(design.stem)
    designs.save(design, directory)
    console.remember(directory)
    console.notes(design.notes)
    metrics = summary(design, directory)
    if json:
        console.out.print(metrics.to_json())
        return
    shape = "-".join(str(n) for n in design.network.shape)
    rows = [
        (
            "technology",
            f"{design.technology.name}, {design.technology.opamp}, {design.analog.topology} topology",
        ),
        *console.metric_rows(metrics),
        ("calibration", design.calibration),
    ]
    for i, layer in enumerate(design.analog.layers):
        rows.append(
            (
                f"layer {i}",
                f"{layer.n_in} -> {layer.n_out} {layer.activation}; R_f "
                f"{engineering(1 / float(layer.g_f[0]), 'Ohm')}, "
                f"{engineering(layer.scale_z, 'V')} per unit, "
                f"noise gain up to {layer.noise_gain.max():.1f}",
            )
        )
    file = printable(directory / "network.cir", 1000)
    console.table(f"{file}: {shape}", rows)
    console.say(f"next: analognet simulate, or ngspice -b {file}")


def summary(design: designs.Design, directory: Path) -> Metrics:
    """What convert answers: parts, and how the network was mapped to them."""
    layers = [
        {
            "n_in": layer.n_in,
            "n_out": layer.n_out,
            "activation": str(layer.activation),
            "feedback_ohm": 1 / float(layer.g_f[0]),
            "scale_z_v": layer.scale_z,
            "scale_out_v": layer.scale_out,
            "noise_gain_max": float(layer.noise_gain.max()),
            "dropped": layer.dropped,
        }
        for layer in design.analog.layers
    ]
    return Metrics(
        {"opamps": design.tally.opamps, "resistors": design.tally.resistors},
        provenance(design),
        {
            "directory": str(directory),
            "netlist_file_sha256": design.netlist_sha256,
            "dropped": design.analog.dropped,
            "layers": layers,
            "notes": list(design.notes),
        },
    )
