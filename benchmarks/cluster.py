"""What Monte Carlo on a cluster costs: a model fitted to small runs, and what larger ones then took.

`python benchmarks/cluster.py` prints docs/cluster.md's tables: processor seconds and memory of a worker, the
client's share, and from them a million boards. MNIST is left out where ANALOGNET_DATA does not name it.
Processor time, as wall-clock time on a machine that others use says little; each case is a process of its own
that does what a worker does: open the pickled trial, and count the right answers of chunks of boards.
"""

from __future__ import annotations

import itertools
import json
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from analognet.analog.bench import NOMINAL_C
from analognet.analog.checkpoint import CHUNK, Counts, Job, plan
from analognet.analog.right_answers import ALL, Trial, _counted
from analognet.analog.variation import default_spread
from analognet.cluster import open_cluster, prepare
from analognet.data import load_data
from analognet.design import Design, convert
from analognet.errors import InputError
from analognet.network import Activation, Dense, Network
from analognet.workers import Threads, Workers

EXAMPLES = Path(__file__).parents[1] / "examples"
MILLION = 1_000_000
EMPTY = 2000  # tasks that do nothing


@dataclass(frozen=True)
class Size:
    """What decides the costs. rectifiers: neurons whose diodes are solved for; later: those behind the first
    layer, which are found to take longer.
    """

    inputs: int
    weights: int
    rectifiers: int
    later: int
    images: int


@dataclass(frozen=True)
class Cost:
    """Of a worker. cpu_s: a board, one thread; rss: bytes at its peak; base: before the trial was opened."""

    cpu_s: float
    rss: float
    base: float


def network(shape: Sequence[int]) -> Network:
    rng = np.random.default_rng(0)
    last = len(shape) - 2
    return Network(
        "-".join(map(str, shape)),
        tuple(
            Dense(
                f"l{i}",
                rng.normal(0, 1 / np.sqrt(a), (b, a)),
                rng.normal(0, 0.1, b),
                Activation("linear" if i == last else "relu"),
            )
            for i, (a, b) in enumerate(itertools.pairwise(shape))
        ),
    )


def trial(design: Design, images: int) -> Trial:
    """Boards on a data set's own images where the network has one, else on random ones."""
    if design.dataset is not None:
        data = load_data(design.dataset, design.network.n_in, design.network.n_out)
        assert data.y is not None
        x, y = data.x[:images], data.y[:images]
    else:
        x = np.random.default_rng(1).uniform(0, 1, (images, design.network.n_in))
        y = design.network(x).argmax(axis=1)
    assert len(x) == images, "a data set has fewer images"
    return Trial(design, x, y, 1, default_spread(design), NOMINAL_C)


@dataclass(frozen=True, eq=False)
class Case:
    """Boards of a design on so many images; boards: how many are measured."""

    design: Design
    images: int
    boards: int

    @property
    def size(self) -> Size:
        layers = self.design.network.layers
        rectifying = [len(layer.bias) for layer in layers if layer.activation.name != "linear"]
        return Size(
            self.design.network.n_in,
            sum(layer.weight.size for layer in layers),
            sum(rectifying),
            sum(rectifying[1:]),
            self.images,
        )

    @property
    def name(self) -> str:
        return f"{'-'.join(map(str, self.design.network.shape))}, {self.images:,} images"


def measure(subject: Trial, boards: int) -> Cost:
    """In a process of its own, as a worker's would be."""
    with tempfile.TemporaryDirectory() as place:
        given = Path(place) / "given"
        given.write_bytes(pickle.dumps((_counted, subject)))
        done = subprocess.run(
            [sys.executable, __file__, "--worker", str(given), str(boards)],
            capture_output=True,
            text=True,
            check=True,
        )
    return Cost(**json.loads(done.stdout))


