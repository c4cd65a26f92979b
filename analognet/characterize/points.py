"""Where a cell is measured: corner, temperature and supply of one chip, and the usual set of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from analognet.analog.technology import NOMINAL_C, RESISTANCE_CORNERS, Technology
from analognet.errors import UsageError
from analognet.names import printable


@dataclass(frozen=True, order=True)
class Point:
    """temperature in Celsius; supply: both rails over their nominal voltages."""

    corner: str = "tt"
    temperature: float = NOMINAL_C
    supply: float = 1.0

    def __str__(self) -> str:
        return f"{self.corner}, {self.temperature:g} C, {100 * self.supply:g} % supply"

    @property
    def nominal(self) -> bool:
        return self == Point()

    def rails(self, technology: Technology) -> tuple[float, float]:
        """(vdd, vss) in volts."""
        return technology.vdd * self.supply, technology.vss * self.supply


def grid(technology: Technology, corners: Sequence[str] | None = None, full: bool = False) -> list[Point]:
    """The points of a characterisation, the nominal one first where its corner is among them.

    Each transistor corner at the coldest, the nominal and the hottest temperature; each at the lowest
    supply when coldest and at the highest when hottest; the nominal corner at both supplies; resistor
    and capacitor corners at nominal temperature and supply. full: every corner, temperature and supply.
    Raises UsageError for a corner the technology does not have.
    """
    chosen = technology.corners if corners is None else tuple(dict.fromkeys(corners))
    for corner in chosen:
        if corner not in technology.corners:
            raise UsageError(
                f"corner '{printable(corner)}': technology {technology.name} has "
                f"{', '.join(technology.corners)}"
            )
    cold, hot = technology.temperature
    low, high = 1.0 - technology.supply_tolerance, 1.0 + technology.supply_tolerance
    nominal = Point()
    temperatures = (nominal.temperature, cold, hot)
    points = []
    for corner in chosen:
        if full:
            points += [Point(corner, t, s) for t, s in product(temperatures, (1.0, low, high))]
        elif corner in RESISTANCE_CORNERS:
            points.append(Point(corner))
        else:
            points += [Point(corner, t) for t in temperatures]
            points += [Point(corner, cold, low), Point(corner, hot, high)]
            if corner == nominal.corner:
                points += [Point(corner, supply=low), Point(corner, supply=high)]
    return sorted(dict.fromkeys(points), key=lambda p: not p.nominal)
