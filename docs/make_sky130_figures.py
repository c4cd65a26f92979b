"""The figures of docs/sky130_cells.md: schematics, and curves measured by ngspice.

    python docs/make_sky130_figures.py [directory]

Writes docs/img/sky130_*.svg, or into the directory given. Needs the sky130 PDK.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analognet.analog import pdk
from analognet.analog.cells import library
from analognet.analog.ngspice import run_deck
from analognet.network import Array

HERE = Path(__file__).parent
CELLS = library(HERE.parent / "sky130")
COLOURS = ("#0b6e99", "#c1440e", "#4f7942", "#6b4c9a", "#8a6d3b")
LINES = "vbn vbp vcp vcn vap van"
OPAMP = f"{LINES} opamp_miller"
RELU = "com vbn vbp vcp vcn vbr amp_relu"
POINTS = [(c, t) for c in ("tt", "ss", "ff", "sf", "fs") for t in (-40, 27, 125)]
RAILS = "Vdd vdd 0 0.9\nVss vss 0 -0.9\n"


# --- measuring


def measure(
    circuit: str, analysis: str, wanted: str, corner: str = "tt", celsius: float = 27.0
) -> list[Array]:
    """Vectors of one analysis of a circuit with the bias generator in it, the sweep first."""
    names = ["bias_gen"] + [n for n in CELLS if n in circuit.split()]
    if {"act_sigmoid", "act_tanh", "act_leaky_relu"} & set(names):
        names += ["opamp_miller", "amp_relu"]
        circuit += f"\n.subckt opamp inp inn out vdd vss {LINES}\nXp inp inn out vdd vss {OPAMP}\n.ends\n"
    text = "\n".join(CELLS[n].text for n in dict.fromkeys(names)) + f"\n{circuit}\n{RAILS}"
    text += f"Xbias {LINES} vbr vbs com vdd vss bias_gen\n"
    sizes: dict[str, frozenset[tuple[float, float]]] = {}
    for name in dict.fromkeys(names):
        for device, found in CELLS[name].devices.items():
            sizes[device] = sizes.get(device, frozenset()) | found
    deck = f"* figure\n.include models.spice\n{text}.options temp={celsius}\n{analysis}\n.end\n"
    files = {"models.spice": pdk.models(sizes, corner), ".spiceinit": pdk.SPICEINIT}
    vectors = run_deck(deck, wanted.split(), files=files).vectors
    return [vectors[w] for w in wanted.split()]


COM = "Vcom com 0 0\n"


def open_loop(
    pins: str, v_in: float, v_out: float, farads: float, corner: str, celsius: float
) -> tuple[Array, Array]:
    """(frequency, complex gain) with 50 kOhm; the loop is closed at DC only."""
    circuit = (
        f"{COM}X1 inp inn out vdd vss {pins}\nRl out com 50e3\nCl out com {farads:g}\n"
        f"Vin inp 0 {v_in} ac 1\nE1 fb 0 out 0 1\nVs fb2 fb {v_in - v_out}\nL1 fb2 inn 1e6\nC1 inn 0 1\n"
    )
    f, gain = measure(circuit, ".ac dec 20 10 1e9", "frequency v(out)", corner, celsius)
    return np.real(f), gain


def bode_figure() -> Figure:
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.6), layout="constrained")
    phase = left.twinx()
    for corner, celsius in POINTS:
        f, gain = open_loop(OPAMP, 0.0, 0.0, 1e-12, corner, celsius)
        nominal = (corner, celsius) == ("tt", 27)
        style = {"color": COLOURS[0], "alpha": 1.0 if nominal else 0.25, "lw": 1.6 if nominal else 0.7}
        left.semilogx(f, 20 * np.log10(np.abs(gain)), **style)
        angle = np.degrees(np.unwrap(np.angle(gain)))
        phase.semilogx(f, angle - angle[0], **{**style, "color": COLOURS[1]})
    left.set(xlabel="Hz", ylabel="gain, dB", ylim=(-40, 100), title="op-amp, 50 kΩ and 1 pF, 15 PVT points")
    phase.set(ylabel="phase, degrees", ylim=(-360, 60))
    left.axhline(0, color="k", lw=0.5)
    left.axhline(6, color="k", lw=0.5, ls=":")
    for v_out, colour in ((0.05, COLOURS[0]), (0.25, COLOURS[1]), (0.5, COLOURS[2])):
        f, gain = open_loop(RELU, v_out / 2, v_out, 1e-12, "tt", 27)
        right.semilogx(f, 20 * np.log10(np.abs(gain)), color=colour, label=f"output at {v_out} V")
    right.set(xlabel="Hz", ylabel="gain, dB", ylim=(-40, 100), title="ReLU op-amp, tt 27 °C")
    right.axhline(0, color="k", lw=0.5)
    right.legend(frameon=False, fontsize=8)
    return figure


NEURON = "R1 in inp 100e3\nR2 com inp 11.11111e3\nRf out inn 100e3\nR3 com inn 11.11111e3\nRl out com 50e3\n"


def relu_figure() -> Figure:
    """DC error over PVT and the way out of the off state, both at noise gain 10."""
    figure, (dc, load, step) = plt.subplots(1, 3, figsize=(12, 3.4), layout="constrained")
    circuit = f"{COM}X1 inp inn out vdd vss {RELU}\n{NEURON}"
    for corner, celsius in POINTS:
        x, y = measure(f"{circuit}Vin in 0 0\n", ".dc Vin -0.3 0.55 0.005", "v(in) v(out)", corner, celsius)
        nominal = (corner, celsius) == ("tt", 27)
        dc.plot(
            x,
            1e3 * (y - np.maximum(x, 0)),
            color=COLOURS[0],
            lw=1.6 if nominal else 0.6,
            alpha=1 if nominal else 0.4,
        )
        i, v = measure(
            f"{circuit}Vin in 0 -0.3\nVi i 0 0\nGl 0 out i 0 1e-6\n",
            ".dc Vi -10 10 0.5",
            "v(i) v(out)",
            corner,
            celsius,
        )
        load.plot(i, 1e3 * v, color=COLOURS[1], lw=1.6 if nominal else 0.6, alpha=1 if nominal else 0.4)
    dc.set(xlabel="input, V", ylabel="error, mV", title="against max(0, x), 15 PVT points")
    load.set(
        xlabel="current into the output, µA", ylabel="output, mV", title="off: held at com, 15 PVT points"
    )
    for start, label in ((-0.5, "from off"), (0.02, "from 20 mV")):
        for end in (0.1, 0.5):
            source = f"Vin in 0 pwl(0 {start} .5u {start} .501u {end} 3u {end})\n"
            t, v = measure(f"{circuit}Cl out 0 1e-12\n{source}", ".tran 2n 1.8u", "time v(out)")
            style = "-" if start < 0 else "--"
            step.plot(
                1e9 * (t - 0.5e-6),
                v,
                style,
                color=COLOURS[2 if end == 0.5 else 3],
                label=f"{label} to {end} V",
            )
    step.set(xlabel="ns", ylabel="V", xlim=(-100, 1200), title="step, 50 kΩ and 1 pF, tt 27 °C")
    step.legend(frameon=False, fontsize=7)
    return figure


def saturating_figure() -> Figure:
    figure, axes = plt.subplots(1, 4, figsize=(14, 3.3), layout="constrained")
    for (curve, error), name, s, span in (
        (axes[:2], "act_sigmoid", CELLS["act_sigmoid"].ratings["s_in"][0], 0.5),
        (axes[2:], "act_tanh", CELLS["act_tanh"].ratings["s_in"][0], 1.0),
    ):
        circuit = f"{COM}X1 in out com vdd vss {LINES} vbs {name}\nRl out com 30e3\nVin in 0 0\n"
        for celsius, colour in ((-40, COLOURS[0]), (27, "k"), (125, COLOURS[1])):
            x, y = measure(circuit, ".dc Vin -0.5 0.5 0.005", "v(in) v(out)", "tt", celsius)
            ideal = 0.5 / (1 + np.exp(x / s)) if span == 0.5 else -0.5 * np.tanh(x / s)
            curve.plot(x, y, color=colour, label=f"{celsius} °C")
            error.plot(x, 100 * (y - ideal) / span, color=colour, lw=1)
        for corner in ("ss", "ff", "sf", "fs"):
            x, y = measure(circuit, ".dc Vin -0.5 0.5 0.005", "v(in) v(out)", corner, 27)
            error.plot(x, 100 * (y - ideal) / span, color="k", lw=0.5, alpha=0.5)
        curve.set(xlabel="input, V", ylabel="output, V", title=name)
        curve.legend(frameon=False, fontsize=8)
        error.set(xlabel="input, V", ylabel="% of span", title="error with s_in of 27 °C; thin: corners")
    return figure


def common_figure() -> Figure:
    figure, (impedance, step) = plt.subplots(1, 2, figsize=(9, 3.3), layout="constrained")
    for stages, amps, colour in (
        (1, 0.0, COLOURS[0]),
        (1, 1e-4, COLOURS[1]),
        (10, 0.0, COLOURS[2]),
        (10, 1e-3, COLOURS[3]),
    ):
        unit = f"Xv com vdd vss {LINES} vcm_buffer stages={stages}\n"
        f, z = measure(f"{unit}Il 0 com {amps} ac 1\n", ".ac dec 10 1e3 1e9", "frequency v(com)")
        label = f"{stages} stage{'s' if stages > 1 else ''}, sinking {1e3 * amps:g} mA"
        impedance.loglog(np.real(f), np.abs(z), color=colour, label=label)
        up = amps + stages * 1e-5
        source = f"Il 0 com pwl(0 {amps} .2u {amps} .202u {up} 1u {up})\n"
        t, v = measure(f"{unit}{source}", ".tran 1n 0.6u", "time v(com)")
        step.plot(1e9 * (t - 0.2e-6), 1e3 * v, color=colour, label=label)
    impedance.set(xlabel="Hz", ylabel="|Z|, Ω", title="impedance of com")
    impedance.legend(frameon=False, fontsize=7)
    step.set(xlabel="ns", ylabel="com, mV", xlim=(-50, 300), title="step of 10 µA per stage in 2 ns")
    return figure


# --- drawing


class Sheet:
    """A schematic on a grid: a transistor at (x, y) has drain and source at y +- 0.5, its gate at x -+ 0.5."""

    def __init__(self, ax: Axes) -> None:
        self.ax = ax
        ax.set_aspect("equal")
        ax.axis("off")

    def wire(self, *points: tuple[float, float]) -> None:
        self.ax.plot(*zip(*points, strict=True), color="k", lw=1, solid_capstyle="round")

    def dot(self, x: float, y: float) -> None:
        self.ax.plot([x], [y], "k.", ms=5)

    def text(self, x: float, y: float, words: str, side: str = "center", size: float = 7) -> None:
        self.ax.text(x, y, words, ha=side, va="center", fontsize=size)

    def fet(self, kind: str, x: float, y: float, name: str, gate: str = "", flip: bool = False) -> None:
        """kind n or p; flip puts the gate on the right. gate: a label at the gate, none to wire it."""
        out = 1 if flip else -1
        self.wire((x, y + 0.5), (x, y + 0.22), (x + 0.17 * out, y + 0.22))
        self.wire((x, y - 0.5), (x, y - 0.22), (x + 0.17 * out, y - 0.22))
        self.wire((x + 0.17 * out, y + 0.3), (x + 0.17 * out, y - 0.3))
        self.wire((x + 0.25 * out, y + 0.24), (x + 0.25 * out, y - 0.24))
        if kind == "p":
            self.ax.plot([x + 0.31 * out], [y], "o", ms=4, mfc="w", mec="k", mew=1)
            self.wire((x + 0.37 * out, y), (x + 0.5 * out, y))
        else:
            self.wire((x + 0.25 * out, y), (x + 0.5 * out, y))
        if gate:
            self.text(x + 0.55 * out, y, gate, "left" if flip else "right")
        self.text(x - 0.08 * out, y, name, "right" if flip else "left", 6.5)

    def rail(self, x0: float, x1: float, y: float, name: str) -> None:
        self.wire((x0, y), (x1, y))
        self.text(x0 - 0.1, y, name, "right", 8)

    def cap(self, x: float, y: float, name: str) -> None:
        """A horizontal capacitor from x - 0.3 to x + 0.3."""
        for end, near in ((-0.3, -0.05), (0.3, 0.05)):
            self.wire((x + end, y), (x + near, y))
            self.wire((x + near, y - 0.17), (x + near, y + 0.17))
        self.text(x, y + 0.28, name, size=6.5)

    def res(self, x: float, y: float, name: str) -> None:
        """A vertical resistor from y - 0.5 to y + 0.5."""
        zigzag = [(x + d, y + 0.3 - 0.1 * k) for k, d in enumerate((0, 0.1, -0.1, 0.1, -0.1, 0.1, 0))]
        self.wire((x, y + 0.5), *zigzag, (x, y - 0.5))
        self.text(x + 0.17, y, name, "left", 6.5)


def size(cell: str, device: str) -> str:
    """W/L and how many of them, from the cell's own text."""
    text = CELLS[cell].text.replace("\n+", "")
    words = next(line for line in text.splitlines() if line.startswith(f"X{device} ")).split()
    value = dict(w.split("=") for w in words if "=" in w)
    many = "" if value["m"] == "1" else f" x{value['m']}"
    return f"{value['w']}/{value['l']}{many}"


