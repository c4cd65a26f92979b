"""Many boards over a whole data set: the distribution of accuracy, and what costs it.

Every board is one of `variation`, solved over all images, every chip one of `compact.chips`
(`right_answers`), by threads here or by any other `workers`. Boards are done in chunks, each of which is on
disk before the next is reported, so a run that is killed goes on where it was, to the same bytes. What is
kept per board is a count of right answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from analognet import storage
from analognet.analog.bench import NOMINAL_C
from analognet.analog.calibration import Calibrator
from analognet.analog.checkpoint import Counts, plan
from analognet.analog.right_answers import ALL, Trial, by_device, by_solver, nominal_answers, open_run
from analognet.analog.solver.device import open_device
from analognet.analog.variation import Spread, check_seed, check_temperature
from analognet.errors import InputError, UsageError
from analognet.metrics import wilson
from analognet.network import Array, classify
from analognet.workers import Threads, Workers

if TYPE_CHECKING:
    from analognet.design import Design

MOST_BOARDS: Final = 1_000_000
SENSITIVITY_BOARDS: Final = 50  # per source, where there are as many
DYNAMIC: Final = ("bandwidth",)  # sources that no operating point depends on
PERCENTILES: Final = (1, 5, 25, 50, 75, 95, 99)
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
    workers: Workers | None = None,
    device: str | None = None,
    calibrator: Calibrator | None = None,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> MonteCarlo:
    """Run n boards over images x (N, n_in) in units with classes y (N,).

    limit: accuracy that counts as good, by default one point below the float network's.
    sensitivity_boards: boards per source run with that source alone; 0 leaves it out. workers: who does them,
    by default `jobs` threads; the result is the same whoever does. checkpoint: a directory that keeps what is
    done. progress(done, total) counts boards. device: a tinygrad device that does what float32 can do for
    certain, see `solver.device`; the same boards. calibrator: measures and trims every board first, see
    `calibration`.

    Raises UsageError for a number, seed, limit or temperature that is not allowed, InputError for data that
    do not fit, or a network that the device cannot do, ToolMissing for a device that is not there,
    SimulatorError naming board, cell and image.
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
    if design.technology.process and (device is not None or calibrator is not None):
        raise UsageError(
            f"technology {design.technology.name}: chips are neither solved on a device nor trimmed; "
            "leave --device and --trim-adc out"
        )
    trial = Trial(design, x, np.asarray(y), seed, spread, temperature, calibrator)
    if device is not None:
        device = open_device(device)
    counts = Counts(checkpoint, _key(trial, device))
    sources = {ALL: n}
    if sensitivity_boards:
        sources |= {s: min(n, sensitivity_boards) for s in spread.active if s not in DYNAMIC}
    chunks = plan(sources)
    left = [job for job in chunks if not counts.has(job)]
    total = sum(job.count for job in chunks) + 1
    nominal = nominal_answers(trial)
    done = total - sum(job.count for job in left)
    if progress:
        progress(done, total)
    if device is None or not left:
        solved = by_solver(trial, left, workers or Threads(jobs))
    else:
        solved = by_device(trial, left, jobs, open_run(trial, jobs, device))
    with closing(solved):
        for job, right in solved:
            counts.put(job, right)
            done += job.count
            if progress:
                progress(done, total)
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


def _key(trial: Trial, device: str | None) -> str:
    """A digest of all that a board's count depends on; what a device did is never mixed with other results."""
    design, made = trial.design, trial.calibrator
    trims = () if made is None else (made.trims, made.adc_bits, storage.digest(made.volts.tobytes()))
    text = repr(
        (
            design.netlist,
            design.corner,
            (design.technology.vdd, design.technology.vss),
            sorted(design.files),
            trial.seed,
            sorted(asdict(trial.spread).items()),
            trial.temperature,
            *(() if device is None else (device, "float32")),
            *trims,
        )
    )
    return storage.digest(text.encode() + trial.x.tobytes() + trial.classes.astype(np.int64).tobytes())


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
