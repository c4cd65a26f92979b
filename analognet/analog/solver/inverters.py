"""The inverters of the dual-rail topology: one stage for each signal that some weight wants inverted."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analognet.analog.solver.hardware import CellRow
from analognet.analog.solver.island import Island
from analognet.analog.solver.stages import Stage
from analognet.analog.solver.tables import add_cell
from analognet.errors import InputError, SimulatorError
from analognet.network import Array

INVERTER: Final = (("r", ("in", "sum")), ("r", ("out", "sum")), ("opamp", ("com", "sum", "out")))


@dataclass(frozen=True, eq=False)
class Inverters:
    """n_in + 1 inverters before layer `layer`, the reference's last; used (n_in + 1,): which are there;
    load (n_in + 1,) siemens at their outputs.
    """

    row: CellRow
    used: NDArray[np.bool_]
    load: Array
    layer: int

    @cached_property
    def stage(self) -> Stage:
        if self.row.signature != INVERTER:
            raise InputError(f"inverter '{self.row.name}': the solver has no equations for it; use ngspice")
        rin, rf = (self.row.siemens[p.name] for p in self.row.parts[:2])
        return Stage.of(self.row.opamps[self.row.parts[2].name], rin, rf, self.load)

    @property
    def r_in(self) -> Array:
        """(n_in + 1,) siemens that they load their inputs with; 0 where there is none."""
        return np.where(self.used, self.row.siemens[self.row.parts[0].name], 0.0)

    def solve(
        self, v: Array, b: Array | None, reference: Array | None
    ) -> tuple[Array, Array, NDArray[np.bool_]]:
        """(outputs, summing nodes, clipped (N,)) for v and b (N, n_in + 1).

        reference: (N,) the inverted reference, where an earlier layer makes it. Raises SimulatorError.
        """
        stage = self.stage
        s = v * self.row.siemens[self.row.parts[0].name]
        b_now: Array | float = 0.0 if b is None else b
        out = stage.by_s * s + stage.by_b * b_now + stage.v_0
        m = stage.summing_node(s, out)
        clips: NDArray[np.bool_] = stage.op.clips(stage.gain_node(out, m, b_now)) & self.used
        if reference is not None:
            out[:, -1] = reference
            clips[:, -1] = False
        if clips.any():
            rows, columns = np.nonzero(clips)
            island = Island(len(rows), {"0": 0.0, "in": v[rows, columns]})
            add_cell(island, self.row, columns, "", {"com": "0"})
            island.resistor("out", "0", self.load[columns])
            island.current("out", 0.0 if b is None else b[rows, columns])
            answer = island.solve("out")
            if not answer.converged.all():
                signal = int(columns[~answer.converged][0])
                raise SimulatorError(
                    f"cell '{self.row.name}' of signal {signal} before layer {self.layer}, image "
                    f"{int(rows[~answer.converged][0])} of its block: Newton's method found no operating point"
                )
            out[rows, columns], m[rows, columns] = answer.nodes["out"], answer.nodes["sum"]
        return out, m, np.asarray(clips.any(axis=1))
