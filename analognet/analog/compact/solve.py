"""A network of tabulated cells, in the `signed` topology.

Voltages are against the chip's own common. With D = sum(G-) + G_bn + G_f, beta = G_f / D, a neuron is

    v(inp) = G+ v / (sum(G+) + G_bp)                  no current enters a gate
    v_d    = a - beta u,   a = v(inp) - G- v / D      u: the amplifier's output
    i_out  = G_f (u - v(inn)) + L u - b               L, b: what the next layer draws
    u      = O(v_d + kappa u, i_out, v(inp))          the cell's table

one scalar equation each. b, and the voltage of the common, follow from the answer: the whole is
repeated until they no longer move anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analognet.analog import build
from analognet.analog.cells import OPAMP_ROLE, Cell
from analognet.analog.compact.tables import (
    KAPPA,
    LARGEST_V,
    MODE_V,
    Common,
    Conditions,
    Table,
    activation_table,
    amplifier_table,
    common_table,
    known,
)
from analognet.analog.layers import AnalogLayer, AnalogNetwork
from analognet.errors import InputError, SimulatorError
from analognet.network import Array

CHUNK = 500
CLOSE_V = 1e-7  # two passes that differ by less have settled
PASSES = 40
NEWTON = 30
_STEP_V = 1e-5  # of the numerical derivative
_COARSE_A = 25e-6  # A, the smallest current that cells are tabulated up to


@dataclass(frozen=True, eq=False)
class Solution:
    """outputs_v: (N, n_out) V against the common; hidden_v: one (N, n) per hidden layer; common_v:
    (N,) V; power_w: (N,) of the chip and what drives its inputs; beyond: (N,) inputs at which some
    cell leaves the range it is tabulated over.
    """

    outputs_v: Array
    hidden_v: tuple[Array, ...]
    common_v: Array
    power_w: Array
    beyond: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class State:
    """Where one layer's cells stand, each (N, n): V against the common at both inputs of the
    amplifiers and at their outputs (u), the layer's outputs (y), and what the tables are entered with;
    i_cell: A out of the activation cells, None without.
    """

    plus: Array
    minus: Array
    u: Array
    y: Array
    s: Array
    i_out: Array
    i_cell: Array | None


@dataclass(frozen=True, eq=False)
class Stage:
    """One layer with what does not depend on the image.

    load: (n_in,) S that the layer hangs on its inputs; to_plus, to_minus: the networks in front of
    the amplifier's inputs; offset: (n,) V of each amplifier.
    """

    layer: AnalogLayer
    amplifier: Table
    cell: Table | None
    to_plus: Array
    to_minus: Array
    beta: Array
    g_f: Array
    load: Array
    offset: Array


def solve(
    network: AnalogNetwork,
    cells: Mapping[str, Cell],
    x: Array,
    conditions: Conditions,
    *,
    offsets: tuple[Array, ...] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Solution:
    """Operating points of inputs x (N, n_in) in units.

    offsets: one (n,) per layer, volts between each amplifier's inputs; progress(n) is called as
    inputs are done. Raises InputError for a network this model does not cover, ToolMissing,
    SimulatorError where the equations do not converge.
    """
    stages, common = prepare(network, cells, conditions, offsets)
    found = []
    for start in range(0, len(x), CHUNK):
        rows = x[start : start + CHUNK]
        found.append(solve_block(network, stages, common, rows, conditions)[0])
        if progress:
            progress(len(rows))
    hidden = [np.concatenate([s.hidden_v[k] for s in found]) for k in range(len(network.layers) - 1)]
    return Solution(
        outputs_v=np.concatenate([s.outputs_v for s in found]),
        hidden_v=tuple(hidden),
        common_v=np.concatenate([s.common_v for s in found]),
        power_w=np.concatenate([s.power_w for s in found]),
        beyond=np.concatenate([s.beyond for s in found]),
    )


def tabulated(network: AnalogNetwork, cells: Mapping[str, Cell], conditions: Conditions) -> bool:
    """Whether the tables of a network's cells are in the cache. Raises InputError, as `solve` does."""
    return known(lambda: prepare(network, cells, conditions, None))


