"""analognet vhdl: the same network as a digital design, proven and placed on an FPGA."""

from __future__ import annotations

import os
from json import dumps as json_text
from json import loads as json_value
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from analognet import storage
from analognet.cli import console, options
from analognet.data import Dataset, load_data
from analognet.digital import finetune as finetuning
from analognet.digital import flow
from analognet.digital import sweep as sweeping
from analognet.digital.schedule import parse_lanes, parse_numbers
from analognet.digital.synthesis import TARGETS
from analognet.errors import InputError, SpecificationMissed, UsageError
from analognet.loading import LoadedModel, load
from analognet.loading.files import read_regular
from analognet.loading.metadata import DATASETS
from analognet.names import file_stem, printable
from analognet.network import Network
from analognet.units import engineering

RANDOM_INPUTS = 1000
RESULT_LIMIT = 64 << 20  # bytes of what simulate --json wrote
CALIBRATION_ROWS = 5000
LOSS_WORTH_TUNING = 0.005


def vhdl(
    model: Annotated[
        str,
        typer.Argument(
            help="A .safetensors or .onnx file, module:callable, or a directory that convert wrote."
        ),
    ],
    activations: options.Activations = None,
    data: options.Data = None,
    bits: Annotated[int, typer.Option(help="Of weights and activations: 2 to 16.")] = 8,
    weight_bits: Annotated[int | None, typer.Option(help="Of weights. Default: --bits.")] = None,
    activation_bits: Annotated[int | None, typer.Option(help="Of activations. Default: --bits.")] = None,
    lanes: Annotated[
        str | None,
        typer.Option(
            help="Multipliers per layer, as 32,10; one number is every layer's budget. Default: 32."
        ),
    ] = None,
    verify: Annotated[int, typer.Option(help="Inputs to simulate; 0 for none.")] = flow.VERIFY,
    synth: Annotated[str | None, typer.Option(help=f"Device: {', '.join(TARGETS)}.")] = None,
    finetune: Annotated[
        int, typer.Option(help="Epochs of quantisation-aware fine-tuning on the training data.", min=0)
    ] = 0,
    energy: Annotated[
        Path | None, typer.Option(help="Constants of the energy estimate: a copy of energy.toml.")
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Of pauses in simulation, and of random inputs.", min=1, max=2**31 - 1)
    ] = 1,
    out: Annotated[
        Path | None, typer.Option(help="Directory to write. Default: build/<model>-vhdl/.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Write a network as VHDL, prove it against the integer network, and place it on an FPGA."""
    loaded = _open(model, activations)
    network, notes = loaded.network, list(loaded.notes)
    inputs, training = _inputs(loaded, data, seed, notes)
    lane_numbers = None if lanes is None else parse_lanes(lanes)
    made = flow.design(
        network,
        training.x[_spread(len(training))],
        weight_bits=bits if weight_bits is None else weight_bits,
        activation_bits=bits if activation_bits is None else activation_bits,
        lanes=lane_numbers,
    )
    if lane_numbers is not None and len(lane_numbers) == 1 and set(made.plan.lanes) != set(lane_numbers):
        notes.append(f"lanes are {','.join(map(str, made.plan.lanes))}: the most up to {lanes} that divide")
    if finetune:
        made = finetuning.improve(made, training, epochs=finetune, seed=seed, lanes=lane_numbers)
        notes.append(f"weights were fine-tuned for {finetune} epochs: no longer those of the model")
    elif (lost := _loss(made, inputs)) is not None and lost > LOSS_WORTH_TUNING:
        notes.append(
            f"quantisation costs {100 * lost:.2f} points of accuracy; --finetune 10 trains against it"
        )
    result = flow.examine(
        made,
        inputs,
        verify=verify,
        synth=synth,
        constants=energy,
        seed=seed,
        provenance={"model_digest": loaded.digest, "calibration": training.name, "finetune_epochs": finetune},
        say=console.say,
    )
    directory = out or console.default_directory(f"{file_stem(network.name)}-vhdl")
    flow.save(result, directory)
    console.notes(notes)
    if json:
        console.out.print(result.metrics.to_json())
    else:
        console.table(f"{directory}{os.sep}vhdl: {'-'.join(map(str, network.shape))}", _rows(result))
        console.say(f"next: sh {directory}{os.sep}vhdl{os.sep}run.sh")
    wrong = result.metrics["mismatches"]
    if wrong:
        first = result.verification.first if result.verification else None
        raise SpecificationMissed(
            f"{wrong} mismatches against the integer reference"
            + (f"; the first is at {first}" if first else "")
        )


def sweep(
    model: Annotated[str, typer.Argument(help="As of analognet vhdl.")],
    activations: options.Activations = None,
    data: options.Data = None,
    bits: Annotated[str, typer.Option(help="Widths to try.")] = "4,6,8",
    lanes: Annotated[str, typer.Option(help="Budgets of multipliers per layer to try.")] = "1,4,32",
    synth: Annotated[str, typer.Option(help=f"Device: {', '.join(TARGETS)}.")] = "ecp5",
    clock: Annotated[
        float | None, typer.Option(help="MHz to assume, instead of placing and routing each design.")
    ] = None,
    analog: Annotated[
        list[Path] | None, typer.Option(help="What analognet simulate --json wrote, to plot beside.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The plot to write.")] = Path("sweep.svg"),
    json: options.Json = False,
) -> None:
    """Try widths and lanes, and plot the Pareto front of accuracy, latency, area and energy."""
    if clock is not None and not 0 < clock < 1e6:
        raise UsageError(f"--clock {clock:g}: megahertz above 0")
    loaded = _open(model, activations)
    notes = list(loaded.notes)
    beside = [sweeping.analog_point(path.stem, _read_json(path)) for path in analog or []]
    inputs, training = _inputs(loaded, data, 1, notes)
    points = sweeping.sweep(
        loaded.network,
        training.x[_spread(len(training))],
        inputs,
        bits=parse_numbers(bits, "--bits"),
        lanes=parse_numbers(lanes, "--lanes"),
        target=synth,
        clock_hz=None if clock is None else clock * 1e6,
        say=console.say,
    )
    storage.write_file(out, sweeping.plot(points, beside))
    console.notes(notes)
    if json:
        console.out.print(json_text({"schema": 1, "points": sweeping.to_json(points)}))
        return
    front = {p.label for p in sweeping.pareto(points)}
    rows = [
        (
            ("* " if p.label in front else "  ") + p.label,
            f"{100 * (1 - p.error):.2f} %, {engineering(p.latency_s, 's')}, "
            f"{engineering(p.energy_j, 'J')}, " + ", ".join(f"{n} {r}" for r, n in p.used.items() if n),
        )
        for p in points
    ]
    console.table("* is on the Pareto front", rows)
    console.say(f"plot: {out}")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json_value(read_regular(path, "analog result", RESULT_LIMIT))
    except RecursionError:
        raise InputError(f"analog result '{printable(path)}' is nested too deeply") from None
    except ValueError as e:
        raise InputError(f"analog result '{printable(path)}' cannot be read: {printable(e)}") from e
    metrics = value.get("metrics") if isinstance(value, dict) else None
    plotted = ("accuracy", "latency_s", "energy_j", "power_w")
    if not isinstance(metrics, dict) or not all(
        metrics.get(key) is None or type(metrics[key]) in (int, float) for key in plotted
    ):
        raise InputError(f"analog result '{printable(path)}' is not what analognet simulate --json writes")
    return dict(value)


def _open(model: str, activations: str | None) -> LoadedModel:
    if Path(model).is_dir():
        found, _ = console.find_design(Path(model), to_read=True)
        digest = storage.digest(b"".join(layer.weight.tobytes() for layer in found.network.layers))
        return LoadedModel(found.network, digest, found.analog.input_range, None, found.dataset)
    return load(model, activations)


def _inputs(loaded: LoadedModel, data: str | None, seed: int, notes: list[str]) -> tuple[Dataset, Dataset]:
    """(inputs to evaluate, inputs to calibrate on): test and training split where there are two."""
    network = loaded.network
    spec = data or loaded.dataset
    if spec is None:
        return (random := _random(network, loaded.input_range, seed, notes)), random
    try:
        inputs = load_data(spec, network.n_in, network.n_out)
        if spec in DATASETS or Path(spec).is_dir():
            return inputs, load_data(spec, network.n_in, network.n_out, split="train")
    except InputError as e:
        if data is not None:
            raise
        notes.append(f"the data the model was trained for is not at hand ({e})")
        return (random := _random(network, loaded.input_range, seed, notes)), random
    notes.append("calibrated on the data it is evaluated on; a built-in set has a training split for that")
    return inputs, inputs


def _random(
    network: Network, input_range: tuple[float, float] | None, seed: int, notes: list[str]
) -> Dataset:
    low, high = input_range or (-1.0, 1.0)
    x = np.random.default_rng(seed).uniform(low, high, (RANDOM_INPUTS, network.n_in))
    notes.append(f"random inputs from {low:g} to {high:g}; give --data for an accuracy")
    return Dataset("random", x, None, storage.digest(x.tobytes()))


def _spread(rows: int) -> slice:
    """Every so manyth row, so that sorted data is sampled throughout."""
    return slice(None, None, -(-rows // CALIBRATION_ROWS))


def _loss(made: flow.Design, data: Dataset) -> float | None:
    """Accuracy that quantisation costs on labelled data."""
    if data.y is None:
        return None
    exact = (np.argmax(made.network(data.x), axis=1) == data.y).mean() if made.network.n_out > 1 else None
    return None if exact is None else float(exact - (made.quantized.classes(data.x) == data.y).mean())


def _rows(result: flow.Result) -> list[tuple[str, str]]:
    """The table: the figures, then what is peculiar to the digital side."""
    details: dict[str, Any] = dict(result.metrics.details)
    rows = [row for row in console.metric_rows(result.metrics) if row[0] != "energy of one inference"]
    low, high = result.energy.band_j
    rows += [
        ("lanes", ",".join(map(str, details["lanes"]))),
        ("cycles between inferences", str(details["interval_cycles"])),
        (
            "energy of one inference",
            f"{engineering(result.energy.nominal_j, 'J')}, between {engineering(low, 'J')} and "
            f"{engineering(high, 'J')}; static power apart",
        ),
        ("energy of the operations alone", engineering(result.energy.floor_j, "J")),
    ]
    if result.energy.static_w is not None:
        rows.append(("static power", engineering(result.energy.static_w, "W")))
    if result.verification is not None:
        checks = ", ".join(f"{c.engine} {c.mismatches}" for c in result.netlists)
        rows.append(
            (
                "proof",
                f"{result.verification.outputs} outputs in GHDL: {result.verification.mismatches} differ; {checks}",
            )
        )
    if result.device is not None:
        used = ", ".join(f"{n} of {result.device.available[r]} {r}" for r, n in result.device.used.items())
        rows += [("device", result.device.device), ("takes", used)]
        if result.device.fmax_hz:
            span = f"{min(result.device.fmax_hz) / 1e6:.0f} to {max(result.device.fmax_hz) / 1e6:.0f} MHz"
            rows.append(("clock over seeds", span))
    return rows
