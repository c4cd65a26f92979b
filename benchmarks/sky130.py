"""Networks as sky130 chips, measured: `python benchmarks/sky130.py PART [--images N] [--chips K]`.

Parts: `agreement` (compact model against every transistor in ngspice, and ngspice's time), `corners`
(accuracy over corners and temperatures, and over chips with mismatch, by the compact model), `mnist`
(the whole test set by the compact model), `time` (transients in transistors), `tolerance` (the same
against the tightest tolerances), `area` (accuracy, power, area, latency and
energy over feedback and largest resistor, and --figure FILE).
Prints one Markdown table. Needs ngspice, the sky130 PDK and, for MNIST, its test set.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from analognet import convert, load_data
from analognet.analog import compact, simulate
from analognet.analog.compact.start import start_voltages
from analognet.analog.montecarlo import monte_carlo
from analognet.analog.settling import worst_settling
from analognet.analog.simulate import operating_points
from analognet.analog.timing import estimate
from analognet.analog.transient import CHIP_OPTIONS, GROWTH, run
from analognet.analog.transitions import choose_transitions
from analognet.analog.variation import default_spread
from analognet.design import Design
from analognet.energy import energy_flow
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


TIGHT = "reltol=1e-6 vntol=1e-9 abstol=1e-15 trtol=1 method=gear"


def tolerances(names: list[str], transitions: int) -> Iterable[str]:
    """Each transition as it is measured, and at the tightest tolerances with the substrate's resistors."""
    for name in names:
        quick, tight = chip(name), chip(name)
        tight.__dict__["dc_files"] = tight.files
        steps = choose_transitions(quick.analog, data(name, quick)[0], transitions)
        begins = np.stack([s.start for s in steps])
        near = start_voltages(quick.analog, quick.cells, begins, quick.conditions(27.0))
        band = quick.technology.full_scale * np.array([0.01, 0.001])
        lengths = estimate(quick, steps).lengths_s
        found = []
        for k, step in enumerate(steps):
            start = {net: float(v[k]) for net, v in near.items()}
            runs = [
                run(design, step, GROWTH * lengths[k], options=options, start=start)
                for design, options in ((quick, CHIP_OPTIONS), (tight, TIGHT))
            ]
            final = runs[1][0].layers_v[-1][-1]
            told = []
            for waves, cpu in runs:
                coarse, fine = (worst_settling(waves.time, waves.layers_v[-1], final, b).max() for b in band)
                told.append((coarse, fine, energy_flow(quick, waves).energy(coarse), cpu))
            found.append(told)
        table = np.array(found)  # (transitions, quick and tight, quantities)
        off = 100 * np.abs(table[:, 0, :3] / table[:, 1, :3] - 1).max(axis=0)
        cpu = table[:, :, 3].mean(axis=0)
        yield (
            f"| {name} | {len(steps)} | {off[0]:.2f} % | {off[1]:.2f} % | {off[2]:.2f} % | "
            f"{cpu[0]:.2f} s | {cpu[1]:.2f} s |"
        )


def data_name(name: str) -> str:
    return name.split("_")[0]


@dataclass(frozen=True)
class Choice:
    """One chip of the trade-off. feedback_ohm, largest_ohm: as asked for; used: R_f of each layer in kOhm;
    area in mm2; latency_s, energy_j: the worst and the mean of the transitions in transistors.
    """

    feedback_ohm: float
    largest_ohm: float
    used: str
    dropped: int
    area: float
    accuracy: float
    power_w: float
    latency_s: float
    energy_j: float


