"""Converters at a network's ends, as energy: input DACs, output ADCs, or comparators for a class.

Their figures stand in `converters.toml`, each with its source; a user edits a copy.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from analognet import resources
from analognet.errors import InputError, UsageError
from analognet.names import did_you_mean, printable
from analognet.settings_file import read_settings

PACKAGED: Final = resources.data("converters.toml")
OUTPUTS: Final = ("comparators", "adc")
_STRICT = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
Positive = Annotated[float, Field(gt=0)]


class Converter(BaseModel):
    """One converter. power_w: of a package with `channels`, drawn all the time; or fom_j: Walden,
    joules per conversion step; or energy_j: of one conversion.
    """

    model_config = _STRICT
    kind: Literal["dac", "adc", "comparator"]
    bits: Annotated[int, Field(ge=1, le=32)]
    rate_hz: Positive
    source: str
    channels: Annotated[int, Field(ge=1)] = 1
    enob: Positive | None = None
    fom_j: Positive | None = None
    power_w: Positive | None = None
    energy_j: Positive | None = None

    def energy(self, duration_s: float) -> float:
        """Joules of one channel over an inference of this length: at least one conversion's time."""
        if self.energy_j is not None:
            return self.energy_j
        if self.fom_j is not None:
            return float(self.fom_j * 2.0 ** (self.enob or self.bits))
        assert self.power_w is not None
        return self.power_w / self.channels * max(duration_s, 1.0 / self.rate_hz)


class ConverterSet(BaseModel):
    """Names of the converters used together."""

    model_config = _STRICT
    title: str
    dac: str
    adc: str
    comparator: str


class Converters(BaseModel):
    """A converter file."""

    model_config = _STRICT
    sets: dict[str, ConverterSet]
    converter: dict[str, Converter]


@dataclass(frozen=True)
class ConverterEnergy:
    """One line: `count` converters, joules in all for one inference, and the time a conversion takes."""

    name: str
    part: str
    count: int
    bits: int
    rate_hz: float
    energy_j: float
    time_s: float
    source: str


def load_converters(path: Path | None = None) -> Converters:
    """Read a converter file, the packaged one by default. Raises InputError naming key and fault."""
    path = path or PACKAGED
    where = f"converter file '{printable(path.name)}'"
    found = read_settings(path, Converters, where)
    for name, converter in found.converter.items():
        given = [converter.fom_j, converter.power_w, converter.energy_j]
        if sum(v is not None for v in given) != 1:
            raise InputError(f"{where}: converter {name} must have one of fom_j, power_w and energy_j")
    for name, chosen in found.sets.items():
        for kind, part in (("dac", chosen.dac), ("adc", chosen.adc), ("comparator", chosen.comparator)):
            if part not in found.converter or found.converter[part].kind != kind:
                raise InputError(f"{where}: set {printable(name)}: no {kind} is called '{printable(part)}'")
    return found


def converter_energies(
    n_in: int,
    n_out: int,
    duration_s: float,
    *,
    chosen: str = "board",
    outputs: str = "comparators",
    file: Converters | None = None,
) -> tuple[ConverterEnergy, ...]:
    """The converters' lines for one inference of duration_s seconds.

    outputs: `comparators`, n_out - 1 of them (1 for a single output) that find the largest
    output, or `adc`, one an output. Raises UsageError.
    """
    file = file or load_converters()
    if chosen not in file.sets:
        raise UsageError(
            f"converters '{printable(chosen)}' are unknown; there are {', '.join(file.sets)}"
            f"{did_you_mean(chosen, file.sets)}"
        )
    if outputs not in OUTPUTS:
        raise UsageError(f"output converters '{printable(outputs)}': choose from {', '.join(OUTPUTS)}")
    parts = file.sets[chosen]
    lines = [("input DACs", parts.dac, n_in)]
    if outputs == "adc":
        lines.append(("output ADCs", parts.adc, n_out))
    else:
        lines.append(("output comparators", parts.comparator, max(1, n_out - 1)))
    found = []
    for name, part, count in lines:
        c = file.converter[part]
        energy = count * c.energy(duration_s)
        found.append(ConverterEnergy(name, part, count, c.bits, c.rate_hz, energy, 1 / c.rate_hz, c.source))
    return tuple(found)
