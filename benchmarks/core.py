"""Speed and accuracy of the core, in one run: `python benchmarks/core.py [--quick]`.

Times are processor time (user + system) of ngspice as the kernel counts it, so that other load
on the machine matters little; what is compared is measured in the same run. MNIST figures need
the data set, see `analognet.data`.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from collections.abc import Callable

import numpy as np

import analognet
from analognet.analog import build, mapping, netlist, rules, solver
from analognet.analog.cells import library
from analognet.analog.layers import TOPOLOGIES
from analognet.analog.ranges import LayerRange, data_ranges
from analognet.analog.simulate import OperatingPoints, operating_points
from analognet.analog.technology import load_technology
from analognet.network import Activation, Dense, Network, classify
from analognet.simulation import NGSPICE_IMAGES, ngspice_version


def random_network(*shape: int) -> Network:
    rng = np.random.default_rng(1)
    layers = []
    for i, (n_in, n_out) in enumerate(itertools.pairwise(shape)):
        weight = rng.normal(size=(n_out, n_in)) / np.sqrt(n_in)
        kind = "relu" if i < len(shape) - 2 else "linear"
        layers.append(Dense(f"l{i}", weight, 0.1 * rng.normal(size=n_out), Activation(kind)))
    return Network("random", tuple(layers))


def best(work: Callable[[], object], runs: int) -> float:
    """Median wall time of some runs, in seconds."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def to_netlist(network: Network, ranges: tuple[LayerRange, ...]) -> str:
    """Everything between the loaded network and the text: map, build, check, render."""
    cells = library()
    analog = mapping.map_network(network, load_technology("board"), cells, (0.0, 1.0), ranges)
    circuit = build.build(analog, cells)
    rules.check(circuit)
    return netlist.render(circuit)


def through_pyspice(network: Network, ranges: tuple[LayerRange, ...]) -> str:
    """The same resistors through PySpice's Circuit, one call each, and its text."""
    from PySpice.Spice.Netlist import Circuit

    analog = mapping.map_network(network, load_technology("board"), library(), (0.0, 1.0), ranges)
    circuit = Circuit("same")
    for k, layer in enumerate(analog.layers):
        for side, g in (("p", layer.g_pos), ("n", layer.g_neg)):
            for i, j in zip(*np.nonzero(g), strict=True):
                circuit.R(f"{k}{side}{i}_{j}", f"l{k}x{j}", f"l{k}{side}{i}", 1.0 / float(g[i, j]))
    return str(circuit)


def convert_speed(runs: int) -> None:
    network = random_network(784, 128, 10)
    ranges = data_ranges(network, np.random.default_rng(2).uniform(size=(100, 784)))
    ours = best(lambda: to_netlist(network, ranges), runs)
    theirs = best(lambda: through_pyspice(network, ranges), max(1, runs // 2))
    print("\nconvert 784-128-10 to a checked netlist")
    print(f"  AnalogNet              {ours:8.3f} s")
    print(
        f"  PySpice's Circuit      {theirs:8.3f} s   ({theirs / ours:.1f} times as long; resistors alone, no checks)"
    )


def sweep_speed(shape: tuple[int, ...], images: int, alone: int) -> None:
    """One sweep against one process per image, `ideal` technology."""
    network = random_network(*shape)
    x = np.random.default_rng(3).uniform(size=(images, shape[0]))
    design = analognet.convert(network, technology="ideal", input_range=(0.0, 1.0))
    swept = run(design, x).cpu_s / images
    single = sum(run(design, x[i : i + 1]).cpu_s for i in range(alone)) / alone
    name = "-".join(map(str, shape))
    print(
        f"  {name:12s} sweep of {images}: {1e3 * swept:7.2f} ms   one process each: {1e3 * single:7.1f} ms   "
    )
    print(f"  {'':12s} {single / swept:.0f} times as many images per processor second")


def run(design: analognet.Design, x: np.ndarray, jobs: int = 1) -> OperatingPoints:
    return operating_points(design.analog, design.circuit, design.netlist, design.cells, x, jobs=jobs)


def by_solver(design: analognet.Design, x: np.ndarray, jobs: int) -> OperatingPoints:
    """Whole test sets are the solver's; its processor time is this process's."""
    start = time.process_time()
    found = solver.solve(design.analog, design.cells, x, jobs=jobs)
    return OperatingPoints(found.outputs_v, (), None, 0, time.process_time() - start)


def accuracy(model: str, technology: str, images: int | None, jobs: int = 2, **options: object) -> None:
    path = f"examples/{model}/{model}.safetensors"
    design = analognet.convert(path, technology=technology, **options)  # type: ignore[arg-type]
    assert design.dataset is not None
    try:
        data = analognet.load_data(design.dataset)
    except analognet.AnalogNetError as e:
        print(f"  {model:15s} not measured: {e}")
        return
    x, y = data.x[:images], data.y[:images] if data.y is not None else None
    points = run(design, x, jobs) if len(x) <= NGSPICE_IMAGES else by_solver(design, x, jobs)
    reference = design.network(x)
    error = points.outputs_v - reference * design.analog.scale_out
    same = classify(points.outputs_v) == classify(reference)
    power = "      -" if points.power_w is None else f"{1e3 * points.power_w.mean():7.0f}"
    label = f"{technology} {design.analog.topology} {design.technology.opamp.removeprefix('opamp_')}"
    print(
        f"  {model:15s} {label:24s} {len(x):4d}  {100 * np.mean(classify(reference) == y):6.2f} "
        f"{100 * np.mean(classify(points.outputs_v) == y):6.2f} {100 * same.mean():6.2f} "
        f"{1e3 * np.abs(error).max():9.4f} {1e3 * np.sqrt(np.mean(error**2)):9.4f} "
        f"{design.tally.opamps:5d} {design.tally.resistors:6d} {power} {1e3 * points.cpu_s / len(x):7.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer images and runs")
    quick = parser.parse_args().quick
    print(f"AnalogNet core benchmark; ngspice {ngspice_version()}")
    convert_speed(2 if quick else 5)
    print("\nngspice, ideal technology, processor time per image")
    sweep_speed((64, 32, 10), 100 if quick else 450, 5 if quick else 20)
    sweep_speed((784, 32, 10), 100 if quick else 450, 3 if quick else 10)
    columns = "n     float circuit  agree    max mV    rms mV amps    R's     mW ms/image"
    heading = f"{'model':15s} {'technology':24s}    {columns}"
    print("\naccuracy in % and cost; errors at the outputs, full scale 2.5 V\n  " + heading)
    accuracy("iris", "ideal", None)
    accuracy("digits", "ideal", None)
    accuracy("iris", "board", None)
    for topology in TOPOLOGIES:
        accuracy("digits", "board", 100 if quick else None, topology=topology)
    accuracy("digits", "board", None, overrides={"opamp": "lm358"})
    accuracy("digits", "board", None, overrides={"series": "E96"})
    accuracy("digits_sigmoid", "board", None)
    accuracy("digits_deep", "board", None)
    mnist = 20 if quick else 200
    accuracy("mnist", "ideal", mnist)
    accuracy("mnist", "board", mnist, overrides={"cells": {"relu": "act_relu_behavioural"}})
    accuracy("mnist", "board", None)
    for topology in TOPOLOGIES[:2] if quick else TOPOLOGIES:
        accuracy("mnist", "board", mnist, topology=topology)


if __name__ == "__main__":
    main()
