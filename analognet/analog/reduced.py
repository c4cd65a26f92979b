"""A network's transitions without ngspice: each layer's op-amp stages, integrated one after the other.

What it leaves out, and ngspice has: offsets, bias currents and transistor charges. How far it may
be trusted is measured over all examples and op-amps (docs/time_and_energy.md).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analognet.analog import build
from analognet.analog.cells import OPAMP_ROLE, Cell, count
from analognet.analog.layers import AnalogLayer, AnalogNetwork
from analognet.analog.limits import swing, working_ohm
from analognet.analog.rectifying import Branch, Diode, rectifier
from analognet.analog.stages import Dynamics, Response, amplifier, dynamics, grid
from analognet.analog.technology import Technology
from analognet.analog.transitions import RISE_S, Transition
from analognet.errors import UsageError
from analognet.network import Array

_BOLTZMANN_V = 0.0258649  # kT/q at 27 C
_CHIP_ROUT = 2e3  # Ohm, 1 / gm of an output transistor at some 20 uA: what a loop sees above its bandwidth
_FOLLOWER_G = 1.0  # S, the wire from a follower's output to its input
PASSES = 2  # the second with what each stage sends back to the one before it
_DIVIDER_OHM = 500.0  # from a transistor's base to common
_COLLECTOR_C = 3.64e-12, 2.46e-12  # F, CJC at 0 V as in the sigmoid, and at 1.9 V as in the tanh
_BASE_C = 10.4e-12  # F at a base of a pair at rest: CJE at 0.65 V 6.4 pF, TF gm 1.5 pF, CJC 2.5 pF


@dataclass(frozen=True, eq=False)
class Reduced:
    """time: (K,) s, the last long after everything has settled; layers_v: (K, B, n) V of each
    layer's outputs; power_w: (K, B) from the supplies, the reference and the input drivers.
    exact: whether every cell has equations here, and not a stand-in.
    """

    time: Array
    layers_v: tuple[Array, ...]
    power_w: Array
    exact: bool


@dataclass(frozen=True, eq=False)
class _LayerResponse:
    """(K, B, n_out) V each. out: outputs; plus, minus: where positive and negative gains meet."""

    out: Array
    plus: Array
    minus: Array


@dataclass(eq=False)
class _Rails:
    """Currents (K, B) that the parts so far take from vdd and give to vss."""

    vdd: Array
    vss: Array
    exact: bool = True

    def add(self, response: Response) -> Response:
        self.vdd = self.vdd + np.maximum(response.i_out, 0).sum(axis=-1)
        self.vss = self.vss + np.maximum(-response.i_out, 0).sum(axis=-1)
        return response


def reduced_transitions(
    network: AnalogNetwork,
    cells: Mapping[str, Cell],
    transitions: Sequence[Transition],
    rise_s: float = RISE_S,
) -> Reduced:
    """Simulate transitions (B of them), inputs ramping within rise_s. Raises UsageError where the op-amp
    has no dynamics.
    """
    technology = network.technology
    cell = cells[technology.opamp]
    try:
        macro = cells["opamp_macro"].text if "opamp_macro" in cells else ""
        part = dynamics(
            {"rout": _CHIP_ROUT, **cell.figures} if technology.process else cell.figures,
            swing(technology, cells),
            macro,
        )
    except KeyError as e:
        raise UsageError(f"{cell.name} has no parameter {e}: it has no dynamics, and so no latency") from None
    diode = _diode(cells)
    widest = max(float(layer.noise_gain.max()) for layer in network.layers)
    time = grid(part.tau, 3000.0 * part.tau * widest)
    starts = np.stack([t.start for t in transitions]) * network.scale_in
    ends = np.stack([t.end for t in transitions]) * network.scale_in
    reference = np.full((len(transitions), 1), technology.reference)
    first = [np.hstack([v, reference]) for v in (starts, ends)]
    empty = np.zeros((len(time), len(transitions)))
    loads = [_column_load(layer) for layer in network.layers[1:]] + [np.zeros(network.n_out)]
    ramp = np.minimum(time / rise_s, 1.0)
    driven = ends**2 @ _column_load(network.layers[0])

    def from_inputs(g: Array) -> Array:
        before, after = first[0] @ g.T, first[1] @ g.T
        return before + ramp[:, None, None] * (after - before)

    layers: list[_LayerResponse] = []
    for _ in range(PASSES):
        rails = _Rails(empty, empty)
        backs = [_back(layer, r) for layer, r in zip(network.layers[1:], layers[1:], strict=False)]
        into: Callable[[Array], Array] = from_inputs
        found = []
        for i, (layer, load) in enumerate(zip(network.layers, loads, strict=True)):
            earlier = layers[i] if layers else None
            back = backs[i] if i < len(backs) else None
            found.append(
                _layer(layer, cells, part, diode, time, into, load, back, earlier, rails, technology)
            )
            into = _from_layer(found[-1].out, technology.reference)
        layers = found
    reference_g = sum(float((layer.g_pos[:, -1] + layer.g_neg[:, -1]).sum()) for layer in network.layers)
    power = technology.vdd * rails.vdd - technology.vss * rails.vss
    opamps = _opamps(network, cells)
    power = power + opamps * cell.figures.get("iq", 0.0) * (technology.vdd - technology.vss)
    power = power + driven + reference_g * technology.reference**2 + _cell_power(network)
    return Reduced(time, tuple(r.out for r in layers), power, rails.exact)


def _back(layer: AnalogLayer, response: _LayerResponse) -> Array:
    """Current (K, B, n_in) that a layer's summing nodes send into its inputs, as they are not quite at common."""
    found: Array = response.minus @ layer.g_neg[:, :-1]
    if layer.topology != "dual_rail":
        found = found + response.plus @ layer.g_pos[:, :-1]
    return found


