"""Schematics of cells: laid out by hand, with the values that the cell's file has.

A cell without a layout of its own is drawn as a box with its elements listed.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from analognet.analog.cells import Cell, logical_lines
from analognet.drawing.pairs import sigmoid_pair, tanh_pair
from analognet.drawing.symbols import (
    OpAmp,
    box,
    diode,
    dot,
    drawing,
    ground,
    inverting,
    port,
    rail,
    resistor,
    text,
    to_svg,
    wire,
)
from analognet.interchange.elements import Element, cell_elements
from analognet.units import engineering

Values = Mapping[str, str]  # element name -> `Rin 10 k`
Layout = Callable[[Any, Values], None]


def draw_cell(cell: Cell, params: Mapping[str, float] | None = None) -> bytes:
    """SVG of a cell, with these parameters or its defaults."""
    drawn = drawing()
    if cell.family == "model":
        _listing(drawn, cell, textwrap.wrap(" ".join(logical_lines(cell.text)), 56))
        return to_svg(drawn)
    elements = cell_elements(cell, params)
    values = {e.name: _label(e) for e in elements}
    layout = LAYOUTS.get(cell.name)
    if layout is not None:
        layout(drawn, values)
    elif cell.family == "opamp":
        _part(drawn, cell)
    else:
        _listing(
            drawn,
            cell,
            [
                f"{e.name}  {' '.join(e.nodes)}  {e.of if e.value is None else engineering(e.value)}"
                for e in elements
            ],
        )
    return to_svg(drawn)


def _label(e: Element) -> str:
    return e.name if e.value is None else f"{e.name} {engineering(e.value)}"


def _inverter(d: Any, v: Values) -> None:
    amp, node = inverting(d, (6, 0), "Xamp", v["Rf"])
    start = (node[0] - 2.2, node[1])
    resistor(d, start, node, v["Rin"])
    port(d, start, "in")
    wire(d, (amp.out[0] + 0.4, 0), (7, 0))
    port(d, (7, 0), "out", "right")


def _rectifier(d: Any, v: Values) -> None:
    amp = OpAmp(d, (6, 0), "Xamp")
    node = (amp.minus[0] - 0.6, amp.minus[1])
    wire(d, (node[0] - 1, node[1]), amp.minus)
    port(d, (node[0] - 1, node[1]), "inn")
    wire(d, (node[0] - 1, amp.plus[1]), amp.plus)
    port(d, (node[0] - 1, amp.plus[1]), "inp")
    _diode_loops(d, amp, node, v)
    port(d, (9, 0), "out", "right")


def _diode_loops(d: Any, amp: OpAmp, node: tuple[float, float], v: Values) -> None:
    """Dn from the summing node to the op-amp's output, Dp from there on to x = 9."""
    drive = (amp.out[0] + 0.6, amp.out[1])
    wire(d, amp.out, drive)
    dot(d, drive)
    dot(d, node)
    wire(d, node, (node[0], 1.9))
    diode(d, (node[0], 1.9), (drive[0], 1.9), v.get("Dn", "Dn"))
    wire(d, (drive[0], 1.9), drive)
    diode(d, drive, (9, 0), v.get("Dp", "Dp"), "bottom")


def _relu(d: Any, v: Values) -> None:
    amp = OpAmp(d, (6, 0), "Xrect")
    node = (amp.minus[0] - 0.6, amp.minus[1])
    wire(d, node, amp.minus)
    wire(d, amp.plus, (amp.plus[0] - 0.3, amp.plus[1]))
    ground(d, (amp.plus[0] - 0.3, amp.plus[1]))
    resistor(d, (node[0] - 2.2, node[1]), node, v["Rin"])
    port(d, (node[0] - 2.2, node[1]), "in")
    _diode_loops(d, amp, node, v)
    wire(d, (node[0], 1.9), (node[0], 3.1))
    dot(d, (node[0], 1.9))
    resistor(d, (node[0], 3.1), (9, 3.1), v["Rf"])
    wire(d, (9, 3.1), (9, 0))
    dot(d, (9, 0))
    buffer = OpAmp(d, (12, -0.625), "Xbuf", flipped=True)
    wire(d, (9, 0), buffer.plus)
    end = (buffer.out[0] + 0.4, buffer.out[1])
    wire(d, buffer.out, (13, end[1]))
    wire(
        d,
        end,
        (end[0], -2.4),
        (buffer.minus[0] - 0.4, -2.4),
        (buffer.minus[0] - 0.4, buffer.minus[1]),
        buffer.minus,
    )
    dot(d, end)
    port(d, (13, end[1]), "out", "right")


