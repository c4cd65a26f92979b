"""Simulating a design on data: ngspice's answer beside the float network's, as `Metrics`."""

from __future__ import annotations

import io
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analognet import process, storage
from analognet.analog import bench, compact, pdk, solver
from analognet.analog.effort import NOTABLE_S, effort_warning, point_seconds, refusal
from analognet.analog.simulate import OperatingPoints, operating_points
from analognet.analog.temperature import temperature_warnings
from analognet.data import Dataset, load_data
from analognet.design import Design, versions
from analognet.errors import InputError, UsageError
from analognet.metrics import Metrics, wilson
from analognet.names import did_you_mean, printable
from analognet.network import Array, classify

RANDOM_INPUTS = 100
MOST_IMAGES = 1_000_000
MOST_JOBS = 1024
CHIP_CPU_S = 120.0  # of ngspice; what would take longer in transistors is the compact model's
NGSPICE_IMAGES = 1000  # more are the solver's, which the referee holds to ngspice
ENGINES = ("auto", "ngspice", "solver")
CHIP_POWER = "op-amps, bias, signal common, resistors, and ideal push-pull drivers of inputs and reference"
METHODS = {
    "ngspice": "ngspice .dc sweep, one operating point per input; errors against the float network",
    "solver": "Kirchhoff's equations of the netlist, solved layer by layer (docs/solver.md); "
    "errors against the float network",
    "compact": "compact model: every cell tabulated by ngspice at this corner and temperature, the network "
    "solved between the tables (docs/sky130.md); errors against the float network",
}


@dataclass(frozen=True, eq=False)
class Simulation:
    """outputs_v: (N, n_out) volts; outputs: the same in the network's units; reference: the float
    network's (N, n_out); predictions: (N,) classes of the circuit; labels: (N,) or None.
    """

    metrics: Metrics
    data: Dataset
    outputs_v: Array
    outputs: Array
    reference: Array
    predictions: NDArray[np.int64]
    notes: tuple[str, ...]

    @property
    def labels(self) -> NDArray[np.int64] | None:
        return self.data.y

    def save(self, path: Path) -> None:
        """Write `outputs_v`, `outputs`, `reference` and `predictions` as an npz. Raises InputError."""

        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            outputs_v=self.outputs_v,
            outputs=self.outputs,
            reference=self.reference,
            predictions=self.predictions,
        )
        storage.write_file(path, buffer.getvalue())


@cache
def ngspice_version() -> str:
    """The version ngspice gives itself. Raises ToolMissing."""

    with tempfile.TemporaryDirectory(prefix="analognet-") as directory:
        done = process.run([process.find_tool("ngspice"), "--version"], cwd=Path(directory), timeout_s=30)
    found = re.search(r"ngspice-(\S+)", done.stdout + done.stderr)
    return found.group(1) if found else "unknown"


def choose_data(
    design: Design, data: str | Path | Dataset | None, images: int | None, seed: int
) -> tuple[Dataset, list[str]]:
    """The inputs of a simulation, and what to tell the user about them.

    Without data: what the design was calibrated with, else random inputs in its input range.
    Raises InputError, UsageError.
    """
    if images is not None and not 1 <= images <= MOST_IMAGES:
        raise UsageError(f"--images {images}: at least 1 input is needed, and at most {MOST_IMAGES}")
    if not 0 <= seed < 2**63:
        raise UsageError(f"--seed {seed}: a seed is a whole number from 0 to 2^63 - 1")
    notes: list[str] = []
    n_in, n_out = design.network.n_in, design.network.n_out
    chosen: Dataset | None = None
    if isinstance(data, Dataset):
        chosen = data
    elif data is not None:
        chosen = load_data(data, n_in, n_out)
    elif design.samples is not None:
        chosen = design.samples
        notes.append("simulated on the data it was calibrated with")
    elif design.dataset is not None:
        try:
            chosen = load_data(design.dataset, n_in, n_out)
        except InputError as e:
            notes.append(f"data set {design.dataset} is not at hand: {e}")
    if chosen is None:
        low, high = design.analog.input_range
        x = np.random.default_rng(seed).uniform(low, high, (images or RANDOM_INPUTS, n_in))
        notes.append(f"random inputs from {low:g} to {high:g}; give --data for an accuracy")
        return Dataset("random", x, None, storage.digest(x.tobytes())), notes
    if images is not None and images < len(chosen):
        y = None if chosen.y is None else chosen.y[:images]
        chosen = Dataset(chosen.name, chosen.x[:images], y, chosen.digest)
    elif images is not None and images > len(chosen):
        notes.append(f"{printable(chosen.name)} has {len(chosen)} inputs, not {images}")
    return chosen, notes + _check_inputs(design, chosen.x)