def prepare(
    network: AnalogNetwork,
    cells: Mapping[str, Cell],
    conditions: Conditions,
    offsets: tuple[Array, ...] | None,
) -> tuple[list[Stage], Common]:
    """What does not depend on the input: every layer with its cells' tables, and the common's."""
    technology = network.technology
    if network.topology != "signed":
        raise InputError(
            f"the compact model covers topology signed, not {network.topology}; choose --engine ngspice"
        )
    stages = []
    loads = [layer.g_pos.sum(axis=0)[:-1] + layer.g_neg.sum(axis=0)[:-1] for layer in network.layers]
    loads.append(np.zeros(network.n_out))
    for k, layer in enumerate(network.layers):
        heaviest = float(loads[k + 1].max(initial=0.0)) * technology.full_scale
        own = float(layer.g_f.max()) * technology.full_scale
        name = technology.opamp if layer.amplifier == OPAMP_ROLE else layer.amplifier
        drawn = own if layer.cell else own + heaviest
        amplifier = amplifier_table(technology, cells, name, conditions, _span(drawn))
        cell = None
        if layer.cell:
            cell = activation_table(
                technology, cells, layer.cell, layer.cell_params, conditions, _span(heaviest)
            )
        plus = layer.g_pos.sum(axis=1) + layer.balance_pos
        minus = layer.g_neg.sum(axis=1) + layer.balance_neg + layer.g_f
        stages.append(
            Stage(
                layer=layer,
                amplifier=amplifier,
                cell=cell,
                to_plus=layer.g_pos / plus[:, None],
                to_minus=layer.g_neg / minus[:, None],
                beta=layer.g_f / minus,
                g_f=layer.g_f,
                load=loads[k + 1],
                offset=np.zeros(layer.n_out) if offsets is None else offsets[k],
            )
        )
    largest = 1.5 * build.common_current(network, cells) + _COARSE_A
    params = {name: dict(build.support_params(network, cells, name)) for name in technology.supports}
    return stages, common_table(technology, cells, params, conditions, _up(largest))


def _up(current: float) -> float:
    return float(np.ceil(current / _COARSE_A) * _COARSE_A)


def _span(current: float) -> float:
    """The currents to tabulate for one that reaches `current` at full scale: a power of two, so that
    networks share tables.
    """
    return _COARSE_A * 2.0 ** max(0, int(np.ceil(np.log2(1.2 * current / _COARSE_A + 1e-30))))


