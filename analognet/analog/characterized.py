"""What cells were characterised over, by their datasheets: beyond it a simulation would be a guess."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from analognet import resources
from analognet.analog.cells import Cell, library
from analognet.errors import InputError, UsageError
from analognet.names import printable

FAMILIES: Final = ("opamp", "amplifier", "activation", "support")  # of cells that have a datasheet
DATASHEETS: Final = "datasheets"  # the directory beside a technology's cells
_ROUNDING: Final = 1e-9


@dataclass(frozen=True)
class Range:
    """What cells were characterised over. temperature in Celsius, supply in volts from rail to rail."""

    corners: tuple[str, ...]
    temperature: tuple[float, float]
    supply: tuple[float, float]

    def check(self, corner: str, temperature: float, supply: float) -> None:
        """Raise UsageError, with the range, for a point outside of it."""
        if corner not in self.corners:
            raise UsageError(
                f"corner '{printable(corner)}' was not characterised; {', '.join(self.corners)} were"
            )
        for what, unit, value, (low, high) in (
            ("temperature", "C", temperature, self.temperature),
            ("supply", "V", supply, self.supply),
        ):
            if not low - _ROUNDING <= value <= high + _ROUNDING:
                raise UsageError(
                    f"{what} {value:g} {unit}: the cells were characterised from {low:g} to {high:g} {unit}"
                )


def characterized_range(directory: Path, names: Sequence[str]) -> Range | None:
    """The range that the datasheets in a directory have in common for these cells.

    None where one of them has no datasheet. Raises InputError for one that cannot be read.
    """
    found = []
    for name in names:
        path = directory / f"{name}.json"
        if not path.is_file():
            return None
        found.append(_conditions(path))
    if not found:
        return None
    corners = [c for c in found[0].corners if all(c in other.corners for other in found)]
    return Range(tuple(corners), _common(r.temperature for r in found), _common(r.supply for r in found))


def _conditions(path: Path) -> Range:
    try:
        conditions = json.loads(path.read_bytes())["conditions"]
        corners, temperatures, supplies = (conditions[k] for k in ("corners", "temperature_c", "supply"))
        volts = float(conditions["supply_v"])
        return Range(
            tuple(str(c) for c in corners),
            (float(min(temperatures)), float(max(temperatures))),
            (volts * min(supplies), volts * max(supplies)),
        )
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as e:
        raise InputError(f"datasheet '{printable(path.name)}' cannot be read: {printable(e)}") from None


def _common(ranges: Iterable[tuple[float, float]]) -> tuple[float, float]:
    all_of_them = list(ranges)
    return max(low for low, _ in all_of_them), min(high for _, high in all_of_them)


def shipped_range(used: Mapping[str, Cell]) -> Range | None:
    """The range of those cells of a design that are shipped ones, with their shipped datasheets.

    None where there are none: a cell of the user's own is held to what its technology states.
    """
    shipped = _shipped()
    names = [
        name
        for name, cell in used.items()
        if cell.family in FAMILIES and name in shipped and shipped[name].text == cell.text
    ]
    return characterized_range(resources.sky130() / DATASHEETS, sorted(names))


@cache
def _shipped() -> Mapping[str, Cell]:
    return library(resources.sky130())
