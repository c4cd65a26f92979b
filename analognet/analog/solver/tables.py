"""Activation cells as tables: for cells that no closed form covers.

Between its input, driven by an op-amp, and its output, which is an op-amp's, a cell is a function of
its input voltage z alone, but for a slight output resistance: y(z), the input current i(z) and
r(z) = dy/di. The cell's own equations are solved at grid points; cubic Hermite polynomials with
the exact slopes lie between, and the grid is halved wherever its midpoints disagree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analognet.analog.solver.hardware import CellRow
from analognet.analog.solver.island import Island
from analognet.errors import SimulatorError
from analognet.network import Array

START: Final = 257  # grid points before refinement
TOLERANCE_V: Final = 3e-12  # at midpoints; Hermite's error is largest there
RESTARTS: Final = 40
MOST_POINTS: Final = 40_000
Points = tuple[Array, Array, Array, Array, Array]  # y, dy/dz, i, di/dz, r


@dataclass(frozen=True, eq=False)
class CellTable:
    """A cell's y, slope, input current, its slope, and output resistance over the grid z (k,)."""

    z: Array
    y: Array
    y_slope: Array
    i: Array
    i_slope: Array
    r: Array

    def __call__(self, z: Array) -> tuple[Array, Array, Array]:
        """(y without load, input current, output resistance) at z of any shape, held to the grid's ends."""
        inside = np.clip(z, self.z[0], self.z[-1])
        at = np.clip(np.searchsorted(self.z, inside) - 1, 0, len(self.z) - 2)
        width = self.z[at + 1] - self.z[at]
        t = (inside - self.z[at]) / width
        return (
            _hermite(self.y, self.y_slope, at, width, t),
            _hermite(self.i, self.i_slope, at, width, t),
            self.r[at] + t * (self.r[at + 1] - self.r[at]),
        )


def _hermite(v: Array, slope: Array, at: NDArray[np.int64], width: Array, t: Array) -> Array:
    u = 1.0 - t
    value: Array = (
        u * u * (1.0 + 2.0 * t) * v[at]
        + t * t * (3.0 - 2.0 * t) * v[at + 1]
        + t * u * width * (u * slope[at] - t * slope[at + 1])
    )
    return value


def add_cell(
    island: Island, row: CellRow, index: NDArray[np.int64], prefix: str, nets: dict[str, str]
) -> None:
    """Put instances `index` (m,) of a cell into an island; nets: the cell's pins -> the island's nodes."""

    def net(name: str) -> str:
        return nets.get(name) or prefix + name

    for p in row.parts:
        nodes = [net(n) for n in p.nodes]
        if p.kind == "r":
            island.resistor(nodes[0], nodes[1], row.siemens[p.name][index])
        elif p.kind == "d":
            d = row.diodes[p.name].take(index)
            island.diode(nodes[0], nodes[1], d, prefix + p.name)
        elif p.kind == "q":
            island.transistor(nodes[0], nodes[1], nodes[2], row.transistors[p.name].take(index))
        elif p.kind == "opamp":
            island.opamp(nodes[0], nodes[1], nodes[2], row.opamps[p.name].take(index), prefix + p.name)


def tabulate(row: CellRow, neuron: int, vdd: float, vss: float, tolerance: float = TOLERANCE_V) -> CellTable:
    """The table of one instance over the whole supply range.

    Raises SimulatorError naming the cell and the input voltage where Newton's method fails.
    """

    def points(z: Array) -> Points:
        island = Island(len(z), {"0": 0.0, "com": 0.0, "vdd": vdd, "vss": vss, "in": z})
        add_cell(island, row, np.full(len(z), neuron), "", {"com": "0"})
        answer = island.solve("out", driven="in")
        for _ in range(RESTARTS):
            if answer.converged.all():
                break
            # from the solution of the nearest input voltage that has one
            good = np.flatnonzero(answer.converged)
            if not len(good):
                break
            nearest = good[np.abs(z[:, None] - z[good]).argmin(axis=1)]
            answer = island.solve("out", "in", {k: v[nearest] for k, v in answer.nodes.items()})
        if not answer.converged.all():
            at = float(z[np.flatnonzero(~answer.converged)[0]])
            raise SimulatorError(
                f"cell '{row.name}' of neuron {neuron}: Newton's method found no operating point "
                f"at an input of {at:.6g} V"
            )
        i = i_slope = np.zeros(len(z))
        for p in row.parts:
            if "in" not in p.nodes:
                continue
            if p.kind == "r":
                other = p.nodes[1] if p.nodes[0] == "in" else p.nodes[0]
                g = row.siemens[p.name][neuron]
                i = i + g * (z - answer.nodes[other])
                i_slope = i_slope + g * (1.0 - answer.gains.get(other, np.zeros(len(z))))
            elif p.kind != "c":
                raise SimulatorError(
                    f"cell '{row.name}': the solver expects nothing but resistors at its input"
                )
        return answer.nodes["out"], answer.gains["out"], i, i_slope, answer.resistance

    return _refined(points, np.linspace(vss, vdd, START), tolerance)


def _refined(points: Callable[[Array], Points], z: Array, tolerance: float) -> CellTable:
    table = CellTable(z, *points(z))
    fresh = np.ones(len(z) - 1, dtype=bool)
    while fresh.any() and len(table.z) < MOST_POINTS:
        at = np.flatnonzero(fresh)
        middle = (table.z[at] + table.z[at + 1]) / 2.0
        exact = points(middle)
        y, _, _ = table(middle)
        poor = (np.abs(y - exact[0]) > tolerance) & (table.z[at + 1] - table.z[at] > 1e-7)
        order = np.argsort(np.concatenate([table.z, middle]), kind="stable")
        merged = [
            np.concatenate([old, new])[order]
            for old, new in zip(
                (table.z, table.y, table.y_slope, table.i, table.i_slope, table.r),
                (middle, *exact),
                strict=True,
            )
        ]
        halved = np.zeros(len(order), dtype=bool)
        position = np.empty(len(order), dtype=np.int64)
        position[order] = np.arange(len(order))
        of_middle = position[len(table.z) :]
        halved[of_middle[poor]] = True  # both halves of a poor interval are looked at again
        table = CellTable(*merged)
        fresh = np.zeros(len(table.z) - 1, dtype=bool)
        fresh[np.flatnonzero(halved)] = True
        fresh[np.flatnonzero(halved) - 1] = True
    return table
