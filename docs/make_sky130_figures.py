"""The figures of docs/sky130_cells.md: schematics by schemdraw, curves measured by ngspice.

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
import schemdraw
import schemdraw.elements as elm
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


def measure(circuit: str, analysis: str, wanted: str, corner: str = "tt", celsius: float = 27.0) -> list[Array]:
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


def open_loop(pins: str, v_in: float, v_out: float, farads: float, corner: str, celsius: float) -> tuple[Array, Array]:
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
        dc.plot(x, 1e3 * (y - np.maximum(x, 0)), color=COLOURS[0], lw=1.6 if nominal else 0.6, alpha=1 if nominal else 0.4)
        i, v = measure(
            f"{circuit}Vin in 0 -0.3\nVi i 0 0\nGl 0 out i 0 1e-6\n", ".dc Vi -10 10 0.5", "v(i) v(out)", corner, celsius
        )
        load.plot(i, 1e3 * v, color=COLOURS[1], lw=1.6 if nominal else 0.6, alpha=1 if nominal else 0.4)
    dc.set(xlabel="input, V", ylabel="error, mV", title="against max(0, x), 15 PVT points")
    load.set(xlabel="current into the output, µA", ylabel="output, mV", title="off: held at com, 15 PVT points")
    for start, label in ((-0.5, "from off"), (0.02, "from 20 mV")):
        for end in (0.1, 0.5):
            source = f"Vin in 0 pwl(0 {start} .5u {start} .501u {end} 3u {end})\n"
            t, v = measure(f"{circuit}Cl out 0 1e-12\n{source}", ".tran 2n 1.8u", "time v(out)")
            style = "-" if start < 0 else "--"
            step.plot(1e9 * (t - 0.5e-6), v, style, color=COLOURS[2 if end == 0.5 else 3], label=f"{label} to {end} V")
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
    for stages, amps, colour in ((1, 0.0, COLOURS[0]), (1, 1e-4, COLOURS[1]), (10, 0.0, COLOURS[2]), (10, 1e-3, COLOURS[3])):
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
    """A schematic of transistors by coordinates: drain, gate and source nets are drawn as labels."""

    def __init__(self, width: float) -> None:
        self.d = schemdraw.Drawing(show=False)
        self.d.config(fontsize=10, lw=1.2, unit=1.4)
        self.width = width

    def fet(self, kind: str, x: float, y: float, name: str, flip: bool = False) -> dict[str, tuple[float, float]]:
        """A transistor whose channel stands at x, from y (source of an NMOS, drain of a PMOS) to y + 1.4."""
        element = (elm.AnalogNFet if kind == "n" else elm.AnalogPFet)(bulk=False).anchor("drain" if kind == "p" else "source")
        element = element.at((x, y)).theta(0)
        if flip:
            element = element.reverse()
        placed = self.d.add(element)
        points = {k: tuple(placed.absanchors[k]) for k in ("drain", "gate", "source")}
        side = 0.25 if not flip else -0.25
        middle = (points["drain"][1] + points["source"][1]) / 2
        self.text(x + side, middle, name, "left" if not flip else "right")
        return points

    def wire(self, *points: tuple[float, float]) -> None:
        for a, b in zip(points, points[1:], strict=False):
            self.d.add(elm.Line().at(a).to(b))

    def dot(self, x: float, y: float) -> None:
        self.d.add(elm.Dot().at((x, y)))

    def text(self, x: float, y: float, words: str, side: str = "center", size: float = 9) -> None:
        self.d.add(elm.Label().at((x, y)).label(words, halign=side, valign="center", fontsize=size))

    def cap(self, a: tuple[float, float], b: tuple[float, float], name: str) -> None:
        self.d.add(elm.Capacitor().at(a).to(b).label(name, fontsize=9))

    def res(self, a: tuple[float, float], b: tuple[float, float], name: str) -> None:
        self.d.add(elm.Resistor().at(a).to(b).label(name, fontsize=9))

    def save(self, path: Path) -> None:
        path.write_bytes(self.d.get_imagedata("svg"))
