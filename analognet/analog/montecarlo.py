"""Many boards over a whole data set: the distribution of accuracy, and what costs it.

Every board is one of `variation`, solved by the structural solver over all images; every chip one of
`compact.chips`, solved by the compact model. Boards are done in
chunks by threads; each chunk that is done is on disk before the next is reported, so a run that is
killed goes on where it was, to the same bytes. What is kept per board is a count of right answers.
"""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit
from threadpoolctl import threadpool_limits

from analognet import storage
from analognet.analog import solver
from analognet.analog.bench import NOMINAL_C
from analognet.analog.compact.chips import Chip, chip, right_answers
from analognet.analog.variation import Board, Spread, board, check_seed, check_temperature
from analognet.errors import InputError, UsageError
from analognet.metrics import wilson
from analognet.network import Array, classify

if TYPE_CHECKING:
    from analognet.design import Design

_log = logging.getLogger("analognet.montecarlo")
MOST_BOARDS: Final = 1_000_000
CHUNK_BOARDS: Final = 8
CHUNK_IMAGES: Final = 512
SENSITIVITY_BOARDS: Final = 50  # per source, where there are as many
TABLE_PRECISION_V: Final = 1e-8  # of tabulated cells: a class is decided by millivolts
DYNAMIC: Final = ("bandwidth",)  # sources that no operating point depends on
PERCENTILES: Final = (1, 5, 25, 50, 75, 95, 99)
ALL: Final = "all"
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Sensitivity:
    """One source of variation alone: what it costs on average against the nominal board, as a fraction
    of the images; its standard error; the standard deviation of accuracy; over how many boards.
    """

    source: str
    loss: float
    loss_error: float
    sigma: float
    boards: int


@dataclass(frozen=True, eq=False)
class MonteCarlo:
    """The distribution of accuracy over boards.

    accuracy: (n,) fraction of right answers of board k; nominal: of the board without spread;
    reference: of the float network; mean_ci95: Student's interval of the mean; percentiles: percent ->
    accuracy; limit, met, met_ci95: accuracy that a board must reach, the fraction that does, and its
    Wilson interval; sensitivity: the sources, costliest first; images: how many.
    """

    accuracy: Array
    nominal: float
    reference: float
    mean: float
    sigma: float
    mean_ci95: tuple[float, float]
    percentiles: Mapping[int, float]
    limit: float
    met: float
    met_ci95: tuple[float, float]
    sensitivity: tuple[Sensitivity, ...]
    images: int
    seed: int
    temperature: float
    spread: Spread

    @property
    def boards(self) -> int:
        return len(self.accuracy)


@dataclass(frozen=True)
class _Job:
    source: str
    first: int
    count: int