def choices(name: str, images: int, transitions: int) -> Iterable[Choice]:
    simulate.STARTS_PAY = 0  # accuracies take the cells' tables in any case
    for feedback in (50e3, 100e3, 200e3):
        for largest in (2e6, 5e6, 10e6, 20e6):
            design = chip(name, feedback_ohm=feedback, max_ohm=largest)
            x, y = data(name, design)
            x, y = x[:images], y[:images]
            found = compact.solve(design.analog, design.cells, x, design.conditions(27.0))
            study = transient(design, data_name(name), transitions=transitions)
            latency, energy = (study.metrics.values[key] for key in ("latency_s", "energy_j"))
            assert design.area is not None
            yield Choice(
                feedback,
                largest,
                "/".join(f"{1e-3 / layer.g_f[0]:.0f}" for layer in design.analog.layers),
                design.analog.dropped,
                1e6 * design.area.total,
                float((classify(found.outputs_v / design.analog.scale_out) == y).mean()),
                float(found.power_w.mean()),
                float(latency),  # type: ignore[arg-type]
                float(energy),  # type: ignore[arg-type]
            )


def areas(names: list[str], images: int, transitions: int, figure: Path | None) -> Iterable[str]:
    for name in names:
        made = []
        for choice in choices(name, images, transitions):
            made.append(choice)
            yield (
                f"| {name} | {choice.used} kOhm | {choice.largest_ohm / 1e6:g} MOhm | {choice.dropped} | "
                f"{choice.area:.2f} mm2 | {100 * choice.accuracy:.2f} % | {1e3 * choice.power_w:.2f} mW | "
                f"{1e9 * choice.latency_s:.0f} ns | {1e9 * choice.energy_j:.2f} nJ |"
            )
        if figure is not None:
            draw(name, made, figure)


def draw(name: str, made: list[Choice], path: Path) -> None:
    """Accuracy, latency and energy over area: a line for each R_f, a point for each largest resistor."""
    mpl.rcParams["svg.hashsalt"] = "analognet"
    picture, axes = plt.subplots(1, 3, figsize=(10.5, 3.6), layout="constrained")
    panels = (
        ("accuracy, %", [100 * c.accuracy for c in made]),
        ("latency to 1 %, ns", [1e9 * c.latency_s for c in made]),
        ("energy an inference, nJ", [1e9 * c.energy_j for c in made]),
    )
    for k, (axis, (label, values)) in enumerate(zip(axes, panels, strict=True)):
        for colour, marker, feedback in zip(
            ("#0b6e99", "#c1440e", "#4f7942"), "os^", sorted({c.feedback_ohm for c in made}), strict=True
        ):
            line = [(c, v) for c, v in zip(made, values, strict=True) if c.feedback_ohm == feedback]
            axis.plot(
                [c.area for c, _ in line],
                [v for _, v in line],
                color=colour,
                marker=marker,
                label=f"R_f {line[0][0].used} k\u03a9",
            )
        axis.set_xlabel("area, mm\u00b2")
        axis.set_title(label, fontsize=10)
        axis.grid(alpha=0.3)
        axis.margins(x=0.12, y=0.12)
        if k:
            axis.set_ylim(bottom=0)
    axes[0].legend(fontsize=8, loc="lower right")
    along = ", ".join(f"{ohm / 1e6:g}" for ohm in sorted({c.largest_ohm for c in made}))
    picture.suptitle(
        f"{name}: R_f by layer; along each line the largest resistor is {along} M\u03a9", fontsize=10
    )
    picture.savefig(path, metadata={"Date": None})
    plt.close(picture)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=("agreement", "corners", "mnist", "time", "tolerance", "area"))
    parser.add_argument("--networks", default="iris,digits")
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--chips", type=int, default=20)
    parser.add_argument("--transitions", type=int, default=4)
    parser.add_argument("--figure", type=Path, help="where `area` draws its trade-off, an .svg")
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
    elif options.part == "tolerance":
        table(
            "| network | transitions | latency to 1 %, off by | to 0.1 % | energy | CPU | CPU of the tightest |",
            tolerances(names, options.transitions),
        )
    else:
        table(
            "| network | R_f | largest resistor | weights left out | area | accuracy | power | latency | energy |",
            areas(names, options.images, options.transitions, options.figure),
        )


if __name__ == "__main__":
    main()
