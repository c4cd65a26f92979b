"""Stages: what is measured, each kept when it is done; a stage that fails leaves a gap.

A stage is a description: its name, what decides its result, and a function of nothing that
measures. `run` takes from the store what is known, measures the rest, and never lets one stage's
failure end the others. Only what nobody can go on from ends a run: an interrupt, a full disk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any, Final

from analognet import process
from analognet.comparison.clock import Clock, Progress
from analognet.comparison.store import Result, Store, key_of
from analognet.errors import AnalogNetError, InputError, SimulatorError, ToolMissing, UsageError
from analognet.names import printable
from analognet.workers import in_threads

Advance = Callable[[int, int], None]
_REASON_LIMIT: Final = 400
# reasons of gaps that nobody tried to fill
LEFT_OUT: Final = "left out of a quick comparison"
LEFT_OUT_LARGE: Final = "left out of a comparison of a large network: each of its syntheses takes minutes"


@dataclass(frozen=True)
class Stage:
    """name: unique, `<column>/<what>`; title: for a person; inputs: JSON values that decide the
    result; measure(advance): does the work; effort: seconds it takes about, to tell the time left;
    lane: stages of other lanes may be measured at the same time, without one it is alone; before(): further
    seconds that it takes the first time, such as to tabulate cells.
    """

    name: str
    title: str
    inputs: Mapping[str, Any]
    measure: Callable[[Advance], Result]
    effort: float = 1.0
    lane: str = ""
    before: Callable[[], float] | None = None


@dataclass(frozen=True)
class Gap:
    """What is not in a report: the stage, why, and what would fill it."""

    stage: str
    title: str
    reason: str
    fix: str


@dataclass(frozen=True)
class Outcome:
    """results and gaps by stage name; keys: content key of each result; measured: stages not in the store."""

    results: Mapping[str, Result]
    gaps: tuple[Gap, ...]
    keys: Mapping[str, str]
    measured: tuple[str, ...]


def run(
    stages: Sequence[Stage],
    store: Store,
    progress: Callable[[Progress], None] = lambda _: None,
    *,
    side_by_side: bool = True,
) -> Outcome:
    """Measure what the store does not hold. Raises InputError where the store cannot be written.

    side_by_side: stages of different lanes are measured at once, those of a lane in their order.
    """
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
    clock = Clock(len(stages), left, progress)

    def measure(stage: Stage) -> None:
        with clock.timed(stage) as advance:
            try:
                found = stage.measure(advance)
            except OSError:  # a full disk is everybody's: what is done is kept, and the run ends
                raise
            except Exception as e:
                refused[stage.name] = gap = gap_of(stage.name, stage.title, e)
                # a fact about these inputs, such as a device too small: it stays one
                if isinstance(e, UsageError):
                    store.put(keys[stage.name], Result({"refused": asdict(gap)}))
            else:
                results[stage.name] = store.put(keys[stage.name], found)

    def in_order(lane: Sequence[Stage]) -> None:
        for stage in lane:
            if process.unwanted():
                return  # the run has ended in another lane: nobody asks for what this one would find
            measure(stage)

    for lanes in _lanes(left, side_by_side):
        if len(lanes) == 1:
            in_order(lanes[0])
        else:
            in_threads(in_order, lanes, len(lanes))
    order = [stage.name for stage in stages]
    return Outcome(
        {name: results[name] for name in order if name in results},
        tuple(refused[name] for name in order if name in refused),
        {name: keys[name] for name in order if name in results},
        tuple(stage.name for stage in left),
    )


def _lanes(stages: Sequence[Stage], side_by_side: bool) -> list[list[list[Stage]]]:
    """What is measured after one another: each the lanes that run side by side, each its stages in order."""
    if not side_by_side:
        return [[list(stages)]]
    found = []
    for laned, group in groupby(stages, lambda stage: bool(stage.lane)):
        held = list(group)
        names = dict.fromkeys(stage.lane for stage in held)
        found.append([[s for s in held if s.lane == name] for name in names] if laned else [held])
    return found


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
