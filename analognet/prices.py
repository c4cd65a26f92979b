"""Prices, packages and courtyards: `prices.toml`, of which a user edits a copy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from analognet import resources
from analognet.names import printable
from analognet.settings_file import read_settings

PACKAGED: Final = resources.data("prices.toml")
_STRICT = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
Price = Annotated[float, Field(ge=0)]


class Part(BaseModel):
    """A kind of part. units: how many are in a package; source and date: of its price, where they
    are not the file's.
    """

    model_config = _STRICT
    part: str
    package: str
    price: Price
    units: Annotated[int, Field(ge=1)] = 1
    source: str | None = None
    date: str | None = None


class Board(BaseModel):
    """fill: share of the board under courtyards; price_m2: of the board itself."""

    model_config = _STRICT
    fill: Annotated[float, Field(gt=0, le=1)]
    price_m2: Price
    area_note: str = ""


class Prices(BaseModel):
    """A price file."""

    model_config = _STRICT
    currency: str
    source: str
    date: str
    board: Board
    opamp: dict[str, Part]
    resistor: Part
    potentiometer: Part
    capacitor: Part
    decoupling: Part
    diode: Part
    transistor: Part
    transistor_pair: Part
    reference: Part
    dac: Part
    comparator: Part
    adc: Part
    courtyard: dict[str, Annotated[float, Field(gt=0)]]


def load_prices(path: Path | None = None) -> Prices:
    """Read a price file, the packaged one by default. Raises InputError naming key and fault."""
    path = path or PACKAGED
    where = f"price file '{printable(path.name)}'"
    return read_settings(path, Prices, where)
