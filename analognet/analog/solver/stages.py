"""Op-amp stages whose clamps do not conduct: linear in what drives them, so solved beforehand.

One op-amp with a feedback conductance G_f from its output to its inverting input, the current s that
the inputs send into that node when it is at 0 V, their total conductance G_n, the voltage v_p at the
other input, and a load L, b at the output (it draws L v - b):

    n:    s - G_n n + G_f (v - n) - i_n = 0
    out:  (x - v) / rout + G_f (n - v) + b - L v = 0
    x  =  a_p v_p - a_n n + x_0

With D = G_n + G_f, beta = G_f / D, H = 1 + rout (G_f + L) and A = a_n - rout G_f, elimination of n
and x gives

    v = (a_p v_p + x_0 + rout b - A (s - i_n) / D) / (H + A beta)

which is the textbook's -s / G_f where A beta is large.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analognet.analog.solver.opamps import Opamps
from analognet.network import Array


@dataclass(frozen=True, eq=False)
class Stage:
    """v = by_p v_p + by_s s + by_b b + v_0, all (n,); n and x follow from v."""

    op: Opamps
    g_f: Array
    d: Array
    h: Array
    by_p: Array
    by_s: Array
    by_b: Array
    v_0: Array

    @staticmethod
    def of(op: Opamps, g_n: Array, g_f: Array, load: Array) -> Stage:
        d = g_n + g_f
        d = np.where(d > 0, d, 1.0)  # a place without an op-amp: any value will do
        h = 1.0 + op.rout * (g_f + load)
        a = op.a_n - op.rout * g_f
        loop = h + a * g_f / d
        return Stage(
            op, g_f, d, h,
            by_p=op.a_p / loop,
            by_s=-a / d / loop,
            by_b=op.rout / loop,
            v_0=(op.x_0 + a * op.i_n / d) / loop,
        )  # fmt: skip

    def summing_node(self, s: Array, v: Array) -> Array:
        return (s - self.op.i_n + self.g_f * v) / self.d

    def gain_node(self, v: Array, n: Array, b: Array | float) -> Array:
        return v * self.h - self.op.rout * (self.g_f * n + b)


@dataclass(frozen=True, eq=False)
class Follower:
    """A follower of v_p behind a load L, b: v = (a_p v_p + x_0 + rout (b - i_n)) / (1 + rout L + a_n)."""

    op: Opamps
    load: Array

    def output(self, v_p: Array, b: Array | float) -> Array:
        op = self.op
        v: Array = (op.a_p * v_p + op.x_0 + op.rout * (b - op.i_n)) / (1.0 + op.rout * self.load + op.a_n)
        return v

    def gain_node(self, v: Array, b: Array | float) -> Array:
        x: Array = v * (1.0 + self.op.rout * self.load) + self.op.rout * (self.op.i_n - b)
        return x

    @property
    def by_b(self) -> Array:
        resistance: Array = self.op.rout / (1.0 + self.op.rout * self.load + self.op.a_n)
        return resistance
