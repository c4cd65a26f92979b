"""A few nodes with all their devices, solved by Newton's method: the slow, general way.

Used where no closed form holds: to tabulate cells, and for the neurons whose op-amps clip. Many
islands of one shape are solved at once; only their values differ.

Kirchhoff's current law at every unknown node, currents leaving counted positive:

    F(V) = G V - I + devices(V) = 0

Far from the solution each step linearises the devices at junction voltages that SPICE's limiting
has shortened; near it plain Newton steps follow until they no longer shrink.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analognet.analog.solver.devices import GMIN, Diode, Transistor, junction, limit
from analognet.analog.solver.opamps import GM, Opamps
from analognet.network import Array

Value = float | Array  # one for all islands, or (m,)
ITERATIONS: Final = 300
POLISH: Final = 12
NEAR_V: Final = 1e-6
TOLERANCE_V: Final = 2e-11  # of the last step at every node but the op-amps' gain nodes
GAIN_NODE_TOLERANCE_V: Final = 1e-6  # rounding of the input voltages times the gain


@dataclass(frozen=True, eq=False)
class Answer:
    """nodes: name -> (m,) volts; converged: (m,); resistance: (m,) dv/di at the `sensed` node; gains:
    name -> (m,) dv/dv(driven), where a driven known node was named.
    """

    nodes: Mapping[str, Array]
    converged: NDArray[np.bool_]
    resistance: Array
    gains: Mapping[str, Array]


class Island:
    """m circuits of one shape. Add elements, then `solve`. Values are scalars or (m,)."""

    def __init__(self, m: int, known: Mapping[str, Value]) -> None:
        self.m = m
        self._known = {k: np.broadcast_to(np.asarray(v, dtype=np.float64), (m,)) for k, v in known.items()}
        self._nodes: dict[str, int] = {}
        self._linear: list[tuple[str, str, Value]] = []
        self._controlled: list[tuple[str, str, Value]] = []
        self._injected: list[tuple[str, Value]] = []
        self._forced: list[tuple[str, list[tuple[str, Value]]]] = []
        self._diodes: list[tuple[str, str, Array, float]] = []
        self._transistors: list[tuple[str, str, str, Transistor]] = []
        self._gain_nodes: list[str] = []

    def _use(self, *names: str) -> None:
        for name in names:
            if name not in self._known:
                self._nodes.setdefault(name, len(self._nodes))

    def resistor(self, a: str, b: str, siemens: Value) -> None:
        self._use(a, b)
        self._linear.append((a, b, siemens))

    def current(self, into: str, amperes: Value) -> None:
        self._use(into)
        self._injected.append((into, amperes))

    def controlled(self, out_of: str, control: str, siemens: Value) -> None:
        """A current siemens x v(control) that leaves node `out_of` to ground."""
        self._use(out_of, control)
        self._controlled.append((out_of, control, siemens))

    def diode(self, anode: str, cathode: str, d: Diode, name: str) -> None:
        """A diode with its series resistance, behind a node of its own where it has any."""
        if np.any(d.r_s > 0):
            self.resistor(anode, f"{name}#", 1.0 / d.r_s)
            anode = f"{name}#"
        self._use(anode, cathode)
        self._diodes.append((anode, cathode, d.i_s, d.vte))

    def transistor(self, c: str, b: str, e: str, t: Transistor) -> None:
        self._use(c, b, e)
        self.resistor(c, "0", GMIN)  # its substrate junction
        self._transistors.append((c, b, e, t))

    def opamp(self, p: str, n: str, out: str, op: Opamps, name: str) -> None:
        """An op-amp; op holds one value per island."""
        if op.ideal:
            self._use(p, n, out)
            self._forced.append((out, [(out, 1.0), (p, -op.a0), (n, op.a0)]))
            return
        x = f"{name}%"
        self._use(p, n, out, x)
        self._gain_nodes.append(x)
        self.controlled(x, p, -op.k_p)
        self.controlled(x, n, op.k_n)
        self.resistor(x, "0", GM / op.a0)
        self.current(x, GM * op.vos)
        self._known.setdefault("0", np.zeros(self.m))
        for sign, at in (("+", op.hi), ("-", op.lo)):
            self._known[f"{name}{sign}"] = np.broadcast_to(at, (self.m,))
        self._diodes.append((x, f"{name}+", op.clamp.i_s, op.clamp.vte))
        self._diodes.append((f"{name}-", x, op.clamp.i_s, op.clamp.vte))
        # (v(x) - v(out)) / rout into out, none of it out of x
        self.controlled(out, x, -1.0 / op.rout)
        self.controlled(out, out, 1.0 / op.rout)
        self.current(p, -op.i_p)
        self.current(n, -op.i_n)

    def solve(
        self, sensed: str, driven: str | None = None, start: Mapping[str, Array] | None = None
    ) -> Answer:
        """Newton from `start`, or from 0 V with the transistors on, as SPICE does it.

        converged is False where the steps did not die out. Where they run away, overflow tells nobody
        anything new.
        """
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return self._newton(sensed, driven, start)

    def _newton(self, sensed: str, driven: str | None, start: Mapping[str, Array] | None) -> Answer:
        m, k = self.m, len(self._nodes)
        g, i = self._stamp_linear()
        v = np.zeros((m, k))
        tolerance = np.full(k, TOLERANCE_V)
        tolerance[[self._nodes[x] for x in self._gain_nodes]] = GAIN_NODE_TOLERANCE_V
        active = np.arange(m)
        if start is not None:
            v = np.nan_to_num(np.stack([start[name] for name in self._nodes], axis=1))
            old = self._junctions(v)
        else:
            old = [np.full(m, self._first_guess(j)) for j in range(self._junction_count)]
        for _ in range(ITERATIONS):
            jac, f = self._assemble(g, i, v, old, active)
            step = _solved(jac, -f[..., None])[..., 0]
            v[active] += step
            limited = np.zeros(len(active), dtype=bool)
            for j, value in enumerate(self._junctions(v)):
                i_s, vte = self._junction(j)
                new, cut = limit(value[active], old[j][active], _at(i_s, active), vte)
                old[j][active] = new
                limited |= cut
            moving = limited | (np.abs(step) > np.maximum(NEAR_V, tolerance)).any(axis=1)
            active = active[moving]
            if not len(active):
                break
        step = np.full((m, k), np.inf)
        every = np.arange(m)
        for _ in range(POLISH):
            old = self._junctions(v)
            jac, f = self._assemble(g, i, v, old, every)
            step = _solved(jac, -f[..., None])[..., 0]
            v += step
            if (np.abs(step) < 0.01 * tolerance).all():
                break
        converged = np.asarray((np.abs(step) <= tolerance).all(axis=1) & np.isfinite(v).all(axis=1))
        converged[active] = False
        unit = np.zeros((m, k, 1))
        unit[:, self._nodes[sensed], 0] = 1.0
        jac, _ = self._assemble(g, i, v, self._junctions(v), every)
        resistance = _solved(jac, unit)[:, self._nodes[sensed], 0]
        gains: dict[str, Array] = {}
        if driven is not None:
            into = np.zeros((m, k, 1))
            for a, b, siemens in self._linear:
                if driven in (a, b) and (other := b if a == driven else a) in self._nodes:
                    into[:, self._nodes[other], 0] += siemens
            by = _solved(jac, into)[..., 0]
            gains = {name: by[:, at] for name, at in self._nodes.items()}
        nodes = {name: v[:, at] for name, at in self._nodes.items()} | dict(self._known)
        return Answer(nodes, converged, resistance, gains)

    def _stamp_linear(self) -> tuple[Array, Array]:
        k = len(self._nodes)
        g, i = np.zeros((self.m, k, k)), np.zeros((self.m, k))
        entries: list[tuple[str, str, Value]] = []
        for a, b, s in self._linear:
            entries += [(a, a, s), (b, b, s), (a, b, -np.asarray(s)), (b, a, -np.asarray(s))]
        for row, column, s in [*entries, *self._controlled]:
            if row in self._known:
                continue
            if column in self._known:
                i[:, self._nodes[row]] -= np.asarray(s) * self._known[column]
            else:
                g[:, self._nodes[row], self._nodes[column]] += s
        for node, amperes in self._injected:
            if node not in self._known:
                i[:, self._nodes[node]] += amperes
        for out, terms in self._forced:
            at = self._nodes[out]
            g[:, at, :], i[:, at] = 0.0, 0.0
            for node, factor in terms:
                if node in self._known:
                    i[:, at] -= np.asarray(factor) * self._known[node]
                else:
                    g[:, at, self._nodes[node]] += factor
        return g, i

    def _volts(self, node: str, v: Array) -> Array:
        return self._known[node] if node in self._known else v[:, self._nodes[node]]

    def _junctions(self, v: Array) -> list[Array]:
        found = [self._volts(a, v) - self._volts(c, v) for a, c, _, _ in self._diodes]
        for c, b, e, _ in self._transistors:
            base = self._volts(b, v)
            found += [base - self._volts(e, v), base - self._volts(c, v)]
        return found

    @property
    def _junction_count(self) -> int:
        return len(self._diodes) + 2 * len(self._transistors)

    def _junction(self, j: int) -> tuple[Array, float]:
        """(saturation current, N kT/q) of junction j: diodes first, then b-e and b-c in turn."""
        if j < len(self._diodes):
            return self._diodes[j][2], self._diodes[j][3]
        q, is_bc = divmod(j - len(self._diodes), 2)
        t = self._transistors[q][3]
        return t.i_s, (t.vtr if is_bc else t.vtf)

    def _first_guess(self, j: int) -> Array | float:
        if j < len(self._diodes) or (j - len(self._diodes)) % 2:
            return 0.0
        i_s, vte = self._junction(j)
        critical: Array = vte * np.log(vte / (np.sqrt(2.0) * i_s))
        return critical

    def _assemble(
        self, g: Array, i: Array, v: Array, at: list[Array], rows: NDArray[np.int64]
    ) -> tuple[Array, Array]:
        """Jacobian and residual of these islands, devices linearised at junction voltages `at`."""
        jac = g[rows]
        f = np.einsum("mkl,ml->mk", jac, v[rows]) - i[rows]
        forced = {self._nodes[out] for out, _ in self._forced}

        def leave(node: str, amperes: Array) -> None:
            if node not in self._known and self._nodes[node] not in forced:
                f[:, self._nodes[node]] += amperes

        def slope(row: str, column: str, siemens: Array) -> None:
            if row not in self._known and column not in self._known and self._nodes[row] not in forced:
                jac[:, self._nodes[row], self._nodes[column]] += siemens

        now = [value[rows] for value in self._junctions(v)]
        for j, (a, c, i_s, vte) in enumerate(self._diodes):
            current, conductance = junction(at[j][rows], _at(i_s, rows), vte)
            current = current + conductance * (now[j] - at[j][rows])
            leave(a, current)
            leave(c, -current)
            for row, sign in ((a, 1.0), (c, -1.0)):
                slope(row, a, sign * conductance)
                slope(row, c, -sign * conductance)
        for q, (c, b, e, t) in enumerate(self._transistors):
            j = len(self._diodes) + 2 * q
            t = _transistor_at(t, rows)
            be, bc = at[j][rows], at[j + 1][rows]
            i_c, i_b, c_be, c_bc, b_be, b_bc = t.currents(be, bc)
            d_be, d_bc = now[j] - be, now[j + 1] - bc
            i_c = i_c + c_be * d_be + c_bc * d_bc
            i_b = i_b + b_be * d_be + b_bc * d_bc
            for row, amperes, by_be, by_bc in (
                (c, i_c, c_be, c_bc),
                (b, i_b, b_be, b_bc),
                (e, -i_c - i_b, -c_be - b_be, -c_bc - b_bc),
            ):
                leave(row, amperes)
                slope(row, b, by_be + by_bc)
                slope(row, e, -by_be)
                slope(row, c, -by_bc)
        return jac, f


def _solved(jac: Array, right: Array) -> Array:
    """jac^-1 right for (m, k, k) and (m, k, r); not a number where a matrix is singular."""
    try:
        return np.asarray(np.linalg.solve(jac, right), dtype=np.float64)
    except np.linalg.LinAlgError:
        if len(jac) == 1:
            return np.full_like(right, np.nan)
    half = len(jac) // 2
    return np.concatenate([_solved(jac[:half], right[:half]), _solved(jac[half:], right[half:])])


def _at(values: Value, rows: NDArray[np.int64]) -> Array:
    a = np.asarray(values, dtype=np.float64)
    return a[rows] if a.ndim else a


def _transistor_at(t: Transistor, rows: NDArray[np.int64]) -> Transistor:
    return replace(t, i_s=_at(t.i_s, rows), beta_f=_at(t.beta_f, rows), beta_r=_at(t.beta_r, rows))
