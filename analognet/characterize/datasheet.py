"""A cell's datasheet: least, typical and largest values, limits, verdicts; as JSON and Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any, Final

from analognet.analog import pdk
from analognet.characterize.figures import Figure, figure
from analognet.characterize.limits import Limit, Limits
from analognet.characterize.measure import Characterization
from analognet.characterize.points import Point
from analognet.characterize.study import Value
from analognet.errors import InputError
from analognet.units import engineering

SCHEMA: Final = 1
_DIGITS: Final = 6
_AS_THEY_ARE = ("dB", "deg", "of span", "V/V", "1/V")


@dataclass(frozen=True)
class Row:
    """One figure. least, largest: over all points, with where; typical: at the nominal point; sigma:
    by mismatch, about `mean`; missing: points at which the cell never got there; ok: None without limit.
    """

    key: str
    least: Value
    typical: Value
    largest: Value
    least_at: Point | None
    largest_at: Point | None
    mean: Value
    sigma: Value
    missing: tuple[str, ...]
    limit: Limit | None

    @property
    def figure(self) -> Figure:
        return figure(self.key)

    @property
    def faults(self) -> list[str]:
        """How the limit is missed; empty where it is kept."""
        if self.limit is None:
            return []
        name, unit = self.key, self.figure.unit
        found = [f"{name}: not reached at {at}" for at in self.missing[:1]]
        if self.limit.min is not None and self.least is not None and self.least < self.limit.min:
            found.append(
                f"{name}: {shown(self.least, unit)} at {self.least_at} is below {shown(self.limit.min, unit)}"
            )
        if self.limit.max is not None and self.largest is not None and self.largest > self.limit.max:
            found.append(
                f"{name}: {shown(self.largest, unit)} at {self.largest_at} is above "
                f"{shown(self.limit.max, unit)}"
            )
        if self.limit.sigma is not None and self.sigma is not None and self.sigma > self.limit.sigma:
            found.append(f"{name}: sigma {shown(self.sigma, unit)} is above {shown(self.limit.sigma, unit)}")
        return found

    @property
    def ok(self) -> bool | None:
        return None if self.limit is None else not self.faults


@dataclass(frozen=True, eq=False)
class Datasheet:
    """What is known of one cell, and under which conditions it was measured."""

    found: Characterization
    rows: tuple[Row, ...]
    process: str

    @property
    def faults(self) -> list[str]:
        return [f"{self.found.cell.name}: {fault}" for row in self.rows for fault in row.faults]

    def to_values(self) -> dict[str, Any]:
        """Plain values for JSON, in SI units, six digits."""
        cell, t = self.found.cell, self.found.fixture.technology
        return {
            "schema": SCHEMA,
            "cell": cell.name,
            "title": cell.title,
            "family": cell.family,
            "technology": t.name,
            "pdk": self.process,
            "conditions": {
                "corners": sorted({p.corner for p, _ in self.found.points}),
                "temperature_c": sorted({p.temperature for p, _ in self.found.points}),
                "supply": sorted({_rounded(p.supply) for p, _ in self.found.points}),
                "supply_v": _rounded(t.vdd - t.vss),
                "mismatch_samples": len(self.found.samples),
                "seed": self.found.seed,
            },
            "passed": not self.faults,
            "faults": self.faults,
            "figures": {row.key: _row_values(row) for row in self.rows},
            "points": [
                {
                    "corner": point.corner,
                    "temperature_c": point.temperature,
                    "supply": _rounded(point.supply),
                    "values": {k: _rounded(v) for k, v in measured.values.items()},
                }
                for point, measured in self.found.points
            ],
        }

    def to_markdown(self, plot: str | None = None) -> str:
        """The datasheet to read. plot: name of the figure beside it."""
        cell, t = self.found.cell, self.found.fixture.technology
        points = [p for p, _ in self.found.points]
        temperatures = sorted({p.temperature for p in points})
        supplies = sorted({p.supply for p in points})
        corners = dict.fromkeys(p.corner for p in points)
        lines = [
            f"# {cell.name}",
            "",
            f"{cell.title}. Family {cell.family}, technology {t.name} ({self.process}), "
            f"{t.vdd - t.vss:.9g} V nominal.",
            "",
            f"Measured in ngspice at {len(points)} points: corners {', '.join(corners)}; "
            f"{', '.join(f'{v:g}' for v in temperatures)} C; {', '.join(f'{100 * s:g}' for s in supplies)} % of the "
            "nominal supply; biased by the technology's own cells, the signal common held but where it says "
            "otherwise. Typical: "
            f"{Point()}. Sigma: {len(self.found.samples)} mismatch samples there, seed {self.found.seed}.",
            "",
        ]
        if plot is not None:
            lines += [f"![{cell.name}: curves over all points, and mismatch]({plot})", ""]
        lines += [
            "| figure | condition | min | typ | max | sigma | limit | |",
            "|---|---|---|---|---|---|---|---|",
        ]
        lines += [_markdown_row(row) for row in self.rows]
        lines += ["", *_verdict(self.faults, self.rows)]
        return "\n".join(lines) + "\n"


def datasheet(found: Characterization, limits: Limits) -> Datasheet:
    """Sum a characterisation up and hold it to its limits.

    Raises InputError for a limit in the cell's own table that nothing was measured for.
    """
    keys = dict.fromkeys(["area_m2"])
    for _, measured in found.points:
        keys.update(dict.fromkeys(measured.values))
    unmeasured = sorted(set(limits.root.get(found.cell.name, {})) - set(keys))
    if unmeasured:
        raise InputError(f"limits of cell '{found.cell.name}': {', '.join(unmeasured)} is not measured of it")
    held = limits.of(found.cell)
    return Datasheet(found, tuple(_row(found, key, held.get(key)) for key in keys), pdk.find().version)


def _row(found: Characterization, key: str, limit: Limit | None) -> Row:
    if key == "area_m2":
        a = found.area_m2
        return Row(key, a, a, a, None, None, None, None, (), limit)
    at = [(m.values[key], p) for p, m in found.points if key in m.values]
    values = [(v, p) for v, p in at if v is not None]
    least = min(values, key=lambda pair: pair[0], default=(None, None))
    largest = max(values, key=lambda pair: pair[0], default=(None, None))
    typical = next((v for v, p in at if p.nominal), None)
    spread = [v for m in found.samples if (v := m.values.get(key)) is not None]
    return Row(
        key,
        least[0],
        typical,
        largest[0],
        least[1],
        largest[1],
        fmean(spread) if spread else None,
        _spread(spread),
        tuple(str(p) for v, p in at if v is None),
        limit,
    )


def _spread(values: Sequence[float]) -> Value:
    """Standard deviation; 0 where the values differ by rounding alone."""
    if len(values) < 2:
        return None
    return 0.0 if max(values) - min(values) <= 1e-9 * max(map(abs, values)) else stdev(values)


def _row_values(row: Row) -> dict[str, Any]:
    of = row.figure
    values: dict[str, Any] = {
        "unit": of.unit,
        "meaning": of.meaning,
        "condition": of.condition,
        "min": _rounded(row.least),
        "typ": _rounded(row.typical),
        "max": _rounded(row.largest),
        "mismatch_mean": _rounded(row.mean),
        "mismatch_sigma": _rounded(row.sigma),
        "not_reached": list(row.missing),
        "limit": None if row.limit is None else row.limit.model_dump(exclude_none=True),
        "passed": row.ok,
    }
    for key, point in (("min_at", row.least_at), ("max_at", row.largest_at)):
        values[key] = None if point is None else str(point)
    return values


def _rounded(value: Value) -> Value:
    return None if value is None else float(f"{value:.{_DIGITS}g}")


def shown(value: Value, unit: str) -> str:
    """A value as a person reads it."""
    if value is None:
        return ""
    if unit == "m2":
        return f"{value * 1e12:.4g} um2"
    if unit in _AS_THEY_ARE:
        return f"{value:.4g} {unit}"
    return engineering(value, unit)


def _markdown_row(row: Row) -> str:
    unit = row.figure.unit
    verdict = {None: "", True: "pass", False: "**fail**"}[row.ok]
    largest = shown(row.largest, unit) if not row.missing else f"not reached at {len(row.missing)} points"
    cells = [
        row.figure.meaning,
        row.figure.condition,
        shown(row.least, unit),
        shown(row.typical, unit),
        largest,
        shown(row.sigma, unit),
        limit_text(row.limit, unit),
        verdict,
    ]
    return "| " + " | ".join(cells) + " |"


def limit_text(limit: Limit | None, unit: str) -> str:
    """A limit as a person reads it: `55 dB or more`."""
    if limit is None:
        return ""
    parts = []
    if limit.min is not None and limit.max is not None:
        parts.append(f"{shown(limit.min, unit)} to {shown(limit.max, unit)}")
    elif limit.min is not None:
        parts.append(f"at least {shown(limit.min, unit)}")
    elif limit.max is not None:
        parts.append(f"at most {shown(limit.max, unit)}")
    if limit.sigma is not None:
        parts.append(f"sigma at most {shown(limit.sigma, unit)}")
    return ", ".join(parts)


def _verdict(faults: list[str], rows: Sequence[Row]) -> list[str]:
    held = sum(row.limit is not None for row in rows)
    if not held:
        return ["No limits stand for this cell."]
    if not faults:
        return [f"All {held} limits are kept."]
    return [f"Missed, of {held} limits:", "", *(f"- {fault}" for fault in faults)]
