"""How many images each board answers rightly: by the float64 solver, or by a device and the solver; each
chip, by the compact model.

Workers draw the boards, write their equations down and solve them; as threads they do, since numpy's
generators and array operations let go of the interpreter's lock. With a device, the calling thread hands it
eight boards at a time, and threads solve in float64 what it leaves open.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from analognet.analog import solver
from analognet.analog.calibration import Calibrator, calibrate
from analognet.analog.checkpoint import Job
from analognet.analog.compact import chips
from analognet.analog.solver.device import DeviceRun, answers, device_run, outputs
from analognet.analog.solver.device_equations import OPEN, RIGHT
from analognet.analog.solver.differences import BoardDifferences, anchors, covered, differences
from analognet.analog.solver.rounding import AGREEMENT_V, Anchors
from analognet.analog.variation import Spread, board
from analognet.errors import SimulatorError
from analognet.network import Array, classify
from analognet.workers import Workers

if TYPE_CHECKING:
    from analognet.design import Design

CHUNK_IMAGES: Final = 512
PROVED: Final = 2  # boards of the first that a device does, held against float64
TABLE_PRECISION_V: Final = 1e-8  # of tabulated cells: a class is decided by millivolts
ALL: Final = "all"
Counts = NDArray[np.int64]
Solved = Generator[tuple[Job, Counts], None, None]


@dataclass(frozen=True, eq=False)
class Trial:
    """What boards are tried on: x (N, n_in) in units, classes (N,); seed, spread and temperature draw
    them; calibrated by `calibrator`, where there is one.
    """

    design: Design
    x: Array
    classes: NDArray[np.int64]
    seed: int
    spread: Spread
    temperature: float
    calibrator: Calibrator | None = None

    def __getstate__(self) -> dict[str, Any]:
        """For another process: what is worked out from the fields is worked out again there."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @cached_property
    def volts(self) -> Array:
        """(N, n_in) at the inputs."""
        return self.x * self.design.analog.scale_in

    def varied(self, source: str) -> Spread:
        """One source of variation alone, or all."""
        return self.spread if source == ALL else self.spread.only(source)

    def system(self, source: str, k: int) -> solver.Equations:
        """Board k's equations, with one source of variation or all."""
        drawn = board(self.design, self.varied(source), self.seed, k, self.temperature)
        if self.calibrator is not None:
            return calibrate(self.design, self.calibrator, drawn, TABLE_PRECISION_V).system
        hardware = solver.hardware(
            self.design.analog, self.design.cells, drawn.temperature, drawn.factors, drawn.rails
        )
        return solver.equations(hardware, TABLE_PRECISION_V)


def nominal_system(trial: Trial) -> solver.Equations:
    """The equations of the board without spread."""
    hardware = solver.hardware(trial.design.analog, trial.design.cells, trial.temperature)
    return solver.equations(hardware, TABLE_PRECISION_V)


def right_answers(
    trial: Trial, system: solver.Equations, images: Sequence[int] | Counts | None = None
) -> int:
    """How many images, of all or of those given, a board answers rightly. Raises SimulatorError."""
    volts, classes = trial.volts, trial.classes
    if images is not None:
        volts, classes = volts[images], classes[images]
    right = 0
    for at in range(0, len(volts), CHUNK_IMAGES):
        outputs, _, _ = system.solve(volts[at : at + CHUNK_IMAGES], at)
        predicted = classify(outputs[-1] / trial.design.analog.scale_out)
        right += int((predicted == classes[at : at + CHUNK_IMAGES]).sum())
    return right


def nominal_answers(trial: Trial) -> int:
    """How many images the board or chip without spread answers rightly. Raises SimulatorError."""
    design = trial.design
    if design.technology.process:
        return chips.right_answers(design, trial.x, trial.classes, None, design.conditions(trial.temperature))
    return right_answers(trial, nominal_system(trial))


def _right(trial: Trial, source: str, k: int) -> int:
    design = trial.design
    if not design.technology.process:
        return right_answers(trial, trial.system(source, k))
    drawn = chips.chip(design, trial.varied(source), trial.seed, k)
    return chips.right_answers(design, trial.x, trial.classes, drawn, design.conditions(trial.temperature))


def by_solver(trial: Trial, jobs: Sequence[Job], workers: Workers) -> Solved:
    """(job, right answers of its boards) as they are done, in float64."""
    with closing(workers.each(_counted, trial, jobs)) as done:
        for k, right in done:
            yield jobs[k], right


