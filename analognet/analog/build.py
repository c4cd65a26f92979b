"""From conductances to a circuit: one subcircuit per layer, one group per neuron.

Names: `x3` input, `l0_y12` output of neuron 12 in layer 0, `..._b` its inverted copy; inside a
layer `p12`, `n12` the op-amp's inputs and `z12` its output; in a split neuron `p12` is the
first op-amp's summing node and `u12` its output.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analognet.analog.cells import OPAMP_ROLE, Cell, closure, count
from analognet.analog.circuit import Circuit, Group, Instance, Star, Subcircuit
from analognet.analog.layers import AnalogLayer, AnalogNetwork
from analognet.analog.limits import working_ohm
from analognet.network import Array

INVERTED = "_b"
Nets = NDArray[np.object_]  # of str: picking from it copies references, not text
_RAILS = (("com", "common"), ("ref", "in"), ("vdd", "supply"), ("vss", "supply"))


def build(network: AnalogNetwork, cells: Mapping[str, Cell]) -> Circuit:
    """The circuit of a mapped network. Pure: the same network gives the same circuit."""
    layers = [_layer(network, i) for i in range(len(network.layers))]
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
        pins = (*nets, *rails, *out, "com", ref, "vdd", "vss")
        groups.append(Group(f"layer {i}", (Instance(f"Xlayer{i}", layers[i].name, pins),)))
        nets = out
    pins_of_top = (
        *((n, "in") for n in input_nets(network)),
        *((n, "out") for n in output_nets(network)),
        *_RAILS,
    )
    return Subcircuit("network", "the whole network", pins_of_top, tuple(groups))


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


def _layer(network: AnalogNetwork, index: int) -> Subcircuit:
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
    groups = tuple(_neuron(layer, i, columns[0], columns[1], columns[2]) for i in range(layer.n_out))
    title = (
        f"layer {index}: {layer.n_in} -> {layer.n_out}, {layer.activation}; v(z) = "
        f"{layer.polarity * layer.scale_z:.9g} V per unit, v(y) = {layer.scale_out:.9g} V per unit"
    )
    return Subcircuit(f"layer{index}", title, (*pins, *_RAILS), groups)


def _neuron(layer: AnalogLayer, i: int, inputs: Nets, positive_nets: Nets, labels: Nets) -> Group:
    z = f"z{i}" if layer.cell else f"y{i}"
    plus, minus, positive_hub = "com", f"n{i}", f"p{i}"
    if layer.topology == "signed":
        plus = positive_hub
    elif layer.topology == "dual_rail":
        positive_hub = minus
    elements: list[Star | Instance] = [
        *_star(f"Rp{i}", positive_hub, layer.g_pos[i], positive_nets, labels),
        *_star(f"Rn{i}", minus, layer.g_neg[i], inputs, labels),
    ]
    if layer.g_link[i] > 0:
        elements.append(Star.single(f"Ru{i}", f"u{i}", positive_hub, 1.0 / layer.g_f_pos[i]))
        elements.append(Instance(f"Xsum{i}", OPAMP_ROLE, ("com", positive_hub, f"u{i}", "vdd", "vss")))
        elements.append(Star.single(f"Rl{i}", f"u{i}", minus, 1.0 / layer.g_link[i]))
    for name, hub, g in (("Rbp", plus, layer.balance_pos[i]), ("Rbn", minus, layer.balance_neg[i])):
        if g > 0:
            elements.append(Star.single(f"{name}{i}", "com", hub, 1.0 / g))
    elements.append(Star.single(f"Rf{i}", z, minus, 1.0 / layer.g_f[i]))
    elements.append(Instance(f"Xamp{i}", layer.amplifier, (plus, minus, z, "vdd", "vss")))
    if layer.cell:
        params = tuple(sorted(layer.cell_params.items()))
        elements.append(Instance(f"Xact{i}", layer.cell, (z, f"y{i}", "com", "vdd", "vss"), params))
    return Group(f"neuron {i}", tuple(elements))


def _star(prefix: str, hub: str, g: Array, nets: Nets, labels: Nets) -> list[Star]:
    present = np.flatnonzero(g)
    if not len(present):
        return []
    return [
        Star(prefix, hub, tuple(nets[present].tolist()), tuple(labels[present].tolist()), 1.0 / g[present])
    ]