def worker(given: Path, boards: int) -> Cost:
    import distributed.worker  # noqa: F401  # which takes its memory too

    prepare()
    base = peak()
    work, common = pickle.loads(given.read_bytes())
    work(common, Job(ALL, boards, 1))  # what a worker works out once
    best = np.inf
    for first in range(0, boards, CHUNK):
        count = min(CHUNK, boards - first)
        start = time.process_time()
        work(common, Job(ALL, first, count))
        best = min(best, (time.process_time() - start) / count)
    return Cost(best, peak(), base)


def peak() -> float:
    """Bytes of resident memory at most, of this program: getrusage's figure is also its parent's."""
    status = Path("/proc/self/status").read_text()
    return float(status.partition("VmHWM:")[2].split()[0]) * 1024.0


# --- the model


def terms(s: Size) -> list[float]:
    """To make a board's parts and equations; to multiply; to solve rectifiers, twice; and what Python takes."""
    return [s.weights, s.weights * s.images, s.rectifiers * s.images, s.later * s.images, 1.0]


TERMS = ("weights", "weights images", "rectifiers images", "later rectifiers images", "")


def fitted(rows: Sequence[Sequence[float]], values: Sequence[float]) -> np.ndarray:
    """Coefficients from 0 up, least squares of relative errors."""
    from scipy.optimize import nnls

    v = np.asarray(values)
    return nnls(np.asarray(rows) / v[:, None], np.ones(len(v)))[0]


def memory_terms(s: Size) -> list[float]:
    """Bytes: of weights in their many forms, of images as units and volts, and of Python itself."""
    return [s.weights, s.images * s.inputs, 1.0]


def line(*cells: object) -> None:
    print("| " + " | ".join(str(c) for c in cells) + " |", flush=True)


def told(seconds: float) -> str:
    for unit, name in ((86400.0, "days"), (3600.0, "h"), (60.0, "min"), (1.0, "s")):
        if seconds >= 1.5 * unit:
            return f"{seconds / unit:.3g} {name}"
    return f"{1000 * seconds:.3g} ms"


def told_model(coefficients: np.ndarray, names: Sequence[str]) -> str:
    return " + ".join(f"{c:.3g} {name}".strip() for c, name in zip(coefficients, names, strict=True))


def workers(client_s: float) -> None:
    """Fit to small runs, hold to larger ones, and extrapolate."""
    digits = convert(EXAMPLES / "digits" / "digits.safetensors")
    small, deep, middle, million = (
        convert(network(shape), input_range=(0, 1))
        for shape in ((200, 100, 10), (200, 100, 60, 10), (400, 300, 100, 10), (1000, 900, 100, 10))
    )
    fit = [Case(digits, 50, 40), Case(digits, 200, 40), Case(small, 100, 24), Case(deep, 400, 16)]
    fit += [Case(middle, 50, 16), Case(middle, 300, 16)]
    check = [Case(digits, 450, 40), Case(million, 100, 16), Case(million, 1000, 16)]
    extrapolated = [Case(digits, 450, 0)]
    try:
        load_data("mnist")
        mnist = convert(EXAMPLES / "mnist" / "mnist.safetensors")
        fit += [Case(mnist, 200, 24), Case(mnist, 1000, 16)]
        check.append(Case(mnist, 10_000, 8))
        extrapolated.append(Case(mnist, 10_000, 0))
    except InputError as e:
        print(f"MNIST is left out: {e}")
    extrapolated += [Case(million, 100, 0), Case(million, 10_000, 0)]
    costs = [measure(trial(c.design, c.images), c.boards) for c in fit]
    time_of = fitted([terms(c.size) for c in fit], [cost.cpu_s for cost in costs])
    space_of = fitted([memory_terms(c.size) for c in fit], [cost.rss for cost in costs])
    print("\na board's seconds:", told_model(time_of, TERMS))
    print("a worker's bytes:", told_model(space_of, ("weights", "inputs images", "")))
    print()
    line("", "a board, predicted", "measured", "memory, predicted", "measured")
    line("---", "---", "---", "---", "---")
    for k, case in enumerate(fit + check):
        cost = costs[k] if k < len(fit) else measure(trial(case.design, case.images), case.boards)
        line(
            ("fitted to: " if k < len(fit) else "") + case.name,
            told(float(np.dot(time_of, terms(case.size)))),
            told(cost.cpu_s),
            f"{np.dot(space_of, memory_terms(case.size)) / 1e9:.2f} GB",
            f"{cost.rss / 1e9:.2f} GB",
        )
    print()
    line("a million boards of", "processor time", "64 workers", "1,000 workers", "memory of a worker")
    line("---", "---", "---", "---", "---")
    for case in extrapolated:
        board = float(np.dot(time_of, terms(case.size)))
        at_least = MILLION / CHUNK * client_s  # the client hands them out
        line(
            case.name,
            told(MILLION * board),
            *(told(max(MILLION * board / w, at_least)) for w in (64, 1000)),
            f"{np.dot(space_of, memory_terms(case.size)) / 1e9:.2f} GB",
        )