def first_stage(s: Sheet, cell: str) -> None:
    """The folded cascode, its X side on the right at x = 5."""

    def name(device: str) -> str:
        return f"{device} {size(cell, device)}"

    s.rail(0, 9.4, 6, "vdd")
    s.rail(0, 9.4, 0, "vss")
    s.fet("n", 1.6, 0.5, name("tail"), "vbn")
    s.wire((1.6, 1), (1.6, 1.4))
    s.wire((0.9, 1.4), (2.3, 1.4))
    s.fet("n", 0.9, 1.9, "in", "inn")
    s.fet("n", 2.3, 1.9, "ip", "inp", flip=True)
    s.text(1.6, 1.62, size(cell, "ip"), size=6.5)
    for x, side in ((3.6, "a"), (5.4, "x")):
        s.fet("p", x, 5.5, name(f"ps{side}"), "vbp")
        s.fet("p", x, 4.3, name(f"pc{side}"), "vcp")
        s.wire((x, 5), (x, 4.8))
        s.fet("n", x, 1.7, name(f"nc{side}"), "vcn")
        s.fet("n", x, 0.5, name(f"nm{side}"), flip=side == "a")
        s.wire((x, 1.2), (x, 1))
    s.wire((3.6, 3.8), (3.6, 2.2))
    s.wire((4.1, 0.5), (4.9, 0.5))
    s.wire((4.35, 0.5), (4.35, 2.6), (3.6, 2.6))
    s.dot(4.35, 0.5)
    s.dot(3.6, 2.6)
    s.text(3.5, 2.7, "a", "right")
    s.wire((0.9, 2.4), (0.9, 4.9), (3.6, 4.9))
    s.wire((2.3, 2.4), (2.3, 3.25), (4.4, 3.25), (4.4, 4.9), (5.4, 4.9))
    s.dot(3.6, 4.9)
    s.dot(5.4, 4.9)
    s.text(5.3, 4.98, "fx", "right", 6.5)
    s.text(5.3, 1.1, "gx", "right", 6.5)


