"""Measuring a report again, whole or in part, and holding what is found against what it says."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from analognet import storage
from analognet.comparison import plan
from analognet.comparison.assemble import evidence, rounded
from analognet.comparison.clock import Progress
from analognet.comparison.stages import Gap, run
from analognet.comparison.store import Store
from analognet.data import load_data
from analognet.errors import InputError, UsageError
from analognet.names import printable
from analognet.report.value import load_report

TOLERANCE: Final = 1e-6  # relative: the last digits differ between processors
FILES: Final = (".safetensors", ".onnx")  # of models, which are read and not run
TIMED: Final = "/batches/"  # what is measured with a clock, and never comes out the same
# figure -> what its stages' names end in
FIGURE_STAGES: Final[Mapping[str, tuple[str, ...]]] = {
    "accuracy_steps": (
        *("/accuracy", "/solver", "/bought", "/noise", "/temperature", "/corners", "/boards", " C"),
    ),
    "energy_latency": ("/transient", "/device", "/time", "/alternatives"),
    "energy_use": ("/transient",),
    "boards": ("/boards", " C"),
    "curves": ("/curves",),
    "waveforms": ("/transient",),
    "confusion": ("/accuracy", "/solver", "/ngspice"),
    "wrong_inputs": ("/accuracy", "/solver", "/ngspice"),
}


@dataclass(frozen=True)
class Difference:
    """One number that came out otherwise: where in the stage's value, what it was and what it is."""

    path: str
    then: Any
    now: Any


@dataclass(frozen=True)
class Compared:
    """One stage measured again. numbers: how many were held against the report; differences: those beyond
    the tolerance; timed: numbers of a clock, shown and not judged.
    """

    stage: str
    title: str
    numbers: int
    differences: tuple[Difference, ...]
    timed: tuple[Difference, ...]


@dataclass(frozen=True)
class Reproduction:
    """stages: those measured again; gaps: those that could not be, and should have been."""

    stages: tuple[Compared, ...]
    gaps: tuple[Gap, ...]

    @property
    def same(self) -> bool:
        return not self.gaps and not any(stage.differences for stage in self.stages)


def reproduce(
    report: Path,
    *,
    stage: str | None = None,
    figure: str | None = None,
    model: str | None = None,
    data: str | None = None,
    jobs: int | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Reproduction:
    """Measure a report's stages again, without anything that was kept, and compare every number.

    stage: one of them alone; figure: those that a figure shows; model, data: where they are now, if not
    where the report's command found them; their digests must be the report's. A model that is a Python
    module runs when it is loaded, so that the caller has to name it: a report does not decide what is run.
    Raises UsageError, InputError.
    """
    held = load_report(report)
    request, names = held["request"], [s["name"] for s in held["stages"]]
    wanted = _wanted(names, stage, figure)
    spec = data or request["data"]
    if spec is None:
        raise UsageError("the report was made from data at hand in a program; give --data")
    if model is None and Path(request["model"]).suffix.lower() not in FILES:
        raise UsageError(
            f"the report's model is '{printable(request['model'])}', which is no file: to load a Python module runs "
            "it; give --model MODULE:CALLABLE if you trust it"
        )
    chosen = plan.subject(
        model or request["model"],
        load_data(spec) if data else spec,
        request["technologies"],
        quick=request["quick"],
        activations=request["activations"],
        topology=request["topology"],
        calibrate=request["calibrate"],
        images=request["images"] if request["limited"] else None,
        seed=request["seed"],
        fpgas=request["fpgas"],
    )
    for what, then, now in (
        ("model", held["network"]["model_sha256"], chosen.loaded.digest),
        ("data", held["data"]["sha256"], chosen.inputs.digest),
    ):
        if then != now:
            raise InputError(f"the {what} is another than the report's: SHA-256 {now[:12]}, not {then[:12]}")
    with TemporaryDirectory(prefix="analognet-") as temporary:
        store = Store(Path(temporary))
        workers = plan.workers(jobs)
        every = plan.stages(chosen, jobs=workers, checkpoints=store.checkpoints())
        again = [s for s in every if s.name in wanted]
        found = run(again, store, progress, side_by_side=workers > 1)
    then = {s["name"]: s for s in held["stages"]}
    compared = []
    for name, result in found.results.items():
        now = rounded(json.loads(storage.to_json(evidence(result))))
        compared.append(_compared(then[name], now))
    known = {s.name for s in every}
    missing = [
        Gap(
            name,
            then[name]["title"],
            "this AnalogNet has no such stage here",
            "use the version that made the report",
        )
        for name in wanted
        if name not in known
    ]
    return Reproduction(tuple(compared), (*found.gaps, *missing))


def _wanted(names: list[str], stage: str | None, figure: str | None) -> list[str]:
    if stage is not None and figure is not None:
        raise UsageError("--stage and --figure: give one of them")
    if stage is not None:
        if stage not in names:
            raise UsageError(
                f"--stage '{printable(stage)}' is not in the report; there are {', '.join(names)}"
            )
        return [stage]
    if figure is not None:
        if figure not in FIGURE_STAGES:
            raise UsageError(
                f"--figure '{printable(figure)}' is unknown; there are {', '.join(FIGURE_STAGES)}"
            )
        return [name for name in names if name.endswith(FIGURE_STAGES[figure])]
    return names


def _compared(then: Mapping[str, Any], now: Mapping[str, Any]) -> Compared:
    old = dict(_leaves({"value": then["value"], "arrays": then["arrays_sha256"]}))
    new = dict(_leaves({"value": now["value"], "arrays": now["arrays_sha256"]}))
    differences, timed = [], []
    for path in sorted({*old, *new}):
        difference = Difference(path, old.get(path), new.get(path))
        if TIMED in path or path == "/value/load" or path.startswith("/value/machine/"):
            timed.append(difference)
        elif not _same(difference.then, difference.now):
            differences.append(difference)
    return Compared(then["name"], then["title"], len(old) - len(timed), tuple(differences), tuple(timed))


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}/{key}")
    elif isinstance(value, list):
        for k, inner in enumerate(value):
            yield from _leaves(inner, f"{path}/{k}")
    else:
        yield path, value


def _same(then: Any, now: Any) -> bool:
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (then, now))
    if numbers:
        return math.isclose(then, now, rel_tol=TOLERANCE, abs_tol=1e-30)
    return bool(then == now)
