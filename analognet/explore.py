"""A design space: every combination of some settings, measured, and which of them are worth having.

Each point is one file, named by the digest of all that decides its figures, so a sweep that
was interrupted goes on where it stopped, and a point is never measured twice. Model and data are
read here, once: whoever measures a point is given them.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from analognet import pieces
from analognet.design_points import Point, measure, read_space
from analognet.errors import InputError, UsageError
from analognet.names import did_you_mean, printable
from analognet.workers import Processes, Workers

MOST_POINTS: Final = 10_000
LATENCIES: Final = ("estimate", "ngspice")
AXES: Final = {
    "opamp": str,
    "full_scale": float,
    "r_f": float,
    "resistors": str,
    "topology": str,
    "technology": str,
}
OBJECTIVES: Final = {"accuracy": 1, "latency_s": -1, "energy_j": -1, "cost": -1}  # 1: more is better
_TRANSITIONS: Final = 10


@dataclass(frozen=True)
class Exploration:
    """points in the order of the grid; front: places of those that no other point beats."""

    points: tuple[Point, ...]
    front: tuple[int, ...]
    measured: int


def parse_grid(text: str) -> dict[str, list[Any]]:
    """`opamp=a,b;full_scale=1,2.5` as values by axis. Raises UsageError."""
    grid: dict[str, list[Any]] = {}
    for part in text.split(";"):
        axis, equals, values = part.partition("=")
        axis = axis.strip()
        if not part.strip():
            continue
        if not equals or axis not in AXES:
            raise UsageError(
                f"--sweep '{printable(part)}': write AXIS=VALUE,VALUE;... with axes {', '.join(AXES)}"
                f"{did_you_mean(axis, AXES)}"
            )
        if axis in grid:
            raise UsageError(f"--sweep: {axis} stands twice")
        try:
            grid[axis] = [AXES[axis](v.strip()) for v in values.split(",") if v.strip()]
        except ValueError:
            raise UsageError(f"--sweep '{printable(part)}': {axis} takes numbers") from None
        bad = [v for v in grid[axis] if isinstance(v, float) and not (0 < v < 1e12)]
        if not grid[axis] or bad or len(set(grid[axis])) != len(grid[axis]):
            raise UsageError(
                f"--sweep '{printable(part)}': {axis} needs one or more values above 0, each once"
            )
    if not grid:
        raise UsageError(f"--sweep is empty: write AXIS=VALUE,VALUE;... with axes {', '.join(AXES)}")
    return grid


def explore(
    model: str | Path,
    grid: Mapping[str, Sequence[Any]],
    directory: Path,
    *,
    data: str | None = None,
    images: int = 100,
    latency: str = "estimate",
    transitions: int = _TRANSITIONS,
    seed: int = 0,
    jobs: int | None = None,
    workers: Workers | None = None,
    options: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Exploration:
    """Measure every combination of a grid (see `parse_grid`).

    model: a file or `module:callable`; options: further keywords of `convert`; images: for the
    accuracy, by ngspice; latency: from the estimate or from ngspice, over `transitions`; workers: who
    measures, by default `jobs` processes;
    directory: of the points' files. A combination that cannot be built is a point with `refused`.
    Raises UsageError, InputError; an error of a simulator ends the sweep and keeps what it has.
    """
    if latency not in LATENCIES:
        raise UsageError(f"latency by '{printable(latency)}': choose from {', '.join(LATENCIES)}")
    if math.prod(len(values) for values in grid.values()) > MOST_POINTS:
        raise UsageError(f"--sweep has more than {MOST_POINTS} combinations")
    if images < 1 or transitions < 1:
        raise UsageError("a sweep needs at least 1 image and 1 transition")
    axes = list(grid)
    combinations = [dict(zip(axes, values, strict=True)) for values in itertools.product(*grid.values())]
    space = read_space(model, grid, data, images, latency, transitions, seed, dict(options or {}))
    common = space.deciding() | {"options": {k: str(v) for k, v in (options or {}).items()}}
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise InputError(f"{printable(directory)} cannot be made: {e.strerror}") from None
    paths = [directory / f"{_name(common, settings)}.piece" for settings in combinations]
    found: dict[int, Point] = {k: p for k, path in enumerate(paths) if (p := _read(path)) is not None}
    missing = [k for k in range(len(combinations)) if k not in found]
    todo = [combinations[k] for k in missing]
    if progress:
        progress(len(found), len(combinations))
    with closing((workers or Processes(jobs or os.cpu_count() or 1)).each(measure, space, todo)) as done:
        for place, point in done:
            k = missing[place]
            found[k] = point
            _write(paths[k], point)
            if progress:
                progress(len(found), len(combinations))
    points = tuple(found[k] for k in range(len(combinations)))
    return Exploration(points, pareto(points), len(missing))


def pareto(points: Sequence[Point]) -> tuple[int, ...]:
    """Places of the points that no other one beats: none is as good in everything and better in something."""
    usable = [k for k, p in enumerate(points) if all(p.values.get(o) is not None for o in OBJECTIVES)]
    table = np.array(
        [[sign * float(points[k].values[o] or 0.0) for o, sign in OBJECTIVES.items()] for k in usable]
    )
    front = []
    for row, k in enumerate(usable):
        beaten = (table >= table[row]).all(axis=1) & (table > table[row]).any(axis=1)
        if not beaten.any():
            front.append(k)
    return tuple(front)


def _name(common: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    text = json.dumps({**common, "settings": settings}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _read(path: Path) -> Point | None:
    """A point's file; None where there is none or it is broken, which means to measure it again."""
    found = pieces.get(path)
    return None if found is None else Point(**found[0])


def _write(path: Path, point: Point) -> None:
    held = {"settings": dict(point.settings), "values": dict(point.values), "refused": point.refused}
    pieces.put(path, held)