def monte_carlo(
    design: Design,
    x: Array,
    y: NDArray[np.int64],
    n: int,
    seed: int,
    spread: Spread,
    *,
    temperature: float = NOMINAL_C,
    limit: float | None = None,
    sensitivity_boards: int = SENSITIVITY_BOARDS,
    jobs: int = 2,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> MonteCarlo:
    """Run n boards over images x (N, n_in) in units with classes y (N,).

    limit: accuracy that counts as good, by default one point below the float network's.
    sensitivity_boards: boards per source run with that source alone; 0 leaves it out. checkpoint: a file
    that keeps what is done; one of another run is refused. progress(done, total) counts boards.

    Raises UsageError for a number, seed, limit or temperature that is not allowed, InputError for data or
    a checkpoint that does not fit, SimulatorError naming board, cell and image.
    """
    _check(n, sensitivity_boards, limit, jobs)
    seed = check_seed(seed)
    check_temperature(design, temperature, spread.temperature_span)
    x = np.asarray(x, dtype=np.float64)
    if x.ndim != 2 or x.shape[1] != design.analog.n_in or not len(x) or np.shape(y) != (len(x),):
        raise InputError(
            f"data have shapes {x.shape} and {np.shape(y)}; "
            f"Monte Carlo needs inputs (N, {design.analog.n_in}) and classes (N,)"
        )
    counts = _Counts(checkpoint, _key(design, x, y, seed, spread, temperature))
    sources = {ALL: n}
    if sensitivity_boards:
        sources |= {s: min(n, sensitivity_boards) for s in spread.active if s not in DYNAMIC}
    plan = [
        _Job(source, first, min(CHUNK_BOARDS, count - first))
        for source, count in sources.items()
        for first in range(0, count, CHUNK_BOARDS)
    ]
    total = sum(job.count for job in plan) + 1
    nominal = _right(design, x, y, None, temperature)
    done = 1 + sum(job.count for job in plan if counts.has(job))
    if progress:
        progress(done, total)

    def work(job: _Job) -> NDArray[np.int64]:
        alone = spread if job.source == ALL else spread.only(job.source)
        drawn = (_draw(design, alone, seed, job.first + i, temperature) for i in range(job.count))
        return np.array([_right(design, x, y, b, temperature) for b in drawn], dtype=np.int64)

    left = [job for job in plan if not counts.has(job)]
    with threadpool_limits(limits=1, user_api="blas"), ThreadPoolExecutor(max_workers=jobs) as pool:
        futures = {pool.submit(work, job): job for job in left}
        try:
            for future in as_completed(futures):
                job = futures[future]
                counts.put(job, future.result())
                done += job.count
                if progress:
                    progress(done, total)
        except BaseException:
            for future in futures:
                future.cancel()
            raise
    reference = float((classify(design.network(x)) == y).mean())
    found = {s: counts.of(s, count) for s, count in sources.items()}
    return _summary(found, nominal, reference, limit, len(x), seed, temperature, spread)


def _check(n: object, sensitivity_boards: int, limit: float | None, jobs: int) -> None:
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or not 1 <= n <= MOST_BOARDS:
        raise UsageError(f"--monte-carlo {n}: a whole number of boards from 1 to {MOST_BOARDS}")
    if sensitivity_boards < 0:
        raise UsageError(f"sensitivity boards {sensitivity_boards}: allowed is 0 or more")
    if limit is not None and not 0.0 <= limit <= 1.0:
        raise UsageError(f"limit {limit:g}: an accuracy is from 0 to 1")
    if jobs < 1:
        raise UsageError(f"--jobs {jobs}: at least 1 is needed")


def _draw(design: Design, spread: Spread, seed: int, k: int, temperature: float) -> Board | Chip:
    if design.technology.process:
        return chip(design, spread, seed, k)
    return board(design, spread, seed, k, temperature)


def _right(
    design: Design, x: Array, y: NDArray[np.int64], drawn: Board | Chip | None, temperature: float
) -> int:
    """How many images a board or chip answers rightly; the nominal one where none was drawn."""
    if design.technology.process:
        return right_answers(design, x, y, drawn, design.conditions(temperature))  # type: ignore[arg-type]
    assert not isinstance(drawn, Chip)
    volts = x * design.analog.scale_in
    kwargs = {} if drawn is None else {"factors": drawn.factors, "rails": drawn.rails}
    celsius = temperature if drawn is None else drawn.temperature
    hardware = solver.hardware(design.analog, design.cells, celsius, **kwargs)  # type: ignore[arg-type]
    system = solver.equations(hardware, TABLE_PRECISION_V)
    right = 0
    for at in range(0, len(volts), CHUNK_IMAGES):
        outputs, _, _ = system.solve(volts[at : at + CHUNK_IMAGES], at)
        predicted = classify(outputs[-1] / design.analog.scale_out)
        right += int((predicted == y[at : at + CHUNK_IMAGES]).sum())
    return right


def _key(
    design: Design, x: Array, y: NDArray[np.int64], seed: int, spread: Spread, temperature: float
) -> str:
    """A digest of all that a board's count depends on."""
    text = repr(
        (
            design.netlist,
            design.corner,
            sorted(design.files),
            seed,
            sorted(asdict(spread).items()),
            temperature,
        )
    )
    return storage.digest(text.encode() + x.tobytes() + np.asarray(y, dtype=np.int64).tobytes())


class _Counts:
    """Right answers by source and board, in memory and, whole after every chunk, in a file."""

    def __init__(self, path: Path | None, key: str) -> None:
        self.path = path
        self.key = key
        self.found: dict[str, dict[int, int]] = {}
        if path is not None and path.exists():
            self._read(path)

    def has(self, job: _Job) -> bool:
        known = self.found.get(job.source, {})
        return all(job.first + i in known for i in range(job.count))

    def of(self, source: str, count: int) -> Array:
        return np.array([self.found[source][k] for k in range(count)], dtype=np.float64)

    def put(self, job: _Job, right: NDArray[np.int64]) -> None:
        known = self.found.setdefault(job.source, {})
        known.update({job.first + i: int(r) for i, r in enumerate(right)})
        if self.path is not None:
            self._write(self.path)

    def _write(self, path: Path) -> None:
        arrays = {"key": np.array(self.key)}
        for source in sorted(self.found):
            boards = sorted(self.found[source])
            arrays[f"{source}_board"] = np.array(boards, dtype=np.int64)
            arrays[f"{source}_right"] = np.array([self.found[source][k] for k in boards], dtype=np.int64)
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # type: ignore[arg-type]
        fresh = path.with_name(path.name + ".part")
        path.parent.mkdir(parents=True, exist_ok=True)
        with fresh.open("wb") as file:
            file.write(buffer.getvalue())
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)

    def _read(self, path: Path) -> None:
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            key = str(arrays.pop("key"))
            for name in arrays:
                source, _, part = name.rpartition("_")
                if part == "board":
                    boards, right = arrays[name].tolist(), arrays[f"{source}_right"].tolist()
                    self.found[source] = dict(zip(boards, right, strict=True))
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as e:
            _log.info("checkpoint %s is damaged and begun again: %r", path.name, e)
            self.found = {}
            return
        if key != self.key:
            raise InputError(
                f"checkpoint '{path.name}' is of another design, data, seed or spread; remove it to start again"
            )


