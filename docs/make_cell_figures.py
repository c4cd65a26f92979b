"""The figures of docs/cells.md: schematics by schemdraw, curves measured by ngspice.

    python docs/make_cell_figures.py [directory]

Writes docs/img/cells_*.svg (or into the directory given) and the table of op-amps in
docs/cells.md. Same cells, same bytes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import schemdraw
import schemdraw.elements as elm
from matplotlib.figure import Figure

from analognet.analog.cells import OPAMP_PINS, closure, library
from analognet.analog.ngspice import run_deck
from analognet.network import Activation, Array

HERE = Path(__file__).parent
CELLS = library(HERE.parent / "cells")
PART = "opamp_opa4192"
COLOURS = ("#0b6e99", "#c1440e", "#4f7942", "#6b4c9a")
Point = tuple[float, float]


# --- measuring


def transfer(name: str, x: Array, celsius: float = 27.0, **given: float) -> Array:
    """v(out) of one cell on +-5 V for evenly spaced input voltages x."""
    part, cell = CELLS[PART].defaults, CELLS[name]
    known = {"vsat_hi": 5 - part["drop_hi"], "vsat_lo": part["drop_lo"] - 5, "r_out": part["rout"], **given}
    values = " ".join(f"{k}={known[k]:.9g}" for k in cell.defaults if k in known)
    pins, step = " ".join(OPAMP_PINS), (x[-1] - x[0]) / (len(x) - 1)
    deck = [
        "* figure",
        *(c.text for c in closure(CELLS, [PART, name], PART)),
        f".subckt opamp {pins}\nXpart {pins} {PART}\n.ends",
        f"Vdd vdd 0 5\nVss vss 0 -5\nVin in 0 0\nXcell in out 0 vdd vss {name} {values}",
        f".dc Vin {x[0]:.12g} {x[-1] + 0.01 * step:.12g} {step:.12g}",
        f".options temp={celsius} reltol=1e-6 abstol=1e-14 vntol=1e-9\n.end\n",
    ]
    return run_deck("\n".join(deck), ["v(out)"], points=len(x)).vectors["v(out)"]


def saturating_figure(activation: str, s_in: float = 0.25, s_out: float = 2.5) -> Figure:
    """Transfer, error and temperature of the two cells of a saturating activation."""
    span = s_out * (2 if activation == "tanh" else 1)
    z = np.linspace(-8, 8, 641)
    figure, (curve, error, warm) = plt.subplots(1, 3, figsize=(11, 3.3), layout="constrained")
    curve.plot(z, s_out * Activation(activation)(z), "k:", label="ideal")
    bound = 0.0
    for kind, colour in (("bjt", COLOURS[0]), ("pwl", COLOURS[1])):
        name = f"act_{activation}_{kind}"
        cell = CELLS[name]
        ideal = s_out * Activation(activation)(z)
        v = cell.polarity * z * s_in
        y = transfer(name, v if cell.polarity > 0 else v[::-1], s_in=s_in, s_out=s_out)[:: cell.polarity]
        curve.plot(z, y, color=colour, label=name)
        error.plot(z, 100 * (y - ideal) / span, color=colour, label=name)
        bound = max(bound, 100 * cell.rating("error_max", 0))
    for celsius, colour in ((-40.0, COLOURS[0]), (85.0, COLOURS[2]), (125.0, COLOURS[1])):
        name = f"act_{activation}_bjt"
        sign = CELLS[name].polarity
        v = z * s_in
        y = transfer(name, v, celsius, s_in=s_in, s_out=s_out)[::sign]
        warm.plot(
            z, 100 * (y - s_out * Activation(activation)(z)) / span, color=colour, label=f"{celsius:g} °C"
        )
    curve.set(ylabel="v(out) / V", title="transfer, 27 °C")
    error.set(ylabel="error / % of span", title="error, 27 °C", ylim=(-1.3 * bound, 1.8 * bound))
    warm.set(ylabel="error / % of span", title=f"act_{activation}_bjt over temperature")
    for axes in (curve, error, warm):
        axes.set_xlabel("z")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8, frameon=False, loc="upper left" if axes is curve else "upper right")
    return figure


def rectifier_figure() -> Figure:
    """Transfer of the rectifiers, and what leakage and the diodes' dead zone leave as error."""
    x = np.linspace(-2.5, 2.5, 501)
    figure, (curve, cold, hot) = plt.subplots(1, 3, figsize=(11, 3.3), layout="constrained")
    rows = (
        ("act_relu_diode", "relu", 0.0),
        ("act_leaky_relu_diode", "leaky_relu", 0.1),
        ("act_leaky_relu_diode_neg", "leaky_relu", -0.5),
    )
    for (name, activation, slope), colour in zip(rows, COLOURS, strict=False):
        sign = CELLS[name].polarity
        ideal = Activation(activation, slope)(x)
        label = name + (f", slope {slope:g}" if slope else "")
        curve.plot(x, transfer(name, x, slope=slope)[::sign], color=colour, label=label)
        for axes, celsius, unit in ((cold, 27.0, 1e6), (hot, 125.0, 1e3)):
            y = transfer(name, x, celsius, slope=slope)[::sign]
            axes.plot(x, unit * (y - ideal), color=colour)
    curve.set(ylabel="v(out) / V", title="transfer, 27 °C", xlabel="polarity * v(in) / V")
    cold.set(ylabel="error / µV", title="error, 27 °C", xlabel="polarity * v(in) / V")
    hot.set(ylabel="error / mV", title="error, 125 °C", xlabel="polarity * v(in) / V")
    curve.legend(fontsize=7, frameon=False)
    for axes in (curve, cold, hot):
        axes.grid(alpha=0.3)
    return figure