def _check_inputs(design: Design, x: Array) -> list[str]:
    """Refuse inputs beyond the rails, warn of those beyond full scale."""
    technology = design.technology
    volts = x * design.analog.scale_in
    low, high = float(volts.min()), float(volts.max())
    reach = max(abs(float(x.min())), abs(float(x.max())))
    fix = f"scale the circuit for them: analognet convert MODEL --input-range={-reach:.4g},{reach:.4g}"
    if high > technology.vdd or low < technology.vss:
        worst = high if high > technology.vdd else low
        raise InputError(
            f"inputs reach {worst / design.analog.scale_in:.4g}, which is {worst:.3g} V and beyond the supplies "
            f"({technology.vss:g} to {technology.vdd:g} V); {fix}"
        )
    if max(high, -low) > technology.full_scale * (1 + 1e-9):
        return [
            f"inputs reach {max(high, -low):.3g} V, more than the full scale of {technology.full_scale:g} V: "
            f"nodes may clip; {fix}"
        ]
    return []


def simulate(
    design: Design,
    data: str | Path | Dataset | None = None,
    *,
    images: int | None = None,
    temperature: float = bench.NOMINAL_C,
    corner: str = "tt",
    mismatch: int | None = None,
    seed: int = 0,
    engine: str = "auto",
    jobs: int = 2,
    timeout_s: float = 3600.0,
    progress: Callable[[int, int], None] | None = None,
    warn: Callable[[str], None] | None = None,
) -> Simulation:
    """Simulate a design's operating points and compare them with the float network.

    data: see `choose_data`; images: only the first so many; temperature in Celsius; corner
    and mismatch: which chip of a process (`Design.under`); engine:
    ngspice, solver, or auto, which takes the solver beyond `NGSPICE_IMAGES` inputs and where
    ngspice cannot take the network; jobs: ngspice
    processes or solver threads at a time; progress(done, total) is called as inputs are done;
    warn(line) before ngspice starts on what will take minutes, and without it that is a note.
    Raises UsageError, also where ngspice is asked for and cannot take the network within timeout_s or its
    memory, InputError, ToolMissing, SimulatorError.
    """
    if not 1 <= jobs <= MOST_JOBS:
        raise UsageError(f"--jobs {jobs}: at least 1 is needed, and at most {MOST_JOBS}")
    if engine not in ENGINES:
        raise UsageError(
            f"--engine '{printable(engine)}': choose from {', '.join(ENGINES)}{did_you_mean(engine, ENGINES)}"
        )
    design = design.under(corner, temperature, mismatch)
    chosen, notes = choose_data(design, data, images, seed)
    notes += temperature_warnings(design.analog, design.cells, temperature)
    if engine == "auto":
        engine = choose_engine(design, len(chosen), timeout_s)
        if engine == "solver" and design.technology.process:
            notes.append(
                f"{len(chosen)} inputs by the compact model of each cell; --engine ngspice simulates every "
                f"transistor, in about {chip_seconds(design, len(chosen)) / 60:.0f} minutes of processor time"
            )
        elif engine == "solver" and (line := refusal(design.analog, timeout_s)):
            notes.append(line)
        elif engine == "solver" and point_seconds(design.analog) > NOTABLE_S:
            minutes = point_seconds(design.analog) / 60
            notes.append(
                f"by the exact solver: ngspice would take some {minutes:.0f} minutes for the first operating point"
            )
    elif engine == "ngspice" and (line := refusal(design.analog, timeout_s)):
        raise UsageError(line)
    total, done = len(chosen), 0

    def advance(n: int) -> None:
        nonlocal done
        done += n
        if progress:
            progress(done, total)

    if engine == "solver":
        points = _solved(design, chosen.x, temperature, jobs, progress)
    else:
        if line := effort_warning(design.analog, total, jobs):
            (warn or notes.append)(line)
        points = operating_points(
            design.analog,
            design.circuit,
            design.netlist,
            design.cells,
            chosen.x,
            temperature=temperature,
            jobs=jobs,
            timeout_s=timeout_s,
            files=design.dc_files,
            conditions=design.start_conditions(temperature),
            progress=advance,
        )
    if points.clipped:
        notes.append(f"{points.clipped} of {total} inputs drive a node beyond the op-amp's swing: it clips")
    reference = design.network(chosen.x)
    outputs = points.outputs_v / design.analog.scale_out
    values: dict[str, Any] = {
        "images": total,
        "agreement": float((classify(outputs) == classify(reference)).mean()),
        "output_error_v_max": float(np.abs(points.outputs_v - reference * design.analog.scale_out).max()),
        "output_error_v_rms": _rms(points.outputs_v - reference * design.analog.scale_out),
        "power_w": None if points.power_w is None else float(points.power_w.mean()),
        "opamps": design.tally.opamps,
        "resistors": design.tally.resistors,
        "area_m2": None if design.area is None else design.area.total,
    }
    predictions = classify(outputs)
    if chosen.y is not None:
        right = int((predictions == chosen.y).sum())
        values["accuracy"] = right / total
        values["accuracy_ci95"] = wilson(right, total)
        values["reference_accuracy"] = float((classify(reference) == chosen.y).mean())
    metrics = Metrics(
        values,
        provenance(design)
        | {
            "method": METHODS["compact" if engine == "solver" and design.technology.process else engine],
            "engine": engine,
            "ngspice": ngspice_version() if engine == "ngspice" else None,
            "temperature_c": temperature,
            "data": {"name": printable(Path(chosen.name).name), "sha256": chosen.digest},
            "seed": seed,
            "power_includes": CHIP_POWER
            if design.technology.process
            else "supplies and reference of all op-amps and resistors; not what drives the inputs",
        },
        {"clipped": points.clipped, "dropped": design.analog.dropped, "cpu_s": points.cpu_s},
    )
    return Simulation(metrics, chosen, points.outputs_v, outputs, reference, predictions, tuple(notes))


