"""Networks as sky130 chips, measured: `python benchmarks/sky130.py PART [--images N] [--chips K]`.

Parts: `agreement` (compact model against every transistor in ngspice, and ngspice's time), `corners`
(accuracy over corners and temperatures, and over chips with mismatch, by the compact model), `mnist`
(the whole test set by the compact model), `time` (transients in transistors), `area` (accuracy, power
and area over feedback and largest resistor). Prints one Markdown table. Needs ngspice, the sky130 PDK
and, for MNIST, its test set.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from analognet import convert, load_data
from analognet.analog import compact
from analognet.analog.montecarlo import monte_carlo
from analognet.analog.simulate import operating_points
from analognet.analog.variation import default_spread
from analognet.design import Design
from analognet.inference import transient
from analognet.network import classify

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
CORNERS = ("tt", "ss", "ff", "sf", "fs")
TEMPERATURES = (-40.0, 27.0, 125.0)


def chip(name: str, **overrides: float) -> Design:
    return convert(EXAMPLES / name / f"{name}.safetensors", technology="sky130", overrides=overrides)


def data(name: str, design: Design) -> tuple[np.ndarray, np.ndarray]:
    found = load_data(name.split("_")[0], design.network.n_in, design.network.n_out)
    assert found.y is not None
    return found.x, found.y


def table(head: str, rows: Iterable[str]) -> None:
    print(head)
    print("|" + "---|" * (head.count("|") - 1))
    for row in rows:
        print(row, flush=True)


def agreement(names: list[str], images: int) -> Iterable[str]:
    for name in names:
        design = chip(name)
        x, y = data(name, design)
        x, y = x[:images], y[:images]
        real = operating_points(
            design.analog,
            design.circuit,
            design.netlist,
            design.cells,
            x,
            files=design.dc_files,
            conditions=design.start_conditions(27.0),
            hidden=True,
        )
        start = time.process_time()
        model = compact.solve(design.analog, design.cells, x, design.conditions(27.0))
        spent = time.process_time() - start
        hidden = max(float(np.abs(a - b).max()) for a, b in zip(real.hidden_v, model.hidden_v, strict=True))
        output = np.abs(real.outputs_v - model.outputs_v)
        ideal = float(np.abs(real.outputs_v - design.analog.outputs_v(x)).max())
        assert real.power_w is not None
        assert real.cpu_s is not None
        power = float(np.abs(model.power_w / real.power_w - 1).max())
        scale = design.analog.scale_out
        same = float((classify(real.outputs_v / scale) == classify(model.outputs_v / scale)).mean())
        right = float((classify(real.outputs_v / scale) == y).mean())
        yield (
            f"| {name} | {len(x)} | {1e3 * ideal:.2f} mV | {1e6 * hidden:.0f} uV | {1e6 * output.max():.0f} uV | "
            f"{100 * power:.2f} % | {100 * same:.1f} % | {100 * right:.1f} % | {real.cpu_s / len(x):.2f} s | "
            f"{spent / len(x):.4f} s |"
        )


def corners(names: list[str], images: int, chips: int) -> Iterable[str]:
    for name in names:
        nominal = chip(name)
        x, y = data(name, nominal)
        x, y = x[:images], y[:images]
        reference = float((classify(nominal.network(x)) == y).mean())
        for corner in CORNERS:
            for temperature in TEMPERATURES:
                design = nominal.under(corner, temperature)
                found = compact.solve(design.analog, design.cells, x, design.conditions(temperature))
                right = float((classify(found.outputs_v / design.analog.scale_out) == y).mean())
                yield (
                    f"| {name} | {corner} | {temperature:g} C | {100 * right:.2f} % ({100 * reference:.2f}) | "
                    f"{1e3 * found.power_w.mean():.3f} mW | {int(found.beyond.sum())} |"
                )
        many = monte_carlo(nominal, x, y, chips, 1, default_spread(nominal), sensitivity_boards=0)
        yield (
            f"| {name} | tt, {chips} chips with mismatch | 27 C | {100 * many.mean:.2f} % +- "
            f"{100 * many.sigma:.2f}, worst {100 * many.accuracy.min():.2f} ({100 * reference:.2f}) | | |"
        )


def timing(names: list[str], transitions: int) -> Iterable[str]:
    for name in names:
        design = chip(name)
        study = transient(design, data_name(name), transitions=transitions)
        told, values = study.metrics.details["transient"], study.metrics.values
        yield (
            f"| {name} | {len(study.inferences)} | {1e9 * values['latency_s']:.0f} ns | "
            f"{1e9 * told['decision_s']['worst']:.0f} ns | {1e9 * values['energy_j']:.2f} nJ | "
            f"{1e3 * values['power_w']:.2f} mW | {told['tops_per_watt']:.2f} | {told['cpu_s_per_inference']:.1f} s |"
        )


def data_name(name: str) -> str:
    return name.split("_")[0]


def areas(names: list[str], images: int) -> Iterable[str]:
    for name in names:
        for feedback in (50e3, 100e3, 200e3):
            for largest in (2e6, 5e6, 10e6, 20e6):
                design = chip(name, feedback_ohm=feedback, max_ohm=largest)
                x, y = data(name, design)
                x, y = x[:images], y[:images]
                found = compact.solve(design.analog, design.cells, x, design.conditions(27.0))
                right = float((classify(found.outputs_v / design.analog.scale_out) == y).mean())
                assert design.area is not None
                used = "/".join(f"{1e-3 / layer.g_f[0]:.0f}" for layer in design.analog.layers)
                yield (
                    f"| {name} | {used} kOhm | {largest / 1e6:g} MOhm | {design.analog.dropped} | "
                    f"{1e6 * design.area.total:.2f} mm2 | {100 * right:.2f} % | {1e3 * found.power_w.mean():.2f} mW |"
                )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=("agreement", "corners", "mnist", "time", "area"))
    parser.add_argument("--networks", default="iris,digits")
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--chips", type=int, default=20)
    parser.add_argument("--transitions", type=int, default=4)
    options = parser.parse_args()
    names = options.networks.split(",")
    if options.part == "agreement":
        table(
            "| network | images | transistors against mathematics | model against transistors, hidden | outputs | "
            "power | same class | accuracy | ngspice, CPU an image | model, CPU an image |",
            agreement(names, options.images),
        )
    elif options.part in ("corners", "mnist"):
        if options.part == "mnist":
            names = ["mnist"]
        table(
            "| network | corner | temperature | accuracy (float) | power | beyond the tables |",
            corners(names, options.images, options.chips),
        )
    elif options.part == "time":
        table(
            "| network | transitions | latency to 1 % | decision | energy | power | TOPS/W | CPU an inference |",
            timing(names, options.transitions),
        )
    else:
        table(
            "| network | R_f | largest resistor | weights left out | area | accuracy | power |",
            areas(names, options.images),
        )


if __name__ == "__main__":
    main()
