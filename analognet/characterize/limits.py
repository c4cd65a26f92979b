"""Limits that cells are held to: `limits.toml` beside the cells, by family or by cell."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, RootModel, model_validator

from analognet.analog.cells import Cell
from analognet.analog.characterized import FAMILIES
from analognet.characterize import figures
from analognet.errors import InputError
from analognet.names import printable
from analognet.settings_file import read_settings


class Limit(BaseModel):
    """min, max: of every point; sigma: the largest standard deviation by mismatch. Units as measured."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    min: float | None = None
    max: float | None = None
    sigma: float | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Limit:
        if self.min is None and self.max is None and self.sigma is None:
            raise ValueError("a limit has min, max or sigma")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min is above max")
        return self


class Limits(RootModel[dict[str, dict[str, Limit]]]):
    """Family or cell -> figure -> limit. What a cell's own table says goes before its family's."""

    model_config = ConfigDict(frozen=True)

    def of(self, cell: Cell) -> dict[str, Limit]:
        """The limits of one cell, by figure."""
        return {**self.root.get(cell.family, {}), **self.root.get(cell.name, {})}


def read_limits(path: Path, cells: Mapping[str, Cell]) -> Limits:
    """Read and check one file. Raises InputError with file, key and fault."""
    where = f"limits file '{printable(path.name)}'"
    limits = read_settings(path, Limits, where)
    for name, table in limits.root.items():
        if name not in cells and name not in FAMILIES:
            raise InputError(
                f"{where}: '{printable(name)}' is neither a family ({', '.join(FAMILIES)}) nor a cell "
                f"({', '.join(sorted(cells)) or 'there are none'})"
            )
        for key in table:
            if not figures.known(key):
                raise InputError(
                    f"{where}: {printable(name)}: '{printable(key)}' is not measured; figures are "
                    f"{', '.join(figures.FIGURES)}"
                )
    return limits
