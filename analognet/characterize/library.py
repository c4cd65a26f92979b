"""A technology's cells as they are to be characterised, and what is known of them already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from analognet import resources
from analognet.analog.cells import Cell, library
from analognet.analog.characterized import FAMILIES
from analognet.analog.technology import LIMITS, Technology, directory_of, load_technology
from analognet.characterize.fixture import Fixture
from analognet.characterize.limits import Limits, read_limits
from analognet.errors import InputError, UsageError
from analognet.names import printable


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