# --- drawing


def anchor(element: Any, name: str) -> Point:
    """Where a terminal of a placed element stands, rounded so that the drawing repeats to the byte."""
    at = element.absanchors[name]
    return round(at.x, 3), round(at.y, 3)


class Sheet:
    """A schematic drawn by coordinates."""

    def __init__(self) -> None:
        self.drawing = schemdraw.Drawing(show=False)
        self.drawing.config(fontsize=11, lw=1.2, unit=2)

    def two(self, kind: Callable[[], Any], a: Point, b: Point, label: str = "", where: str = "top") -> None:
        element = kind().at(a).to(b)
        self.drawing += element.label(label, loc=where) if label else element

    def r(self, a: Point, b: Point, label: str, where: str = "top") -> None:
        self.two(elm.Resistor, a, b, label, where)

    def wire(self, *points: Point) -> None:
        for a, b in pairwise(points):
            self.drawing += elm.Line().at(a).to(b)

    def dot(self, at: Point, label: str = "", where: str = "top") -> None:
        element = elm.Dot().at(at)
        self.drawing += element.label(label, loc=where) if label else element

    def port(self, at: Point, label: str, where: str) -> None:
        self.drawing += elm.Dot(open=True).at(at).label(label, loc=where)

    def com(self, at: Point) -> None:
        self.drawing += elm.Ground().at(at)

    def com_left_of(self, at: Point) -> None:
        self.wire(at, (at[0] - 0.35, at[1]))
        self.com((at[0] - 0.35, at[1]))

    def rail(self, at: Point, label: str) -> None:
        symbol: Any = elm.Vdd if label == "vdd" else elm.Vss
        self.drawing += symbol().at(at).label(label)

    def opamp(self, at: Point) -> tuple[Point, Point, Point]:
        """An op-amp whose inverting input, the upper one, stands at `at`; answers (inn, inp, out)."""
        element = self.drawing.add(elm.Opamp(leads=False).right().anchor("in1").at(at))
        return anchor(element, "in1"), anchor(element, "in2"), anchor(element, "out")

    def npn(self, base: Point, label: str, mirrored: bool = False) -> tuple[Point, Point]:
        """A transistor by its base; answers (collector, emitter)."""
        element = elm.BjtNpn(circle=False).right()
        element = element.reverse() if mirrored else element
        loc = "left" if mirrored else "right"
        element = self.drawing.add(element.anchor("base").at(base).label(label, loc=loc))
        return anchor(element, "collector"), anchor(element, "emitter")


def inverting(s: Sheet, x: float, y: float, feedback: str) -> Point:
    """An op-amp with grounded inp and a feedback resistor, its summing node at (x, y); answers its output."""
    s.wire((x, y), (x + 0.8, y))
    _, inp, out = s.opamp((x + 0.8, y))
    s.com_left_of(inp)
    s.wire((x, y), (x, y + 1.3))
    s.r((x, y + 1.3), (out[0], y + 1.3), feedback)
    s.wire((out[0], y + 1.3), out)
    s.dot((x, y))
    s.dot(out)
    return out