def output(s: Sheet, cell: str, top: float) -> None:
    """Compensation from out, at x = 8.6, to both cascodes' sources."""
    s.wire((5.4, 4.9), (6.9, 4.9))
    s.cap(7.2, 4.9, f"cc {size(cell, 'cc')}")
    s.wire((7.5, 4.9), (7.7, 4.9), (7.7, 3))
    s.wire((5.4, 1.1), (6.3, 1.1))
    s.cap(7.2, 1.1, f"cn {size(cell, 'cn')}")
    s.wire((6.3, 1.1), (6.9, 1.1))
    s.wire((7.5, 1.1), (7.7, 1.1), (7.7, 3), (8.6, 3), (9.4, 3))
    s.dot(8.6, 3)
    s.text(9.5, 3, "out", "left", 8)


def opamp_sheet() -> Figure:
    figure, ax = plt.subplots(figsize=(10, 6))
    s, cell = Sheet(ax), "opamp_miller"
    first_stage(s, cell)
    s.wire((5.4, 3.8), (5.4, 3.5))
    s.wire((5.4, 2.2), (5.4, 2.5))
    s.wire((5, 3.5), (6.4, 3.5))
    s.wire((5, 2.5), (6.4, 2.5))
    s.fet("p", 5.0, 3.0, f"mp {size(cell, 'mp')}", "vap")
    s.fet("n", 6.4, 3.0, f"mn {size(cell, 'mn')}", "van", flip=True)
    s.wire((6.4, 3.5), (6.4, 5.5), (8.1, 5.5))
    s.wire((6.4, 2.5), (6.4, 0.5), (8.1, 0.5))
    s.dot(6.4, 3.5)
    s.dot(6.4, 2.5)
    s.text(6.5, 3.7, "x", "left")
    s.text(6.5, 2.3, "y", "left")
    s.fet("p", 8.6, 5.5, f"op {size(cell, 'op')}")
    s.fet("n", 8.6, 0.5, f"on {size(cell, 'on')}")
    s.wire((8.6, 5), (8.6, 1))
    output(s, cell, 5)
    return figure


