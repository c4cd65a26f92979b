"""The figure of a datasheet: curves over all points, and what mismatch does."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from analognet.canvas import BLUE, GREY, RED, figure, to_png
from analognet.characterize.datasheet import Datasheet

_COLUMNS: Final = 4
_CURVES, _HISTOGRAMS = 8, 4  # at most
_UNITS: Final = {"V": (1e3, "mV"), "A": (1e6, "uA"), "Hz": (1e-6, "MHz")}
_FIRST: Final = (
    "offset_v",
    "floor_v",
    "common_offset_v",
    "a0_db",
    "slope_1_v",
    "centre_v",
    "span_v",
    "zero_error_v",
    "supply_a",
    "gbw_hz",
)


def datasheet_figure(sheet: Datasheet) -> bytes:
    """PNG: every curve at every point in grey, the nominal one in blue; histograms of samples."""
    points = sheet.found.points
    names = list(points[0][1].curves)[:_CURVES]
    spread = [row for row in sheet.rows if row.sigma]
    spread.sort(key=lambda row: _FIRST.index(row.key) if row.key in _FIRST else len(_FIRST))
    spread = spread[:_HISTOGRAMS]
    rows = -(-len(names) // _COLUMNS) + -(-len(spread) // _COLUMNS)
    drawn = figure(3.6 * _COLUMNS, 2.9 * max(rows, 1))
    axes = drawn.subplots(max(rows, 1), _COLUMNS, squeeze=False).ravel()
    for ax, name in zip(axes, names, strict=False):
        _curves(ax, sheet, name)
    start = _COLUMNS * -(-len(names) // _COLUMNS)
    for ax, row in zip(axes[start:], spread, strict=False):
        values = np.array([v for m in sheet.found.samples if (v := m.values.get(row.key)) is not None])
        factor, unit = _UNITS.get(row.figure.unit, (1.0, row.figure.unit))
        ax.hist(factor * values, bins=15, color=BLUE)
        if row.typical is not None:
            ax.axvline(factor * row.typical, color=RED, lw=1)
        assert row.sigma is not None
        ax.set_title(f"{row.figure.meaning}, {unit}", fontsize=8)
        ax.set_xlabel(f"sigma {factor * row.sigma:.3g} {unit}; red: without mismatch", fontsize=8)
    used = {*range(len(names)), *range(start, start + len(spread))}
    for k, ax in enumerate(axes):
        ax.tick_params(labelsize=7)
        ax.set_visible(k in used)
    cell = sheet.found.cell
    drawn.suptitle(
        f"{cell.name}: {len(points)} points in grey, {points[0][0]} in blue; "
        f"{len(sheet.found.samples)} mismatch samples",
        fontsize=10,
    )
    return to_png(drawn)


def _curves(ax: Any, sheet: Datasheet, name: str) -> None:
    for k, (_, measured) in reversed(list(enumerate(sheet.found.points))):
        curve = measured.curves[name]
        logarithmic = curve.x_label.endswith("Hz")
        draw = ax.plot
        if logarithmic:
            draw = ax.loglog if name.endswith(("Ohm", "rtHz")) else ax.semilogx
        draw(curve.x, curve.y, color=GREY if k else BLUE, lw=0.7 if k else 1.4)
        ax.set_xlabel(curve.x_label, fontsize=8)
    ax.set_title(name, fontsize=8)
    ax.grid(alpha=0.3)
