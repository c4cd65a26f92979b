"""From conductances to a circuit: one subcircuit per layer, one group per neuron.

Names: `x3` input, `l0_y12` output of neuron 12 in layer 0, `..._b` its inverted copy; inside a
layer `p12`, `n12` the op-amp's inputs and `z12` its output; in a split neuron `p12` is the
first op-amp's summing node and `u12` its output.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from analognet.analog.cells import OPAMP_ROLE, Cell, closure, count
from analognet.analog.circuit import Circuit, Element, Group, Instance, Shunt, Star, Subcircuit
from analognet.analog.layers import AnalogLayer, AnalogNetwork, Capacitors
from analognet.analog.limits import working_ohm
from analognet.analog.technology import Strip, Technology
from analognet.network import Array

INVERTED = "_b"
Nets = NDArray[np.object_]  # of str: picking from it copies references, not text
_RAILS = (("com", "common"), ("ref", "in"), ("vdd", "supply"), ("vss", "supply"))
_OPAMP_NETS = 5  # pins of an op-amp, and of an activation, before those connected by name
_LINE_S = 1e-8  # s, a hundredth of a chip's latency
_LEAST_F = 1e-18  # smaller parasitic capacitances are left out


def build(network: AnalogNetwork, cells: Mapping[str, Cell], *, distributed: bool = False) -> Circuit:
    """The circuit of a mapped network. Pure: the same network gives the same circuit.

    distributed: long resistors of a chip as lines, which tell in the time domain alone.
    """
    layers = [_layer(network, i, cells, distributed) for i in range(len(network.layers))]
    top = _top(network, layers, cells)
    used = [e.of for s in (*layers, top) for e in s.elements() if isinstance(e, Instance)]
    names = [n for n in dict.fromkeys([network.technology.opamp, *used]) if n in cells or n == "opamp"]
    shape = "-".join(str(n) for n in (network.n_in, *(layer.n_out for layer in network.layers)))
    return Circuit(
        title=f"AnalogNet {shape} network, technology {network.technology.name}",
        notes=_notes(network),
        cells=tuple(closure(cells, names, network.technology.opamp)),
        opamp=network.technology.opamp,
        subcircuits=(*layers, top),
        process=network.technology.process,
    )


@dataclass(frozen=True)
class Tally:
    """How much of everything a circuit has, cells opened up."""

    opamps: int
    resistors: int


def tally(circuit: Circuit, cells: Mapping[str, Cell]) -> Tally:
    """Count op-amps and resistors of the whole circuit."""
    opamps, resistors = 0, circuit.resistors
    own = {s.name for s in circuit.subcircuits}
    kinds: dict[str, int] = {}
    for sub in circuit.subcircuits:
        for element in sub.elements():
            if isinstance(element, Instance) and element.of not in own:
                kinds[element.of] = kinds.get(element.of, 0) + 1
    for name, n in kinds.items():
        inside = count(cells, name)
        opamps, resistors = opamps + n * inside[0], resistors + n * inside[1]
    return Tally(opamps, resistors)


def input_nets(network: AnalogNetwork) -> list[str]:
    """The n_in input nets of the top subcircuit."""
    return [f"x{j}" for j in range(network.n_in)]


def output_nets(network: AnalogNetwork) -> list[str]:
    """The n_out output nets of the top subcircuit."""
    return [f"y{i}" for i in range(network.n_out)]


def layer_output_nets(network: AnalogNetwork, layer: int) -> list[str]:
    """The nets, at the top, that a layer's outputs are on."""
    if layer == len(network.layers) - 1:
        return output_nets(network)
    return [f"l{layer}_y{i}" for i in range(network.layers[layer].n_out)]


def layer_probes(network: AnalogNetwork, layer: int) -> list[str]:
    """ngspice's names, in a bench, of the voltages of a layer's outputs."""
    inside = "" if layer == len(network.layers) - 1 else "xnet."
    return [f"v({inside}{n})" for n in layer_output_nets(network, layer)]


