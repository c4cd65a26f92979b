"""The table as CSV: one line for each row and column, plain SI numbers, no cell that is a formula."""

from __future__ import annotations

import csv
import io

from analognet.report.escape import to_csv
from analognet.report.value import ROWS, Report

COLUMNS = ("row", "meaning", "unit", "column", "value", "low", "high", "n", "text", "note", "missing")


def render(report: Report) -> str:
    """The whole table. Fractions stay fractions; what was not measured is empty, with the reason."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in ROWS:
        for column in report["columns"]:
            cell = column["cells"][row.key]
            unit = "" if row.unit in ("%", "text") else row.unit
            numbers = [_number(cell[key]) for key in ("value", "low", "high", "n")]
            told = [to_csv(cell.get(key) or "") for key in ("text", "note", "missing")]
            writer.writerow([row.key, to_csv(row.title), unit, to_csv(column["title"]), *numbers, *told])
    return out.getvalue()


def _number(value: float | int | None) -> str:
    return "" if value is None else f"{value:.9g}"
