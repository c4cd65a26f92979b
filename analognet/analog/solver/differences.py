"""A board as differences from the nominal one, with which single precision is enough.

A sum of hundreds of products of volts keeps six digits in float32. But a layer's sums on board k are

    T = A h + c = (A_0 a + c_0) + (A - A_0) a + (c - c_0) + A (h - a)

for any voltages a; c is what reference, offsets and bias currents send. With a the nominal board's own
outputs (of the first layer, the inputs), rounded to float32, the large term in parentheses is the same for
all boards: it is computed once, in float64. The others are some thousandths of it, and so is their
rounding. A is the conductance matrix over the feedback (of a plain stage, times its gain), so that all
numbers are volts.

`rounding` bounds what float32 can still do. docs/solver.md has the equations; `device` runs them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analognet.analog.solver.devices import GMIN
from analognet.analog.solver.engine import Equations
from analognet.analog.solver.first_stages import NEAR_CLAMP_V
from analognet.analog.solver.layers import LayerEquations
from analognet.analog.solver.opamps import Opamps
from analognet.analog.solver.rectifier import Rectifier
from analognet.analog.solver.rounding import AGREEMENT_V, Anchors, Single, bounds, constant, matrix
from analognet.analog.solver.stages import Stage
from analognet.errors import InputError
from analognet.network import Array

MATRICES: Final = ("delta", "rows", "full", "first", "back_n", "back_p", "first_rows")  # of a layer
# What `device` takes for each neuron, in this order
RECTIFIER_ROWS: Final = (
    "c", "k", "inv_gf", "isp", "isn", "rp", "rn", "rout", "gmin", "d", "n0", "inv_an", "vte", "lo", "hi", "b0",
)  # fmt: skip
STAGE_ROWS: Final = ("c", "by_b", "p0", "p1", "p2", "h", "r_gf", "rout", "lo", "hi", "b0")
FIRST_ROWS: Final = ("c", "by_n", "q0", "q1", "q2", "h", "r_gf", "r_gl", "lo", "hi")


@dataclass(frozen=True, eq=False)
class LayerDifferences:
    """One layer of one board. delta: A - A_0 (n_in, n); full: A (n_in, n); first: of the first op-amps
    (n_in, n) volts per volt; back_n, back_p: (n, n_in) siemens from its summing nodes into its inputs;
    rows, first_rows: (len(*_ROWS), n). full to first_rows are None in the first layer, which ideal
    sources drive.
    """

    delta: Single
    rows: Single
    full: Single | None
    first: Single | None
    back_n: Single | None
    back_p: Single | None
    first_rows: Single | None


@dataclass(frozen=True, eq=False)
class BoardDifferences:
    """A board for `device`. reach: for each layer, the 2-norm of h - a in volts up to which outputs are
    within `AGREEMENT_V`; beyond: (m,) images that the float64 solver must do.
    """

    layers: tuple[LayerDifferences, ...]
    reach: tuple[float, ...]
    beyond: NDArray[np.int64]


def covered(system: Equations) -> None:
    """Raises InputError for a network of which `device` has no equations, naming what it covers."""
    for layer in system.layers:
        cell = layer.parts.cell
        if layer.topology != "split":
            raise InputError(
                f"topology {layer.topology} is not computed on a device, split alone is; leave --device out"
            )
        if cell is not None and not layer.behavioural:
            raise InputError(
                f"cell '{cell.name}' in layer {layer.index} is not computed on a device: it has rectifying "
                "amplifiers, plain stages and behavioural cells; leave --device out"
            )


def anchors(system: Equations, inputs_v: Array, hidden: Sequence[Array]) -> Anchors:
    """Of the nominal board: inputs_v (N, n_in), and its hidden layers' outputs (N, n), in volts.

    Raises InputError where `device` has no equations or float32 cannot be held to `AGREEMENT_V`.
    """
    covered(system)
    inputs = [np.asarray(a, dtype=np.float32) for a in (inputs_v, *hidden)]
    matrices = [matrix(layer) for layer in system.layers]
    exact = [inputs_v, *(a.astype(np.float64) for a in inputs[1:])]
    constants = [constant(layer, system.board.reference) for layer in system.layers]
    bases = [(a @ m + c).astype(np.float32) for a, m, c in zip(exact, matrices, constants, strict=True)]
    g_pos = system.layers[0].parts.g_pos
    reference = system.board.reference
    found = Anchors(
        system,
        tuple(inputs),
        tuple(bases),
        tuple(matrices),
        tuple(constants),
        inputs_v @ g_pos[:, :-1].T + reference * g_pos[:, -1],
        np.abs(inputs_v) @ g_pos[:, :-1].T + abs(reference) * g_pos[:, -1],
    )
    least, _ = bounds(found, system, [m * 0.0 for m in matrices])
    if least >= AGREEMENT_V:
        raise InputError(
            f"float32 on a device can be off by {least:.2g} V at an output of this network, more than "
            f"{AGREEMENT_V:g} V; leave --device out"
        )
    return found


def differences(found: Anchors, system: Equations) -> BoardDifferences:
    """A board's differences from the anchors' nominal one."""
    every = np.arange(len(found.inputs[0]))
    matrices = [matrix(layer) for layer in system.layers]
    deltas = [m - m_0 for m, m_0 in zip(matrices, found.matrices, strict=True)]
    rounding, slopes = bounds(found, system, deltas)
    left = AGREEMENT_V - rounding
    users = [w for w in slopes if w > 0]
    reach = tuple(left / len(users) / w if w > 0 else float("inf") for w in slopes)
    layers = []
    for i, layer in enumerate(system.layers):
        after = system.layers[i + 1] if i + 1 < len(system.layers) else None
        change = constant(layer, system.board.reference) - found.constants[i]
        layers.append(_layer(layer, deltas[i], matrices[i], change, after, system.board.reference))
    beyond = every if left <= 0 else _first_clips(found, system.layers[0])
    return BoardDifferences(tuple(layers), reach, beyond)


def _limits(op: Opamps) -> tuple[Array, Array]:
    return op.lo + op.margin + NEAR_CLAMP_V, op.hi - op.margin - NEAR_CLAMP_V


def _layer(
    layer: LayerEquations,
    delta: Array,
    whole: Array,
    change: Array,
    after: LayerEquations | None,
    reference: float,
) -> LayerDifferences:
    q, first = layer.parts, layer.first
    b0 = np.zeros(q.n_out)
    if after is not None and not layer.behavioural:
        at_n, at_p = _at_rest(after)
        b0 = at_n @ after.parts.g_neg[:, :-1] + at_p @ after.parts.g_pos[:, :-1]
    amp = layer.amp
    rows = _rectifier_rows(amp, change, b0) if isinstance(amp, Rectifier) else _stage_rows(amp, change, b0)
    if layer.from_source:
        return LayerDifferences(_single(delta), rows, None, None, None, None, None)
    return LayerDifferences(
        _single(delta),
        rows,
        _single(whole),
        _single((q.g_pos[:, :-1] * first.stage.by_s[:, None]).T),
        _single(q.g_neg[:, :-1]),
        _single(q.g_pos[:, :-1]),
        _first_rows(layer, reference),
    )


def _rectifier_rows(amp: Rectifier, change: Array, b0: Array) -> Single:
    op, g_f = amp.op, amp.g_f
    lo, hi = _limits(op)
    values = {
        "c": change,
        "k": amp.k,
        "inv_gf": 1.0 / g_f,
        "isp": amp.dp.i_s / g_f,
        "isn": amp.dn.i_s / g_f,
        "rp": amp.dp.r_s * g_f,
        "rn": amp.dn.r_s * g_f,
        "rout": op.rout * g_f,
        "gmin": GMIN / g_f,
        "d": amp.d / g_f,
        "n0": op.x_0 / op.a_n,
        "inv_an": 1.0 / op.a_n,
        "vte": np.full(g_f.shape, amp.dp.vte),
        "lo": lo,
        "hi": hi,
        "b0": b0,
    }
    return _rows(values, RECTIFIER_ROWS, g_f.shape)


def _stage_rows(amp: Stage, change: Array, b0: Array) -> Single:
    op = amp.op
    lo, hi = _limits(op)
    a = op.a_n - op.rout * amp.g_f
    values = {
        "c": change,
        "by_b": amp.by_b,
        "p0": op.x_0 / a,
        "p1": amp.h / a,
        "p2": op.rout / a,
        "h": amp.h,
        "r_gf": op.rout * amp.g_f,
        "rout": op.rout,
        "lo": lo,
        "hi": hi,
        "b0": b0,
    }
    return _rows(values, STAGE_ROWS, amp.g_f.shape)


def _first_rows(layer: LayerEquations, reference: float) -> Single:
    """Of the first op-amps: n_in their summing node p, u their output; an absent one never clips."""
    q, stage, there = layer.parts, layer.first.stage, layer.first.present
    op = q.first
    lo, hi = _limits(op)
    a = op.a_n - op.rout * q.g_f_pos
    values = {
        "c": stage.by_s * q.g_pos[:, -1] * reference + stage.v_0,
        "by_n": stage.by_b * q.g_link,
        "q0": op.x_0 / a,
        "q1": stage.h / a,
        "q2": op.rout * q.g_link / a,
        "h": stage.h,
        "r_gf": op.rout * q.g_f_pos,
        "r_gl": op.rout * q.g_link,
        "lo": lo,
        "hi": hi,
    }
    absent = {name: np.inf if name == "hi" else -np.inf if name == "lo" else 0.0 for name in values}
    return _rows(
        {name: np.where(there, v, absent[name]) for name, v in values.items()}, FIRST_ROWS, q.g_f.shape
    )


def _at_rest(layer: LayerEquations) -> tuple[Array, Array]:
    """(n,) volts of the summing nodes n and p where no signal is: the first guess of what they draw."""
    q = layer.parts
    return q.amp.x_0 / q.amp.a_n, np.where(layer.first.present, q.first.x_0 / q.first.a_n, 0.0)


def _rows(values: dict[str, Array], names: Sequence[str], shape: tuple[int, ...]) -> Single:
    return np.stack([np.broadcast_to(values[name], shape) for name in names]).astype(np.float32)


def _single(a: Array) -> Single:
    return np.ascontiguousarray(a, dtype=np.float32)


def _first_clips(found: Anchors, layer: LayerEquations) -> NDArray[np.int64]:
    """(m,) images on which a first op-amp of the first layer may come near a clamp, whatever its resistors.

    With every g_pos within a factor 1 +- r of the nominal one, S+ is within r times the sum of its terms'
    magnitudes of the nominal S+; the reference voltage moves as little. Near is as in `near_clamps`.
    """
    q, first = layer.parts, layer.first
    if q.first.ideal:
        return np.empty(0, dtype=np.int64)
    nominal = found.equations.layers[0].parts.g_pos
    change = np.abs(q.g_pos - nominal) * found.inverse_g_pos
    change[:, -1] += abs(layer.board.reference / found.equations.board.reference - 1.0) * (
        1.0 + change[:, -1]
    )
    off = change.max(axis=1)
    least, most = first.bounds()
    low = found.first_sums.min(axis=0) - off * found.first_reach.max(axis=0)
    high = found.first_sums.max(axis=0) + off * found.first_reach.max(axis=0)
    near = (low < least) | (high > most)
    if not near.any():
        return np.empty(0, dtype=np.int64)
    sums, reach = found.first_sums[:, near], off[near] * found.first_reach[:, near]
    out = ((sums - reach < least[near]) | (sums + reach > most[near])).any(axis=1)
    return np.flatnonzero(out)
