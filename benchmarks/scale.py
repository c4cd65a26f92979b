"""How far conversion and the solver reach: seconds and memory for networks of up to ten million weights.

python benchmarks/scale.py                       # 1e5, 1e6 and 1e7 weights, technology board
python benchmarks/scale.py --technology ideal
python benchmarks/scale.py --ngspice             # and one operating point in ngspice, to its limits

Each size runs in a process of its own, so that its peak is its own. The networks are random, made here and
kept nowhere; their files go to a temporary directory.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path
from typing import Final

import numpy as np

from analognet import convert, open_design, save
from analognet.analog import solver
from analognet.analog.effort import point_bytes, point_seconds
from analognet.data import Dataset
from analognet.design import Design
from analognet.network import Activation, Dense, Network
from analognet.process import find_tool, run

SHAPES: Final = ((300, 300, 30, 10), (1000, 900, 100, 10), (3000, 3000, 300, 10))
NGSPICE_SHAPES: Final = (
    (100, 60, 50, 10),
    (100, 300, 10),
    (300, 100, 10),
    (1000, 100, 10),
    (1000, 200, 10),
    (3000, 100, 10),
    (1000, 300, 10),
    (1000, 600, 10),
)
IMAGES: Final = 100
LIMIT_S: Final = 600.0
LIMIT_BYTES: Final = 8 << 30


def network(shape: tuple[int, ...]) -> tuple[Network, np.ndarray]:
    """Random ReLU network as training starts from (He), and IMAGES inputs between 0 and 1."""
    rng = np.random.default_rng(0)
    layers = []
    for i, (n_in, n_out) in enumerate(itertools.pairwise(shape)):
        weight = rng.normal(0.0, np.sqrt(2.0 / n_in), (n_out, n_in))
        activation = Activation("linear" if i == len(shape) - 2 else "relu")
        layers.append(Dense(f"layer{i}", weight, rng.normal(0.0, 0.1, n_out), activation))
    return Network("scale", tuple(layers)), rng.uniform(0.0, 1.0, (IMAGES, shape[0]))


def peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


class Clock:
    """Wall and processor seconds since the last call."""

    def __init__(self) -> None:
        self._last = time.perf_counter(), time.process_time()

    def __call__(self) -> str:
        now = time.perf_counter(), time.process_time()
        wall, cpu = (b - a for a, b in zip(self._last, now, strict=True))
        self._last = now
        return f"{wall:7.2f} s ({cpu:6.2f} s CPU), peak {peak_gb():.2f} GB"


def conversion(shape: tuple[int, ...], technology: str) -> None:
    """Convert, write, read back and solve one network; print what each took."""
    net, x = network(shape)
    weights = sum(layer.weight.size for layer in net.layers)
    print(f"{'-'.join(map(str, shape))}, {weights:,} weights, {technology}", flush=True)
    clock = Clock()
    design = convert(net, technology=technology, calibrate=Dataset("random", x, None, ""))
    print(f"  convert, rules checked         {clock()}; {design.circuit.resistors:,} resistors", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        save(design, Path(directory) / "design")
        size = (Path(directory) / "design" / "network.cir").stat().st_size
        print(f"  write to disk                  {clock()}; netlist of {size / 1e6:.1f} MB", flush=True)
        del design
        design = open_design(Path(directory) / "design")
        print(f"  read back, compared byte by byte {clock()}", flush=True)
    found = solver.solve(design.analog, design.cells, x)
    print(f"  solver, {IMAGES} images, the first time {clock()}", flush=True)
    found = solver.solve(design.analog, design.cells, x)
    print(f"  solver, {IMAGES} images, again     {clock()}")
    error = np.abs(found.outputs_v - net(x) * design.analog.scale_out).max()
    print(f"  largest difference to the float network {error * 1e3:.3g} mV; clipped {found.clipped.sum()}")


def ngspice(shape: tuple[int, ...], technology: str) -> None:
    """One operating point of the standalone netlist, and what was estimated before it."""
    net, x = network(shape)
    design: Design = convert(net, technology=technology, calibrate=Dataset("random", x, None, ""))
    estimate = f"estimated {point_seconds(design.analog):.2g} s, {point_bytes(design.analog) / 1e9:.2g} GB"
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "network.cir").write_text(design.standalone_netlist())
        start = time.perf_counter()
        done = run(
            [find_tool("ngspice"), "-b", "network.cir"],
            cwd=Path(directory),
            timeout_s=LIMIT_S,
            memory_bytes=LIMIT_BYTES,
        )
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = "ran out of time" if done.timed_out else f"exit {done.returncode}"
    print(
        f"  {'-'.join(map(str, shape))} {technology}: {design.circuit.resistors:,} resistors, {ended}, "
        f"{time.perf_counter() - start:.1f} s, {used.ru_utime:.1f} s CPU, "
        f"{used.ru_maxrss * 1024 / 1e9:.2f} GB; {estimate}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--technology", default="board", choices=("ideal", "board"))
    parser.add_argument("--ngspice", action="store_true")
    args = parser.parse_args()
    apart = multiprocessing.get_context("spawn")
    jobs = [(conversion, shape) for shape in SHAPES]
    if args.ngspice:
        jobs = [(ngspice, shape) for shape in NGSPICE_SHAPES]
    for work, shape in jobs:
        child = apart.Process(target=work, args=(shape, args.technology))
        child.start()
        child.join()
        if child.exitcode:
            raise SystemExit(f"{shape} ended with {child.exitcode}")


if __name__ == "__main__":
    main()
