"""Cells: each is declared once, by its SPICE file; this module reads that declaration.

A cell file is a comment header followed by one `.subckt` (or, for a device, one `.model`):

    * One line that says what it is
    *@ family activation           core | opamp | amplifier | activation | inverter | support | capacitor | model
    *@ activation relu             what an activation or amplifier computes
    *@ polarity -1                 an activation that answers f(-v) instead of f(v)
    *@ source where the circuit and its values come from
    *@ pin in in                   one line per pin: name, role (in out common supply), meaning
    *@ param r Ohm                 one line per parameter: name, unit, meaning
    .subckt act_relu_diode in out com vdd vss params: r=10e3

Further `*@ key number ...` lines are the cell's ratings (headroom in volts, i_out in amperes ...).
Pins behind a family's own (a bias line, the signal common) are connected to the net of the same
name, which a support cell of the technology drives. A process's own devices (`sky130_fd_pr__...`)
are no cells: their models come from its design kit.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from analognet import resources
from analognet.analog import pdk
from analognet.errors import InputError
from analognet.loading.files import read_regular
from analognet.names import printable

FAMILIES: Final = ("core", "opamp", "amplifier", "activation", "inverter", "support", "capacitor", "model")
ROLES: Final = ("in", "out", "common", "supply")
OPAMP_PINS: Final = ("inp", "inn", "out", "vdd", "vss")
CELL_PINS: Final = ("in", "out", "com", "vdd", "vss")  # activations and inverters
OPAMP_ROLE: Final = "opamp"  # the name by which cells ask for the technology's op-amp

_FAMILY_PINS: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(("core", "opamp", "amplifier"), OPAMP_PINS),
    **dict.fromkeys(("activation", "inverter"), CELL_PINS),
    "support": (),
    "capacitor": ("a", "b"),
}
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_SIZE_LIMIT = 1 << 18
_ELEMENTS = frozenset("rclkdqmbegfhivx")
_CARDS = (".subckt", ".ends", ".param", ".model")
_BODY_TEXT = re.compile(r"[\x20-\x7e]*")
_BRACES = re.compile(r"\{([^{}]*)\}")
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[-+]?[0-9]+)?", re.IGNORECASE)
_PAIRS: Final = ("supply", "s_in", "slope")  # ratings that are a smallest and a largest value
_POSITIVE: Final = ("a0", "cmrr", "gbw", "slew")  # parameters that stand below a fraction bar


@dataclass(frozen=True)
class Cell:
    """One cell: a subcircuit or device model and what its header says of it.

    pins: (name, role) in order; defaults: parameter values of the `.subckt` line;
    units: parameter -> unit; ratings: numbers of the header; uses: the cells and models
    its body names, `opamp` standing for whichever op-amp the technology has; devices: those of a
    design kit, with their sizes.
    """

    name: str
    family: str
    title: str
    text: str
    pins: tuple[tuple[str, str], ...] = ()
    defaults: Mapping[str, float] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    ratings: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    uses: tuple[str, ...] = ()
    devices: pdk.Sizes = field(default_factory=dict)
    resistors: int = 0

    @property
    def pin_names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.pins)

    @property
    def figures(self) -> Mapping[str, float]:
        """What a part is rated at: its parameters' defaults, and its header's single numbers."""
        return {**{k: v[0] for k, v in self.ratings.items()}, **self.defaults}

    @property
    def activation(self) -> str | None:
        return self.words.get("activation")

    @property
    def polarity(self) -> int:
        """+1 for a cell that computes f(v), -1 for one that computes f(-v)."""
        return int(self.rating("polarity", 1.0))

    @property
    def behavioural(self) -> bool:
        return self.words.get("behavioural") == "yes"

    def rating(self, key: str, default: float) -> float:
        """A single number of the header, or the default where the header has none."""
        return self.ratings[key][0] if key in self.ratings else default


def parse_cell(text: str, name: str) -> Cell:
    """Read one cell file. Raises InputError naming the cell and the fault."""
    if not _NAME.fullmatch(name):
        raise InputError(f"cell name '{printable(name)}': use a-z, 0-9 and _, starting with a letter")
    words: dict[str, str] = {}
    ratings: dict[str, tuple[float, ...]] = {}
    units: dict[str, str] = {}
    roles: dict[str, str] = {}
    for line in text.splitlines():
        if not line.startswith("*@"):
            continue
        key, _, rest = line[2:].strip().partition(" ")
        rest = rest.strip()
        if key == "pin":
            pin, role, *_ = [*rest.split(), "", ""]
            if role not in ROLES:
                raise InputError(
                    f"cell '{name}': pin {printable(pin)} has no role; roles are {', '.join(ROLES)}"
                )
            roles[pin] = role
        elif key == "param":
            parameter, unit, *_ = [*rest.split(), "", ""]
            units[parameter] = unit
        else:
            words[key] = rest
            if numbers := _leading_numbers(rest):
                ratings[key] = numbers
    _check_body(text, name)
    family = words.get("family", "")
    if family not in FAMILIES:
        raise InputError(
            f"cell '{name}': family '{printable(family)}' is unknown; families are {', '.join(FAMILIES)}"
        )
    _check_ratings(name, words, ratings)
    first = text.lstrip().splitlines()[0] if text.strip() else ""
    title = words.get("title", first.lstrip("* ").strip())
    lines = logical_lines(text)
    if family == "model":
        if not lines or not all(line.lower().startswith(".model ") for line in lines):
            raise InputError(f"cell '{name}': a model is .model cards alone")
        return Cell(name, family, title, text, words=words, ratings=ratings)
    pins, defaults = _subckt(lines, name)
    missing = [p for p in pins if p not in roles]
    if missing:
        raise InputError(f"cell '{name}': no '*@ pin' line for {printable(', '.join(missing))}")
    expected = _FAMILY_PINS[family]
    if pins[: len(expected)] != expected or (family == "core" and pins != expected):
        raise InputError(
            f"cell '{name}': pins are {printable(' '.join(pins))}; a cell of family {family} has {' '.join(expected)}"
        )
    undocumented = [p for p in defaults if p not in units]
    if undocumented:
        raise InputError(f"cell '{name}': no '*@ param' line for {printable(', '.join(undocumented))}")
    body = [line for line in lines if line[0].lower() not in ".+"]
    uses = _references(body, text, name)
    return Cell(
        name,
        family,
        title,
        text,
        tuple((p, roles[p]) for p in pins),
        defaults,
        units,
        ratings,
        words,
        uses,
        pdk.devices(lines),
        resistors=sum(line[0].lower() == "r" for line in body) if family in ("activation", "inverter") else 0,
    )


def _check_body(text: str, name: str) -> None:
    """A cell is part of a deck, and a deck is a program: only elements and four cards may stand in it."""
    # by line feeds alone, as ngspice reads it: what else Python takes for the end of a line is refused
    for number, line in enumerate(text.split("\n"), 1):
        first = line[:1].lower()
        card = line.split()[0].lower() if line.strip() else ""
        allowed = not card or first in "*+" or first in _ELEMENTS or card in _CARDS
        if line.startswith("*#") or not allowed or not _BODY_TEXT.fullmatch(line):
            raise InputError(
                f"cell '{name}', line {number}: {printable(line)}: a cell holds comments, elements "
                f"({' '.join(sorted(_ELEMENTS)).upper()}) and {', '.join(_CARDS)}, in ASCII, and nothing else"
            )
    for line in logical_lines(text):
        # ngspice pastes what braces hold into a B source as it stands: 1/{2*x} becomes 1/2*x
        if line[0].lower() == "b" and not all(_NAME.fullmatch(b) for b in _BRACES.findall(line)):
            raise InputError(
                f"cell '{name}', {printable(line.split()[0])}: braces in a B source may hold one parameter's name; "
                "compute it by .param first"
            )


def _check_ratings(name: str, words: Mapping[str, str], ratings: Mapping[str, tuple[float, ...]]) -> None:
    for key in _PAIRS:
        if key in words and not (len(ratings.get(key, ())) >= 2 and ratings[key][0] <= ratings[key][1]):
            raise InputError(
                f"cell '{name}': {key} needs two numbers, the smaller one first or both the same"
            )
    if "polarity" in words and ratings.get("polarity", (0.0,))[0] not in (1.0, -1.0):
        raise InputError(f"cell '{name}': polarity is 1 or -1")
    if "units" in words and not ratings.get("units", (0.0,))[0] >= 1:
        raise InputError(f"cell '{name}': units is the number of amplifiers in a package, at least 1")


def _leading_numbers(text: str) -> tuple[float, ...]:
    numbers = []
    for word in text.split():
        value = _number(word)
        if value is None:
            break
        numbers.append(value)
    return tuple(numbers)


def _number(text: str) -> float | None:
    """A plain finite number, as Python and ngspice both read it; None for anything else."""
    value = float(text) if _NUMBER.fullmatch(text) and len(text) <= 40 else math.inf
    return value if math.isfinite(value) else None


def logical_lines(text: str) -> list[str]:
    """Lines without comments, with `+` continuations joined."""
    lines: list[str] = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("*"):
            continue
        if line.startswith("+") and lines:
            lines[-1] += " " + line[1:].strip()
        else:
            lines.append(line.strip())
    return lines


def _subckt(lines: list[str], name: str) -> tuple[tuple[str, ...], dict[str, float]]:
    heads = [line for line in lines if line.lower().startswith(".subckt")]
    if len(heads) != 1:
        raise InputError(f"cell '{name}': the file has {len(heads)} .subckt lines; a cell has one")
    ends = [line for line in lines if line.lower().startswith(".ends")]
    if lines[0] is not heads[0] or ends != lines[-1:]:  # beside it, elements would be the deck's
        raise InputError(f"cell '{name}': all of it stands between its .subckt and one .ends")
    head, _, parameters = heads[0].partition("params:")
    _, found, *pins = [*head.split(), ""]
    pins = pins[:-1]
    if found != name:
        raise InputError(
            f"cell '{name}': its .subckt is called '{printable(found)}'; file and cell share one name"
        )
    defaults = {}
    for item in parameters.split():
        key, _, value = item.partition("=")
        number = _number(value)
        if number is None:
            raise InputError(
                f"cell '{name}': default {printable(item)} is no plain number; write 10e3, not 10k"
            )
        if key in _POSITIVE and number <= 0:
            raise InputError(f"cell '{name}': {key} must be above 0, not {number:g}")
        defaults[key] = number
    return tuple(pins), defaults


def _references(body: list[str], text: str, name: str) -> tuple[str, ...]:
    """The subcircuits and models that a body names and does not itself define."""
    own = {w[1].lower() for w in (line.split() for line in text.splitlines()) if w[:1] == [".model"]}
    found: list[str] = []
    for line in body:
        kind = line[0].lower()
        words = [w for w in line.partition("params:")[0].split() if "=" not in w]
        least = {"x": 3, "d": 4, "q": 5}.get(kind, 1)
        if len(words) < least:
            raise InputError(f"cell '{name}': {printable(line)} has too few nodes")
        if kind == "x" and words[-1].startswith(pdk.PREFIX):
            continue
        if kind in "xdq":
            found.append(words[-1] if kind == "x" else words[least - 1])
    return tuple(dict.fromkeys(f for f in found if f.lower() not in own))


def library(*directories: Path) -> Mapping[str, Cell]:
    """All cells of the given directories, by name; the packaged board cells where none is given.

    A file without a `*@ family` line is no cell. Raises InputError for a cell that is not valid or
    a name that stands twice.
    """
    packaged = (resources.cells(), resources.sky130())
    found: dict[str, Cell] = {}
    for directory in directories or packaged[:1]:
        # a user's own are read again each time: they may have been edited since
        cells = _packaged(directory) if directory in packaged else _read_cells(directory)
        for name, cell in cells.items():
            if name in found:
                raise InputError(f"cell '{name}' is declared twice")
            found[name] = cell
    return found


@cache
def _packaged(directory: Path) -> Mapping[str, Cell]:
    return _read_cells(directory)


def _read_cells(directory: Path) -> dict[str, Cell]:
    found: dict[str, Cell] = {}
    for path in sorted(directory.glob("*.cir")):
        text = read_regular(path, "cell file", _SIZE_LIMIT).decode("utf-8", errors="replace")
        text = text.replace("\r\n", "\n")
        if "*@ family" in text:  # else someone's netlist beside their technology, not a cell
            found[path.stem] = parse_cell(text, path.stem)
    return found


def closure(cells: Mapping[str, Cell], names: Iterable[str], opamp: str) -> list[Cell]:
    """The named cells and all they use, each after what it uses. `opamp` stands for the role.

    Raises InputError for a cell that is not there.
    """
    ordered: dict[str, Cell] = {}

    def visit(name: str, path: tuple[str, ...]) -> None:
        name = opamp if name == OPAMP_ROLE else name
        if name in path:
            raise InputError(f"cell '{name}' uses itself: {' -> '.join((*path, name))}")
        if name in ordered:
            return
        if name not in cells:
            wanted = (
                f"cell '{path[-1]}' uses '{printable(name)}', which" if path else f"cell '{printable(name)}'"
            )
            raise InputError(f"{wanted} is not among the cells: {', '.join(sorted(cells))}")
        for used in cells[name].uses:
            visit(used, (*path, name))
        ordered[name] = cells[name]

    for name in names:
        visit(name, ())
    return list(ordered.values())


def count(cells: Mapping[str, Cell], name: str) -> tuple[int, int]:
    """(op-amps, resistors) that one instance of a cell holds, all levels down."""
    if name == OPAMP_ROLE:
        return 1, 0
    cell = cells[name]
    if cell.family in ("core", "opamp", "model", "support", "capacitor"):
        return (1, 0) if cell.family == "opamp" else (0, 0)
    if cell.family == "amplifier" and cell.devices:  # an op-amp of transistors, and not around one
        return 1, 0
    opamps, resistors = 0, cell.resistors
    for line in logical_lines(cell.text):
        if line[0].lower() == "x":
            used = [w for w in line.partition("params:")[0].split() if "=" not in w][-1]
            if used.startswith(pdk.PREFIX):
                continue
            inner = count(cells, used)
            opamps, resistors = opamps + inner[0], resistors + inner[1]
    return opamps, resistors