# --- a cluster on this machine


def run(found: Workers, subject: Trial, boards: int, directory: Path) -> float:
    """Wall-clock seconds of so many boards, kept as monte_carlo keeps them."""
    counts = Counts(directory, "benchmark")
    jobs = plan({ALL: boards})
    start = time.monotonic()
    for k, right in found.each(_counted, subject, jobs):
        counts.put(jobs[k], right)
    return time.monotonic() - start


def cluster() -> float:
    """Boards on a cluster of this machine; answers the client's seconds for a task and its piece."""
    subject = trial(convert(EXAMPLES / "digits" / "digits.safetensors"), 450)
    print(
        "\ndigits, 450 images: processor seconds of all workers and of the client, wall-clock in brackets\n"
    )
    line(
        "workers",
        "boards",
        "workers' time, predicted",
        "measured",
        "client's",
        "wall",
    )
    line("---", "---", "---", "---", "---", "---")

    def row(
        title: str, boards: int, predicted: float, spent: float, client: float | None, wall: float
    ) -> None:
        line(
            title,
            boards,
            told(predicted) if predicted else "fitted to",
            told(spent),
            "" if client is None else told(client),
            f"({told(wall)})",
        )

    with tempfile.TemporaryDirectory() as place:
        each = 0.0
        run(Threads(1), subject, 16, Path(place) / "warm")
        for boards in (100, 300, 1000):
            start = time.process_time()
            wall = run(Threads(1), subject, boards, Path(place) / f"threads{boards}")
            spent = time.process_time() - start
            row("1 thread", boards, each * boards, spent, None, wall)
            each = each or spent / boards
        for count in (1, 2):
            with open_cluster("local", count) as found:
                run(found, subject, 16 * count, Path(place) / f"warm{count}")
                for boards in (100, 300, 1000):
                    before = sum(found.client.run(time.process_time).values())
                    start = time.process_time()
                    wall = run(found, subject, boards, Path(place) / f"cluster{count}{boards}")
                    client = time.process_time() - start
                    spent = sum(found.client.run(time.process_time).values()) - before
                    row(f"{count} of a local cluster", boards, each * boards, spent, client, wall)
                if count == 2:
                    start = time.process_time()
                    done = found.each(divmod, 1, [1] * EMPTY)
                    counts = Counts(Path(place) / "empty", "benchmark")
                    for k, _ in done:
                        counts.put(Job(ALL, k * CHUNK, CHUNK), np.zeros(CHUNK, dtype=np.int64))
                    each_task = (time.process_time() - start) / EMPTY
        kept = list((Path(place) / "threads1000").iterdir())
        taken = sum(p.stat().st_blocks * 512 for p in kept)
        print(f"\npieces: {len(kept)} files of 1,000 boards, {taken / len(kept):.0f} bytes of disk each")
        print(
            f"the client, scheduler included: {told(each_task)} for a task that does nothing, and its piece"
        )
    return each_task


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        print(json.dumps(asdict(worker(Path(sys.argv[2]), int(sys.argv[3])))))
    else:
        workers(cluster())
