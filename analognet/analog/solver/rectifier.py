"""The rectifying amplifier, reduced to one scalar equation per neuron.

An op-amp drives node d; diode Dp goes from d to the output o, diode Dn from the summing node n to d;
a feedback conductance G_f goes from o to n. With the current s that the inputs send into n when it is
at 0 V (bias current taken off), their total conductance G_n, and a load L, b at o (it draws L o - b):

    n:   s - G_n n + G_f (o - n) - i_n = 0
    o:   i_p + G_f (n - o) + b - L o = 0
    d:   x = d + rout (i_p - i_n),      x = x_0 - a_n n
    Dp:  d - o = v_p + r_p i_p,         i_p = D_p(v_p)
    Dn:  n - d = v_n + r_n i_n,         i_n = D_n(v_n)

The first two give o = R_o (i_p + G_f n + b), R_o = 1 / (G_f + L), and, with k = G_f R_o and
D = G_n + G_f - k G_f,

    i_n - k i_p = s + k b - D n = sigma

The sign of sigma says which diode conducts. Its current i_1 is sigma but for the other's leakage i_2;
its voltage is the logarithm of i_1; that fixes d, hence the other's voltage and leakage, hence x, and
x fixes n = (x_0 - x) / a_n. What is left is one scalar equation in n, so flat (its loop gain is a_n)
that two Newton steps from n = 0 reach rounding. Where neither diode clearly conducts, |sigma| within some
dozens of IS, the leakage is no small correction: there Newton's method solves for (v_p, v_n).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analognet.analog.solver.devices import GMIN, Diode, junction
from analognet.analog.solver.opamps import Opamps
from analognet.network import Array

ROUNDS: Final = 2
BLOCK: Final = 8192  # elements of a temporary array: a dozen of them fit a core's cache
NEWTON_STEPS: Final = 80
SETTLED_V: Final = 2e-11  # change of o in the last round
STEP_V: Final = 1e-9
CONDUCTS: Final = 20.0  # times IS: below it a diode does not clearly conduct


@dataclass(frozen=True, eq=False)
class Rectifier:
    """The constants (n,) of a row of rectifying amplifiers; see the module's equations."""

    op: Opamps
    dp: Diode
    dn: Diode
    g_f: Array
    g_n: Array
    r_o: Array
    k: Array
    d: Array

    @staticmethod
    def of(op: Opamps, dp: Diode, dn: Diode, g_n: Array, g_f: Array, load: Array) -> Rectifier:
        r_o = 1.0 / (g_f + load)
        k = g_f * r_o
        return Rectifier(op, dp, dn, g_f, g_n, r_o, k, g_n + g_f - k * g_f)

    def take(self, index: NDArray[np.int64]) -> Rectifier:
        return Rectifier(
            self.op.take(index),
            self.dp.take(index),
            self.dn.take(index),
            *(a[index] for a in (self.g_f, self.g_n, self.r_o, self.k, self.d)),
        )


@dataclass(frozen=True, eq=False)
class Rectified:
    """o: output, n: summing node, x: the op-amp's gain node, all (..., n) in volts; failed: the same."""

    o: Array
    n: Array
    x: Array
    failed: NDArray[np.bool_]


