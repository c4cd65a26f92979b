"""Schematics of a network: small ones with every resistor, large ones as one neuron for each layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from analognet.analog import build
from analognet.analog.cells import OPAMP_ROLE
from analognet.analog.layers import AnalogLayer
from analognet.drawing.symbols import (
    FONT,
    OpAmp,
    Point,
    box,
    diode,
    dot,
    drawing,
    ground,
    port,
    resistor,
    text,
    to_svg,
    wire,
)
from analognet.units import engineering

if TYPE_CHECKING:
    from analognet.design import Design

SMALL: Final = 160  # weights up to which a network is drawn whole
_STEP: Final = 0.62  # between the resistors of a star
_SHOWN: Final = 6  # weights of a star that a large layer's neuron shows
_WIDTH: Final = 19.0  # of one neuron

Weights = list[tuple[str, str]]  # (net, `10 k`)


def draw_network(design: Design) -> dict[str, bytes]:
    """SVG by file stem. `network`: blocks and what they hold; then `layer0` ..., each with all its
    neurons where the network has at most `SMALL` weights, else with its neuron of most weights.
    """
    whole = sum(int(np.count_nonzero(layer.g_pos + layer.g_neg)) for layer in design.analog.layers) <= SMALL
    found = {"network": _blocks(design)}
    for index, layer in enumerate(design.analog.layers):
        busiest = int(np.count_nonzero(layer.g_pos + layer.g_neg, axis=1).argmax())
        neurons = list(range(layer.n_out)) if whole else [busiest]
        found[f"layer{index}"] = _layer(design, index, neurons, whole)
    return found


def _blocks(design: Design) -> bytes:
    d = drawing()
    x = 0.0
    port(d, (x, 0), f"x0 ... x{design.analog.n_in - 1}")
    for index, layer in enumerate(design.analog.layers):
        wire(d, (x, 0), (x + 1.2, 0))
        text(d, (x + 0.6, 0.3), str(layer.n_in), size=FONT - 1)
        x += 1.2
        amps = int(np.count_nonzero(layer.g_link)) + layer.n_out
        weights = int(np.count_nonzero(layer.g_pos + layer.g_neg))
        box(d, (x, 1.5), (x + 5.4, -1.9))
        lines = [
            f"layer {index}: {layer.n_in} -> {layer.n_out}",
            f"{layer.activation}, {layer.topology}",
            f"{weights} weights, {amps} summing op-amps",
            f"R_f {engineering(1 / float(layer.g_f[0]), 'Ohm')}, noise gain to {layer.noise_gain.max():.1f}",
            f"activation: {layer.cell or (layer.amplifier if layer.amplifier != OPAMP_ROLE else 'none')}",
            f"{engineering(layer.scale_out, 'V')} per unit",
        ]
        for k, line in enumerate(lines):
            text(d, (x + 2.7, 1.1 - 0.55 * k), line, size=FONT if k == 0 else FONT - 1)
        x += 5.4
    wire(d, (x, 0), (x + 1.2, 0))
    text(d, (x + 0.6, 0.3), str(design.analog.n_out), size=FONT - 1)
    port(d, (x + 1.2, 0), f"y0 ... y{design.analog.n_out - 1}", "right")
    t = design.technology
    text(
        d,
        (x / 2, -2.5),
        f"{t.title}: {t.opamp.removeprefix('opamp_')}, {t.vdd:+g}/{t.vss:+g} V, reference {t.reference:g} V, "
        f"full scale {t.full_scale:g} V; {design.tally.opamps} op-amps, {design.tally.resistors} resistors",
    )
    return to_svg(d)


def _layer(design: Design, index: int, neurons: list[int], whole: bool) -> bytes:
    layer = design.analog.layers[index]
    before = (
        build.input_nets(design.analog) if index == 0 else build.layer_output_nets(design.analog, index - 1)
    )
    after = build.layer_output_nets(design.analog, index)
    d = drawing()
    columns = 2 if len(neurons) > 3 else 1
    y = [0.0] * columns
    for k, i in enumerate(neurons):
        column = k % columns
        height = _neuron(d, (column * _WIDTH, y[column]), layer, i, [*before, "ref"], after[i], whole)
        y[column] -= height + 1.2
    if not whole:
        weights = np.count_nonzero(layer.g_pos + layer.g_neg, axis=1)
        ohms = 1 / (layer.g_pos + layer.g_neg)[layer.g_pos + layer.g_neg > 0]
        text(
            d,
            (0, 1.9),
            f"layer {index}: one of {layer.n_out} neurons, that of most weights; {weights.min()} to {weights.max()} "
            f"weights each, {engineering(float(ohms.min()), 'Ohm')} to {engineering(float(ohms.max()), 'Ohm')}",
            "left",
        )
    return to_svg(d)


def _neuron(d: Any, at: Point, layer: AnalogLayer, i: int, nets: list[str], out: str, whole: bool) -> float:
    """Draw one neuron with its upper left corner at a point; answers its height."""
    inverted = [n + build.INVERTED for n in nets] if layer.topology == "dual_rail" else nets
    positive = _star(layer.g_pos[i], inverted, whole)
    negative = _star(layer.g_neg[i], nets, whole)
    first = layer.topology == "split" and layer.g_link[i] > 0
    x, y = at
    text(d, (x, y + 0.9), f"neuron {i}: {layer.activation}", "left")
    if layer.topology == "dual_rail":
        negative = positive + negative
        positive = []
    upper = _STEP * max(1, len(positive))
    lower = _STEP * max(1, len(negative))
    second_y = y - upper - 1.6 if first else y
    if first:
        node = _draw_star(d, (x, y), positive)
        amp = _summing(
            d, (x + 8.4, node[1] - 0.625), node, f"Xsum{i}", f"Ru{i} {engineering(1 / layer.g_f_pos[i])}"
        )
        resistor(
            d,
            (amp.out[0] + 0.4, amp.out[1]),
            (amp.out[0] + 2.6, amp.out[1]),
            f"Rl{i} {engineering(1 / layer.g_link[i])}",
        )
    node2 = _draw_star(d, (x, second_y), negative)
    rectifies = layer.amplifier != OPAMP_ROLE
    target = (x + 14.2, node2[1] - 0.625)
    grounded = layer.topology != "signed"
    amp2 = _summing(
        d, target, node2, f"Xamp{i}", f"Rf{i} {engineering(1 / layer.g_f[i])}", rectifies, grounded
    )
    if first:
        join = (amp.out[0] + 2.6, node2[1])
        wire(d, (amp.out[0] + 2.6, amp.out[1]), join)
        dot(d, join)
    height = (upper + 1.6 if first else 0) + lower
    if not grounded:
        node3 = _draw_star(d, (x, second_y - lower - 0.8), positive)
        wire(d, node3, (amp2.plus[0] - 0.5, node3[1]), (amp2.plus[0] - 0.5, amp2.plus[1]), amp2.plus)
        for g, place, name in ((layer.balance_pos[i], node3, "Rbp"), (layer.balance_neg[i], node2, "Rbn")):
            if g > 0:
                foot = (place[0] + 2.0, place[1])
                dot(d, foot)
                resistor(d, foot, (foot[0], foot[1] - 1.7), f"{name}{i} {engineering(1 / g)}", "bottom")
                ground(d, (foot[0], foot[1] - 1.7))
        height += 2.4 + _STEP * max(1, len(positive))
    end = (target[0] + (2.4 if rectifies else 0.4), target[1])
    if layer.cell:
        wire(d, end, (end[0] + 0.5, end[1]))
        box(d, (end[0] + 0.5, end[1] + 0.45), (end[0] + 3.0, end[1] - 0.45))
        text(d, (end[0] + 1.75, end[1]), layer.cell.removeprefix("act_"), size=FONT - 2)
        end = (end[0] + 3.0, end[1])
    wire(d, end, (end[0] + 0.4, end[1]))
    port(d, (end[0] + 0.4, end[1]), out, "right")
    return max(height, 2.6) + 0.6


def _star(g: Any, nets: list[str], whole: bool) -> Weights:
    """The weights of one star; of a long one the first few, and how many more there are."""
    present = np.flatnonzero(g)
    shown = present if whole or len(present) <= _SHOWN + 1 else present[:_SHOWN]
    found = [(nets[j], engineering(1 / float(g[j]))) for j in shown]
    if len(shown) < len(present):
        found.append((f"and {len(present) - len(shown)} more", ""))
    return found


def _draw_star(d: Any, at: Point, weights: Weights) -> Point:
    """Resistors one under the other onto one node; answers that node, at the height of the first."""
    x, y = at
    node = (x + 4.4, y)
    for k, (net, ohms) in enumerate(weights):
        level = y - _STEP * k
        if not ohms:
            text(d, (x + 1.9, level), net, size=FONT - 1)
            if k < len(weights) - 1:  # another star on the same node follows
                wire(d, (node[0], level + _STEP), (node[0], level))
            continue
        port(d, (x + 1.3, level), net)
        resistor(d, (x + 1.3, level), (x + 3.3, level))
        text(d, (x + 3.35, level + 0.2), ohms, "left", FONT - 2)
        wire(d, (x + 3.3, level), (node[0], level))
        if k:
            wire(d, (node[0], level + _STEP), (node[0], level))
            dot(d, (node[0], level))
    return node


def _summing(
    d: Any, out: Point, node: Point, label: str, feedback: str, rectifies: bool = False, grounded: bool = True
) -> OpAmp:
    """An op-amp at the end of a star's node, with its feedback and, if it rectifies, its two diodes."""
    amp = OpAmp(d, out, label)
    wire(d, node, amp.minus)
    corner = (amp.minus[0] - 0.5, amp.minus[1])
    dot(d, corner)
    end = (out[0] + 0.4, out[1])
    top = amp.minus[1] + 1.25
    if rectifies:
        wire(d, out, end)
        dot(d, end)
        wire(d, corner, (corner[0], amp.minus[1] + 0.95))
        diode(d, (corner[0], amp.minus[1] + 0.95), (end[0], amp.minus[1] + 0.95))
        wire(d, (end[0], amp.minus[1] + 0.95), end)
        far = (out[0] + 2.4, out[1])
        diode(d, end, far)
        top += 0.35
        dot(d, (corner[0], amp.minus[1] + 0.95))
        end = far
    else:
        wire(d, out, end)
    wire(d, corner, (corner[0], top))
    resistor(d, (corner[0], top), (end[0], top), feedback)
    wire(d, (end[0], top), end)
    dot(d, end)
    if grounded:
        wire(d, amp.plus, (amp.plus[0] - 0.3, amp.plus[1]))
        ground(d, (amp.plus[0] - 0.3, amp.plus[1]))
    return amp