def _notes(network: AnalogNetwork) -> tuple[str, ...]:
    lines = [
        f"topology {network.topology}; supplies {network.technology.vdd:.9g} V and "
        f"{network.technology.vss:.9g} V, reference {network.technology.reference:.9g} V",
        f"inputs x: {network.scale_in:.9g} V per unit; outputs y: {network.scale_out:.9g} V per unit",
    ]
    return tuple(lines)


def _top(network: AnalogNetwork, layers: list[Subcircuit], cells: Mapping[str, Cell]) -> Subcircuit:
    groups = []
    nets = input_nets(network)
    ref = "ref"
    for i, layer in enumerate(network.layers):
        out = layer_output_nets(network, i)
        rails: list[str] = []
        if network.topology == "dual_rail":
            groups.append(_inverted_copies(network, i, [*nets, ref], cells))
            rails = [
                n + INVERTED for n, used in zip([*nets, ref], _inverted_used(layer), strict=True) if used
            ]
        pins = (*nets, *rails, *out, "com", ref, "vdd", "vss", *_bias_nets(network.technology, cells))
        groups.append(Group(f"layer {i}", (Instance(f"Xlayer{i}", layers[i].name, pins),)))
        nets = out
    if network.technology.supports:
        groups.append(_supports(network, cells))
    driven = _driven(network.technology, cells)
    pins_of_top = (
        *((n, "in") for n in input_nets(network)),
        *((n, "out") for n in output_nets(network)),
        *(rail for rail in _RAILS if rail[0] not in driven),
    )
    return Subcircuit("network", "the whole network", pins_of_top, tuple(groups))


def _driven(technology: Technology, cells: Mapping[str, Cell]) -> list[str]:
    """The nets that the technology's support cells drive."""
    return [n for name in technology.supports for n, role in cells[name].pins if role == "out"]


def _bias_nets(technology: Technology, cells: Mapping[str, Cell]) -> list[str]:
    return [n for n in _driven(technology, cells) if n not in dict(_RAILS)]


def _supports(network: AnalogNetwork, cells: Mapping[str, Cell]) -> Group:
    """Bias and signal common: once for the whole circuit, sized for what common must carry."""
    elements = []
    for name in network.technology.supports:
        elements.append(
            Instance(f"X{name}", name, cells[name].pin_names, support_params(network, cells, name))
        )
    return Group("bias and signal common", tuple(elements))


def support_params(
    network: AnalogNetwork, cells: Mapping[str, Cell], name: str
) -> tuple[tuple[str, float], ...]:
    """Parameters of a support cell: `stages` output stages, of `i_unit` amperes each."""
    cell = cells[name]
    if "stages" not in cell.defaults:
        return ()
    units = np.ceil(common_current(network, cells) / cell.rating("i_unit", np.inf))
    return (("stages", max(1.0, float(units))),)


def common_current(network: AnalogNetwork, cells: Mapping[str, Cell]) -> float:
    """Amperes that may flow into the signal common: rectifiers' sinks, and balance resistors with
    half the full scale across them.
    """
    total = 0.0
    for layer in network.layers:
        amplifier = layer.amplifier if layer.amplifier != OPAMP_ROLE else network.technology.opamp
        used = [cells[n] for n in (amplifier, layer.cell) if n is not None]
        total += layer.n_out * sum(cell.rating("i_com", 0.0) for cell in used)
        balance = float((layer.balance_pos + layer.balance_neg).sum())
        total += balance * network.technology.full_scale / 2
    return total


def _inverted_used(layer: AnalogLayer) -> list[bool]:
    """Which inputs (and, last, whether the reference) a dual-rail layer needs inverted."""
    used: list[bool] = np.any(layer.g_pos > 0, axis=0).tolist()
    return used


def _inverted_copies(network: AnalogNetwork, i: int, nets: list[str], cells: Mapping[str, Cell]) -> Group:
    used = _inverted_used(network.layers[i])
    before = any(_inverted_used(layer)[-1] for layer in network.layers[:i])
    cell = cells[network.technology.inverter]
    params = (("r", working_ohm(network.technology, cells)),) if "r" in cell.defaults else ()
    elements = []
    for net, wanted in zip(nets, used, strict=True):
        if wanted and not (net == "ref" and before):  # one inverted reference serves all layers
            pins = (net, net + INVERTED, "com", "vdd", "vss")
            elements.append(Instance(f"Xinv_{net}", cell.name, pins, params))
    return Group(f"inverted copies of what layer {i} takes", tuple(elements))