def _counted(trial: Trial, job: Job) -> Counts:
    return np.array([_right(trial, job.source, job.first + i) for i in range(job.count)], dtype=np.int64)


def open_run(trial: Trial, threads: int, device: str) -> DeviceRun:
    """A device that `open_device` has named, with all that no board changes on it.

    Raises InputError for a network that it cannot do.
    """
    system = nominal_system(trial)
    covered(system)

    def hidden(at: int) -> list[Array]:
        return system.solve(trial.volts[at : at + CHUNK_IMAGES], at)[0][:-1]

    with threadpool_limits(limits=1, user_api="blas"), ThreadPoolExecutor(max_workers=threads) as pool:
        pieces = list(pool.map(hidden, range(0, len(trial.volts), CHUNK_IMAGES)))
    joined = [np.concatenate(layer) for layer in zip(*pieces, strict=True)]
    return device_run(
        anchors(system, trial.volts, joined), trial.classes, trial.design.analog.scale_out, device
    )


def by_device(trial: Trial, jobs: Sequence[Job], threads: int, run: DeviceRun) -> Solved:
    """(job, right answers of its boards) in order, by a device.

    Before the first, some images of its boards are held against the float64 solver, as a device that
    computes in less than float32 would be out. Raises SimulatorError where they differ by more than
    `AGREEMENT_V`, or where the solver finds no operating point.
    """
    with threadpool_limits(limits=1, user_api="blas"), ThreadPoolExecutor(max_workers=threads) as pool:
        ahead: deque[Future[_Prepared]] = deque()
        after: deque[tuple[Job, Counts, Future[Counts]]] = deque()
        left = iter(jobs)
        try:
            for _ in range(2 * threads):
                _submit(pool, trial, run.anchors, left, ahead)
            proved = False
            while ahead:
                made = ahead.popleft().result()
                if not proved:
                    _prove(trial, run, made)
                    proved = True
                codes = answers(run, made.boards)
                again = [np.flatnonzero(row == OPEN) for row in codes]
                sure = (codes == RIGHT).sum(axis=1)
                after.append((made.job, sure, pool.submit(_again, trial, made.systems, again)))
                _submit(pool, trial, run.anchors, left, ahead)
                while after and (not ahead or len(after) > threads):
                    job, sure, rest = after.popleft()
                    yield job, sure + rest.result()
        except BaseException:
            _cancel([*ahead, *(rest for _, _, rest in after)])
            raise


@dataclass(frozen=True, eq=False)
class _Prepared:
    job: Job
    systems: list[solver.Equations]
    boards: list[BoardDifferences]


def _prove(trial: Trial, run: DeviceRun, made: _Prepared) -> None:
    """Raises SimulatorError where trusted outputs are not float64's."""
    volts, trusted = outputs(run, made.boards)
    rows = trusted[:, :CHUNK_IMAGES]
    for system, found, sure in zip(made.systems[:PROVED], volts, rows, strict=False):
        exact = system.solve(trial.volts[:CHUNK_IMAGES])[0][-1]
        off = float(np.abs(found[:CHUNK_IMAGES] - exact)[sure].max(initial=0.0))
        if off > AGREEMENT_V:
            raise SimulatorError(
                f"device {run.device} is off by {off:.2g} V from the float64 solver, more than {AGREEMENT_V:g} V: "
                "no result is given; does it compute float32 in full (ALLOW_TF32, fast-math)?"
            )


def _submit(
    pool: ThreadPoolExecutor,
    trial: Trial,
    found: Anchors,
    left: Iterator[Job],
    ahead: deque[Future[_Prepared]],
) -> None:
    """Have the next job's boards prepared, where there is one."""

    def prepare(job: Job) -> _Prepared:
        systems = [trial.system(job.source, job.first + i) for i in range(job.count)]
        return _Prepared(job, systems, [differences(found, s) for s in systems])

    job = next(left, None)
    if job is not None:
        ahead.append(pool.submit(prepare, job))


def _again(trial: Trial, systems: list[solver.Equations], images: list[Counts]) -> Counts:
    counts = [
        right_answers(trial, s, rows) if len(rows) else 0 for s, rows in zip(systems, images, strict=True)
    ]
    return np.array(counts, dtype=np.int64)


def _cancel(futures: Sequence[Future[_Prepared] | Future[Counts]]) -> None:
    for future in futures:
        future.cancel()