def _two_sided(d: Any, v: Values) -> tuple[tuple[float, float], tuple[float, float]]:
    """The first half of a leaky ReLU; answers its nodes n and p."""
    amp = OpAmp(d, (6, 0), "X1")
    node = (amp.minus[0] - 0.9, amp.minus[1])
    wire(d, node, amp.minus)
    wire(d, amp.plus, (amp.plus[0] - 0.3, amp.plus[1]))
    ground(d, (amp.plus[0] - 0.3, amp.plus[1]))
    resistor(d, (node[0] - 2.2, node[1]), node, v["Rin"])
    port(d, (node[0] - 2.2, node[1]), "in")
    dot(d, node)
    drive, n, p = (6.6, 0.0), (9.2, 1.6), (9.2, -1.6)
    wire(d, amp.out, drive)
    dot(d, drive)
    wire(d, (6.6, 1.6), (6.6, -1.6))
    diode(d, n, (6.6, 1.6), "Dn")
    diode(d, (6.6, -1.6), p, "Dp")
    wire(d, n, (9.2, 3), (7.5, 3))
    resistor(d, (7.5, 3), (4.5, 3), v["Rn"])
    wire(d, (4.5, 3), (node[0], 3), node)
    wire(d, p, (9.2, -3), (7.5, -3))
    resistor(d, (7.5, -3), (4.5, -3), v["Rp"])
    wire(d, (4.5, -3), (node[0], -3), node)
    dot(d, n)
    dot(d, p)
    text(d, (n[0] + 0.3, n[1] + 0.3), "n")
    text(d, (p[0] + 0.3, p[1] - 0.3), "p")
    return n, p


def _leaky(d: Any, v: Values) -> None:
    n, p = _two_sided(d, v)
    amp, s2 = inverting(d, (15, 0), "X2", v["Rf"])
    join = (11.8, s2[1])
    resistor(d, n, (11.8, n[1]), v["Rsn"])
    resistor(d, p, (11.8, p[1]), v["Rsp"], "bottom")
    wire(d, (11.8, n[1]), (11.8, p[1]))
    wire(d, join, s2)
    dot(d, join)
    wire(d, (amp.out[0] + 0.4, 0), (16, 0))
    port(d, (16, 0), "out", "right")


def _leaky_negative(d: Any, v: Values) -> None:
    n, p = _two_sided(d, v)
    amp, s2 = inverting(d, (16, 0), "X2", v["Rf"], grounded=False)
    join = (12.2, s2[1])
    resistor(d, n, (12.2, n[1]), v["Rsn"])
    wire(d, (12.2, n[1]), join, s2)
    dot(d, join)
    resistor(d, join, (10.2, join[1]), v["Rbal"], "bottom")
    ground(d, (10.2, join[1]))
    q = (12.2, p[1])
    resistor(d, p, q, v["Rka"])
    wire(d, q, (13.2, q[1]), (13.2, amp.plus[1]), amp.plus)
    dot(d, q)
    text(d, (q[0] + 0.3, q[1] - 0.3), "q")
    resistor(d, q, (q[0], q[1] - 2), v["Rkb"], "bottom")
    ground(d, (q[0], q[1] - 2))
    wire(d, (amp.out[0] + 0.4, 0), (17, 0))
    port(d, (17, 0), "out", "right")


