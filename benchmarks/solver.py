"""The structural solver's figures, measured: `python benchmarks/solver.py [--boards 1000] [--repeat 5]`.

Needs the MNIST test set (see `analognet.load_data`) and ngspice. Prints one table; times are medians.
`--agreement` prints another instead: the largest difference from ngspice on every example, and on
random networks, over topologies, op-amps and temperatures.
"""

from __future__ import annotations

import argparse
import itertools
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from analognet import Activation, Dense, Network, convert, load_data
from analognet.analog import solver
from analognet.analog.layers import TOPOLOGIES
from analognet.analog.montecarlo import monte_carlo
from analognet.analog.noise import noise, spice_noise
from analognet.analog.referee import referee
from analognet.analog.simulate import operating_points
from analognet.analog.technology import load_technology
from analognet.analog.variation import default_spread
from analognet.design import Design

MODEL = Path(__file__).resolve().parent.parent / "examples" / "mnist" / "mnist.safetensors"
SHAPE = "784-128-10"


def timed(work: Callable[[], object], repeat: int) -> tuple[float, float]:
    """Median (wall-clock, processor) seconds of a call, after one that warms up."""
    work()
    walls, cpus = [], []
    for _ in range(repeat):
        cpu, wall = time.process_time(), time.perf_counter()
        work()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return statistics.median(walls), statistics.median(cpus)


def behavioural() -> Design:
    technology = load_technology("board")
    return convert(
        MODEL,
        technology=technology.model_copy(
            update={"amplifiers": {}, "activations": {"relu": "act_relu_behavioural"}}
        ),
    )


def peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


EXAMPLES = MODEL.parent.parent
TEMPERATURES = (-40.0, 27.0, 125.0)
FULL_SCALE = {"opa4192": 2.5, "lm358": 2.0, "tl074h": 2.5}  # V, by op-amp, as its swing allows


def random_network(seed: int) -> Network:
    rng = np.random.default_rng(seed)
    names = ("linear", "relu", "leaky_relu:0.1", "sigmoid", "tanh")
    shape = rng.integers(1, 6, rng.integers(2, 5)).tolist()
    layers = [
        Dense(f"d{i}", rng.normal(0, 1, (m, n)), rng.normal(0, 0.3, m), Activation.parse(rng.choice(names)))
        for i, (n, m) in enumerate(itertools.pairwise(shape))
    ]
    return Network(f"random {seed}", tuple(layers))


