"""Layouts of the cells with an emitter-coupled pair."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import schemdraw.elements as elm

from analognet.drawing.symbols import (
    OpAmp,
    Point,
    capacitor,
    diode,
    dot,
    ground,
    port,
    rail,
    resistor,
    text,
    wire,
)

Values = Mapping[str, str]


def _transistor(d: Any, base: Point, label: str, mirrored: bool = False) -> tuple[Point, Point]:
    """An NPN transistor; answers its collector and emitter."""
    part = elm.BjtNpn(circle=True).theta(0)
    if mirrored:
        part = part.reverse()
    part = d.add(part.anchor("base").at(base))
    side = 0.95 if not mirrored else -0.95
    text(d, (base[0] + (1.75 if not mirrored else -1.75) * 0.85 + side * 0.1, base[1]), label)
    return (part.collector.x, part.collector.y), (part.emitter.x, part.emitter.y)


def _pair(d: Any, v: Values, left: str, right: str) -> tuple[Point, Point]:
    """The pair with its input divider, balance resistor and tail; answers both collectors.

    left: the transistor whose base the input drives.
    """
    b_in = (4.2, 0.0)
    resistor(d, (1.0, 0), (3.2, 0), v["Rtop"])
    port(d, (1.0, 0), "in")
    wire(d, (3.2, 0), b_in)
    resistor(d, (3.2, 0), (3.2, -2), v["Rlow"], "bottom")
    dot(d, (3.2, 0))
    ground(d, (3.2, -2))
    c_left, e_left = _transistor(d, b_in, left)
    b_bal = (9.0, 0.0)
    c_right, e_right = _transistor(d, b_bal, right, mirrored=True)
    wire(d, b_bal, (10.0, 0))
    resistor(d, (10.0, 0), (10.0, -2), v["Rbal"])
    ground(d, (10.0, -2))
    middle = ((e_left[0] + e_right[0]) / 2, e_left[1] - 0.7)
    wire(d, e_left, (e_left[0], middle[1]), (e_right[0], middle[1]), e_right)
    dot(d, middle)
    # the tail: Qt with its divider of two resistors and two diodes
    part = d.add(elm.BjtNpn(circle=True).theta(0).anchor("collector").at((middle[0], middle[1] - 2.2)))
    base, emitter = (part.base.x, part.base.y), (part.emitter.x, part.emitter.y)
    wire(d, middle, (middle[0], middle[1] - 2.2))
    text(d, (base[0] + 1.55, base[1]), "Qt")
    bottom = emitter[1] - 2.2
    resistor(d, emitter, (emitter[0], bottom), v["Re"], "bottom")
    rail(d, (emitter[0], bottom), "vss", up=False)
    x = 4.6
    wire(d, base, (x, base[1]))
    dot(d, (x, base[1]))
    resistor(d, (x, base[1] + 2.0), (x, base[1]), v["Rd1"], "bottom")
    ground_up(d, (x, base[1] + 2.0))
    low = base[1] - 2.4
    for k, name in enumerate(("Qd1", "Qd2")):
        top = base[1] - 1.2 * k
        diode(d, (x, top), (x, top - 1.2))
        text(d, (x - 0.75, top - 0.6), name)
    resistor(d, (x, low), (x, low - 2), v["Rd2"])
    rail(d, (x, low - 2), "vss", up=False)
    return c_left, c_right


def ground_up(d: Any, at: Point) -> None:
    """The signal common, at the upper end of something."""
    wire(d, at, (at[0] - 0.7, at[1]))
    ground(d, (at[0] - 0.7, at[1]))


def _transimpedance(d: Any, node: Point, v: Values) -> OpAmp:
    """The op-amp behind the pair, its - input at the height of `node`, with Rf and Cf."""
    amp = OpAmp(d, (15.2, node[1] - 0.625), "Xamp")
    corner = (12.4, node[1])
    wire(d, node, amp.minus)
    dot(d, corner)
    end = (amp.out[0] + 0.5, amp.out[1])
    for rise, part, label in ((1.3, resistor, v["Rf"]), (2.6, capacitor, v["Cf"])):
        y = node[1] + rise
        wire(d, (corner[0], node[1] + rise - 1.3), (corner[0], y))
        part(d, (corner[0], y), (end[0], y), label)
        wire(d, (end[0], y), (end[0], node[1] + rise - 1.3 if rise > 1.3 else end[1]))
    dot(d, (corner[0], node[1] + 1.3))
    dot(d, (end[0], node[1] + 1.3))
    wire(d, amp.out, (16.4, amp.out[1]))
    dot(d, end)
    port(d, (16.4, amp.out[1]), "out", "right")
    return amp


def sigmoid_pair(d: Any, v: Values) -> None:
    """act_sigmoid_bjt: Q1's collector current into a transimpedance amplifier."""
    c_in, c_out = _pair(d, v, "Q2", "Q1")
    wire(d, c_in, (c_in[0], c_in[1] + 0.6))
    ground_up(d, (c_in[0], c_in[1] + 0.6))
    node = (c_out[0], c_out[1] + 0.6)
    wire(d, c_out, node)
    amp = _transimpedance(d, node, v)
    wire(d, amp.plus, (amp.plus[0] - 0.3, amp.plus[1]))
    ground(d, (amp.plus[0] - 0.3, amp.plus[1]))


def tanh_pair(d: Any, v: Values) -> None:
    """act_tanh_bjt: the difference of both collector currents."""
    c_in, c_out = _pair(d, v, "Q1", "Q2")
    minus_y, plus_y = c_in[1] + 1.9, c_in[1] + 0.65
    wire(d, c_in, (c_in[0], minus_y))
    wire(d, c_out, (c_out[0], plus_y))
    amp = _transimpedance(d, (c_in[0], minus_y), v)
    wire(d, (c_out[0], plus_y), (amp.plus[0], plus_y), amp.plus)
    for x, y, name in ((c_in[0], minus_y, "Rl1"), (c_out[0], plus_y, "Rl2")):
        top = minus_y + 2.4
        dot(d, (x, y))
        wire(d, (x, y), (x, minus_y + 0.4))
        resistor(d, (x, minus_y + 0.4), (x, top), v[name], "bottom" if x == c_out[0] else "top")
        rail(d, (x, top), "vdd")
    for x, part, label, side in ((11.9, resistor, v["Rg"], "top"), (12.7, capacitor, v["Cg"], "bottom")):
        dot(d, (x, plus_y))
        wire(d, (x, plus_y), (x, plus_y - 0.8))
        part(d, (x, plus_y - 0.8), (x, plus_y - 2.4), label, side)
        ground(d, (x, plus_y - 2.4))
