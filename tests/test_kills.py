"""Runs that are killed with SIGKILL at random moments go on to the bytes of a run that was left alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

# fifty in all
SHARES = {"few boards": 16, "boards": 8, "sweep": 8, "transitions": 13, "vhdl-sweep": 5}


def killed(work: str, kills: int, seed: int) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("killing.py")), work, str(kills), str(seed)],
        capture_output=True,
        text=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        timeout=3000,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["kills"] == found["identical"] == kills
    assert found["left processes running"] == 0
    return found


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("work", SHARES)
def test_fifty_kills(work: str) -> None:
    found = killed(work, SHARES[work], 7)
    # kills met the work half done, and not only its beginning or its end
    assert found["with pieces on disk"] >= 1


def test_there_are_fifty() -> None:
    assert sum(SHARES.values()) == 50