def _layer(network: AnalogNetwork, index: int, cells: Mapping[str, Cell], distributed: bool) -> Subcircuit:
    layer = network.layers[index]
    inputs = [*(f"x{j}" for j in range(layer.n_in)), "ref"]
    labels = [*(str(j) for j in range(layer.n_in)), "b"]
    pins = [(n, "in") for n in inputs[:-1]]
    positive_nets = inputs
    if layer.topology == "dual_rail":
        positive_nets = [n + INVERTED for n in inputs]
        used = _inverted_used(layer)
        pins += [(n, "in") for n, wanted in zip(positive_nets, used, strict=True) if wanted]
    pins += [(f"y{i}", "out") for i in range(layer.n_out)]
    columns = [np.array(names, dtype=object) for names in (inputs, positive_nets, labels)]
    extra = {
        name: cells[network.technology.opamp if name == OPAMP_ROLE else name].pin_names[_OPAMP_NETS:]
        for name in (OPAMP_ROLE, layer.amplifier, layer.cell)
        if name is not None
    }
    groups = [_neuron(layer, i, columns[0], columns[1], columns[2], extra) for i in range(layer.n_out)]
    strip = network.technology.resistor.strip
    if strip is not None:
        groups = [_lines(group, strip) for group in groups] if distributed else groups
        groups.append(_parasitics(layer, strip, distributed))
    title = (
        f"layer {index}: {layer.n_in} -> {layer.n_out}, {layer.activation}; v(z) = "
        f"{layer.polarity * layer.scale_z:.9g} V per unit, v(y) = {layer.scale_out:.9g} V per unit"
    )
    bias = ((n, "in") for n in _bias_nets(network.technology, cells))
    return Subcircuit(f"layer{index}", title, (*pins, *_RAILS, *bias), tuple(groups))


def _is_line(ohms: Array, strip: Strip) -> NDArray[np.bool_]:
    """Which strips lag by more than `_LINE_S` by themselves: R C / 6, the first moment of an RC line
    into a virtual ground. A sixth of C at either end and the rest in the middle has the same.
    """
    return np.asarray(ohms * strip.capacitance(ohms) / 6 > _LINE_S)


def _lines(group: Group, strip: Strip) -> Group:
    def line(element: Element) -> Element:
        if not isinstance(element, Star):
            return element
        long = _is_line(element.ohms, strip)
        if not long.any():
            return element
        return replace(element, middle_f=np.where(long, strip.capacitance(element.ohms) * 2 / 3, 0.0))

    return Group(group.title, tuple(line(e) for e in group.elements))


def _parasitics(layer: AnalogLayer, strip: Strip, distributed: bool) -> Group:
    """Capacitances of the layer's resistors to the substrate: half of each at either end, or what a
    line leaves there.
    """

    def half(g: Array) -> Array:
        return _end_capacitance(g, strip, distributed)

    pos, neg, fed = half(layer.g_pos), half(layer.g_neg), half(layer.g_f)
    at_plus = pos.sum(axis=1) + half(layer.balance_pos)
    at_minus = neg.sum(axis=1) + half(layer.balance_neg) + fed
    inputs = (pos + neg).sum(axis=0)
    out = "z" if layer.cell else "y"
    named = [
        *((f"Cx{j}", f"x{j}", c) for j, c in enumerate(inputs[:-1].tolist())),
        ("Cref", "ref", float(inputs[-1])),
        *((f"Cp{i}", f"p{i}", c) for i, c in enumerate(at_plus.tolist())),
        *((f"Cn{i}", f"n{i}", c) for i, c in enumerate(at_minus.tolist())),
        *((f"C{out}{i}", f"{out}{i}", c) for i, c in enumerate(fed.tolist())),
    ]
    return Group(
        "resistors to substrate", tuple(Shunt(name, net, c) for name, net, c in named if c > _LEAST_F)
    )