def _summary(
    right: Mapping[str, Array],
    nominal: int,
    reference: float,
    limit: float | None,
    images: int,
    seed: int,
    temperature: float,
    spread: Spread,
) -> MonteCarlo:
    """right: source -> (boards,) right answers of each board; nominal: of the board without spread."""
    accuracy = right[ALL] / images
    limit = max(0.0, reference - 0.01) if limit is None else limit
    met = int((accuracy >= limit - 1e-12).sum())
    rows = []
    for source, values in right.items():
        if source != ALL:
            loss, sigma = float((nominal - values).mean()) / images, _sigma(values) / images
            rows.append(Sensitivity(source, loss, sigma / len(values) ** 0.5, sigma, len(values)))
    mean, sigma = float(accuracy.mean()), _sigma(accuracy)
    half = 0.0
    if len(accuracy) > 1:
        half = float(stdtrit(len(accuracy) - 1, 0.975)) * sigma / len(accuracy) ** 0.5
    return MonteCarlo(
        accuracy=accuracy,
        nominal=nominal / images,
        reference=reference,
        mean=mean,
        sigma=sigma,
        mean_ci95=(mean - half, mean + half),
        percentiles={p: float(np.percentile(accuracy, p)) for p in PERCENTILES},
        limit=limit,
        met=met / len(accuracy),
        met_ci95=wilson(met, len(accuracy)),
        sensitivity=tuple(sorted(rows, key=lambda r: -r.loss)),
        images=images,
        seed=seed,
        temperature=temperature,
        spread=spread,
    )


def _sigma(values: Array) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0
