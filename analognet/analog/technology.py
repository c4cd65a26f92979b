"""A technology: the rails, the parts and the limits that a circuit is built from.

One TOML file each, beside the cells it uses. A user adds a process by adding a file, here or
anywhere: `--technology my_board.toml`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from analognet import resources
from analognet.analog.resistors import check_series, pot_bits
from analognet.errors import InputError, UsageError
from analognet.names import did_you_mean, printable
from analognet.network import Array
from analognet.settings_file import read_toml

NOMINAL_C: Final = 27.0  # SPICE's nominal temperature
# corners of a process that say something of its resistors: hh has high resistance and capacitance
RESISTANCE_CORNERS: Final = {"ll": -1, "lh": -1, "hl": 1, "hh": 1}

LIMITS: Final = "limits.toml"  # beside a technology: what its cells are held to, no technology
_STRICT = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
CellName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Positive = Annotated[float, Field(gt=0)]


class Potentiometer(BaseModel):
    """A digital potentiometer used as a rheostat: the wiper, and 2^n - 1 equal steps."""

    model_config = _STRICT
    end_to_end_ohm: Positive = 100e3  # MCP41HV51-104 (Microchip DS20005207): 8 bits, up to +-18 V
    wiper_ohm: Positive = 75.0


class Strip(BaseModel):
    """A resistor on a chip: a strip of polysilicon, as long as its resistance asks for.

    R = end_ohm + ohm_per_um L. area_f: F/m^2 to the substrate below; fringe_f: F/m along each edge;
    match_um: relative sigma of a strip of W L = 1 um^2; tc1, tc2: 1/K and 1/K^2 about tnom (C), of
    all strips alike; spread: relative, from nominal to the process's resistance corners, and
    tc1_spread: 1/K, what tc1 gains at the high one.
    """

    model_config = _STRICT
    width_um: Positive
    pitch_um: Positive  # width and the space to the next strip
    ohm_per_um: Positive
    end_ohm: float = 0.0
    end_um: Annotated[float, Field(ge=0)] = 0.0  # contact heads, both together
    area_f: Annotated[float, Field(ge=0)]
    fringe_f: Annotated[float, Field(ge=0)]
    match_um: Annotated[float, Field(ge=0)]
    tc1: float
    tc2: float
    tnom: float = 25.0
    spread: Annotated[float, Field(ge=0, lt=1)] = 0.0
    tc1_spread: float = 0.0

    def length_um(self, ohms: Array) -> Array:
        """Lengths in um of strips of these resistances in ohms, heads not counted."""
        return (np.asarray(ohms) - self.end_ohm) / self.ohm_per_um

    def capacitance(self, ohms: Array) -> Array:
        """F from each strip to the substrate, fringes included."""
        length = (self.length_um(ohms) + self.end_um) * 1e-6
        return length * (self.area_f * self.width_um * 1e-6 + 2 * self.fringe_f)

    def area(self, ohms: Array) -> Array:
        """m^2 that each strip takes, with its share of the space to its neighbours."""
        return (self.length_um(ohms) + self.end_um) * self.pitch_um * 1e-12

    def sigma(self, ohms: Array) -> Array:
        """Relative standard deviation of each strip against its neighbours (Pelgrom)."""
        area = np.maximum(self.length_um(ohms), self.width_um) * self.width_um
        return self.match_um / np.sqrt(area)

    def factor(self, temperature: float, corner: str) -> float:
        """R / R(nominal, 27 C) at a temperature in Celsius, at one of the process's corners."""
        t, t0 = temperature - self.tnom, NOMINAL_C - self.tnom
        side = RESISTANCE_CORNERS.get(corner, 0)
        tc1 = self.tc1 + side * self.tc1_spread
        hot = (1 + self.spread * side) * (1 + tc1 * t + self.tc2 * t * t)
        return hot / (1 + self.tc1 * t0 + self.tc2 * t0 * t0)


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
    strip: Strip | None = None  # on a chip

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
    topologies); temperature: range in Celsius over which the cells are meant to work; topology: the
    one to use where none is asked for; supports: cells that a whole circuit has once (bias, the
    signal common); compensation: the cell of unit capacitors against ringing; process: the design kit
    whose devices the cells are made of.
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
    topology: str = "split"
    supports: tuple[CellName, ...] = ()
    compensation: CellName | None = None
    process: Literal["", "sky130"] = ""
    corners: tuple[str, ...] = ("tt",)
    supply_tolerance: Annotated[float, Field(ge=0, lt=0.5)] = 0.0

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
    return sorted(p.stem for d in _directories() for p in d.glob("*.toml") if p.name != LIMITS)


def _directories() -> tuple[Path, ...]:
    return resources.cells(), resources.sky130()


def directory_of(name: str) -> Path:
    """Where a packaged technology's file and cells are."""
    return next(d for d in _directories() if (d / f"{name}.toml").is_file())


def load_technology(name: str | Path) -> Technology:
    """A packaged technology by its name, or any other by the path of its TOML file.

    Raises UsageError for an unknown name and InputError for a file that cannot be used.
    """
    text = str(name)
    if text in available():
        return read_technology(directory_of(text) / f"{text}.toml")
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
