"""One layer's equations in each topology: from the voltages that drive it and what loads it to its own.

A layer is written as Kirchhoff's current law at its summing nodes. With the inputs v (the reference
voltage last), S = G v the current into a node held at 0 V, and a sum over a conductance matrix's row
the node's total:

split      p: S+ - sum(G+) p + G_f+ (u - p) - i_n = 0       n: S- - sum(G-) n + G_link (u - n) + ... = 0
           The first op-amp is a linear stage (`stages`) whose load is the link: u = c_s S+ + c_b G_link n
           + c_0. Put into the second node's equation, it is one more conductance matrix there:
           E = G- + G_link c_s G+, and a total of sum(G-) + G_link (1 - c_b G_link).
signed     p: S+ - (sum(G+) + G_bal) p - i_p = 0            n: S- - (sum(G-) + G_bal) n + G_f (v - n) ...
dual_rail  n: S- + S_b+ - (sum(G-) + sum(G+)) n + ...,      S_b+ from the inverters' outputs

The layer draws sum_k G_kj (v_j - node_k) from input j: a load L_j v_j - b_j, with L known beforehand and
b from the nodes, which are virtual grounds or nearly. `engine` iterates between layers for b.

Where a clamp of an op-amp conducts, no linear stage holds: those neurons are solved as `island`s.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analognet.analog.solver.behaviour import behaviour
from analognet.analog.solver.first_stages import FirstStages
from analognet.analog.solver.hardware import Hardware, LayerParts
from analognet.analog.solver.inverters import Inverters
from analognet.analog.solver.neurons import neurons
from analognet.analog.solver.rectifier import Rectifier, rectify
from analognet.analog.solver.stages import Follower, Stage
from analognet.analog.solver.state import Loads, State
from analognet.analog.solver.tables import CellTable, tabulate
from analognet.errors import InputError
from analognet.network import Array

ISLANDS: Final = 4096  # islands solved at a time
RECTIFIER: Final = (("opamp", ("inp", "inn", "drive")), ("d", ("drive", "out")), ("d", ("inn", "drive")))
RELU: Final = (
    ("r", ("in", "sum")),
    ("r", ("rect", "sum")),
    ("opamp", ("com", "sum", "xrect.drive")),
    ("d", ("xrect.drive", "rect")),
    ("d", ("sum", "xrect.drive")),
    ("opamp", ("rect", "out", "out")),
)


@dataclass(frozen=True, eq=False)
class LayerEquations:
    """One layer of one board with everything precomputed that no image changes.

    load: (n,) siemens at its outputs. inverters: before it, in the dual-rail topology; drives_ref: whether
    one of them makes the inverted reference for all layers. from_source: driven by ideal sources, which
    nothing it draws moves. precision_v: of tabulated cells, where the full one is not needed.
    """

    board: Hardware
    parts: LayerParts
    index: int
    load: Array
    inverters: Inverters | None
    drives_ref: bool
    from_source: bool
    precision_v: float | None = None

    @property
    def topology(self) -> str:
        return self.parts.source.topology

    @cached_property
    def first(self) -> FirstStages:
        q = self.parts
        return FirstStages(q.first, q.g_pos, q.g_f_pos, q.g_link)

    @cached_property
    def combined(self) -> Array:
        """E (n_in + 1, n) siemens, of the split topology."""
        q = self.parts
        e: Array = np.ascontiguousarray((q.g_neg + (q.g_link * self.first.stage.by_s)[:, None] * q.g_pos).T)
        return e

    @cached_property
    def at_n(self) -> Array:
        """(n,) total conductance at the last summing node, feedback apart."""
        q = self.parts
        total: Array = q.g_neg.sum(axis=1) + q.balance_neg
        if self.topology == "split":
            total = total + q.g_link * (1.0 - self.first.stage.by_b * q.g_link)
        elif self.topology == "dual_rail":
            total = total + q.g_pos.sum(axis=1)
        return total

    @cached_property
    def at_p(self) -> Array:
        total: Array = self.parts.g_pos.sum(axis=1) + self.parts.balance_pos
        return np.where(total > 0, total, 1.0)

    @cached_property
    def relu(self) -> bool:
        return self.parts.cell is not None and self.parts.cell.signature == RELU

    @cached_property
    def behavioural(self) -> bool:
        return self.parts.cell is not None and not self.parts.cell.parts

    @cached_property
    def z_conductance(self) -> Array:
        """(n,) siemens that the cell's input loads z with, the rest of its current being `z_load`."""
        cell = self.parts.cell
        return cell.siemens["rin"] if cell is not None and self.relu else np.zeros(self.parts.n_out)

    @cached_property
    def amp(self) -> Stage | Rectifier:
        q = self.parts
        load = self.load if q.cell is None else self.z_conductance
        if q.amplifier is None:
            return Stage.of(q.amp, self.at_n, q.g_f, load)
        if q.amplifier.signature != RECTIFIER:
            raise InputError(
                f"amplifier '{q.amplifier.name}': the solver has no equations for it; use ngspice"
            )
        dp, dn = (q.amplifier.diodes[p.name] for p in q.amplifier.parts[1:])
        return Rectifier.of(q.amp, dp, dn, self.at_n, q.g_f, load)

    @cached_property
    def cell_rectifier(self) -> Rectifier:
        cell = self.parts.cell
        assert cell is not None
        amp, dp, dn = (p.name for p in cell.parts[2:5])
        rin, rf = (cell.siemens[p.name] for p in cell.parts[:2])
        return Rectifier.of(
            cell.opamps[amp], cell.diodes[dp], cell.diodes[dn], rin, rf, np.zeros(self.parts.n_out)
        )

    @cached_property
    def follower(self) -> Follower:
        cell = self.parts.cell
        assert cell is not None
        return Follower(cell.opamps[cell.parts[5].name], self.load)

    @cached_property
    def tables(self) -> list[CellTable]:
        """One for all neurons where all instances are equal, else one each."""
        cell = self.parts.cell
        assert cell is not None
        count = 1 if cell.uniform else self.parts.n_out
        precision = {} if self.precision_v is None else {"tolerance": self.precision_v}
        return [tabulate(cell, i, self.board.vdd, self.board.vss, **precision) for i in range(count)]

    # what it draws from the layer before

    @property
    def input_load(self) -> Array:
        """(n_in + 1,) siemens at its inputs."""
        q = self.parts
        if self.topology != "dual_rail":
            total: Array = q.g_pos.sum(axis=0) + q.g_neg.sum(axis=0)
            return total
        assert self.inverters is not None
        load: Array = q.g_neg.sum(axis=0) + self.inverters.r_in
        return load

    def input_current(self, state: State) -> Array:
        """b (N, n_in) amperes into its inputs' nets."""
        q = self.parts
        b: Array = state.n @ q.g_neg[:, :-1]
        if state.p is not None:
            b = b + state.p @ q.g_pos[:, :-1]
        if state.m is not None and self.inverters is not None:
            b = b + state.m[:, :-1] * self.inverters.r_in[:-1]
        return b

    def impedance(self) -> tuple[Array, Array]:
        """(n,) bounds on what an ampere of b moves y and z by."""
        q = self.parts
        amp = self.amp.r_o if isinstance(self.amp, Rectifier) else np.abs(self.amp.by_b)
        if q.cell is None:
            return amp, np.zeros(q.n_out)
        if self.behavioural:
            return np.zeros(q.n_out), amp
        if self.relu:
            return np.abs(self.follower.by_b), amp
        largest = max(float(np.abs(t.r).max()) for t in self.tables)
        return np.full(q.n_out, largest), amp

    # the solution

    def sums(self, v: Array, inverted: Array | None) -> tuple[Array, Array | None]:
        """(s, s_p): amperes into the last summing node and into p, (N, n) each, for v (N, n_in + 1).

        s_p is None for a split layer on ideal sources: nothing needs it but the clamps, see `clips`.
        """
        q = self.parts
        if self.topology == "split":
            s = v @ self.combined + q.g_link * self.first.stage.v_0
            return s, (None if self.from_source else v @ q.g_pos.T)
        if self.topology == "signed":
            return v @ q.g_neg.T, v @ q.g_pos.T
        assert inverted is not None
        return v @ q.g_neg.T + inverted @ q.g_pos.T, None

    def solve(
        self, v: Array, s: Array, s_p: Array | None, inverted: Array | None, m: Array | None,
        loads: Loads, rough: bool,
    ) -> State:  # fmt: skip
        """The layer's state; loads as of the iteration before. rough: a first guess, clamps unheeded."""
        count = len(s)
        y, n = np.empty_like(s), np.empty_like(s)
        clips = np.zeros(s.shape, dtype=bool)
        failed = np.zeros(s.shape, dtype=bool)
        z_load = None if self.parts.cell is None or self.behavioural else np.empty_like(s)
        p = self._p(s_p)
        self._amplify(s, p, loads, rough, y, n, z_load, clips, failed)
        if self.topology == "split" and s_p is not None:
            p, first_clips = self.first.solve(s_p, n)
            clips |= first_clips
        if rough:
            return State(y, p, n, z_load, inverted, m, np.zeros(count, dtype=bool), np.zeros_like(failed))
        if self.topology == "split" and s_p is None and not self.parts.first.ideal:
            clips |= self.first.near_clamps(v)
        if clips.any():
            p = None if p is None else np.broadcast_to(p, s.shape).copy()
            self._solve_clipped(clips, v, inverted, loads, y, p, n, failed)
        return State(y, p, n, z_load, inverted, m, np.asarray(clips.any(axis=1)), failed)

    def _p(self, s_p: Array | None) -> Array | None:
        if self.topology != "signed":
            return None
        assert s_p is not None
        p: Array = (s_p - self.parts.amp.i_p) / self.at_p
        return p

    def _amplify(
        self, s: Array, p: Array | None, loads: Loads, rough: bool,
        y: Array, n: Array, z_load: Array | None, clips: NDArray[np.bool_], failed: NDArray[np.bool_],
    ) -> None:  # fmt: skip
        """The last summing op-amps and the cells behind them, into the arrays given."""
        q = self.parts
        b_y = 0.0 if loads.y is None else loads.y
        b = b_y if q.cell is None else (0.0 if loads.z is None else loads.z)
        if isinstance(self.amp, Rectifier):
            done = rectify(self.amp, s, b, rough)
            z, n[:], failed[:] = done.o, done.n, done.failed
            clips |= q.amp.clips(done.x)
        else:
            z = self.amp.by_s * s + self.amp.by_b * b + self.amp.v_0
            if p is not None:
                z = z + self.amp.by_p * p
            n[:] = self.amp.summing_node(s, z)
            if not q.amp.ideal:
                clips |= q.amp.clips(self.amp.gain_node(z, n, b))
        if q.cell is None:
            y[:] = z
        elif self.behavioural:
            y[:] = behaviour(q.cell, q.source.activation.name, z)
        elif self.relu:
            rectifier, follower = self.cell_rectifier, self.follower
            held = rectify(rectifier, z * rectifier.g_n, -follower.op.i_p, rough)
            y[:] = follower.output(held.o, b_y)
            assert z_load is not None
            z_load[:] = rectifier.g_n * held.n
            failed |= held.failed
            clips |= rectifier.op.clips(held.x)
            clips |= follower.op.clips(follower.gain_node(y, b_y))
        else:
            assert z_load is not None
            value, current, resistance = self._look_up(z)
            y[:] = (value + resistance * b_y) / (1.0 + resistance * self.load)
            z_load[:] = -current

    def _look_up(self, z: Array) -> tuple[Array, Array, Array]:
        if len(self.tables) == 1:
            return self.tables[0](z)
        columns = [table(z[:, i]) for i, table in enumerate(self.tables)]
        value, current, resistance = (np.stack(c, axis=1) for c in zip(*columns, strict=True))
        return value, current, resistance

    def _solve_clipped(
        self, clips: NDArray[np.bool_], v: Array, inverted: Array | None, loads: Loads,
        y: Array, p: Array | None, n: Array, failed: NDArray[np.bool_],
    ) -> None:  # fmt: skip
        """Solve the marked neurons (N, n) node by node and put them into the arrays."""
        cell, all_rows, all_columns = self.parts.cell, *np.nonzero(clips)
        for at in range(0, len(all_rows), ISLANDS):
            rows, columns = all_rows[at : at + ISLANDS], all_columns[at : at + ISLANDS]
            answer = neurons(self.board, self.parts, self.load, rows, columns, v, inverted, loads.y)
            if cell is not None and self.behavioural:
                y[rows, columns] = behaviour(cell, self.parts.source.activation.name, answer.nodes["z"])
            else:
                y[rows, columns] = answer.nodes["y"]
            n[rows, columns] = answer.nodes["n"]
            if p is not None:
                p[rows, columns] = answer.nodes["p"]
            failed[rows, columns] = ~answer.converged