def _from_layer(out: Array, reference: float) -> Callable[[Array], Array]:
    return lambda g: out @ g[:, :-1].T + reference * g[:, -1]


def _layer(
    layer: AnalogLayer,
    cells: Mapping[str, Cell],
    part: Dynamics,
    diode: Diode,
    time: Array,
    into: Callable[[Array], Array],
    load: Array,
    back: Array | None,
    earlier: _LayerResponse | None,
    rails: _Rails,
    technology: Technology,
) -> _LayerResponse:
    """One layer. back: what the next layer sends into its outputs; earlier: the pass before."""
    behind = load if layer.cell is None else np.full(layer.n_out, _cell_input_g(cells[layer.cell], layer))
    g_s = layer.g_neg.sum(axis=1) + layer.balance_neg
    current = into(layer.g_neg)
    plus = None
    first = np.zeros_like(current)
    if layer.topology == "split":
        has = np.flatnonzero(layer.g_link > 0)
        if len(has):
            u = rails.add(
                amplifier(
                    part,
                    time,
                    into(layer.g_pos[has]),
                    layer.g_pos[has].sum(axis=1),
                    layer.g_f_pos[has],
                    layer.g_link[has],
                    back=None if earlier is None else earlier.minus[..., has] * layer.g_link[has],
                )
            )
            first[..., has] = u.minus
            current[..., has] += u.out * layer.g_link[has]
            g_s = g_s + layer.g_link
    elif layer.topology == "dual_rail":
        r = working_ohm(technology, cells)
        # one inverter's lag for all: its input is what the layer sums
        lagging = amplifier(
            part, time, into(layer.g_pos) / r, np.full(layer.n_out, 1 / r), np.full(layer.n_out, 1 / r)
        )
        current = current + lagging.out
        g_s = g_s + layer.g_pos.sum(axis=1)
    else:
        at_plus = layer.g_pos.sum(axis=1) + layer.balance_pos
        plus = (into(layer.g_pos), np.where(at_plus > 0, at_plus, 1.0))
    at_output = back if layer.cell is None else None
    strip = technology.resistor.strip
    c_in = build.minus_capacitance(layer, strip) if strip is not None else 0.0
    c_f: Array | float = 0.0
    if layer.capacitors is not None:
        c_f = layer.capacitors.unit_f * layer.capacitors.feedback
        c_in = c_in + layer.capacitors.unit_f * layer.capacitors.minus
    fused = layer.amplifier != OPAMP_ROLE and bool(cells[layer.amplifier].devices)
    if fused:  # an op-amp whose output stops at common: its way there is an op-amp's
        rails.exact = False
        free = amplifier(
            part, time, current, g_s, layer.g_f, behind, plus=plus, back=at_output, c_f=c_f, c_in=c_in
        )
        summed = rails.add(replace(free, out=layer.activate(free.out * layer.scale_z / layer.scale_out)))
    elif layer.amplifier != OPAMP_ROLE:
        paths = Branch(layer.g_f, behind), Branch(layer.g_f, behind, True)
        summed = rails.add(rectifier(part, diode, time, current, g_s, *paths, at_output))
    else:
        summed = rails.add(
            amplifier(
                part, time, current, g_s, layer.g_f, behind, plus=plus, back=at_output, c_f=c_f, c_in=c_in
            )
        )
    out = summed.out
    if layer.cell is not None:
        out = _activation(cells[layer.cell], cells, layer, part, diode, time, out, load, back, rails)
    return _LayerResponse(out, summed.plus if layer.topology == "signed" else first, summed.minus)


