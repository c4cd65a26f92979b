"""A technology's cells as they are to be characterised, and what is known of them already."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from analognet import resources
from analognet.analog.cells import Cell, library
from analognet.analog.technology import LIMITS, Technology, directory_of, load_technology
from analognet.characterize.fixture import Fixture
from analognet.characterize.limits import Limits, read_limits
from analognet.characterize.measure import FAMILIES
from analognet.errors import InputError, UsageError
from analognet.names import printable

DATASHEETS: Final = "datasheets"  # the directory beside the cells that holds their goldens


@dataclass(frozen=True)
class Kit:
    """A technology, the cells it can use, those in its own directory, and their limits."""

    technology: Technology
    cells: Mapping[str, Cell]
    own: tuple[str, ...]
    limits: Limits

    def fixture(self, name: str) -> Fixture:
        """A cell to characterise. Raises UsageError for one that is not there."""
        if name not in self.cells:
            raise UsageError(f"cell '{printable(name)}' is not there; there are {', '.join(self.own)}")
        return Fixture(self.cells[name], self.technology, self.cells)


def open_kit(name: str | Path) -> Kit:
    """A technology by name or TOML file, with its cells and limits.

    Raises UsageError for one whose cells are not made of a process's devices, InputError for files that
    cannot be used or a cell that the technology names and does not have.
    """
    technology = load_technology(name)
    if not technology.process:
        raise UsageError(
            f"technology {technology.name} is built of bought parts, whose figures are data sheets'; "
            "characterize takes one with a process, as sky130"
        )
    path = Path(name)
    home = path.parent if path.suffix == ".toml" else directory_of(str(name))
    cells = library(*dict.fromkeys([resources.sky130(), home]))
    for needed in (technology.opamp, *technology.supports):
        if needed not in cells:
            raise InputError(
                f"technology {technology.name}: cell '{needed}' is not among the cells: "
                f"{', '.join(sorted(cells)) or 'there are none'}"
            )
    own = tuple(n for n, cell in sorted(library(home).items()) if cell.family in FAMILIES)
    limits = read_limits(home / LIMITS, cells) if (home / LIMITS).is_file() else Limits({})
    return Kit(technology, cells, own, limits)


@dataclass(frozen=True)
class Range:
    """What cells were characterised over. temperature in Celsius, supply over the nominal one."""

    corners: tuple[str, ...]
    temperature: tuple[float, float]
    supply: tuple[float, float]

    def check(self, corner: str, temperature: float, supply: float = 1.0) -> None:
        """Raise UsageError, with the range, for a point outside of it."""
        if corner not in self.corners:
            raise UsageError(
                f"corner '{printable(corner)}' was not characterised; {', '.join(self.corners)} were"
            )
        for what, unit, value, (low, high) in (
            ("temperature", " C", temperature, self.temperature),
            ("supply", " of nominal", supply, self.supply),
        ):
            if not low - 1e-9 <= value <= high + 1e-9:
                raise UsageError(
                    f"{what} {value:g}{unit}: the cells were characterised from {low:g} to {high:g}"
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
        try:
            conditions = json.loads(path.read_bytes())["conditions"]
            found.append((conditions["corners"], conditions["temperature_c"], conditions["supply"]))
            if not all(found[-1]):
                raise ValueError("it has no points")
        except (OSError, ValueError, LookupError, TypeError, RecursionError) as e:
            raise InputError(f"datasheet '{printable(path.name)}' cannot be read: {printable(e)}") from None
    if not found:
        return None
    corners = [c for c in found[0][0] if all(c in other for other, _, _ in found)]
    return Range(tuple(corners), _common(t for _, t, _ in found), _common(s for _, _, s in found))


def _common(ranges: Iterable[Sequence[float]]) -> tuple[float, float]:
    all_of_them = list(ranges)
    return max(min(r) for r in all_of_them), min(max(r) for r in all_of_them)