def solve_block(
    network: AnalogNetwork, stages: list[Stage], common: Common, x: Array, conditions: Conditions
) -> tuple[Solution, list[State], Array]:
    """Inputs x (N, n_in) at once: the answer, every layer's cells, and (N,) A into the common.

    Raises SimulatorError where the equations do not converge.
    """
    technology = network.technology
    driven = np.hstack([x * network.scale_in, np.full((len(x), 1), technology.reference)])
    outputs = [v for _, v in network.voltages(x)]
    amplified = [v_sum if s.cell else v for s, (v_sum, v) in zip(stages, network.voltages(x), strict=True)]
    drawn = [np.zeros_like(v) for v in outputs]  # b: what holds the next layer's nodes up
    into_cell = [np.zeros_like(v) for v in outputs]
    v_common = np.zeros(len(x))
    for _ in range(PASSES):
        moved = 0.0
        v, v_ref = driven[:, :-1] - v_common[:, None], driven[:, -1:] - v_common[:, None]
        i_common, i_dd = np.zeros(len(x)), np.zeros(len(x))
        i_in = np.zeros_like(driven)
        beyond = np.zeros(len(x), dtype=bool)
        states = []
        for k, stage in enumerate(stages):
            full = np.hstack([v, v_ref])
            plus = full @ stage.to_plus.T
            a = plus - full @ stage.to_minus.T + stage.offset
            load = np.zeros_like(stage.load) if stage.cell else stage.load
            back = -into_cell[k] if stage.cell else drawn[k]
            u, s, i_out = _close(stage, a, plus, load, back, amplified[k])
            minus = plus - (a - stage.offset - stage.beta * u)
            i_com = stage.amplifier("i_com", s, i_out, plus)
            i_dd += stage.amplifier("i_dd", s, i_out, plus).sum(axis=1)
            beyond |= ((np.abs(s) > LARGEST_V) | _outside(i_out, stage.amplifier)).any(axis=1)
            beyond |= (np.abs(plus) > MODE_V).any(axis=1)
            y, i_cell = u, None
            if stage.cell is not None:
                i_cell = stage.load * outputs[k] - drawn[k]
                y = stage.cell("v_out", u, i_cell)
                into_cell[k] = stage.cell("i_in", u, i_cell)
                i_com = i_com + stage.cell("i_com", u, i_cell)
                i_dd += stage.cell("i_dd", u, i_cell).sum(axis=1)
                beyond |= _outside(i_cell, stage.cell).any(axis=1)
            states.append(State(plus, minus, u, y, s, i_out, i_cell))
            i_common += i_com.sum(axis=1)
            i_common += plus @ stage.layer.balance_pos + minus @ stage.layer.balance_neg
            hung = plus @ stage.layer.g_pos + minus @ stage.layer.g_neg  # (N, n_in + 1)
            total = stage.layer.g_pos.sum(axis=0) + stage.layer.g_neg.sum(axis=0)
            if k:
                drawn[k - 1] = hung[:, :-1]
                i_in[:, -1] += total[-1] * v_ref[:, 0] - hung[:, -1]
            else:
                i_in += total * full - hung
            moved = max(moved, float(np.abs(y - outputs[k]).max()), float(np.abs(u - amplified[k]).max()))
            outputs[k], amplified[k] = y, u
            v = y
        previous, v_common = v_common, common(i_common)
        moved = max(moved, float(np.abs(v_common - previous).max()))
        if moved < CLOSE_V:
            break
    else:
        raise SimulatorError(
            f"the compact model did not settle: after {PASSES} passes a node still moves {moved:.3g} V"
        )
    supply = i_dd + common.supply(i_common) + np.maximum(i_in, 0.0).sum(axis=1)
    power = supply * (conditions.vdd - conditions.vss)
    return Solution(outputs[-1], tuple(outputs[:-1]), v_common, power, beyond), states, i_common


def _outside(current: Array, table: Table) -> NDArray[np.bool_]:
    return np.asarray(np.abs(current) > table.i_max)


def _close(
    stage: Stage, a: Array, plus: Array, load: Array, back: Array, start: Array
) -> tuple[Array, Array, Array]:
    """(u, s, i_out) of every neuron by Newton's method, all (N, n). Raises SimulatorError."""
    slope = stage.g_f * (1 - stage.beta) + load
    rest = -stage.g_f * (plus - a + stage.offset) - back

    def miss(u: Array) -> tuple[Array, Array, Array]:
        s, i_out = a + (KAPPA - stage.beta) * u, slope * u + rest
        return u - stage.amplifier("v_out", s, i_out, plus), s, i_out

    u, f, s, i_out = start, *miss(start)
    largest = float(np.abs(f).max())
    derivative = None
    for _ in range(NEWTON):
        if largest < CLOSE_V / 10:
            break
        if derivative is None:
            derivative = np.maximum((miss(u + _STEP_V)[0] - f) / _STEP_V, 0.02)
        u = u - np.clip(f / derivative, -0.2, 0.2)
        f, s, i_out = miss(u)
        before, largest = largest, float(np.abs(f).max())
        if largest > 0.1 * before:  # the slope has changed: take it anew
            derivative = None
    else:
        worst = np.unravel_index(int(np.abs(f).argmax()), f.shape)
        raise SimulatorError(
            f"layer '{stage.layer.name}', neuron {worst[1]}: the compact model did not converge for input {worst[0]}"
        )
    return u, s, i_out