def agreement(images: int, networks: int) -> None:
    """Print the largest differences as a table."""
    models: list[tuple[str, list[Path | Network]]] = [
        (name, [EXAMPLES / name / f"{name}.safetensors"])
        for name in ("iris", "digits", "digits_deep", "digits_sigmoid")
    ]
    models.append((f"{networks} random networks", [random_network(i) for i in range(networks)]))
    print("| network | topology | op-amp | input nodes | hidden nodes | output nodes | clipped |")
    print("|---|---|---|---|---|---|---|")
    for (name, networks_), topology, part in itertools.product(models, TOPOLOGIES, (*FULL_SCALE, "ideal")):
        worst = np.zeros(3)
        clipped = total = 0
        for model in networks_:
            if part == "ideal":
                design = convert(model, technology="ideal", topology=topology)
            else:
                overrides = {"opamp": part, "full_scale": FULL_SCALE[part]}
                design = convert(model, topology=topology, overrides=overrides)
            low, high = design.analog.input_range
            x = np.random.default_rng(1).uniform(low, high, (images, design.analog.n_in))
            x[-1] *= 1.9  # beyond the full scale, into the clamps
            for temperature in TEMPERATURES:
                v = referee(design, x, temperature)
                worst = np.maximum(worst, [v.inputs_v, max(v.hidden_v, default=0.0), v.outputs_v])
                clipped, total = clipped + v.clipped, total + v.images
        figures = " | ".join(f"{w:.1e} V" for w in worst)
        print(f"| {name} | {topology} | {part} | {figures} | {clipped} of {total} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--boards", type=int, default=50, help="of the Monte Carlo run")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--agreement", action="store_true", help="print the agreement with ngspice instead")
    parser.add_argument("--images", type=int, default=4, help="for --agreement")
    parser.add_argument("--networks", type=int, default=20, help="random ones, for --agreement")
    options = parser.parse_args()
    if options.agreement:
        agreement(options.images, options.networks)
        return
    rows: list[tuple[str, str, str]] = []

    def row(what: str, figure: str, target: str = "") -> None:
        rows.append((what, figure, target))
        print(f"  {what}: {figure}", file=sys.stderr)

    data = load_data("mnist", 784, 10)
    assert data.y is not None
    x, y = data.x, data.y
    count = len(x)
    diode = convert(MODEL, technology="board")

    plain, plain_cpu = timed(lambda: diode.network(x), options.repeat)
    row(f"numpy float64 forward pass, {count} images", f"{plain:.3f} s wall, {plain_cpu:.3f} s CPU")
    wall, cpu = timed(lambda: solver.solve(diode.analog, diode.cells, x, jobs=options.jobs), options.repeat)
    row("solver, diode rectifiers", f"{count / wall:,.0f} images/s wall, {cpu:.3f} s CPU", "20,000 images/s")
    twin = behavioural()
    wall, cpu = timed(lambda: solver.solve(twin.analog, twin.cells, x, jobs=options.jobs), options.repeat)
    row(
        "solver, behavioural ReLU",
        f"{wall / plain:.2f} x numpy wall, {cpu / plain_cpu:.2f} x CPU",
        "3 x",
    )

    few = x[:: count // 8][:8]
    points = operating_points(diode.analog, diode.circuit, diode.netlist, diode.cells, few)
    row(f"ngspice, {len(few)} images", f"{points.cpu_s / len(few):.2f} s CPU per image")
    verdict = referee(diode, few)
    row(
        "largest difference from ngspice, hidden and output nodes",
        f"{max(verdict.hidden_v):.1e} V and {verdict.outputs_v:.1e} V",
        "1e-9 V",
    )

    start, start_cpu = time.perf_counter(), time.process_time()
    result = monte_carlo(
        diode, x, y, options.boards, 1, default_spread(diode), sensitivity_boards=0, jobs=options.jobs
    )
    wall, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    runs = options.boards + 1
    row(
        f"Monte Carlo, {options.boards} boards x {count} images",
        f"{wall:.0f} s wall, {cpu:.0f} s CPU; 1000 boards: {wall / runs * 1000:.0f} s wall",
        "600 s",
    )
    row(
        "accuracy over the boards (float)",
        f"{100 * result.mean:.3f} % +- {100 * result.sigma:.3f} % ({100 * result.reference:.2f} %)",
        "within 0.1 point",
    )

    start = time.perf_counter()
    found = noise(diode, x[0], jobs=options.jobs)
    row("noise, all outputs, solver", f"{time.perf_counter() - start:.2f} s", "10 s")
    start = time.perf_counter()
    spice = spice_noise(diode, x[0], [found.worst])
    row("noise, one output, ngspice", f"{time.perf_counter() - start:.1f} s")
    _, _, v_rms = spice[found.worst]
    row("noise, solver against ngspice", f"{abs(found.v_rms[found.worst] / v_rms - 1):.1e}", "1e-2")
    row("peak memory", f"{peak_gb():.2f} GB", "2 GB")

    widths = [max(len(r[i]) for r in rows) for i in range(3)]
    print(f"# {SHAPE}, technology board, {options.jobs} threads, numpy {np.__version__}")
    for what, figure, target in rows:
        print(f"| {what:<{widths[0]}} | {figure:<{widths[1]}} | {target:<{widths[2]}} |")


if __name__ == "__main__":
    main()
