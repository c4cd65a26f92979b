"""The whole circuit linearised at an operating point: conductances, capacitances and noise currents.

Every net but the supplies, the common and the sources' is a node. Kirchhoff's current law in small
signals is (G + j 2 pi f C) v = i. The op-amp's macro has two nodes of its own, x and c:

    x:    -k_p v_p + k_n v_n + (gm / a0 + clamps) x + g_s (x - c) + j w (cc / 100) x = gm e_n + ...
    c:    g_s (c - x) + j w cc c = 0,         g_s = imax / 0.01, slope of the slew limiter at rest
    out:  (v_out - c) / rout = current out of the pin;       cin between the inputs

Noise currents are white, one-sided power densities in A^2/Hz at the circuit's temperature T:
resistor 4kT/R, junction 2q|I|; and as `opamp_macro` writes them, with thermal sources that follow T,
e_n: gm^2 en^2 T/300.15 into x, i_n: in^2 T/300.15 into each input.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from analognet.analog.solver.behaviour import behaviour_slope
from analognet.analog.solver.devices import (
    BOLTZMANN,
    CHARGE,
    GMIN,
    Diode,
    Transistor,
    depletion,
    junction,
)
from analognet.analog.solver.engine import Equations
from analognet.analog.solver.hardware import CellRow
from analognet.analog.solver.layers import LayerEquations
from analognet.analog.solver.neurons import ALONE
from analognet.analog.solver.opamps import GM, Opamps
from analognet.analog.solver.stamps import GROUND, Ids, SmallSignal, Stamps
from analognet.analog.solver.state import State
from analognet.network import Array

SLEW_SCALE_V: Final = 0.01  # of the macro's tanh
CX_SHARE: Final = 100.0  # Cx = cc / 100
TEXT_4KT: Final = 4.0 * 1.380649e-23 * 300.15  # kt4, as opamp_macro writes it


def linearise(system: Equations, inputs_v: Array) -> SmallSignal:
    """The small-signal circuit at the operating point of one image (n_in,) in volts.

    Raises SimulatorError where there is none.
    """
    states, nodes = system.operating_point(inputs_v)
    stamps = Stamps(system.board.kelvin)
    drivers = np.full(system.layers[0].parts.g_pos.shape[1], GROUND)
    ref_b: Ids | None = None
    outputs = drivers
    for layer, state, volts in zip(system.layers, states, nodes, strict=True):
        inverted = None
        if layer.topology == "dual_rail":
            inverted = _inverters(stamps, layer, state, drivers, ref_b)
            if layer.drives_ref:
                ref_b = inverted[-1:]
        outputs = _Layer(stamps, layer, volts).stamp(drivers, inverted)
        drivers = np.append(outputs, GROUND)
    return stamps.finish(outputs)


class _Layer:
    """One layer's neurons, all at once: a net's name stands for n nodes."""

    def __init__(self, stamps: Stamps, layer: LayerEquations, volts: Mapping[str, Array]) -> None:
        self.s = stamps
        self.layer = layer
        self.volts = volts
        self.n = layer.parts.n_out
        self.ids: dict[str, Ids] = {}
        ground = np.full(self.n, GROUND)
        for name in ("0", "com", "vdd", "vss"):
            self.ids[name] = ground

    def net(self, name: str) -> Ids:
        if name not in self.ids:
            self.ids[name] = self.s.new(self.n)
        return self.ids[name]

    def at(self, name: str) -> Array:
        """Volts (n,) of a net at the operating point."""
        found = self.volts.get(name)
        return np.zeros(self.n) if found is None else found

    def names(self, part: str) -> list[str]:
        return [f"layer{self.layer.index}.{part}{i}" for i in range(self.n)]

    def stamp(self, drivers: Ids, inverted: Ids | None) -> Ids:
        q, layer = self.layer.parts, self.layer
        z = "y" if q.cell is None else "z"
        hub = "n" if layer.topology == "dual_rail" else "p"
        self.weights("rp", hub, q.g_pos, drivers if inverted is None else inverted)
        self.weights("rn", "n", q.g_neg, drivers)
        for name, node, g in (("rbp", hub, q.balance_pos), ("rbn", "n", q.balance_neg)):
            if g.any():
                self.s.resistor(self.net(node), self.net("0"), g, self.names(name))
        if layer.topology == "split":
            alone = np.where(q.g_link > 0, 0.0, ALONE)
            self.s.resistor(self.net("u"), self.net("p"), q.g_f_pos + alone, self.names("ru"))
            self.opamp("0", "p", "u", q.first, "first", "xsum")
            self.s.resistor(self.net("u"), self.net("n"), q.g_link, self.names("rl"))
        self.s.resistor(self.net(z), self.net("n"), q.g_f, self.names("rf"))
        if q.amplifier is None:
            self.opamp("p" if layer.topology == "signed" else "0", "n", z, q.amp, "amp", "xamp")
        else:
            self.cell(q.amplifier, "amp.", "xamp", {"inp": "0", "inn": "n", "out": z})
        if q.cell is not None and layer.behavioural:
            slope = behaviour_slope(q.cell, q.source.activation.name, self.at("z"))
            self.s.force(self.net("y"), [(self.net("z"), slope)])
        elif q.cell is not None:
            pins = {"in": "z", "out": "y", "com": "0", "vdd": "vdd", "vss": "vss"}
            self.cell(q.cell, "cell.", "xact", pins)
        return self.net("y")

    def weights(self, kind: str, hub: str, g: Array, drivers: Ids) -> None:
        """Resistors of a weight matrix (n, n_in + 1): those of a neuron to fixed nets are one source."""
        fixed = drivers == GROUND
        to_fixed = g[:, fixed].sum(axis=1)
        if to_fixed.any():
            self.s.resistor(self.net(hub), self.net("0"), to_fixed, self.names(f"{kind}_inputs_"))
        if fixed.all():
            return
        moving = g[:, ~fixed]
        a = np.broadcast_to(self.net(hub)[:, None], moving.shape)
        b = np.broadcast_to(drivers[~fixed][None, :], moving.shape)
        self.s.resistor(a, b, moving, self.names(f"{kind}_weights_"))

    def opamp(self, p: str, n: str, out: str, op: Opamps, node: str, part: str) -> None:
        stamp_opamp(
            self.s, self.net(p), self.net(n), self.net(out), op, self.at(f"{node}%"), self.names(part)
        )

    def cell(self, row: CellRow, prefix: str, path: str, pins: Mapping[str, str]) -> None:
        def net(name: str) -> str:
            return pins.get(name) or prefix + name

        for part in row.parts:
            nodes = [net(name) for name in part.nodes]
            names = self.names(f"{path}.{part.name}.")
            if part.kind == "r":
                self.s.resistor(self.net(nodes[0]), self.net(nodes[1]), row.siemens[part.name], names)
            elif part.kind == "c":
                self.s.two_pole(self.net(nodes[0]), self.net(nodes[1]), row.farads[part.name], capacitor=True)
            elif part.kind == "opamp":
                self.opamp(
                    nodes[0],
                    nodes[1],
                    nodes[2],
                    row.opamps[part.name],
                    prefix + part.name,
                    f"{path}.{part.name}.",
                )
            elif part.kind == "d":
                self.diode(nodes[0], nodes[1], row.diodes[part.name], f"{prefix}{part.name}#", names)
            else:
                self.transistor(nodes, row.transistors[part.name], names)

    def diode(self, anode: str, cathode: str, d: Diode, inner: str, names: list[str]) -> None:
        if np.any(d.r_s > 0):
            self.s.resistor(self.net(anode), self.net(inner), 1.0 / d.r_s, names)
            anode = inner
        v = self.at(anode) - self.at(cathode)
        current, conductance = junction(v, d.i_s, d.vte)
        a, b = self.net(anode), self.net(cathode)
        self.s.two_pole(a, b, conductance)
        self.s.two_pole(a, b, d.capacitance(v, conductance - GMIN), capacitor=True)
        self.s.noise(a, b, 2.0 * CHARGE * np.abs(current), names, "diode")

    def transistor(self, nodes: list[str], t: Transistor, names: list[str]) -> None:
        c, b, e = (self.net(name) for name in nodes)
        v_be, v_bc = self.at(nodes[1]) - self.at(nodes[2]), self.at(nodes[1]) - self.at(nodes[0])
        i_c, i_b, c_be, c_bc, b_be, b_bc = t.currents(v_be, v_bc)
        for row, by_be, by_bc in ((c, c_be, c_bc), (b, b_be, b_bc), (e, -c_be - b_be, -c_bc - b_bc)):
            self.s.entry(row, b, by_be + by_bc)
            self.s.entry(row, e, -by_be)
            self.s.entry(row, c, -by_bc)
        self.s.two_pole(c, self.net("0"), GMIN)
        for node, v, c0, vj, m, tt, i_s, vte in (
            (e, v_be, t.cje, t.vje, t.mje, t.tf, t.i_s, t.vtf),
            (c, v_bc, t.cjc, t.vjc, t.mjc, t.tr, t.i_s, t.vtr),
        ):
            _, g = junction(v, i_s, vte, 0.0)
            self.s.two_pole(b, node, depletion(v, c0, vj, m, t.fc) + tt * g, capacitor=True)
        self.s.noise(c, e, 2.0 * CHARGE * np.abs(i_c), names, "transistor")
        self.s.noise(b, e, 2.0 * CHARGE * np.abs(i_b), names, "transistor")


def stamp_opamp(s: Stamps, p: Ids, n: Ids, out: Ids, op: Opamps, x_volts: Array, names: list[str]) -> None:
    """The macro's small-signal equations and noise; see the module. x_volts (n,): its gain nodes."""
    if op.ideal:
        s.force(out, [(p, op.a0), (n, -op.a0)])
        return
    count = len(out)
    x, c = s.new(count), s.new(count)
    cc = GM / (6.283185307179586 * op.gbw)
    limiter = op.slew * cc / SLEW_SCALE_V
    i_hi, g_hi = junction(x_volts - op.hi, op.clamp.i_s, op.clamp.vte)
    i_lo, g_lo = junction(op.lo - x_volts, op.clamp.i_s, op.clamp.vte)
    s.entry(x, p, -op.k_p)
    s.entry(x, n, op.k_n)
    s.entry(x, x, GM / op.a0 + g_hi + g_lo)
    s.two_pole(x, c, limiter)
    ground = np.full(count, GROUND)
    s.two_pole(x, ground, cc / CX_SHARE, capacitor=True)
    s.two_pole(c, ground, cc, capacitor=True)
    s.entry(out, c, -1.0 / op.rout)
    s.entry(out, out, 1.0 / op.rout)
    s.two_pole(p, n, op.cin, capacitor=True)
    follows = 4.0 * BOLTZMANN * s.kelvin / TEXT_4KT
    s.noise(x, ground, GM * GM * op.en**2 * follows, names, "op-amp voltage")
    s.noise(p, ground, op.i_noise**2 * follows, names, "op-amp current")
    s.noise(n, ground, op.i_noise**2 * follows, names, "op-amp current")
    inside = 4.0 * BOLTZMANN * s.kelvin * GM / op.a0 + 2.0 * CHARGE * (np.abs(i_hi) + np.abs(i_lo))
    s.noise(x, ground, inside, names, "op-amp gain stage")


def _inverters(s: Stamps, layer: LayerEquations, state: State, drivers: Ids, ref_b: Ids | None) -> Ids:
    """Stamp a dual-rail layer's inverters; answers the nodes (n_in + 1,) of the inverted signals."""
    assert layer.inverters is not None
    assert state.inverted is not None
    row, count = layer.inverters.row, len(drivers)
    total, out = s.new(count), s.new(count)
    rf = row.siemens[row.parts[1].name]
    names = [f"layer{layer.index}.xinv{j}" for j in range(count)]
    s.resistor(drivers, total, layer.inverters.r_in, [f"{name}.rin" for name in names])
    s.resistor(out, total, rf, [f"{name}.rf" for name in names])
    op = row.opamps[row.parts[2].name]
    ground = np.full(count, GROUND)
    stamp_opamp(s, ground, total, out, op, state.inverted[0], [f"{name}.xamp" for name in names])
    if ref_b is not None and not layer.drives_ref:
        out = np.append(out[:-1], ref_b)
    return out