def relu() -> Sheet:
    s = Sheet()
    s.port((0, 0), "in", "left")
    s.r((0, 0), (2, 0), "r")
    s.dot((2, 0))
    s.wire((2, 0), (2.8, 0))
    _, inp, out = s.opamp((2.8, 0))
    s.com_left_of(inp)
    s.wire((2, 0), (2, 2.6))
    s.two(elm.Diode, (2, 1.3), (out[0], 1.3), "Dn")
    s.dot((2, 1.3))
    s.wire((out[0], 1.3), out)
    s.dot(out)
    s.two(elm.Diode, out, (out[0] + 2, out[1]), "Dp")
    s.r((2, 2.6), (out[0] + 2, 2.6), "r")
    s.wire((out[0] + 2, 2.6), (out[0] + 2, out[1]))
    s.dot((out[0] + 2, out[1]))
    x = out[0] + 3.6  # the follower, its inverting input uppermost
    inn, inp, end = s.opamp((x, out[1] + 0.85))
    s.wire((out[0] + 2, out[1]), (inp[0] - 0.5, out[1]), (inp[0] - 0.5, inp[1]), inp)
    s.wire(inn, (inn[0] - 0.3, inn[1]), (inn[0] - 0.3, 2.0), (end[0], 2.0), end)
    s.dot(end)
    s.wire(end, (end[0] + 0.8, end[1]))
    s.port((end[0] + 0.8, end[1]), "out", "right")
    return s


def leaky(negative: bool) -> Sheet:
    s = Sheet()
    s.port((0, 0), "in", "left")
    s.r((0, 0), (2, 0), "r")
    s.dot((2, 0))
    s.wire((2, 0), (2.8, 0))
    _, inp, out = s.opamp((2.8, 0))
    s.com_left_of(inp)
    right = out[0] + 2
    s.wire((2, -3.2), (2, 2))
    s.r((2, 2), (right, 2), "r")
    s.r((2, -3.2), (right, -3.2), "r", "bottom")
    s.wire(out, (out[0] + 0.4, out[1]))
    s.dot((out[0] + 0.4, out[1]))
    s.wire((out[0] + 0.4, 1.0), (out[0] + 0.4, -2.2))
    s.two(elm.Diode, (right, 1.0), (out[0] + 0.4, 1.0), "Dn", "bottom")
    s.two(elm.Diode, (out[0] + 0.4, -2.2), (right, -2.2), "Dp")
    s.wire((right, 2), (right, 1.0))
    s.wire((right, -3.2), (right, -2.2))
    s.dot((right, 2), "n")
    s.dot((right, -3.2), "p", "bottom")
    summing = right + 3
    s.r((right, 2), (summing, 2), "r")
    if not negative:
        s.r((right, -3.2), (summing, -3.2), "r/slope", "bottom")
        s.wire((summing, -3.2), (summing, 2))
        s.dot((summing, 2))
        end = inverting(s, summing, 0, "r")
        s.dot((summing, 1.3))
        s.wire(end, (end[0] + 0.8, end[1]))
        s.port((end[0] + 0.8, end[1]), "out", "right")
        return s
    s.wire((summing, 2), (summing, 0))
    s.dot((summing, 0))
    s.wire((summing, 0), (summing + 1, 0))
    _, plus, end = s.opamp((summing + 1, 0))
    s.dot((summing, 2))
    s.r((summing, 2), (end[0], 2), "r")
    s.wire((end[0], 2), end)
    s.dot(end)
    s.r((summing, 0), (summing, -2), "r/2", "top")
    s.com((summing, -2))
    s.wire(plus, (plus[0] - 0.3, plus[1]), (plus[0] - 0.3, -3.2))
    s.r((right, -3.2), (plus[0] - 0.3, -3.2), "2 r (1-k)", "bottom")
    s.dot((plus[0] - 0.3, -3.2), "q", "right")
    s.r((plus[0] - 0.3, -3.2), (plus[0] - 0.3, -5.2), "2 r k", "bottom")
    s.com((plus[0] - 0.3, -5.2))
    s.wire(end, (end[0] + 0.8, end[1]))
    s.port((end[0] + 0.8, end[1]), "out", "right")
    return s


