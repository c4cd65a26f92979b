"""Threads that wait for programs: what fails ends its own, and nobody else's."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from analognet import process
from analognet.workers import in_threads


def test_results_come_in_the_order_of_the_tasks() -> None:
    told: list[tuple[int, int]] = []
    found = in_threads(lambda s: (time.sleep(s), s)[1], [0.03, 0.0, 0.01], 3, lambda *p: told.append(p))
    assert found == [0.03, 0.0, 0.01]
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert in_threads(str, [], 2) == []


@pytest.mark.slow
def test_a_failure_ends_its_own_programs_and_no_others(tmp_path: Path) -> None:
    ended: dict[str, process.Finished] = {}

    def program(name: str, seconds: float) -> None:
        (tmp_path / name).mkdir()
        ended[name] = process.run(
            ["/bin/sh", "-c", f"exec sleep {seconds}"], cwd=tmp_path / name, timeout_s=30
        )

    def work(name: str) -> None:
        if name == "fails":
            while not (tmp_path / "waits" / "stdout.log").exists():
                time.sleep(0.01)
            raise RuntimeError(name)
        in_threads(lambda n: program(n, 20), [name], 1)  # nested: a program of those who fail all the same

    beside = threading.Thread(target=lambda: in_threads(lambda n: program(n, 1), ["beside"], 1))
    beside.start()
    began = time.monotonic()
    with pytest.raises(RuntimeError, match="fails"):
        in_threads(work, ["waits", "fails", "never"], 2)
    assert time.monotonic() - began < 15
    beside.join()
    assert ended["waits"].signal_name == "SIGKILL"
    assert ended["beside"].returncode == 0
    assert process.groups() == ()
