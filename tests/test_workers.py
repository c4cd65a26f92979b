"""Who does the tasks: threads, processes, and what a cluster is asked for before anything is done."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from conftest import EXAMPLES

from analognet import cluster
from analognet.cli.app import run
from analognet.errors import SimulatorError, ToolMissing, UsageError
from analognet.workers import Processes, Threads, Workers, in_order

KINDS = [Threads(1), Threads(3), Processes(1), Processes(2)]


def divided(common: int, task: int) -> float:
    return common / task


def killed(common: int, task: int) -> int:
    if task == common:
        os.kill(os.getpid(), signal.SIGKILL)
    return task


@pytest.mark.parametrize("workers", KINDS, ids=repr)
def test_results_are_those_of_their_tasks(workers: Workers) -> None:
    seen: list[tuple[int, int]] = []
    tasks = [5, 4, 2, 1]
    found = in_order(workers.each(divided, 20, tasks), 4, lambda *at: seen.append(at))
    assert found == [4.0, 5.0, 10.0, 20.0]
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert list(workers.each(divided, 20, [])) == []


@pytest.mark.parametrize("workers", KINDS, ids=repr)
def test_an_error_of_the_work_is_the_callers(workers: Workers) -> None:
    with pytest.raises(ZeroDivisionError):
        list(workers.each(divided, 1, [1, 0, 2, 3]))


def test_what_nobody_waits_for_is_not_begun() -> None:
    begun: list[int] = []

    def work(_: None, task: int) -> None:
        begun.append(task)
        time.sleep(0.1 if task else 0.0)

    with closing(Threads(1).each(work, None, range(1000))) as done:
        next(done)
    assert len(begun) < 1000


def test_a_worker_process_that_is_killed_is_an_error_in_words() -> None:
    with pytest.raises(SimulatorError, match="worker process ended before its work was done"):
        list(Processes(2).each(killed, 3, [1, 2, 3, 4]))


# --- a cluster, before anything is done


@pytest.mark.parametrize(
    "address",
    [
        "",
        "remote",
        "LOCAL",
        "127.0.0.1:8786",
        "http://127.0.0.1:8786",
        "inproc://127.0.0.1/1/1",
        "ucx://127.0.0.1:8786",
        "tcp://127.0.0.1",
        "tcp://127.0.0.1:",
        "tcp://127.0.0.1:0",
        "tcp://127.0.0.1:65536",
        "tcp://127.0.0.1:99999999999999999999",
        "tcp://:8786",
        "tcp://user@host:8786",
        "tcp://host:8786/path",
        "tcp://host:8786\n",
        "tcp://ho st:8786",
        "tcp://[::1:8786",
        "tcp://host:\uff18\uff17",  # digits, but not those of a port
        "file:///etc/passwd",
        "\x1b[31mtcp://host:1",
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with (
        pytest.raises(UsageError, match=r"--scheduler '.*': write tcp://HOST:PORT") as told,
        cluster.open_cluster(address, 1),
    ):
        pass
    assert "\x1b" not in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("address", ["local", "tcp://host:1", "tls://[::1]:8786", "tcp://10.0.0.1:65535"])
def test_without_dask_the_line_that_installs_it(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(ToolMissing, match=r"pip install 'analognet\[cluster\]'") as told,
        cluster.open_cluster(address, 1),
    ):
        pass
    assert told.value.exit_code == 4


def test_a_difference_is_told_by_its_name() -> None:
    ours = cluster.identity(ngspice=True)
    assert cluster.difference(ours, dict(ours)) is None
    for key in ours:
        line = cluster.difference(ours, dict(ours) | {key: "0.0\x1b"})
        assert line is not None
        assert line.startswith(f"has {key} 0.0\\x1b where this machine has {ours[key]}")
    assert "numpy none" in str(cluster.difference(ours, {k: v for k, v in ours.items() if k != "numpy"}))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--scheduler", "local"], "add one of them"),
        (["--scheduler", "local", "--noise"], "add one of them"),
        (["--scheduler", "local", "--monte-carlo", "2", "--device", "CPU"], "without --device"),
        (["--scheduler", "nowhere", "--monte-carlo", "2"], "write tcp://HOST:PORT"),
        (["--scheduler", "local", "--monte-carlo", "2", "--jobs", "0"], "at least 1 is needed"),
    ],
)
def test_options_that_do_not_fit(
    options: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["convert", str(EXAMPLES / "iris" / "iris.safetensors"), f"--out={tmp_path / 'd'}"]) == 0
    assert run(["simulate", str(tmp_path / "d"), *options]) == 2
    assert words in capsys.readouterr().err
