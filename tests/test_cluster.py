"""A dask scheduler and worker processes over loopback: the same bytes as without, whoever dies meanwhile."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from conftest import EXAMPLES, example, test_set

from analognet import cluster, inference
from analognet.analog.montecarlo import MonteCarlo, monte_carlo
from analognet.analog.variation import default_spread
from analognet.cli.app import run
from analognet.errors import SimulatorError, ToolMissing
from analognet.explore import Exploration, explore, parse_grid
from analognet.workers import Threads, Workers, in_order

IRIS = EXAMPLES / "iris" / "iris.safetensors"
START_S = 60.0  # for a process to be there, on a machine that does other things too
pytestmark = pytest.mark.slow


@dataclass
class Servers:
    """A scheduler and its workers, each a process of its own. place: where they run and keep their logs."""

    place: Path
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{port}"
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", str(port))

    def _start(self, kind: str, *options: str, **env: str) -> subprocess.Popen[bytes]:
        own = {
            "PYTHONPATH": str(Path(__file__).parent),  # for `nap`
            "DASK_DISTRIBUTED__SCHEDULER__HTTP__ROUTES": "[]",
            "DASK_DISTRIBUTED__WORKER__HTTP__ROUTES": "[]",
        }
        log = self.place / f"{kind}{len(self.workers)}.log"
        with log.open("wb") as out:
            return subprocess.Popen(
                [
                    *(sys.executable, "-m", f"distributed.cli.dask_{kind}", "--no-dashboard"),
                    *("--dashboard-address", "127.0.0.1:0", *options),
                ],
                cwd=self.place,
                stdout=out,
                stderr=out,
                env={**os.environ, "TMPDIR": str(self.place), "HOME": str(self.place), **own, **env},
            )

    def add(self, *options: str, **env: str) -> subprocess.Popen[bytes]:
        found = self._start(
            "worker", self.address, "--host", "127.0.0.1", "--nthreads", "1", "--no-nanny", *options, **env
        )
        self.workers.append(found)
        return found

    def close(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


@contextlib.contextmanager
def servers(place: Path) -> Iterator[Servers]:
    place.mkdir(exist_ok=True)
    found = Servers(place)
    try:
        yield found
    finally:
        found.close()


@contextlib.contextmanager
def connected(where: Servers, count: int) -> Iterator[cluster.Cluster]:
    """The cluster once so many workers are there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster, "CONNECT_S", START_S)
        with cluster.open_cluster(where.address, 1, ngspice=True) as found:
            wait_for(found, count)
            yield found


def wait_for(found: cluster.Cluster, count: int) -> None:
    end = time.monotonic() + START_S
    while len(found._workers()) != count:
        assert time.monotonic() < end, found._workers()
        time.sleep(0.02)


def boards(n: int, workers: Workers | None, place: Path | None = None, **options: object) -> MonteCarlo:
    design, data = example("iris"), test_set("iris")
    assert data.y is not None
    spread = default_spread(design, vos_sigma=20e-3)
    return monte_carlo(design, data.x, data.y, n, 3, spread, workers=workers, checkpoint=place, **options)  # type: ignore[arg-type]


def kept(place: Path) -> dict[str, bytes]:
    return {str(p.relative_to(place)): p.read_bytes() for p in place.rglob("*.piece")}


def nap(seconds: float, task: int) -> int:
    time.sleep(seconds)
    return task * task


# --- a scheduler and workers: one test, as to start them takes longer than what they do


