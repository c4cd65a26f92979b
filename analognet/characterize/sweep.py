"""A DC sweep that starts where the cells rest.

Beginning at a rail, where nothing works, costs dozens of continuation steps: so the source goes from its
resting value up to the highest, and then down through the whole range, which is what is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from analognet.network import Array

NET = "v(sw)"


@dataclass(frozen=True)
class Sweep:
    """Of the net `sw`, in volts against node 0: `points` values from low to high; it starts at start."""

    low: float
    high: float
    points: int
    start: float = 0.0

    @property
    def _rise(self) -> int:
        """Points on the way up, before the part that is read."""
        step = (self.high - self.low) / (self.points - 1)
        return ceil(max(self.high - self.start, 0.0) / step)

    def lines(self) -> list[str]:
        """The source, a table over an index."""
        first, last = self._rise, self._rise + self.points - 1
        start = f"0,{self.start:.9g}," if first else ""
        return [
            "Vidx idx 0 0",
            f"Bsw sw 0 V=pwl(v(idx),{start}{first},{self.high:.9g},{last},{self.low:.9g})",
        ]

    def card(self) -> str:
        return f".dc Vidx 0 {self._rise + self.points - 1} 1"

    def read(self, plot: Mapping[str, Array]) -> dict[str, Array]:
        """Every vector (points,) from low to high."""
        return {name: values[-self.points :][::-1] for name, values in plot.items()}