def buffer_sheet() -> Figure:
    """What stands around the op-amp; inside it is `opamp_sheet` with other sizes."""
    figure, ax = plt.subplots(figsize=(6.4, 3.2))
    s, cell = Sheet(ax), "out_buffer"
    s.wire((3, 0.4), (3, 2.6), (5, 1.5), (3, 0.4))
    s.text(3.2, 2, "-", "left", 11)
    s.text(3.2, 1, "+", "left", 11)
    s.text(3.95, 1.5, "op-amp", size=8)
    s.wire((0.4, 2), (0.8, 2))
    s.text(0.3, 2, "in", "right", 8)
    for x, y, name in ((1.3, 2, "ri"), (3.9, 3.3, "rf")):  # lying: the resistor's zigzag turned
        zigzag = [(x - 0.3 + 0.1 * k, y + d) for k, d in enumerate((0, 0.1, -0.1, 0.1, -0.1, 0.1, 0))]
        s.wire((x - 0.5, y), *zigzag, (x + 0.5, y))
        s.text(x, y + 0.3, f"{name} {size(cell, name)}", size=6.5)
    s.wire((1.8, 2), (3, 2))
    s.dot(2.4, 2)
    s.text(2.3, 1.8, "sum", "right", 6.5)
    s.wire((2.4, 2), (2.4, 3.3), (3.4, 3.3))
    s.wire((4.4, 3.3), (5.6, 3.3), (5.6, 1.5), (5, 1.5))
    s.cap(3.9, 4.1, f"cf {size(cell, 'cf')}")
    s.wire((3.6, 4.1), (2.4, 4.1), (2.4, 3.3))
    s.wire((4.2, 4.1), (5.6, 4.1), (5.6, 3.3))
    s.dot(2.4, 3.3)
    s.dot(5.6, 3.3)
    s.dot(5.6, 1.5)
    s.wire((2.6, 1), (3, 1))
    s.text(2.5, 1, "com", "right", 8)
    s.wire((5.6, 1.5), (6.6, 1.5))
    s.text(6.7, 1.5, "out", "left", 8)
    inside = ("tail", "ip", "psx", "op", "on", "cc", "cn")
    s.text(
        3.5,
        -0.15,
        "inside, the op-amp's schematic with " + ", ".join(f"{d} {size(cell, d)}" for d in inside),
        size=6,
    )
    return figure


