"""Cells as words: the same in every form, each form escapes them in its own way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from analognet.report.value import BY_KEY, ROWS, Report, Row
from analognet.units import engineering

Cell = Mapping[str, Any]
DASH: Final = "\N{EN DASH}"


@dataclass(frozen=True)
class Shown:
    """A cell in words. main: the value, or a dash; band, n, note: beside it, may be empty; missing: why
    there is no value; order: to sort by, None last.
    """

    main: str
    band: str
    n: str
    note: str
    missing: str
    order: float | None


def shown(row: Row, cell: Cell) -> Shown:
    """A cell of one row."""
    if row.unit == "text":
        text = str(cell.get("text") or "")
        return Shown(text or DASH, "", "", "", "" if text else str(cell["missing"] or ""), None)
    value = cell["value"]
    if value is None:
        return Shown(DASH, "", "", "", str(cell["missing"] or ""), None)
    band = ""
    if cell["low"] is not None:
        band = between(row, cell["low"], cell["high"])
    n = f"n = {cell['n']}" if cell["n"] is not None else ""
    return Shown(quantity(row, value), band, n, str(cell["note"] or ""), "", float(value))


def quantity(row: Row, value: float) -> str:
    """A value with its unit: `98.44 %`, `660 nJ`, `1.37 M/s`, `212 cm²`."""
    if row.unit == "%":
        return f"{100 * value:.2f} %"
    if row.unit == "bit":
        return f"{value:.1f}"
    if row.unit == "USD":
        return f"{value:,.2f} USD" if value < 100 else f"{value:,.0f} USD"
    if row.unit == "m2":
        return area(value)
    if row.unit == "1/s":
        return engineering(value, "/s")
    return engineering(value, row.unit).replace(" u", " µ")


def area(value: float) -> str:
    """m² and cm² for boards, mm² and µm² for chips."""
    for least, size, unit in ((0.1, 1.0, "m²"), (1e-4, 1e-4, "cm²"), (1e-9, 1e-6, "mm²")):
        if value >= least:
            return f"{value / size:.3g} {unit}"
    return f"{value / 1e-12:.3g} µm²"


def between(row: Row, low: float, high: float) -> str:
    """A band, with the unit once where both ends share it."""
    a, b = quantity(row, low), quantity(row, high)
    number, _, unit = a.partition(" ")
    return f"{number} to {b}" if unit and b.endswith(f" {unit}") else f"{a} to {b}"


def rows(report: Report) -> list[tuple[Row, list[Shown]]]:
    """Every row that any column has something to say about, with a cell for each column."""
    found = []
    for row in ROWS:
        cells = [shown(row, column["cells"][row.key]) for column in report["columns"]]
        if any(cell.main != DASH for cell in cells):
            found.append((row, cells))
    return found


def further(report: Report) -> list[tuple[str, tuple[str, ...], list[list[tuple[str, Any]]]]]:
    """Further tables: title, headings, rows of (shown, what to sort by)."""
    made: list[tuple[str, tuple[str, ...], list[list[tuple[str, Any]]]]] = []
    space = report["series"]["design_space"]
    if space:
        made.append(
            (
                "Other designs of the same network",
                ("design", "latency", "energy", "accuracy", "parts and board", "unbeaten"),
                [
                    [
                        (f"{p['column']}: {p['label']}", f"{p['column']}: {p['label']}"),
                        (quantity(BY_KEY["latency_s"], p["latency_s"]), p["latency_s"]),
                        (quantity(BY_KEY["energy_j"], p["energy_j"]), p["energy_j"]),
                        (f"{100 * p['accuracy']:.2f} % of {p['images']}", p["accuracy"]),
                        (DASH, 0.0)
                        if p["cost"] is None
                        else (quantity(BY_KEY["cost"], p["cost"]), p["cost"]),
                        ("yes" if p["front"] else "no", int(p["front"])),
                    ]
                    for p in space
                ],
            )
        )
    chips = report["series"]["published"]["chip"]
    made.append(
        (
            "Published chips, energy per operation",
            ("chip", "node", "precision", "pJ per operation", "kind", "source"),
            [
                [
                    (c["name"], c["name"]),
                    (f"{1e9 * c['node_m']:.0f} nm", c["node_m"]),
                    (c["precision"], c["precision"]),
                    (f"{1 / c['tops_w']:.3g}", 1 / c["tops_w"]),
                    (c["kind"], c["kind"]),
                    (c["source"], c["source"]),
                ]
                for c in chips
            ],
        )
    )
    return made


def remarks(report: Report, part: str) -> list[tuple[str, list[tuple[str, list[str]]]]]:
    """What is said beside the cells of the rows shown, `note` or `missing`: column, and for each the rows."""
    found = []
    shown = [row for row, _ in rows(report)]
    for column in report["columns"]:
        said: dict[str, list[str]] = {}
        for row in shown:
            cell = column["cells"][row.key]
            known = cell["value"] is not None or bool(cell.get("text"))
            if known == (part == "note") and cell[part]:
                said.setdefault(str(cell[part]), []).append(row.title)
        if said:
            found.append((str(column["title"]), list(said.items())))
    return found


def overlap(a: Cell, b: Cell) -> bool:
    """Whether two cells' bands have a value in common; without a band a cell is its value alone."""
    return low(a) <= high(b) and low(b) <= high(a)


def low(cell: Cell) -> float:
    return float(cell["value"] if cell["low"] is None else cell["low"])


def high(cell: Cell) -> float:
    return float(cell["value"] if cell["high"] is None else cell["high"])


def cell_of(report: Report, column: str, key: str) -> Cell | None:
    """A cell with a value, or None."""
    assert key in BY_KEY
    for held in report["columns"]:
        if held["id"] == column:
            found: Cell = held["cells"][key]
            return found if found["value"] is not None else None
    return None