def _activation(
    cell: Cell,
    cells: Mapping[str, Cell],
    layer: AnalogLayer,
    part: Dynamics,
    diode: Diode,
    time: Array,
    z: Array,
    load: Array,
    back: Array | None,
    rails: _Rails,
) -> Array:
    """Output voltages (K, B, n_out) of a layer's activation cells for their input voltages z."""
    g = np.full(layer.n_out, 1.0 / _cell_ohm(cell, layer))
    zero = np.zeros(layer.n_out)
    if cell.name == "act_relu_diode":
        half = rails.add(rectifier(part, diode, time, z * g, g, Branch(g, zero), Branch(g, zero, True)))
        wire = np.full(layer.n_out, _FOLLOWER_G)
        return rails.add(
            amplifier(part, time, 0 * z, zero, wire, load, plus=(half.out * wire, wire), back=back)
        ).out
    if cell.name == "act_leaky_relu_diode":
        slope = layer.cell_params.get("slope", cell.defaults["slope"])
        half = rails.add(rectifier(part, diode, time, z * g, g, Branch(g, g * slope), Branch(g, g)))
        current = half.out * g * slope + half.other * g
        # a node whose diode is off is held by resistors alone and follows the second summing node
        on_p, on_n = (np.maximum(sign * half.i_out, 0.0) / diode.n_vt for sign in (1, -1))
        g_p = g * slope * (1 - g * slope / (g * (1 + slope) + on_p))
        g_n = g * (1 - g / (2 * g + on_n))
        return rails.add(amplifier(part, time, current, g_p + g_n, g, load, back=back)).out
    if cell.behavioural:
        return layer.activate(z)
    if cell.name in ("act_sigmoid_bjt", "act_tanh_bjt"):
        share = _DIVIDER_OHM * _cell_input_g(cell, layer)
        tau = _DIVIDER_OHM * (1 - share) * _BASE_C
        g_f = np.full(layer.n_out, 250e-6 / layer.scale_out)
        # In the tanh both inputs see the same impedance, so only their difference counts; what lies
        # between them, the op-amp's C_in, takes its current from one and gives it to the other: twice.
        tanh = cell.name == "act_tanh_bjt"
        junction = _COLLECTOR_C[tanh]
        c_in, g_s = (junction + part.cin, g_f) if tanh else (junction, zero)
        # A collector that moves pulls at its base through the junction, and the pair answers (Miller's
        # effect): slope is that of the collector current over the voltage at the base.
        at_bases, small = _lagging(time, z, tau), 1e-3 * layer.scale_z
        steep = np.abs(layer.activate(at_bases + small) - layer.activate(at_bases - small)) / (2 * small)
        slope = steep * g_f / share
        return rails.add(
            amplifier(
                part,
                time,
                -layer.activate(at_bases) * g_f,
                g_s,
                g_f,
                load,
                back=back,
                c_f=1e-11,
                c_in=c_in + junction * slope * _DIVIDER_OHM * (1 - share),
            )
        ).out
    rails.exact, wanted = False, layer.activate(z)
    for _ in range(min(2, count(cells, cell.name)[0])):  # its op-amps in a row, as unity inverters
        wanted = rails.add(amplifier(part, time, -wanted * g, g, g, load)).out
    return wanted