def test_a_cluster_over_loopback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with servers(tmp_path / "servers") as where:
        with monkeypatch.context() as patch:
            patch.setattr(cluster, "JOIN_S", 0.1)
            refused(where, "has no worker after 0.1 s; start one with: dask worker", SimulatorError)
        first, second = where.add(), where.add()
        with connected(where, 2) as found:
            assert found.notes == ()
            boards_are_those_of_threads(found, tmp_path / "boards")
            transitions_are_those_of_threads(found, tmp_path / "transitions")
            sweep_is_that_of_processes(found, tmp_path / "sweep")
            errors_of_the_work_are_ours(found)
            only_workers_like_us_do_anything(found, where)
            killed_workers_cost_nothing(found, where, (first, second), tmp_path / "killed")
            without_workers_or_scheduler_it_ends_in_words(found, where, tmp_path / "alone")


def boards_are_those_of_threads(found: cluster.Cluster, place: Path) -> None:
    alone = boards(24, Threads(2), place / "alone", sensitivity_boards=3)
    seen: list[tuple[int, int]] = []
    there = boards(24, found, place / "there", sensitivity_boards=3, progress=lambda *at: seen.append(at))
    assert there.accuracy.tobytes() == alone.accuracy.tobytes()
    assert there.sensitivity == alone.sensitivity
    assert there.sigma > 0
    assert kept(place / "there") == kept(place / "alone")
    assert seen[-1][0] == seen[-1][1]
    assert sorted(seen) == seen


def transitions_are_those_of_threads(found: cluster.Cluster, place: Path) -> None:
    def study(workers: Workers | None, place: Path) -> str:
        made = inference.transient(
            example("iris"), test_set("iris"), transitions=2, seed=1, workers=workers, checkpoint=place
        )
        details = dict(made.metrics.details["transient"], cpu_s_per_inference=None)
        return repr((dict(made.metrics.values), details))

    alone = study(Threads(1), place / "alone")
    assert study(found, place / "there") == alone
    assert kept(place / "there").keys() == kept(place / "alone").keys()
    assert study(None, place / "there") == alone  # from what the cluster has done


def sweep_is_that_of_processes(found: cluster.Cluster, place: Path) -> None:
    def sweep(workers: Workers | None, place: Path) -> Exploration:
        grid = parse_grid("opamp=opa4192,nope")
        return explore(IRIS, grid, place, data="iris", images=5, transitions=2, jobs=1, workers=workers)

    alone = sweep(None, place / "alone")
    assert sweep(found, place / "there").points == alone.points
    assert kept(place / "there") == kept(place / "alone")
    assert sweep(None, place / "there").measured == 0


def errors_of_the_work_are_ours(found: cluster.Cluster) -> None:
    with pytest.raises(ZeroDivisionError):
        list(found.each(divmod, 1, [1, 2, 0]))
    done = found.each(nap, 0.01, range(50))
    assert all(found == k * k for k, found in (next(done) for _ in range(3)))
    done.close()  # whoever stops asking leaves nothing to be done
    assert in_order(found.each(nap, 0.0, range(9)), 9, None)[8] == 64
    assert list(found.each(nap, 0.0, [])) == []


def only_workers_like_us_do_anything(found: cluster.Cluster, where: Servers) -> None:
    with pytest.MonkeyPatch.context() as patch:  # of two that differ it is all one which is changed
        patch.setattr(cluster, "program_digest", lambda: "0" * 64)
        refused(
            where,
            r"worker tcp://127.0.0.1:\d+ has its code and cells [0-9a-f]{12} where this machine has 0{12}",
        )
        patch.undo()
        patch.setattr(cluster, "_kernels", lambda: "abacus")
        with cluster.open_cluster(where.address, 1) as other:
            assert len(other.notes) == 2
            assert "where this machine does with abacus: last digits may differ" in other.notes[0]
    # one that joined later is met by its first task
    later = replace(found, who={**found.who, "numpy": "1.0"})
    with pytest.raises(
        ToolMissing, match=rf"a worker on .* has numpy {np.__version__} where this machine has 1\.0"
    ):
        list(later.each(nap, 0.0, range(3)))


