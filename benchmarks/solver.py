"""The structural solver's figures, measured: `python benchmarks/solver.py [--boards 1000] [--repeat 5]`.

Needs the MNIST test set (see `analognet.load_data`) and ngspice. Prints one table; times are medians.
`--device CUDA`, or any other device of tinygrad's, prints another instead: Monte Carlo there.
`--agreement` prints a third: the largest difference from ngspice on every example, and on
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
from analognet.analog.checkpoint import Job
from analognet.analog.layers import TOPOLOGIES
from analognet.analog.montecarlo import monte_carlo
from analognet.analog.noise import noise, spice_noise
from analognet.analog.referee import referee
from analognet.analog.right_answers import ALL, Trial, by_device, open_run
from analognet.analog.simulate import operating_points
from analognet.analog.solver.device import BOARDS, answers, open_device, outputs
from analognet.analog.solver.device_equations import OPEN, RIGHT
from analognet.analog.solver.differences import BoardDifferences, differences
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


def on_device(name: str, opamp: str, count: int, images: int, jobs: int, repeat: int) -> None:
    """Monte Carlo on a tinygrad device: where the time goes, and how far from float64 it is."""
    design = convert(MODEL, technology="board", overrides={"opamp": opamp})
    data = load_data("mnist", 784, 10)
    assert data.y is not None
    trial = Trial(
        design,
        np.asarray(data.x[:images], dtype=np.float64),
        data.y[:images],
        1,
        default_spread(design),
        27.0,
    )
    device, volts = open_device(name), trial.volts

    def rest(first: int, boards: int) -> list[Job]:
        return [Job(ALL, first + at, min(BOARDS, boards - at)) for at in range(0, boards, BOARDS)]

    def piece(job: Job) -> tuple[list[solver.Equations], list[BoardDifferences]]:
        systems = [trial.system(job.source, job.first + i) for i in range(job.count)]
        return systems, [differences(run.anchors, s) for s in systems]

    start = time.perf_counter()
    run = open_run(trial, jobs, device)
    print(f"  nominal board, data onto the device: {time.perf_counter() - start:.2f} s", file=sys.stderr)
    start = time.perf_counter()
    list(by_device(trial, rest(0, 3 * BOARDS), jobs, run))
    print(f"  first {3 * BOARDS} boards, compilation: {time.perf_counter() - start:.2f} s", file=sys.stderr)
    walls, cpus = [], []
    for _ in range(repeat):
        cpu, wall = time.process_time(), time.perf_counter()
        list(by_device(trial, rest(0, count), jobs, run))
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    start = time.perf_counter()
    systems, ready = piece(Job(ALL, 0, BOARDS))
    prepared = (time.perf_counter() - start) / BOARDS
    times = []
    for _ in range(max(3, repeat)):
        start = time.perf_counter()
        codes = answers(run, ready)
        times.append((time.perf_counter() - start) / BOARDS)
    found, trusted = outputs(run, ready)
    worst, right = 0.0, True
    for system, told, sure, code in zip(systems[:4], found, trusted, codes, strict=False):
        exact = np.concatenate(
            [system.solve(volts[at : at + 512])[0][-1] for at in range(0, len(volts), 512)]
        )
        worst = max(worst, float(np.abs(told - exact).max(axis=1, initial=0.0)[sure].max(initial=0.0)))
        same = (exact.argmax(axis=1) == trial.classes) == (code == RIGHT)
        right &= bool(same[code != OPEN].all())
    print(f"# {SHAPE}, {opamp}, {count} boards x {len(volts)} images, {device}, {jobs} threads")
    print("| what | measured | target |")
    print("|---|---|---|")
    print(f"| all, compiled before | {statistics.median(walls):.2f} s wall, {statistics.median(cpus):.2f} s CPU |"
          f" {3.0 * count / 1000:g} s on a data-centre GPU |")  # fmt: skip
    print(f"| a board drawn and written down, one thread | {1e3 * prepared:.2f} ms | |")
    print(f"| a board there and back, eight at a time | {1e3 * statistics.median(times):.2f} ms | |")
    print(f"| trusted outputs against float64 | {worst:.1e} V | 1e-5 V |")
    print(f"| left to float64 | {100 * float((codes == OPEN).mean()):.4f} % | |")
    print(f"| answers as in float64 | {'all' if right else 'NOT ALL'} | all |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--boards", type=int, default=50, help="of the Monte Carlo run")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--agreement", action="store_true", help="print the agreement with ngspice instead")
    parser.add_argument("--device", help="a tinygrad device, e.g. CUDA: Monte Carlo there instead")
    parser.add_argument("--opamp", default="opa4192", help="for --device")
    parser.add_argument("--images", type=int, help="default 4 for --agreement, all for --device")
    parser.add_argument("--networks", type=int, default=20, help="random ones, for --agreement")
    options = parser.parse_args()
    if options.agreement:
        agreement(options.images or 4, options.networks)
        return
    if options.device:
        images = options.images or 10_000
        on_device(options.device, options.opamp, options.boards, images, options.jobs, options.repeat)
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
