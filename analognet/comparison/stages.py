"""Stages: what is measured, in an order, each kept when it is done; a stage that fails leaves a gap.

A stage is a description: its name, what decides its result, and a function of nothing that
measures. `run` takes from the store what is known, measures the rest, and never lets one stage's
failure end the others. Only what nobody can go on from ends a run: an interrupt, a full disk.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from analognet.comparison.store import Result, Store, key_of
from analognet.errors import AnalogNetError, InputError, SimulatorError, ToolMissing, UsageError
from analognet.names import printable

Advance = Callable[[int, int], None]
_REASON_LIMIT: Final = 400


@dataclass(frozen=True)
class Stage:
    """name: unique, `<column>/<what>`; title: for a person; inputs: JSON values that decide the
    result; measure(advance): does the work; effort: seconds it takes about, to tell the time left.
    """

    name: str
    title: str
    inputs: Mapping[str, Any]
    measure: Callable[[Advance], Result]
    effort: float = 1.0


@dataclass(frozen=True)
class Gap:
    """What is not in a report: the stage, why, and what would fill it."""

    stage: str
    title: str
    reason: str
    fix: str


@dataclass(frozen=True)
class Progress:
    """Where a run stands. part: 0 to 1 of the stage at hand; left_s: None before anything was measured."""

    done: int
    total: int
    title: str
    part: float
    left_s: float | None


@dataclass(frozen=True)
class Outcome:
    """results and gaps by stage name; keys: content key of each result; measured: stages not in the store."""

    results: Mapping[str, Result]
    gaps: tuple[Gap, ...]
    keys: Mapping[str, str]
    measured: tuple[str, ...]


def run(
    stages: Sequence[Stage], store: Store, progress: Callable[[Progress], None] = lambda _: None
) -> Outcome:
    """Measure what the store does not hold, in order. Raises InputError where the store cannot be written."""
    store.prepare()
    keys = {stage.name: key_of(stage.name, stage.inputs) for stage in stages}
    if len(keys) != len(stages):
        raise ValueError("two stages have one name")
    results: dict[str, Result] = {}
    refused: dict[str, Gap] = {}
    for stage in stages:
        if (known := store.get(keys[stage.name])) is None:
            continue
        if "refused" in known.value:
            refused[stage.name] = Gap(**known.value["refused"])
        else:
            results[stage.name] = known
    left = [stage for stage in stages if stage.name not in results and stage.name not in refused]
    clock = _Clock(len(stages), left, progress)
    for stage in left:
        clock.begin(stage)
        try:
            found = stage.measure(clock.advance)
        except OSError:  # a full disk is everybody's: what is done is kept, and the run ends
            raise
        except Exception as e:
            refused[stage.name] = gap = gap_of(stage.name, stage.title, e)
            if isinstance(
                e, UsageError
            ):  # a fact about these inputs, such as a device too small: it stays one
                store.put(keys[stage.name], Result({"refused": asdict(gap)}))
        else:
            results[stage.name] = store.put(keys[stage.name], found)
        clock.end(stage)
    order = [stage.name for stage in stages]
    return Outcome(
        {name: results[name] for name in order if name in results},
        tuple(refused[name] for name in order if name in refused),
        {name: keys[name] for name in order if name in results},
        tuple(stage.name for stage in left),
    )


class _Clock:
    """How far a run is, and from the efforts and the time so far, how long it will take."""

    def __init__(self, total: int, left: Sequence[Stage], progress: Callable[[Progress], None]) -> None:
        self.total, self.tell = total, progress
        self.done = total - len(left)
        self.ahead = sum(stage.effort for stage in left)
        self.behind, self.start = 0.0, time.monotonic()
        self.stage: Stage | None = None

    def begin(self, stage: Stage) -> None:
        self.stage = stage
        self.advance(0, 1)

    def advance(self, done: int, total: int) -> None:
        assert self.stage is not None
        part = min(1.0, done / total) if total else 0.0
        worked = self.behind + part * self.stage.effort
        left = None
        if worked > 0.02 * (self.behind + self.ahead):
            left = (time.monotonic() - self.start) / worked * (self.behind + self.ahead - worked)
        self.tell(Progress(self.done, self.total, self.stage.title, part, left))

    def end(self, stage: Stage) -> None:
        self.advance(1, 1)
        self.done += 1
        self.behind += stage.effort
        self.ahead -= stage.effort


def gap_of(name: str, title: str, error: Exception) -> Gap:
    """An error as a gap: the tool's own words as one line of text, and what to do about it."""
    if not isinstance(error, AnalogNetError):
        reason = printable(f"{type(error).__name__}: {error}", _REASON_LIMIT)
        return Gap(name, title, reason, "a fault of AnalogNet itself: report it with the words above")
    fix = {
        ToolMissing: "install it as said, and run again: all else is kept",
        SimulatorError: "run again; what fails the same way twice is worth a report with the words above",
        UsageError: "choose what is allowed, or leave this column out",
        InputError: "mend the file named",
    }
    told = next((words for kind, words in fix.items() if isinstance(error, kind)), "see the reason")
    return Gap(name, title, printable(error, _REASON_LIMIT), told)