def _three_ramps(d: Any, v: Values) -> None:
    end = 9.4
    for k, y in ((1, 6.0), (2, 0.0), (3, -6.0)):
        amp, node = inverting(d, (7, y), f"X{k}", f"{v[f'Rf{k}']}, {v[f'Cf{k}']}")
        start = (0.4, node[1])
        resistor(d, start, node, v[f"Ri{k}"])
        wire(d, (0.4, node[1]), (0.4, 0.625))
        _to_rails(d, (node[0] - 0.6, node[1]), v.get(f"Rp{k}"), v.get(f"Rn{k}"))
        resistor(d, (amp.out[0] + 0.4, y), (end + 0.2, y), v[f"Rs{k}"])
        wire(d, (end + 0.2, y), (end + 0.2, 0.625))
    dot(d, (0.4, 0.625))
    wire(d, (-0.4, 0.625), (0.4, 0.625))
    port(d, (-0.4, 0.625), "in")
    amp, node = inverting(d, (15, 0), "X4", f"{v['Rs']}, {v['Cs']}")
    wire(d, (end + 0.2, 0.625), node)
    dot(d, (end + 0.2, 0.625))
    _to_rails(d, (node[0] - 1.2, node[1]), v.get("Rsp"), v.get("Rsn"))
    wire(d, (amp.out[0] + 0.4, 0), (16, 0))
    port(d, (16, 0), "out", "right")


def _to_rails(d: Any, node: tuple[float, float], up: str | None, down: str | None) -> None:
    if up or down:
        dot(d, node)
    if up:
        resistor(d, node, (node[0], node[1] + 1.9), up)
        rail(d, (node[0], node[1] + 1.9), "vdd")
    if down:
        resistor(d, (node[0], node[1] - 1.9), node, down)
        rail(d, (node[0], node[1] - 1.9), "vss", up=False)


def _part(d: Any, cell: Cell) -> None:
    amp = OpAmp(d, (4, 0))
    for at, name in ((amp.minus, "inn"), (amp.plus, "inp")):
        wire(d, (at[0] - 0.6, at[1]), at)
        port(d, (at[0] - 0.6, at[1]), name)
    wire(d, amp.out, (4.6, 0))
    port(d, (4.6, 0), "out", "right")
    text(d, (3, 1.9), cell.title)
    for k, (name, value) in enumerate(cell.defaults.items()):
        column, row = divmod(k, 7)
        text(
            d,
            (6.3 + 4.2 * column, 1.5 - 0.45 * row),
            f"{name} = {engineering(value, cell.units.get(name, '').replace('Hz^0.5', '√Hz'))}",
            "left",
        )


def _listing(d: Any, cell: Cell, lines: Sequence[str]) -> None:
    height = max(2.0, 0.45 * len(lines) + 0.9)
    box(d, (0, 0), (11, -height))
    text(d, (5.5, -0.4), cell.title)
    for k, line in enumerate(lines):
        text(d, (0.3, -0.95 - 0.45 * k), line[:70], "left")
    step = height / (len(cell.pins) + 1)
    for k, (name, role) in enumerate(cell.pins):
        side = "right" if role == "out" else "left"
        y = -step * (k + 1)
        x = 11.0 if side == "right" else 0.0
        far = x + (0.5 if side == "right" else -0.5)
        wire(d, (x, y), (far, y))
        port(d, (far, y), name, side)


LAYOUTS: Mapping[str, Layout] = {
    "inverter": _inverter,
    "rectifier_diode": _rectifier,
    "act_relu_diode": _relu,
    "act_leaky_relu_diode": _leaky,
    "act_leaky_relu_diode_neg": _leaky_negative,
    "act_sigmoid_bjt": sigmoid_pair,
    "act_tanh_bjt": tanh_pair,
    "act_sigmoid_pwl": _three_ramps,
    "act_tanh_pwl": _three_ramps,
}
