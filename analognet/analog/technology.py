"""A technology: the rails, the parts and the limits that a circuit is built from.

One TOML file each, beside the cells it uses. A user adds a process by adding a file, here or
anywhere: `--technology my_board.toml`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from analognet import resources
from analognet.analog.resistors import check_series, pot_bits
from analognet.errors import InputError, UsageError
from analognet.names import did_you_mean, printable
from analognet.settings_file import read_toml

_STRICT = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
CellName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Positive = Annotated[float, Field(gt=0)]


class Potentiometer(BaseModel):
    """A digital potentiometer used as a rheostat: the wiper, and 2^n - 1 equal steps."""

    model_config = _STRICT
    end_to_end_ohm: Positive = 100e3  # MCP41HV51-104 (Microchip DS20005207): 8 bits, up to +-18 V
    wiper_ohm: Positive = 75.0


class ResistorKind(BaseModel):
    """What a resistor of this technology can be.

    min_ohm, max_ohm: range; a weight that would need more than twice max_ohm is dropped.
    tolerance: relative, one standard deviation a third of it. tempco: 1/K. series: exact, E24,
    E96, E192, or potN: weights are N-bit potentiometers, other resistors are E192.
    """

    model_config = _STRICT
    min_ohm: Positive
    max_ohm: Positive
    feedback_ohm: Positive  # preferred R_f; raised where a layer's largest weight asks for it
    tolerance: Annotated[float, Field(ge=0, lt=1)]
    tempco: float = 0.0
    series: str = "exact"
    pot: Potentiometer = Potentiometer()

    @property
    def weight_span(self) -> tuple[float, float]:
        """(smallest, largest) resistance in ohms that a weight can be."""
        bits = pot_bits(self.series)
        if bits is None:
            return self.min_ohm, self.max_ohm
        end = self.pot.end_to_end_ohm
        return self.pot.wiper_ohm + end / (2**bits - 1), self.pot.wiper_ohm + end

    @property
    def largest_weight_ohm(self) -> float:
        """The resistance that a layer's largest weight should have at least, in ohms.

        A rheostat's steps are equal in ohms: a small resistance is coarse, and the largest one sets
        the smallest weight. The geometric middle of its steps divides the error evenly.
        """
        bits = pot_bits(self.series)
        return self.min_ohm if bits is None else self.pot.end_to_end_ohm / 2 ** (bits / 2)


class Technology(BaseModel):
    """Rails in volts against the signal common, parts by cell name, and limits.

    full_scale: volts of the largest signal at an input or a layer's output; reference: the
    voltage that drives the biases; activations: activation name -> cell; amplifiers: activation
    name -> rectifying amplifier that can stand in a summing op-amp's place (virtual-ground
    topologies); temperature: range in Celsius over which the cells are meant to work.
    """

    model_config = _STRICT
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
    title: str
    vdd: float
    vss: float
    reference: Positive
    full_scale: Annotated[float, Field(ge=1e-3)]  # below a millivolt there is only noise
    opamp: CellName
    resistor: ResistorKind
    activations: dict[str, CellName]
    amplifiers: dict[str, CellName] = {}
    inverter: CellName = "inverter"
    temperature: tuple[float, float] = (-40.0, 125.0)

    def cell_for(self, activation: str, layer: str) -> str:
        """The cell that computes an activation. Raises InputError naming the layer and what there is."""
        if activation not in self.activations:
            raise InputError(
                f"layer '{printable(layer)}': activation '{activation}' has no cell; "
                f"technology {self.name} has {', '.join(sorted(self.activations)) or 'none'}"
            )
        return self.activations[activation]


def available() -> list[str]:
    """Names of the packaged technologies."""
    return sorted(p.stem for p in resources.cells().glob("*.toml"))


def load_technology(name: str | Path) -> Technology:
    """A packaged technology by its name, or any other by the path of its TOML file.

    Raises UsageError for an unknown name and InputError for a file that cannot be used.
    """
    text = str(name)
    if text in available():
        return read_technology(resources.cells() / f"{text}.toml")
    path = Path(text)
    if path.suffix != ".toml":
        raise UsageError(
            f"technology '{printable(text)}' is unknown; there are {', '.join(available())}, or a .toml file"
            f"{did_you_mean(text, available())}"
        )
    return read_technology(path)


def read_technology(path: Path) -> Technology:
    """Read and check one TOML file. Raises InputError with file, key and fault."""
    where = f"technology file '{printable(path.name)}'"
    return parse_technology(read_toml(path, where), where)


def parse_technology(values: object, where: str) -> Technology:
    """A Technology from plain values, checked. Raises InputError that begins with `where`."""
    try:
        technology = Technology.model_validate(values)
    except ValidationError as e:
        first = e.errors()[0]
        key = ".".join(printable(k) for k in first["loc"])
        raise InputError(f"{where}: {key + ': ' if key else ''}{printable(first['msg'])}") from None
    try:
        check_series(technology.resistor.series)
    except UsageError as e:
        raise InputError(f"{where}: {e}") from None
    low, high = technology.resistor.min_ohm, technology.resistor.max_ohm
    if not low <= technology.resistor.feedback_ohm <= high:
        raise InputError(f"{where}: feedback_ohm must lie in [{low:g}, {high:g}], the resistor's own range")
    if not technology.vss <= 0 < technology.vdd:
        raise InputError(
            f"{where}: vdd must be above 0 and vss at or below it, both against the signal common"
        )
    return technology