def killed_workers_cost_nothing(
    found: cluster.Cluster, where: Servers, doomed: Sequence[subprocess.Popen[bytes]], place: Path
) -> None:
    """Both that there are, one after the other: so is the one that held what all tasks share."""
    alone = boards(80, Threads(2), place / "alone", sensitivity_boards=0)
    hurt: list[int] = []

    def kill(done: int, total: int) -> None:
        if done >= 17 and len(hurt) == 0:
            where.add()
            os.kill(doomed[0].pid, signal.SIGKILL)
            hurt.append(done)
        if done >= 41 and len(hurt) == 1:
            wait_for(found, 2)
            os.kill(doomed[1].pid, signal.SIGKILL)
            hurt.append(done)

    there = boards(80, found, place / "there", sensitivity_boards=0, progress=kill)
    assert len(hurt) == 2
    assert [p.wait() for p in doomed] == [-signal.SIGKILL] * 2
    assert there.accuracy.tobytes() == alone.accuracy.tobytes()
    assert kept(place / "there") == kept(place / "alone")


def without_workers_or_scheduler_it_ends_in_words(
    found: cluster.Cluster, where: Servers, place: Path
) -> None:
    alone = boards(80, Threads(2), place / "alone", sensitivity_boards=0)

    def fails(words: str, victim: subprocess.Popen[bytes], place: Path) -> None:
        def kill(done: int, total: int) -> None:
            if done >= 9:
                os.kill(victim.pid, signal.SIGKILL)

        with pytest.raises(SimulatorError, match=words):
            boards(80, found, place, sensitivity_boards=0, progress=kill)
        assert 1 <= len(kept(place)) < 10
        resumed = boards(80, Threads(2), place, sensitivity_boards=0)
        assert resumed.accuracy.tobytes() == alone.accuracy.tobytes()
        assert kept(place) == kept(place.parent / "alone")

    wait_for(found, 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster, "ALONE_S", 0.5)
        fails("has had no worker for 0.5 s; what was done is kept", where.workers[-1], place / "a")
    where.add()
    wait_for(found, 1)
    fails("the scheduler was lost in the middle of the run", where.scheduler, place / "b")


def refused(where: Servers, words: str, error: type[Exception] = ToolMissing) -> None:
    with pytest.raises(error, match=words), connected(where, 1):
        pass


# --- nobody there


def test_a_scheduler_that_does_not_answer_is_no_hang(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cluster, "CONNECT_S", 1.0)
    monkeypatch.chdir(tmp_path)
    assert run(["convert", str(IRIS)]) == 0
    with socket.socket() as silent, socket.socket() as closed:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        closed.bind(("127.0.0.1", 0))  # and nobody listens
        for end in (silent, closed):
            address = f"tcp://127.0.0.1:{end.getsockname()[1]}"
            began = time.monotonic()
            capsys.readouterr()
            assert run(["simulate", "--monte-carlo", "2", "--scheduler", address]) == 5
            assert f"no dask scheduler answers at {address} within 1 s" in capsys.readouterr().err
            assert time.monotonic() - began < 20


# --- the command line, and a cluster of its own


def test_a_local_cluster_gives_the_bytes_of_threads_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import tempfile

    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.chdir(tmp_path)
    command = [
        "simulate",
        "--data",
        "iris",
        "--engine",
        "solver",
        "--monte-carlo",
        "24",
        "--jobs",
        "2",
        "--json",
    ]
    assert run(["convert", str(IRIS)]) == 0
    capsys.readouterr()
    assert run(command) == 0
    alone = capsys.readouterr()
    pieces = kept(tmp_path)
    shutil.rmtree(tmp_path / "build" / "iris" / "monte_carlo")
    assert run([*command, "--scheduler", "local"]) == 0
    there = capsys.readouterr()
    assert there.out == alone.out
    assert there.err == alone.err
    assert kept(tmp_path) == pieces
    assert list(temporary.iterdir()) == []
    assert sorted(p.name for p in tmp_path.iterdir()) == ["build", "tmp"]