def relu_sheet() -> Figure:
    figure, ax = plt.subplots(figsize=(11, 6))
    s, cell = Sheet(ax), "amp_relu"
    first_stage(s, cell)
    s.wire((5.4, 3.8), (5.4, 2.2))
    s.text(5.5, 3.0, "x", "left")
    s.dot(5.4, 3.5)
    s.wire((5.4, 3.5), (6.4, 3.5), (6.4, 5.5), (8.1, 5.5))
    s.fet("p", 8.6, 5.5, f"op {size(cell, 'op')}")
    s.wire((8.6, 5), (8.6, 2.8))
    s.fet("n", 8.6, 2.3, f"sk {size(cell, 'sk')}", "vbr")
    s.wire((8.6, 1.8), (8.6, 1.6), (10.9, 1.6))
    s.text(11, 1.6, "com", "left", 8)
    output(s, cell, 5)
    s.wire((9.4, 3), (10.9, 3))
    s.ax.texts[-1].set_position((11, 3))
    s.fet("n", 10.4, 2.3, f"hp {size(cell, 'hp')}", "h")
    s.wire((10.4, 2.8), (10.4, 3))
    s.wire((10.4, 1.8), (10.4, 1.6))
    s.dot(10.4, 3)
    s.wire((9.4, 6), (11.6, 6))
    s.wire((9.4, 0), (11.6, 0))
    s.fet("p", 11.6, 5.5, f"hb {size(cell, 'hb')}", "vbp")
    s.fet("p", 11.6, 4.3, f"hf {size(cell, 'hf')}", "x")
    s.wire((11.6, 5), (11.6, 4.8))
    s.text(11.7, 4.95, "h", "left")
    s.wire((11.6, 3.8), (11.6, 0))
    return figure


