"""The first op-amps of the split topology: they sum what positive weights ask for, inverted.

Each is a linear stage (`stages`) whose load is the link resistor to the second op-amp's summing node n:

    u = c_s S+ + c_b G_link n + c_0
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analognet.analog.solver.opamps import Opamps
from analognet.analog.solver.stages import Stage
from analognet.network import Array

NEAR_CLAMP_V: Final = 5e-3  # room for single precision, and for what the voltage of n does


@dataclass(frozen=True, eq=False)
class FirstStages:
    """n of them: g_pos (n, n_in + 1), g_f, g_link (n,) siemens; g_link is 0 where a neuron has none."""

    op: Opamps
    g_pos: Array
    g_f: Array
    g_link: Array

    @cached_property
    def stage(self) -> Stage:
        return Stage.of(self.op, self.g_pos.sum(axis=1), self.g_f, self.g_link)

    @property
    def present(self) -> NDArray[np.bool_]:
        return np.asarray(self.g_link > 0)

    def solve(self, s: Array, n: Array) -> tuple[Array, NDArray[np.bool_]]:
        """(summing nodes p, where a clamp is near), (N, n) each, for S+ and n (N, n)."""
        stage = self.stage
        u = stage.by_s * s + stage.by_b * self.g_link * n + stage.v_0
        p = np.where(self.present, stage.summing_node(s, u), 0.0)
        near = self.op.clips(stage.gain_node(u, p, self.g_link * n))
        return p, np.asarray(self.present & near)

    def near_clamps(self, v: Array) -> NDArray[np.bool_]:
        """(N, n) where a clamp may be near, for input voltages v (N, n_in + 1): in single precision.

        For layers on ideal sources, where nothing else needs S+.
        """
        least, most = (bound.astype(np.float32) for bound in self.bounds())
        s = v.astype(np.float32) @ self._g_pos32
        return np.asarray((s < least) | (s > most))

    def bounds(self) -> tuple[Array, Array]:
        """(n,) amperes: S+ outside them may bring a clamp near. Infinite where there is no op-amp.

        With n at 0 V the gain node is x = (H - rout G_f^2 / D) u + ..., so bounds on x are bounds on S+.
        """
        stage = self.stage
        room = NEAR_CLAMP_V + self.op.margin
        to_x = np.abs(stage.h - self.op.rout * self.g_f * self.g_f / stage.d)
        upper = ((self.op.hi - room) / to_x - stage.v_0) / stage.by_s
        lower = ((self.op.lo + room) / to_x - stage.v_0) / stage.by_s
        # by_s < 0: the bounds change places
        return np.where(self.present, upper, -np.inf), np.where(self.present, lower, np.inf)

    @cached_property
    def _g_pos32(self) -> NDArray[np.float32]:
        return np.ascontiguousarray(self.g_pos.T, dtype=np.float32)
