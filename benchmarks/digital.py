"""Measures the digital path and prints one table: `python benchmarks/digital.py`.

Needs ghdl, verilator, make, g++, pyosys and both nextpnr packages; MNIST from ANALOGNET_DATA.
Placement and routing of the largest design takes many minutes; --quick leaves routing out.
Routing results are cached by content, so a second run is fast.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from analognet.data import load_data
from analognet.digital import flow, netlist, simulate, synthesis
from analognet.digital.simulate import GhdlBench
from analognet.errors import AnalogNetError
from analognet.loading import load
from analognet.network import Activation, Array, Dense, Network, classify

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
Row = tuple[str, str, str]  # what, measured, wanted


def example(name: str, data: str, lanes: tuple[int, ...] | None) -> flow.Design:
    model = load(EXAMPLES / name / f"{name}.safetensors")
    train = load_data(data, split="train").x
    return flow.design(model.network, train[:: -(-len(train) // 5000)], lanes=lanes)


def jet_tagger() -> tuple[Network, Array]:
    """The shape of hls4ml's jet tagger with random weights: its data set is not part of AnalogNet."""
    rng = np.random.default_rng(0)
    widths = (16, 64, 32, 32, 5)
    layers = tuple(
        Dense(
            f"l{k}",
            rng.normal(0, 1.4 / np.sqrt(a), (b, a)),
            rng.normal(0, 0.1, b),
            Activation("relu" if k < 3 else "linear"),
        )
        for k, (a, b) in enumerate(itertools.pairwise(widths))
    )
    return Network("jets", layers), rng.normal(0, 1, (500, 16))


def accuracy_rows(name: str, data: str) -> list[Row]:
    made, test = example(name, data, None), load_data(data)
    exact = 100 * (classify(made.network(test.x)) == test.y).mean()
    whole = 100 * (made.quantized.classes(test.x) == test.y).mean()
    return [
        (f"{name}: int8 accuracy, {len(test)} images", f"{whole:.2f} % (float {exact:.2f} %)", "within 0.3")
    ]


def proof_rows(name: str, data: str, lanes: tuple[int, ...], ghdl: int, bulk: int) -> list[Row]:
    made = example(name, data, lanes)
    x = made.quantized.encode(load_data(data).x)
    rows = []
    with GhdlBench(made.files, made.quantized, made.plan) as bench:
        proof = simulate.verify(bench, x[:ghdl])
        verilog = bench.synthesised()
    wanted = "0, under 30 s for 100" if ghdl == 100 else "0"
    rows.append(
        (
            f"{name} {_lanes(made)}: GHDL, {ghdl} images",
            f"{proof.mismatches} mismatches, {proof.wall_s:.1f} s",
            wanted,
        )
    )
    if bulk:
        checked = netlist.check_netlist(
            {"an_top.v": verilog}, made.quantized, made.plan, x[:bulk], engine="verilator"
        )
        rows.append(
            (
                f"{name} {_lanes(made)}: Verilator, {bulk} images",
                f"{checked.mismatches} mismatches, {checked.wall_s:.1f} s",
                "0",
            )
        )
    return rows


def device_rows(
    label: str,
    made: flow.Design,
    target: str,
    route: bool,
    wanted: str,
    seeds: tuple[int, ...] = synthesis.SEEDS,
) -> list[Row]:
    with GhdlBench(made.files, made.quantized, made.plan) as bench:
        verilog = bench.synthesised()
    found = synthesis.synthesise(verilog, synthesis.TARGETS[target], route=route, seeds=seeds)
    used = ", ".join(f"{n} {r}" for r, n in found.used.items() if n)
    shape = f"{made.plan.cycles} cycles, one every {made.plan.interval}"
    fmax = found.fmax_median_hz
    if fmax is None:
        return [(f"{label} {_lanes(made)} on {target}", f"{shape}; {used}", wanted)]
    each = "/".join(f"{f / 1e6:.0f}" for f in found.fmax_hz)
    figures = (
        f"{1e6 * made.plan.cycles / fmax:.3f} us at {fmax / 1e6:.1f} MHz (seeds {each}), "
        f"{fmax / made.plan.interval:.3g}/s"
    )
    return [(f"{label} {_lanes(made)} on {target}", f"{figures}; {shape}; {used}", wanted)]


def _lanes(made: flow.Design) -> str:
    return "/".join(map(str, made.plan.lanes))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="no placement and routing")
    parser.add_argument("--only", default="", help="rows whose name holds this text")
    options = parser.parse_args()
    route = not options.quick
    jets, jet_inputs = jet_tagger()
    steps: dict[str, Callable[[], list[Row]]] = {
        "accuracy digits": lambda: accuracy_rows("digits", "digits"),
        "accuracy mnist": lambda: accuracy_rows("mnist", "mnist"),
        "proof digits 100": lambda: proof_rows("digits", "digits", (32, 10), 100, 0),
        "proof digits 450": lambda: proof_rows("digits", "digits", (32, 10), 450, 450),
        "proof mnist": lambda: proof_rows("mnist", "mnist", (128, 10), 20, 1000),
        "device digits xc7": lambda: device_rows(
            "digits", example("digits", "digits", (32, 10)), "xc7", False, ""
        ),
        "device digits ice40": lambda: device_rows(
            "digits", example("digits", "digits", (4, 2)), "ice40", route, "fits"
        ),
        "device digits ecp5": lambda: device_rows(
            "digits", example("digits", "digits", (32, 10)), "ecp5", route, "1 us, 120 MHz"
        ),
        "device jets ecp5": lambda: device_rows(
            "jets",
            flow.design(jets, jet_inputs, lanes=(64, 32, 32, 5)),
            "ecp5",
            route,
            "hls4ml: about 0.1 us",
        ),
        "device mnist ecp5": lambda: device_rows(
            "mnist", example("mnist", "mnist", (128, 10)), "ecp5", route, "10 us", (1, 2)
        ),
    }
    print(f"{'what':46} {'measured':100} wanted")
    for name, step in steps.items():
        if options.only not in name:
            continue
        start = time.monotonic()
        try:
            rows = step()
        except AnalogNetError as e:
            rows = [(name, f"{type(e).__name__}: {e}", "")]
        for what, measured, wanted in rows:
            print(f"{what:46} {measured:100} {wanted}  [{time.monotonic() - start:.0f} s]", flush=True)


if __name__ == "__main__":
    main()