def pair(tanh: bool) -> Sheet:
    """The emitter-coupled pair with its tail, and the op-amp that turns its current into a voltage."""
    s = Sheet()
    left, right = (3.0, 0.0), (7.6, 0.0)
    c1, e1 = s.npn(left, "Q1")
    c2, e2 = s.npn(right, "Q2", mirrored=True)
    join = e1[1] - 0.4
    s.wire(e1, (e1[0], join), (e2[0], join), e2)
    middle = round((e1[0] + e2[0]) / 2, 3)
    s.dot((middle, join), "e")
    driven, still = (left, right) if tanh else (right, left)
    names = ("b1", "b2") if tanh else ("b2", "b1")
    way = 1 if tanh else -1
    s.wire(driven, (driven[0] - way * 0.7, 0))
    node = (driven[0] - way * 0.7, 0.0)
    s.dot(node, names[0])
    s.r(node, (node[0] - way * 2, 0), r"$r_{top}$")
    s.port((node[0] - way * 2, 0), "in", "left" if tanh else "right")
    s.r(node, (node[0], -2), r"$r_{low}$", "top" if tanh else "bottom")
    s.com((node[0], -2))
    s.wire(still, (still[0] + way * 0.7, 0))
    other = (still[0] + way * 0.7, 0.0)
    s.dot(other, names[1])
    s.r(other, (other[0], -2), r"$r_{low}(1-g)$", "bottom" if tanh else "top")
    s.com((other[0], -2))
    # tail
    ct, et = s.npn((middle - 0.75, join - 1.6), "Qt")
    s.wire((middle, join), (ct[0], join), ct)
    s.r(et, (et[0], et[1] - 2), r"$r_e$", "bottom")
    s.rail((et[0], et[1] - 2), "vss")
    chain = middle - 6.4
    level = join - 1.6
    s.wire((middle - 0.75, level), (chain, level))
    s.dot((chain, level), "bt", "left")
    s.r((chain, level), (chain, level + 1.5), r"$r_d$")
    s.wire((chain, level + 1.5), (chain - 0.9, level + 1.5))
    s.com((chain - 0.9, level + 1.5))
    s.two(elm.Diode, (chain, level), (chain, level - 1.3), "Qd1, Qd2", "top")
    s.two(elm.Diode, (chain, level - 1.3), (chain, level - 2.4))
    s.r((chain, level - 2.4), (chain, level - 4.2), r"$r_d$", "top")
    s.rail((chain, level - 4.2), "vss")
    # output stage
    if not tanh:
        s.wire(c1, (c1[0], 2.4), (c1[0] + 0.6, 2.4))
        end = inverting(s, c1[0] + 0.6, 2.4, r"$r_f$, $c_f$")
        s.wire(end, (end[0] + 1, end[1]))
        s.port((end[0] + 1, end[1]), "out", "right")
        s.wire(c2, (c2[0], c2[1] + 0.1), (c2[0] - 0.8, c2[1] + 0.1))
        s.com((c2[0] - 0.8, c2[1] + 0.1))
        return s
    top = 2.4
    s.wire(c1, (c1[0], top))
    s.r((c1[0], top), (c1[0], top + 2), r"$r_{lift}$")
    s.rail((c1[0], top + 2), "vdd")
    s.dot((c1[0], top), "sum", "left")
    s.wire((c1[0], top), (11.6, top))
    _, plus, end = s.opamp((11.6, top))
    s.wire((11.0, top), (11.0, top + 1.3))
    s.dot((11.0, top))
    s.r((11.0, top + 1.3), (end[0], top + 1.3), r"$r_f$, $c_f$")
    s.wire((end[0], top + 1.3), end)
    s.dot(end)
    s.wire(end, (end[0] + 0.8, end[1]))
    s.port((end[0] + 0.8, end[1]), "out", "right")
    s.wire(c2, (c2[0], plus[1]), plus)
    s.dot((c2[0], plus[1]), "ref", "left")
    s.wire((c2[0], plus[1]), (c2[0], top - 0.15))
    s.drawing += elm.Arc2(k=0.6).at((c2[0], top - 0.15)).to((c2[0], top + 0.15))
    s.wire((c2[0], top + 0.15), (c2[0], top + 0.2))
    s.r((c2[0], top + 0.2), (c2[0], top + 2.2), r"$r_{lift}$")
    s.rail((c2[0], top + 2.2), "vdd")
    s.dot((11.0, plus[1]))
    s.r((11.0, plus[1]), (11.0, plus[1] - 1.9), r"$r_f$, $c_f$", "bottom")
    s.com((11.0, plus[1] - 1.9))
    return s