def _lagging(time: Array, v: Array, tau: float) -> Array:
    """v (K, B, n) behind a resistor and a capacitor, exact where v is linear between its times."""
    out = v.copy()
    for k in range(1, len(time)):
        dt = time[k] - time[k - 1]
        lag = tau * (v[k] - v[k - 1]) / dt
        out[k] = v[k] - lag + (out[k - 1] - v[k - 1] + lag) * np.exp(-dt / tau)
    return out


def _cell_input_g(cell: Cell, layer: AnalogLayer) -> float:
    """Conductance of an activation cell's input to common, S."""
    if cell.behavioural or cell.devices:
        return 0.0
    if cell.name.endswith("_bjt"):  # a divider that leaves VT, or 2 VT of the pair in both bases, of s_in
        return (2 if cell.name == "act_tanh_bjt" else 1) * _BOLTZMANN_V / (_DIVIDER_OHM * layer.scale_z)
    return (3.0 if cell.name.endswith("_pwl") else 1.0) / _cell_ohm(cell, layer)


def _cell_ohm(cell: Cell, layer: AnalogLayer) -> float:
    """The resistors that a cell is made with."""
    return float(layer.cell_params.get("r", cell.defaults.get("r", 10e3)))


def _cell_power(network: AnalogNetwork) -> float:
    """Watts of the transistor cells' tails and collector resistors: constant but for a few per cent."""
    t, total = network.technology, 0.0
    for layer in network.layers:
        if layer.cell in ("act_sigmoid_bjt", "act_tanh_bjt"):
            divider = (-t.vss - 1.2) / (2 * 7480.0)
            total += layer.n_out * -t.vss * (250e-6 + divider)
            if layer.cell == "act_tanh_bjt":
                total += layer.n_out * t.vdd * 2 * (t.vdd - 1.9) / 10e3
    return total


def _column_load(layer: AnalogLayer) -> Array:
    """(n_in,) siemens with which a layer loads each of its inputs: its summing nodes are virtual grounds."""
    total: Array = (layer.g_pos + layer.g_neg).sum(axis=0)[:-1]
    return total


def _opamps(network: AnalogNetwork, cells: Mapping[str, Cell]) -> int:
    total = 0
    for layer in network.layers:
        inner = count(cells, layer.cell)[0] if layer.cell else 0
        total += layer.n_out * (1 + inner) + int(np.count_nonzero(layer.g_link))
        if layer.topology == "dual_rail":
            total += int(np.count_nonzero(layer.g_pos.any(axis=0)))
    return total


def _diode(cells: Mapping[str, Cell]) -> Diode:
    found = {"is": 2.52e-9, "n": 1.752, "cjo": 4e-12, "m": 0.4, "tt": 20e-9}
    if "d1n4148" in cells:
        for key, value in re.findall(r"\b(IS|N|CJO|M|TT)=([0-9.eE+-]+)", cells["d1n4148"].text):
            found[key.lower()] = float(value)
    return Diode(found["is"], found["n"] * _BOLTZMANN_V, found["cjo"], found["m"], found["tt"])
