"""`analognet compare` as a function: one network as float, integers, VHDL and circuits, in one report."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from analognet import storage
from analognet.comparison import assemble, plan
from analognet.comparison.clock import Progress
from analognet.comparison.stages import Gap, run
from analognet.comparison.store import Result, Store
from analognet.data import Dataset
from analognet.kept_logs import cache_directory
from analognet.names import file_stem
from analognet.report import forms
from analognet.report.value import KIND, Report

TECHNOLOGIES: Final = ("board",)


@dataclass(frozen=True, eq=False)
class Comparison:
    """report: the value of report.json; files: every form by its name in the directory; gaps: what could
    not be measured; directory: where it was written; measured: stages that were not known already.
    """

    report: Mapping[str, Any]
    files: Mapping[str, bytes]
    gaps: tuple[Gap, ...]
    directory: Path | None
    measured: tuple[str, ...]

    @property
    def verdict(self) -> list[str]:
        return list(self.report["verdict"])


def compare(
    model: str | Path,
    data: str | Path | Dataset,
    *,
    technologies: Sequence[str] = TECHNOLOGIES,
    out: Path | None = None,
    quick: bool = False,
    activations: str | None = None,
    topology: str | None = None,
    calibrate: str | None = None,
    images: int | None = None,
    seed: int = 0,
    fpgas: Sequence[str] | None = None,
    jobs: int | None = None,
    cache: Path | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Comparison:
    """Measure a network as float, integers, VHDL on FPGAs and circuits on the same inputs, and report.

    technologies: names or .toml files; out: directory to write, None for nowhere; quick: a first page in
    a minute or two; images: only the first so many inputs; fpgas: devices, none for an empty sequence;
    cache: where what was measured is kept, by content (default: the user's cache directory). A stage that
    fails is a gap of the report. Raises UsageError and InputError for the model, the data, the options, or
    a directory that cannot be written.
    """
    if out is not None:
        storage.check_target(out, KIND)
    workers = plan.workers(jobs)
    store = Store(cache or default_cache())
    store.prepare()
    chosen = plan.subject(
        model,
        data,
        tuple(technologies),
        quick=quick,
        activations=activations,
        topology=topology,
        calibrate=calibrate,
        images=images,
        seed=seed,
        fpgas=fpgas,
    )
    stages = plan.stages(chosen, jobs=workers, checkpoints=store.checkpoints())
    found = run(stages, store, progress, side_by_side=workers > 1)
    left_out = plan.left_out(chosen, stages, jobs=workers, checkpoints=store.checkpoints())
    found = replace(found, gaps=(*found.gaps, *left_out))
    value = assemble.assemble(chosen, stages, found)
    report = json.loads(storage.to_json(value))
    files = rendered(report, store)
    if out is not None:
        storage.write_directory(out, KIND, files)
    return Comparison(report, files, (*chosen.gaps, *found.gaps), out, found.measured)


def rendered(report: Report, store: Store) -> dict[str, bytes]:
    """All forms of a report, from the store where the same report was rendered before."""
    key = storage.digest(json.dumps([storage.to_json(report), forms.program()]).encode())
    if (known := store.get(key)) is not None:
        return {name: data.tobytes() for name, data in known.arrays.items()}
    made = forms.files(report)
    store.put(key, Result({}, {name: np.frombuffer(data, dtype=np.uint8) for name, data in made.items()}))
    return made


def default_cache() -> Path:
    """Where what was measured is kept."""
    return cache_directory() / "compare"


def default_directory(model: str) -> str:
    """The name of a report's directory."""
    return f"{file_stem(Path(model).stem.rsplit(':', 1)[-1])}-report"
