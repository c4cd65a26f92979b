"""An op-amp that closes its loop through one of two diodes: the stage that rectifies.

See `stages.py` for the op-amp's own equations and the way a step is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analognet.analog.stages import Dynamics, Response, State, Step, integrate, move
from analognet.network import Array

_ITERATIONS: Final = 12  # of Newton's method in one step, bracketed; two or three are usual


@dataclass(frozen=True)
class Diode:
    """i_s A; n_vt: emission coefficient times thermal voltage, V; c F: junction at zero bias;
    m: its grading; v_j V: its built-in voltage; tt s: transit time, the charge of a current that flows.
    """

    i_s: float
    n_vt: float
    c: float
    m: float
    tt: float
    v_j: float = 1.0

    def capacitance(self, v: Array) -> Array:
        """Of the junction at v volts, as SPICE has it with FC = 0.5."""
        depleted: Array = self.c * (1 - np.minimum(v, 0.5 * self.v_j) / self.v_j) ** -self.m
        beyond = self.c * 0.5 ** -(1 + self.m) * (1 - 0.5 * (1 + self.m) + self.m * v / self.v_j)
        return np.where(v > 0.5 * self.v_j, beyond, depleted)


@dataclass(frozen=True, eq=False)
class Branch:
    """A feedback path behind a rectifier's diode. g_f: S from its node back to the summing node;
    load: S from the node to common; direct: the diode reaches the summing node itself.
    """

    g_f: Array
    load: Array
    direct: bool = False


def rectifier(
    part: Dynamics,
    diode: Diode,
    time: Array,
    current: Array,
    g_s: Array,
    positive: Branch,
    negative: Branch,
    back: Array | None = None,
) -> Response:
    """An op-amp that closes its loop through one of two diodes, by the sign of its output.

    back: current (K, B, n) that the load sends into p.

    Nodes: h, the op-amp's output d, p behind the one diode and, unless the other ends at h, n
    before it. With both diodes off, their junctions make the op-amp an integrator of J.
    """
    n_neurons = len(g_s)
    end = 0 if negative.direct else 3
    places = 3 if negative.direct else 4
    fixed = np.zeros((n_neurons, places, places))
    _join(fixed, 0, None, g_s)
    _join(fixed, 1, None, np.full(n_neurons, 1 / part.rout))
    _join(fixed, 2, 0, positive.g_f)
    _join(fixed, 2, None, positive.load)
    if not negative.direct:
        _join(fixed, 3, 0, negative.g_f)
        _join(fixed, 3, None, negative.load)

    def step(k: int, alpha: float, past: State) -> Step:
        v, i_past = past.h[..., :-2], past.h[..., -2:]
        # in a step the junctions keep the capacitance they had before it
        charges = np.zeros((*v.shape, places))
        charges[..., 0, 0] = part.cin
        _join(charges, 1, 2, diode.capacitance(v[..., 1] - v[..., 2]))
        _join(charges, end, 1, diode.capacitance(v[..., end] - v[..., 1]))
        inverse = np.asarray(np.linalg.inv(fixed + alpha * charges), dtype=np.float64)
        right = alpha * np.einsum("bnij,bnj->bni", charges, v)
        right[..., 0] += current[k]
        if back is not None:
            right[..., 2] += back[k]
        right[..., 2] -= alpha * diode.tt * i_past[..., 0]
        right[..., 1] += alpha * diode.tt * (i_past[..., 0] - i_past[..., 1])
        right[..., end] += alpha * diode.tt * i_past[..., 1]
        base = np.einsum("bnij,bnj->bni", inverse, right)
        by_c = inverse[..., 1] / part.rout
        by_i = (1 + alpha * diode.tt) * np.stack(
            [inverse[..., 2] - inverse[..., 1], inverse[..., end] - inverse[..., 1]]
        )
        c, low, high = past.c, np.full(past.c.shape, -np.inf), np.full(past.c.shape, np.inf)
        for _ in range(_ITERATIONS):
            i, on, slope = _diode_current(base + by_c * c[..., None], by_c, by_i, end, diode)
            reply = np.where(on[..., None] == 0, by_i[0], by_i[1])
            h = base[..., 0] + by_c[..., 0] * c + reply[..., 0] * i
            h1 = by_c[..., 0] + reply[..., 0] * slope
            _, new, x = move(part, alpha, past, h - h1 * c, h1)
            change = new - c
            if np.abs(change).max() < 1e-6:
                break
            high = np.where(change < 0, np.minimum(high, c), high)
            low = np.where(change > 0, np.maximum(low, c), low)
            middle = 0.5 * (np.where(np.isfinite(low), low, new) + np.where(np.isfinite(high), high, new))
            c = np.where((new >= low) & (new <= high), new, middle)
        v = base + by_c * c[..., None] + reply * i[..., None]
        flowing = np.stack([np.maximum(i, 0), np.maximum(-i, 0)], axis=-1)
        state = State(np.concatenate([v, flowing], axis=-1), x, c, c)
        return state, (v[..., 2], (c - v[..., 1]) / part.rout, v[..., 0], np.zeros_like(c), v[..., end])

    shape = current.shape[1:]
    start = State(np.zeros((*shape, places + 2)), *[np.zeros(shape)] * 3)
    return Response(*integrate(part, time, start, step))


def _join(matrix: Array, a: int, b: int | None, g: Array) -> None:
    """Put g (..., n) between nodes a and b, or a and common, into matrices (..., n, m, m)."""
    matrix[..., a, a] += g
    if b is not None:
        matrix[..., b, b] += g
        matrix[..., a, b] -= g
        matrix[..., b, a] -= g


def _diode_current(
    v: Array, by_c: Array, by_i: Array, end: int, diode: Diode
) -> tuple[Array, NDArray[np.intp], Array]:
    """(current out of the op-amp, 0 or 1 for the diode it flows through, its slope against c).

    v: node voltages were no diode to conduct. Both diodes together carry 2 i_s sinh(v / n_vt)
    where both far ends stand at the same voltage.
    """
    above, below = v[..., 1] - v[..., 2], v[..., end] - v[..., 1]
    on = np.where((above > 0) | ((below <= 0) & (above >= below)), 0, 1)
    sign = 1.0 - 2.0 * on
    u = np.maximum(np.where(on == 0, above, below), 0.0)
    reply = np.where(on[..., None] == 0, by_i[0], by_i[1])
    far = np.where(on == 0, 2, end)
    r = reply[..., 1] - np.take_along_axis(reply, far[..., None], axis=-1)[..., 0]
    r = np.abs(r)
    # 2 i_s r sinh(q) + n_vt q = u: convex, from a q that is too large
    e = 2 * diode.i_s * r
    q = np.minimum(u / diode.n_vt, np.arcsinh(u / e))
    for _ in range(4):
        q = q - (e * np.sinh(q) + diode.n_vt * q - u) / (e * np.cosh(q) + diode.n_vt)
    i = 2 * diode.i_s * np.sinh(q)
    drive = np.where(on == 0, by_c[..., 1] - by_c[..., 2], by_c[..., 1] - by_c[..., end])
    slope = drive / (r + diode.n_vt / np.sqrt(i * i + 4 * diode.i_s**2))
    return sign * i, on, slope