def rectify(c: Rectifier, s: Array, b: Array | float, rough: bool = False) -> Rectified:
    """Solve s (N, n) amperes into the summing nodes, b (N, n) or 0 amperes of the load's.

    rough: with diodes that conduct or do not at 0.6 V: for a first guess of what loads the layer before.
    """
    if rough:
        return _roughly(c, s - c.op.i_n + c.k * b)
    total = s - c.op.i_n + c.k * b
    b_all = np.broadcast_to(np.asarray(b, dtype=np.float64), s.shape)
    o, n, x, change = (np.empty_like(total) for _ in range(4))
    step = max(1, BLOCK // s.shape[1])
    for at in range(0, len(s), step):
        rows = slice(at, at + step)
        n_now, leak = np.zeros_like(total[rows]), None
        for _ in range(ROUNDS):
            o[rows], n_now, x[rows], leak, change[rows] = _round(c, total[rows], b_all[rows], n_now, leak)
        n[rows] = n_now
    failed = np.zeros(o.shape, dtype=bool)
    weak = np.nonzero(~(change <= SETTLED_V))  # NaN among them
    if len(weak[0]):
        part = c.take(weak[1])
        o[weak], n[weak], x[weak], failed[weak] = _carefully(part, total[weak], b_all[weak])
    return Rectified(o, n, x, failed)


def _roughly(c: Rectifier, total: Array) -> Rectified:
    o = c.r_o * np.maximum(-total / c.k, 0.0)
    x = o + np.where(total < 0, 0.6, -0.6)
    return Rectified(o, (c.op.x_0 - x) / c.op.a_n, x, np.zeros(o.shape, dtype=bool))


def _round(
    c: Rectifier, total: Array, b: Array | float, n: Array, leak: Array | None
) -> tuple[Array, Array, Array, Array, Array]:
    """One Newton step in n. Answers o, n, x, the leakage i_2, and what bounds the error left in o."""
    sigma = total - c.d * n
    on = sigma < 0
    is_1 = np.where(on, c.dp.i_s, c.dn.i_s)
    is_2 = np.where(on, c.dn.i_s, c.dp.i_s)
    i_2 = -is_2 if leak is None else leak
    scale = np.where(on, -1.0 / c.k, 1.0)
    i_1 = np.maximum(np.where(on, sigma - i_2, sigma + c.k * i_2) * scale, is_1)
    v_1 = c.dp.vte * np.log1p(i_1 / is_1)
    v_1 = c.dp.vte * np.log1p(np.maximum(i_1 - GMIN * v_1, 0.0) / is_1)
    r_1 = np.where(on, c.dp.r_s, c.dn.r_s)
    i_p = np.where(on, i_1, i_2)
    o = c.r_o * (i_p + c.g_f * n + b)
    drop = v_1 + r_1 * i_1
    d = np.where(on, o + drop, n - drop)
    r_2 = np.where(on, c.dn.r_s, c.dp.r_s)
    v_2 = np.where(on, n, -o) + np.where(on, -d, d) - r_2 * i_2
    i_2_new = _leakage(v_2, is_2, c.dp.vte)
    x = d + c.op.rout * np.where(on, i_1 - i_2, i_2 - i_1)
    # dx/dn through i_1 alone: i_1 moves by D/k (on) or -D (off) per volt
    by_current = c.dp.vte / (i_1 + is_1) + r_1 + c.op.rout
    slope = np.where(on, c.r_o * c.g_f + (c.d / c.k) * (c.r_o + by_current), 1.0 + c.d * by_current)
    a_n = c.op.a_n
    step = (n + (x - c.op.x_0) / a_n) / (1.0 + slope / a_n)
    n_new = n - step
    # what the change of leakage and of n still moves the output by
    change = np.abs(i_2_new - i_2) * np.where(on, c.r_o / c.k, c.r_o) + np.abs(step) * np.where(
        on, c.d * c.r_o / c.k, 1.0
    )
    o = c.r_o * (np.where(on, (i_2_new - (total - c.d * n_new)) / c.k, i_2_new) + c.g_f * n_new + b)
    change = np.where(i_1 < CONDUCTS * is_1, np.inf, change * _contraction(i_1, is_1, is_2, c, on))
    return o, n_new, x, i_2_new, change


def _contraction(i_1: Array, is_1: Array, is_2: Array, c: Rectifier, on: NDArray[np.bool_]) -> Array:
    """Bound on the factor by which the next round's change is smaller than this one's."""
    leak = (is_2 / i_1) * (c.dp.vte / i_1 + c.r_o) / c.dp.vte * is_1 / np.where(on, c.k, 1.0)
    gain = c.d / c.k * (c.r_o + c.dp.vte / i_1 + c.op.rout) / c.op.a_n
    result: Array = np.minimum(1.0, 4.0 * leak + gain * gain + 1e-3)
    return result


def _leakage(v: Array, i_s: Array, vte: float) -> Array:
    return junction(v, i_s, vte)[0]


def _carefully(c: Rectifier, total: Array, b: Array | float) -> tuple[Array, Array, Array, NDArray[np.bool_]]:
    """Newton in the two junction voltages, steps held to 2 N kT/q, for elements (m,).

    The summing node follows from the op-amp, n = (x_0 - x) / a_n, and not from its currents: D is 0
    for a neuron that no resistor drives or loads, and a difference of currents would lose digits.
    """
    vte, r_p, r_n, rout = c.dp.vte, c.dp.r_s, c.dn.r_s, c.op.rout
    conducting = np.where(total < 0, -total / c.k / c.dp.i_s, total / c.dn.i_s)
    v = vte * np.log1p(conducting)
    beyond = c.r_o * np.maximum(-total / c.k, 0.0)  # the output stands between the two diodes
    v_p, v_n = np.where(total < 0, v, -v), np.where(total < 0, -v - beyond, v)
    held = c.op.a_n + c.r_o * c.g_f
    active = np.ones(total.shape, dtype=bool)
    for _ in range(NEWTON_STEPS):
        i_p, g_p = junction(v_p, c.dp.i_s, vte)
        i_n, g_n = junction(v_n, c.dn.i_s, vte)
        n = _summing_node(c, v_p, i_p, i_n, b)
        d = c.r_o * (i_p + c.g_f * n + b) + v_p + r_p * i_p
        n_p, n_n = -((c.r_o + r_p + rout) * g_p + 1.0) / held, rout * g_n / held
        d_p, d_n = 1.0 + (c.r_o + r_p) * g_p + c.r_o * c.g_f * n_p, c.r_o * c.g_f * n_n
        f_1 = total - c.d * n + c.k * i_p - i_n
        f_2 = n - d - v_n - r_n * i_n
        a11, a12 = c.k * g_p - c.d * n_p, -g_n - c.d * n_n
        a21, a22 = n_p - d_p, n_n - d_n - 1.0 - r_n * g_n
        det = a11 * a22 - a12 * a21
        step_p, step_n = (a12 * f_2 - a22 * f_1) / det, (a21 * f_1 - a11 * f_2) / det
        largest = np.maximum(np.abs(step_p), np.abs(step_n))
        scale = np.minimum(1.0, 2.0 * vte / np.maximum(largest, 1e-300))
        v_p, v_n = v_p + scale * step_p, v_n + scale * step_n
        active = ~(largest <= STEP_V)  # NaN has not converged
        if not active.any():
            break
    i_p, _ = junction(v_p, c.dp.i_s, vte)
    i_n, _ = junction(v_n, c.dn.i_s, vte)
    n = _summing_node(c, v_p, i_p, i_n, b)
    return c.r_o * (i_p + c.g_f * n + b), n, c.op.x_0 - c.op.a_n * n, active


def _summing_node(c: Rectifier, v_p: Array, i_p: Array, i_n: Array, b: Array | float) -> Array:
    """n from x = o + v_p + r_p i_p + rout (i_p - i_n) and x = x_0 - a_n n."""
    x_at_0 = c.r_o * (i_p + b) + v_p + c.dp.r_s * i_p + c.op.rout * (i_p - i_n)
    n: Array = (c.op.x_0 - x_at_0) / (c.op.a_n + c.r_o * c.g_f)
    return n
