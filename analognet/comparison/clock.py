"""How far a run of stages is, and how long it will take."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from analognet import process
from analognet.errors import SimulatorError

_EARLY: Final = 0.02  # of the work: before that nobody knows


class Timed(Protocol):
    """What a clock knows of a stage, see `stages.Stage`."""

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def effort(self) -> float: ...
    @property
    def lane(self) -> str: ...
    @property
    def before(self) -> Callable[[], float] | None: ...


@dataclass(frozen=True)
class Progress:
    """Where a run stands. running: title of each stage at hand, and which part of it, 0 to 1, is done;
    left_s: None before anything was measured.
    """

    done: int
    total: int
    running: tuple[tuple[str, float], ...]
    left_s: float | None


class Clock:
    """Counts stages, and from their efforts and the time they took so far, tells the time left.

    Several threads tell it of their stages. Lanes run side by side, so what is left is the longest of them.
    """

    def __init__(self, total: int, left: Sequence[Timed], tell: Callable[[Progress], None]) -> None:
        self.total, self.tell = total, tell
        self.done = total - len(left)
        self.effort = {s.name: s.effort + (s.before() if s.before else 0.0) for s in left}
        self.ahead = {s.name: s for s in left}
        self.running: dict[str, tuple[float, float]] = {}  # when it began, the part that is done
        self.worked = self.spent = 0.0  # of stages that are done: efforts, and seconds
        self.lock = threading.RLock()

    @contextmanager
    def timed(self, stage: Timed) -> Iterator[Callable[[int, int], None]]:
        """Around the work on a stage, which calls what this gives with how many of how many parts are done.

        That raises SimulatorError where the run has ended meanwhile.
        """

        def advance(done: int, total: int) -> None:
            if process.unwanted():
                raise SimulatorError("the run has ended")
            self._at(stage, min(1.0, done / total) if total else 0.0)

        with self.lock:
            self.running[stage.name] = (time.monotonic(), 0.0)
        self._at(stage, 0.0)
        yield advance
        self._at(stage, 1.0)
        with self.lock:
            began, _ = self.running.pop(stage.name)
            self.spent += time.monotonic() - began
            self.worked += self.effort[stage.name]
            del self.ahead[stage.name]
            self.done += 1

    def _at(self, stage: Timed, part: float) -> None:
        with self.lock:
            self.running[stage.name] = (self.running[stage.name][0], part)
            shown = tuple((self.ahead[name].title, part) for name, (_, part) in self.running.items())
            self.tell(Progress(self.done, self.total, shown, self._left_s()))

    def _left_s(self) -> float | None:
        now = time.monotonic()
        worked = self.worked + sum(part * self.effort[n] for n, (_, part) in self.running.items())
        spent = self.spent + sum(now - began for began, _ in self.running.values())
        lanes: dict[str, float] = {}
        for name, stage in self.ahead.items():
            part = self.running[name][1] if name in self.running else 0.0
            lanes[stage.lane] = lanes.get(stage.lane, 0.0) + (1 - part) * self.effort[name]
        alone = lanes.pop("", 0.0)
        left = alone + max(lanes.values(), default=0.0)
        if worked <= _EARLY * (worked + sum(lanes.values()) + alone):
            return None
        return spent / worked * left