def bias_sheet() -> Figure:
    figure, ax = plt.subplots(figsize=(11, 4.6))
    s, cell = Sheet(ax), "bias_gen"
    s.rail(0, 13.4, 4.6, "vdd")
    s.rail(0, 13.4, 0, "vss")

    def name(device: str) -> str:
        return f"{device} {size(cell, device)}"

    s.fet("p", 0.8, 4.1, name("s1"), "vss")
    s.wire((0.8, 3.6), (0.8, 1.0))
    s.fet("n", 0.8, 0.5, name("s2"), "vbn")
    s.text(0.7, 2.2, "st", "right")
    s.fet("n", 2.7, 0.5, name("s3"), "st")
    s.wire((2.7, 1.0), (2.7, 1.3))
    s.text(2.7, 1.42, "vbp")
    for x, top, bottom, net in ((3.9, "p1", "m1", "vbn"), (6.0, "p2", "m2", "vbp")):
        s.fet("p", x, 4.1, name(top), "vbp" if top == "p1" else "", flip=False)
        s.fet("n", x, 1.8, name(bottom), "vbn")
        s.wire((x, 3.6), (x, 2.3))
        s.dot(x, 3)
        s.text(x + 0.1, 3, net, "left")
    s.wire((3.9, 1.3), (3.9, 0))
    s.res(6.0, 0.65, f"r {size(cell, 'r')}")
    s.wire((6, 1.3), (6, 1.15))
    s.wire((6, 0.15), (6, 0))
    s.text(5.45, 4.1, "vbp", "right")
    s.text(7.3, 3.3, "replicas:", "left", 8)
    for k, words in enumerate(
        ("vcp, vcn: cascode gates", "vap, van: two diodes each", "vbr: a diode on com")
    ):
        s.text(7.3, 2.9 - 0.35 * k, words, "left", 7.5)
    s.res(10.6, 4.1, f"rs {size(cell, 'rs')}")
    s.wire((10.6, 3.6), (10.6, 2.3))
    s.fet("n", 10.6, 1.8, name("mc"), "com")
    s.wire((10.6, 1.3), (10.6, 1.0))
    s.fet("n", 10.6, 0.5, name("ms"), "vbs", flip=True)
    s.wire((11.7, 3.5), (11.7, 2.3), (12.7, 2.9), (11.7, 3.5))
    s.text(11.95, 3.15, "+", size=8)
    s.text(11.95, 2.6, "-", size=8)
    s.wire((10.6, 3.15), (11.7, 3.15))
    s.dot(10.6, 3.15)
    s.wire((11.5, 2.6), (11.7, 2.6))
    s.text(11.45, 2.6, "com", "right")
    s.wire((12.7, 2.9), (13.1, 2.9))
    s.text(13.15, 2.9, "vbs", "left")
    return figure


