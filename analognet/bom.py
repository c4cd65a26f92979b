"""What it takes to build a design: a bill of materials with designators, values, prices and area.

Prices and packages come from `prices.toml`, of which a user edits a copy.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from analognet.analog.cells import Cell
from analognet.analog.resistors import pot_bits
from analognet.errors import InputError, UsageError
from analognet.interchange.inventory import inventory
from analognet.names import printable
from analognet.prices import Part, Prices, load_prices
from analognet.units import engineering

if TYPE_CHECKING:
    from analognet.design import Design

COLUMNS: Final = (
    *("references", "quantity", "value", "description", "part", "package"),
    *("unit price", "price", "currency", "price source", "price date"),
)


@dataclass(frozen=True)
class Line:
    """One row. references: designators; value: as a person writes it; quantity: packages to buy;
    used: of their units; price: of one package; area_m2: of all of them with their courtyards.
    """

    references: tuple[str, ...]
    description: str
    value: str
    part: str
    package: str
    quantity: int
    used: int
    price: float
    area_m2: float
    source: str
    date: str


@dataclass(frozen=True)
class Bom:
    """lines, and designators: designator -> the element's path in the netlist; board_price and
    area_m2 are of the board, fill included.
    """

    lines: tuple[Line, ...]
    designators: Mapping[str, str]
    currency: str
    board_price: float
    area_m2: float
    notes: tuple[str, ...]

    @property
    def parts_cost(self) -> float:
        return sum(line.quantity * line.price for line in self.lines)

    @property
    def cost(self) -> float:
        """Parts and board; not assembly."""
        return self.parts_cost + self.board_price

    @property
    def quantity(self) -> int:
        return sum(line.quantity for line in self.lines)

    def to_csv(self) -> str:
        """As a spreadsheet reads it; no cell can be taken for a formula."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(COLUMNS)
        for line in self.lines:
            texts = [ranges(line.references), line.quantity, line.value, line.description, line.part]
            texts += [line.package, f"{line.price:.9g}", f"{line.quantity * line.price:.9g}"]
            texts += [self.currency, line.source, line.date]
            writer.writerow([safe_cell(str(t)) for t in texts])
        area = f"{1e4 * self.area_m2:.4g} cm2"
        writer.writerow(
            ["", 1, area, "printed circuit board, estimated", "", "", "", f"{self.board_price:.9g}"]
        )
        writer.writerow(
            ["", self.quantity, "", "total", "", "", "", f"{self.cost:.9g}", safe_cell(self.currency)]
        )
        return out.getvalue()

    def to_values(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return {
            "lines": [vars(line) | {"references": list(line.references)} for line in self.lines],
            "designators": dict(self.designators),
            "currency": self.currency,
            "parts_cost": self.parts_cost,
            "board_price": self.board_price,
            "cost": self.cost,
            "area_m2": self.area_m2,
            "notes": list(self.notes),
        }


def safe_cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula: OWASP's rule, a quote before what could be one."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def ranges(references: Sequence[str]) -> str:
    """`R1-R3 R7` for R1 R2 R3 R7."""
    found: list[tuple[str, int, int]] = []
    for reference in references:
        prefix = reference.rstrip("0123456789")
        number = int(reference[len(prefix) :])
        if found and found[-1][0] == prefix and found[-1][2] + 1 == number:
            found[-1] = (prefix, found[-1][1], number)
        else:
            found.append((prefix, number, number))
    return " ".join(f"{p}{a}" if a == b else f"{p}{a}-{p}{b}" for p, a, b in found)


@dataclass
class _Tray:
    """Elements by what they are, with designators given in the order of the netlist."""

    counts: dict[str, int] = field(default_factory=dict)
    paths: dict[str, str] = field(default_factory=dict)
    kinds: dict[tuple[str, str, str], list[str]] = field(default_factory=dict)

    def put(self, letter: str, kind: str, value: str, path: str) -> None:
        number = self.counts[letter] = self.counts.get(letter, 0) + 1
        designator = f"{letter}{number}"
        self.paths[designator] = path
        self.kinds.setdefault((letter, kind, value), []).append(designator)


def bill_of_materials(
    design: Design, prices: Prices | None = None, *, converters: bool = True, outputs: str = "comparators"
) -> Bom:
    """A design's parts. converters: with an input DAC a channel and, at the outputs, `comparators`
    (or an `adc` each), and the voltage reference. Raises UsageError where its parts cannot be bought.
    """
    prices = prices or load_prices()
    part = design.cells[design.technology.opamp]
    if part.behavioural or "gbw" not in part.defaults:
        raise UsageError(f"{part.name} is no part one can buy; choose a technology with real op-amps")
    if outputs not in ("comparators", "adc"):
        raise UsageError(f"output converters '{printable(outputs)}': choose from comparators, adc")
    tray = _Tray()
    bits = pot_bits(design.technology.resistor.series)
    for item in inventory(design):
        tray.put(item.letter, item.kind, item.value, item.path)
    lines = [_line(prices, part, design, key, found) for key, found in sorted(tray.kinds.items(), key=_order)]
    amps = next(line.quantity for line in lines if line.description.startswith("op-amp"))
    extra = [("C", "decoupling", 2 * amps)]
    if converters:
        extra += [("U", "reference", 1), ("U", "dac", design.analog.n_in)]
        channels = design.analog.n_out if outputs == "adc" else max(1, design.analog.n_out - 1)
        extra.append(("U", "adc" if outputs == "adc" else "comparator", channels))
    for letter, kind, channels in extra:
        first = tray.counts.get(letter, 0)
        quantity = -(-channels // getattr(prices, kind).units)
        for _ in range(quantity):
            tray.put(letter, kind, "", f"not in the netlist: {kind}")
        references = [f"{letter}{first + 1 + k}" for k in range(quantity)]
        lines.append(_packages(prices, getattr(prices, kind), kind, "", references, channels, quantity))
    area = sum(line.area_m2 for line in lines) / prices.board.fill
    return Bom(
        lines=tuple(lines),
        designators=tray.paths,
        currency=prices.currency,
        board_price=area * prices.board.price_m2,
        area_m2=area,
        notes=_notes(design, bits, converters),
    )


def _notes(design: Design, bits: int | None, converters: bool) -> tuple[str, ...]:
    kind = design.technology.resistor
    notes = ["prices are for orientation, with the source and date each line gives; assembly is not in them"]
    if kind.series != "exact":
        notes.append("resistors inside activation cells are computed ones; the nearest of the series will do")
    else:
        notes.append(
            "resistors are exact and cannot be bought so; convert with --resistors E96 (or E24, E192) for ones that can"
        )
    if bits is not None:
        notes.append(
            f"weights are rheostats of {kind.weight_span[0]:.3g} to {kind.weight_span[1]:.3g} Ohm; "
            "check that the potentiometer of the price file has that range"
        )
    if not converters:
        notes.append("without input DACs, output converters and the reference")
    return tuple(notes)


def _order(item: tuple[tuple[str, str, str], list[str]]) -> tuple[str, str, float]:
    letter, kind, value = item[0]
    return letter, kind, float(value) if value else 0.0


def _line(prices: Prices, opamp: Cell, design: Design, key: tuple[str, str, str], found: list[str]) -> Line:
    _, kind, value = key
    if kind == "op-amp":
        units = int(opamp.rating("units", 1))
        chosen = prices.opamp.get(opamp.name) or Part(
            part=opamp.title.split(",")[0],
            package="SOIC-14" if units == 4 else "SOIC-8",
            price=opamp.rating("price", 0.0),
            source=f"cell {opamp.name}: orientation only" if "price" in opamp.ratings else "no price known",
        )
        chosen = chosen.model_copy(update={"units": units})
        return _packages(prices, chosen, "op-amp", "", found, len(found), -(-len(found) // units))
    chosen = getattr(prices, kind)
    series = design.technology.resistor
    text = {
        "{tolerance}": f"{100 * series.tolerance:g} %",
        "{bits}": str(pot_bits(series.series)),
    }
    for mark, filled in text.items():
        chosen = chosen.model_copy(update={"part": chosen.part.replace(mark, filled)})
    shown = engineering(float(value), "F" if kind == "capacitor" else "Ohm", digits=9) if value else ""
    described = kind.replace("_", " ")
    if kind == "resistor" and series.series == "exact":
        described += ", exact value: no stock part, priced as one"
    return _packages(prices, chosen, described, shown, found, len(found), -(-len(found) // chosen.units))


def _packages(
    prices: Prices, part: Part, kind: str, value: str, references: Sequence[str], used: int, quantity: int
) -> Line:
    if part.package not in prices.courtyard:
        raise InputError(f"price file: package '{printable(part.package)}' has no courtyard")
    units = f", {part.units} in a package" if part.units > 1 else ""
    return Line(
        references=tuple(references),
        description=f"{kind}{units}",
        value=value,
        part=part.part,
        package=part.package,
        quantity=quantity,
        used=used,
        price=part.price,
        area_m2=quantity * prices.courtyard[part.package],
        source=part.source or prices.source,
        date=part.date or prices.date,
    )