def minus_capacitance(layer: AnalogLayer, strip: Strip) -> Array:
    """(n_out,) F that a chip's resistors hang on each inverting input: half of each."""
    own = (_end_capacitance(g, strip) for g in (layer.balance_neg, layer.g_f))
    total: Array = _end_capacitance(layer.g_neg, strip).sum(axis=1) + sum(own)
    return total


def plus_capacitance(layer: AnalogLayer, strip: Strip) -> Array:
    """(n_out,) F that a chip's resistors hang on each non-inverting input: half of each."""
    total: Array = _end_capacitance(layer.g_pos, strip).sum(axis=1) + _end_capacitance(
        layer.balance_pos, strip
    )
    return total


def _end_capacitance(g: Array, strip: Strip, distributed: bool = False) -> Array:
    """F that strips of conductances g leave at either end: half of theirs, a sixth for a line; 0 where
    there is none.
    """
    found = np.zeros_like(g)
    ohms = 1.0 / g[g > 0]
    share = np.where(_is_line(ohms, strip), 1 / 6, 1 / 2) if distributed else 1 / 2
    found[g > 0] = strip.capacitance(ohms) * share
    return found


def _neuron(
    layer: AnalogLayer,
    i: int,
    inputs: Nets,
    positive_nets: Nets,
    labels: Nets,
    extra: Mapping[str, tuple[str, ...]],
) -> Group:
    z = f"z{i}" if layer.cell else f"y{i}"
    plus, minus, positive_hub = "com", f"n{i}", f"p{i}"
    if layer.topology == "signed":
        plus = positive_hub
    elif layer.topology == "dual_rail":
        positive_hub = minus
    elements: list[Element] = [
        *_star(f"Rp{i}", positive_hub, layer.g_pos[i], positive_nets, labels),
        *_star(f"Rn{i}", minus, layer.g_neg[i], inputs, labels),
    ]
    if layer.g_link[i] > 0:
        elements.append(Star.single(f"Ru{i}", f"u{i}", positive_hub, 1.0 / layer.g_f_pos[i]))
        nets = ("com", positive_hub, f"u{i}", "vdd", "vss", *extra[OPAMP_ROLE])
        elements.append(Instance(f"Xsum{i}", OPAMP_ROLE, nets))
        elements.append(Star.single(f"Rl{i}", f"u{i}", minus, 1.0 / layer.g_link[i]))
    for name, hub, g in (("Rbp", plus, layer.balance_pos[i]), ("Rbn", minus, layer.balance_neg[i])):
        if g > 0:
            elements.append(Star.single(f"{name}{i}", "com", hub, 1.0 / g))
    elements.append(Star.single(f"Rf{i}", z, minus, 1.0 / layer.g_f[i]))
    nets = (plus, minus, z, "vdd", "vss", *extra[layer.amplifier])
    elements.append(Instance(f"Xamp{i}", layer.amplifier, nets))
    if layer.capacitors is not None:
        elements += _capacitors(layer.capacitors, i, z)
    if layer.cell:
        params = tuple(sorted(layer.cell_params.items()))
        nets = (z, f"y{i}", "com", "vdd", "vss", *extra[layer.cell])
        elements.append(Instance(f"Xact{i}", layer.cell, nets, params))
    return Group(f"neuron {i}", tuple(elements))


def _capacitors(made: Capacitors, i: int, output: str) -> list[Element]:
    places = (
        (f"Xcf{i}", made.feedback, (output, f"n{i}")),
        (f"Xcp{i}", made.plus, ("com", f"p{i}")),
        (f"Xcn{i}", made.minus, ("com", f"n{i}")),
    )
    return [
        Instance(name, made.cell, nets, (("units", float(units[i])),))
        for name, units, nets in places
        if units[i] > 0
    ]


def _star(prefix: str, hub: str, g: Array, nets: Nets, labels: Nets) -> list[Star]:
    present = np.flatnonzero(g)
    if not len(present):
        return []
    return [
        Star(prefix, hub, tuple(nets[present].tolist()), tuple(labels[present].tolist()), 1.0 / g[present])
    ]