def saturating_sheet() -> Figure:
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.2))
    for ax, cell in zip(axes, ("act_sigmoid", "act_tanh"), strict=True):
        s = Sheet(ax)
        s.rail(0, 5.6, 4.6, "vdd")
        s.rail(0, 5.6, 0, "vss")
        s.fet("n", 1.6, 0.5, f"tail {size(cell, 'tail')}", "vbs")
        s.wire((1.6, 1), (1.6, 1.2))
        s.wire((0.8, 1.2), (2.4, 1.2))
        s.fet("n", 0.8, 1.7, f"1: {size(cell, '1')}", "in")
        s.fet("n", 2.4, 1.7, f"2: {size(cell, '2')}", "com", flip=True)
        s.wire((2.4, 2.2), (2.4, 2.9), (3.9, 2.9))
        s.dot(3.2, 2.9)
        if cell == "act_tanh":
            s.fet("p", 0.8, 4.1, f"m1 {size(cell, 'm1')}", flip=True)
            s.fet("p", 2.4, 4.1, f"m2 {size(cell, 'm2')}")
            s.wire((1.3, 4.1), (1.9, 4.1))
            s.wire((1.45, 4.1), (1.45, 3.5), (0.8, 3.5))
            s.dot(0.8, 3.5)
            s.wire((0.8, 3.6), (0.8, 2.2))
            s.wire((2.4, 3.6), (2.4, 2.9))
            s.dot(2.4, 2.9)
        else:
            s.wire((0.8, 2.2), (0.8, 4.6))
        s.wire((3.9, 3.2), (3.9, 2.0), (5.0, 2.6), (3.9, 3.2))
        s.text(4.1, 2.9, "-", size=8)
        s.text(4.1, 2.3, "+", size=8)
        s.wire((3.7, 2.3), (3.9, 2.3))
        s.text(3.65, 2.3, "com", "right")
        s.wire((5.0, 2.6), (5.6, 2.6))
        s.text(5.65, 2.6, "out", "left", 8)
        s.wire((3.2, 2.9), (3.2, 3.9), (3.7, 3.9))
        s.ax.plot([3.7, 3.7, 4.7, 4.7, 3.7], [3.8, 4.0, 4.0, 3.8, 3.8], "k", lw=1)
        s.text(4.2, 4.2, f"r {size(cell, 'r')}")
        s.wire((4.7, 3.9), (5.3, 3.9), (5.3, 2.6))
        s.dot(5.3, 2.6)
        s.wire((3.2, 3.5), (3.9, 3.5))
        s.cap(4.2, 3.5, "")
        s.wire((4.5, 3.5), (5.3, 3.5))
        s.text(4.75, 3.35, f"cf {size(cell, 'cf')}", "left", 6)
        ax.set_title(cell, fontsize=9)
    return figure


def main(directory: Path) -> None:
    """Write all figures into the directory."""
    directory.mkdir(parents=True, exist_ok=True)
    plt.rcParams.update({"svg.hashsalt": "analognet", "font.size": 9, "svg.fonttype": "path"})
    figures = {
        "opamp": opamp_sheet(),
        "relu": relu_sheet(),
        "out_buffer": buffer_sheet(),
        "bias": bias_sheet(),
        "saturating": saturating_sheet(),
        "opamp_bode": bode_figure(),
        "relu_curves": relu_figure(),
        "saturating_curves": saturating_figure(),
        "common": common_figure(),
    }
    for name, figure in figures.items():
        figure.savefig(directory / f"sky130_{name}.svg", metadata={"Date": None}, bbox_inches="tight")
        if "--png" in sys.argv:  # for a look without a browser
            figure.savefig(directory / f"sky130_{name}.png", dpi=80, bbox_inches="tight")


if __name__ == "__main__":
    paths = [a for a in sys.argv[1:] if not a.startswith("-")]
    main(Path(paths[0]) if paths else HERE / "img")