def pwl() -> Sheet:
    s = Sheet()
    s.port((0, 0), "in", "left")
    s.wire((0, 0), (0.6, 0))
    s.wire((0.6, 6.0), (0.6, -6.0))
    ends = []
    for y, rails, k in ((6.0, ("vdd", "vss"), 1), (0.0, ("vss",), 2), (-6.0, ("vdd",), 3)):
        s.dot((0.6, y))
        s.r((0.6, y), (2.6, y), r"$r_i$")
        for rail in rails:
            way, letter = (1, "p") if rail == "vdd" else (-1, "n")
            s.r((2.6, y), (2.6, y + way * 1.7), f"$r_{{{letter}{k}}}$", "bottom")
            s.rail((2.6, y + way * 1.7), rail)
        s.dot((2.6, y))
        s.wire((2.6, y), (4.2, y))
        out = inverting(s, 4.2, y, f"$r_{{f{min(k, 2)}}}$")
        s.r(out, (out[0] + 2.2, out[1]), f"$r_s/b_{min(k, 2)}$")
        s.drawing += elm.Label().at((out[0] + 0.2, out[1] - 0.45)).label(f"o{k}")
        ends.append((out[0] + 2.2, out[1]))
    s.wire(ends[0], ends[1], ends[2])
    hub = ends[1]
    s.dot(hub)
    s.wire(hub, (hub[0] + 1, hub[1]))
    s.dot((hub[0] + 0.5, hub[1]))
    s.r((hub[0] + 0.5, hub[1]), (hub[0] + 0.5, hub[1] - 1.9), r"$r_{sn}$", "bottom")
    s.rail((hub[0] + 0.5, hub[1] - 1.9), "vss")
    out = inverting(s, hub[0] + 1.2, hub[1], r"$r_s$")
    s.wire((hub[0] + 1, hub[1]), (hub[0] + 1.2, hub[1]))
    s.wire(out, (out[0] + 0.8, out[1]))
    s.port((out[0] + 0.8, out[1]), "out", "right")
    return s


def parts_table() -> str:
    """The op-amps by GBW, from their headers."""
    columns = ["part, document", "a0 / dB", "GBW / MHz", "slew / (V/µs)", "en / (nV/√Hz)", "Vos sigma / µV"]
    columns += ["ib / nA", "swing on ±5 V / V", "iq / mA", "r_max / kΩ", "units", "USD"]
    rows = [columns, ["---"] * len(columns)]
    parts = [c for c in CELLS.values() if c.family == "opamp" and c.name != "opamp_ideal"]
    for c in sorted(parts, key=lambda c: (c.defaults["gbw"], c.name)):
        v = c.defaults
        rows.append(
            [
                f"`{c.name}`: {c.words['source'].split(', ')[0]}",
                f"{20 * np.log10(v['a0']):.0f}",
                f"{v['gbw'] / 1e6:g}",
                f"{v['slew'] / 1e6:g}",
                f"{v['en'] * 1e9:g}",
                f"{c.ratings['vos_sigma'][0] * 1e6:g}",
                f"{v['ib'] * 1e9:g}",
                f"{v['drop_lo'] - 5:.3g} .. {5 - v['drop_hi']:.3g}",
                f"{v['iq'] * 1e3:g}",
                f"{c.ratings['r_max'][0] / 1e3:g}",
                f"{c.ratings['units'][0]:g}",
                f"{c.ratings['price'][0]:g}",
            ]
        )
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def write_parts_table(document: Path) -> None:
    """Put the table of op-amps between its two marks."""
    text = document.read_text(encoding="utf-8")
    before, start, rest = text.partition("<!-- parts: written by make_cell_figures.py -->\n")
    _, end, after = rest.partition("<!-- end of parts -->")
    if not start or not end:
        raise SystemExit(f"{document.name} has lost the marks of its table of parts")
    document.write_text(before + start + parts_table() + end + after, encoding="utf-8")


def main(directory: Path) -> None:
    """Write all figures into the directory."""
    directory.mkdir(parents=True, exist_ok=True)
    plt.rcParams.update({"svg.hashsalt": "analognet", "font.size": 9, "svg.fonttype": "path"})
    figures = {
        "sigmoid": saturating_figure("sigmoid"),
        "tanh": saturating_figure("tanh"),
        "rectifiers": rectifier_figure(),
    }
    for name, figure in figures.items():
        figure.savefig(directory / f"cells_{name}.svg", metadata={"Date": None})
    sheets = {
        "relu_diode": relu(),
        "leaky_relu_diode": leaky(False),
        "leaky_relu_diode_neg": leaky(True),
        "sigmoid_bjt": pair(False),
        "tanh_bjt": pair(True),
        "sigmoid_pwl": pwl(),
    }
    for name, sheet in sheets.items():
        figure = sheet.drawing.draw(show=False).fig
        figure.savefig(directory / f"cells_{name}.svg", metadata={"Date": None}, bbox_inches="tight")
        figures[name] = figure
    if "--png" in sys.argv:  # for a look without a browser
        for name, figure in figures.items():
            figure.savefig(directory / f"cells_{name}.png", dpi=80, bbox_inches="tight")


if __name__ == "__main__":
    paths = [a for a in sys.argv[1:] if not a.startswith("-")]
    main(Path(paths[0]) if paths else HERE / "img")
    write_parts_table(HERE / "cells.md")