def choose_engine(design: Design, images: int, timeout_s: float = 3600.0) -> str:
    """What `auto` takes: ngspice while it answers within minutes, and at all within a chunk's time limit."""
    if design.technology.process:
        return "ngspice" if chip_seconds(design, images) <= CHIP_CPU_S else "solver"
    slow = point_seconds(design.analog) > NOTABLE_S
    if images > NGSPICE_IMAGES or slow or refusal(design.analog, timeout_s):
        return "solver"
    return "ngspice"


def chip_seconds(design: Design, images: int) -> float:
    """Processor seconds, roughly, of that many operating points in transistors (docs/sky130.md)."""
    return images * (1.5e-5 * design.tally.resistors + 4e-4 * design.tally.opamps)


def _solved(
    design: Design,
    x: Array,
    temperature: float,
    jobs: int,
    progress: Callable[[int, int], None] | None,
) -> OperatingPoints:
    """The solver's operating points; for a board it does not account for supply currents."""
    if design.technology.process:
        done = 0

        def advance(n: int) -> None:
            nonlocal done
            done += n
            if progress:
                progress(done, len(x))

        chip = compact.solve(design.analog, design.cells, x, design.conditions(temperature), progress=advance)
        return OperatingPoints(chip.outputs_v, chip.hidden_v, chip.power_w, int(chip.beyond.sum()), None)
    found = solver.solve(
        design.analog, design.cells, x, temperature=temperature, jobs=jobs, progress=progress
    )
    return OperatingPoints(found.outputs_v, (), None, int(found.clipped.sum()), None)


def _rms(values: Array) -> float:
    return float(np.sqrt(np.mean(values**2)))


def provenance(design: Design) -> dict[str, Any]:
    """What a figure about a design rests on."""
    technology = design.technology
    chip = {}
    if technology.process:
        chip = {"corner": design.corner, "mismatch_seed": design.mismatch, "pdk": pdk.find().version}
    return chip | {
        "versions": versions(),
        "network": {
            "name": printable(design.network.name),
            "shape": list(design.network.shape),
            "activations": [str(layer.activation) for layer in design.network.layers],
        },
        "technology": technology.name,
        "opamp": technology.opamp,
        "topology": design.analog.topology,
        "resistor_series": technology.resistor.series,
        "supply_v": [technology.vss, technology.vdd],
        "full_scale_v": technology.full_scale,
        "calibration": design.calibration,
        "source": dict(design.source),
        "netlist_sha256": design.netlist_sha256,
    }
