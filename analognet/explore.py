"""A design space: every combination of some settings, measured, and which of them are worth having.

Each point is one file, named by the digest of all that decides its figures, so a sweep that
was interrupted goes on where it stopped, and a point is never measured twice.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from analognet import bom, pieces, process, storage
from analognet.analog.cells import library
from analognet.analog.timing import estimate
from analognet.analog.transitions import choose_transitions
from analognet.data import Dataset
from analognet.design import Design, convert
from analognet.errors import InputError, UsageError
from analognet.inference import transient
from analognet.names import did_you_mean, printable
from analognet.network import classify
from analognet.simulation import simulate

MOST_POINTS: Final = 10_000
VERSION: Final = 2  # of the files; another one is measured again
LATENCIES: Final = ("estimate", "ngspice")
AXES: Final = {
    "opamp": str,
    "full_scale": float,
    "r_f": float,
    "resistors": str,
    "topology": str,
    "technology": str,
}
_OVERRIDES: Final = {
    "opamp": "opamp",
    "full_scale": "full_scale",
    "r_f": "feedback_ohm",
    "resistors": "series",
}
OBJECTIVES: Final = {"accuracy": 1, "latency_s": -1, "energy_j": -1, "cost": -1}  # 1: more is better
_TRANSITIONS: Final = 10


@dataclass(frozen=True)
class Point:
    """One combination. settings: axis -> value; values: the figures, None where not measured;
    refused: why it cannot be built, None where it can.
    """

    settings: Mapping[str, Any]
    values: Mapping[str, float | None]
    refused: str | None = None


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
    options: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Exploration:
    """Measure every combination of a grid (see `parse_grid`) on `jobs` processes.

    model: a file or `module:callable`; options: further keywords of `convert`; images: for the
    accuracy, by ngspice; latency: from the estimate or from ngspice, over `transitions`;
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
    common = {
        "version": VERSION,
        "model": _digest(model),
        "cells": storage.digest("".join(c.text for c in library().values()).encode()),
        "data": data,
        "images": images,
        "latency": latency,
        "transitions": transitions,
        "seed": seed,
        "options": {k: str(v) for k, v in (options or {}).items()},
    }
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise InputError(f"{printable(directory)} cannot be made: {e.strerror}") from None
    paths = [directory / f"{_name(common, settings)}.piece" for settings in combinations]
    found: dict[int, Point] = {k: p for k, path in enumerate(paths) if (p := _read(path)) is not None}
    missing = [k for k in range(len(combinations)) if k not in found]
    measured = len(missing)
    if progress:
        progress(len(found), len(combinations))
    arguments = (str(model), data, images, latency, transitions, seed, dict(options or {}))
    workers = max(1, min(jobs or os.cpu_count() or 1, len(missing) or 1))
    if missing:
        with ProcessPoolExecutor(max_workers=workers, initializer=process.die_with_parent) as pool:
            futures = {pool.submit(measure, combinations[k], *arguments): k for k in missing}
            try:
                for future in as_completed(futures):
                    k = futures[future]
                    found[k] = future.result()
                    _write(paths[k], found[k])
                    if progress:
                        progress(len(found), len(combinations))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    points = tuple(found[k] for k in range(len(combinations)))
    return Exploration(points, pareto(points), measured)


def measure(
    settings: Mapping[str, Any],
    model: str,
    data: str | None,
    images: int,
    latency: str,
    transitions: int,
    seed: int,
    options: Mapping[str, Any],
) -> Point:
    """One point. Raises SimulatorError and ToolMissing; what cannot be built is `refused`."""
    overrides = {_OVERRIDES[a]: v for a, v in settings.items() if a in _OVERRIDES}
    keywords = {a: v for a, v in settings.items() if a not in _OVERRIDES}
    try:
        design = convert(
            model, **{**options, **keywords, "overrides": {**options.get("overrides", {}), **overrides}}
        )
        cost = bom.bill_of_materials(design).cost
    except (InputError, UsageError) as e:
        return Point(settings, {}, str(e))
    result = simulate(design, data, images=images, seed=seed, jobs=1)
    truth = result.labels
    right = classify(result.reference) if truth is None else truth
    times = _times(design, result.data, latency, transitions, seed)
    return Point(
        settings,
        {
            "accuracy": float((result.predictions == right).mean()),
            "images": float(len(result.data)),
            "reference_accuracy": float((classify(result.reference) == right).mean()),
            "output_error_v_rms": _number(result.metrics["output_error_v_rms"]),
            **times,
            "cost": round(cost, 6) if cost is not None else None,  # a sum's rounding decides no front
            "opamps": float(design.tally.opamps),
        },
    )


def _times(
    design: Design, data: Dataset, latency: str, transitions: int, seed: int
) -> dict[str, float | None]:
    if latency == "ngspice":
        study = transient(design, data, transitions=transitions, seed=seed, jobs=1)
        return {
            "latency_s": _number(study.metrics["latency_s"]),
            "energy_j": _number(study.metrics["energy_j"]),
            "power_w": _number(study.metrics["power_w"]),
        }
    guess = estimate(design, choose_transitions(design.analog, data.x, transitions, seed))
    worst = float(guess.latency_1_s.max())
    power = float(np.mean(guess.power_w))
    rest = worst - guess.latency_1_s
    return {
        "latency_s": worst,
        "energy_j": float(np.mean(guess.energy_1_j + guess.power_w * rest)),
        "power_w": power,
    }


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


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


def _digest(model: str | Path) -> str:
    path = Path(model)
    if path.is_file():
        return storage.digest(path.read_bytes())
    return f"name:{printable(str(model))}"


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
