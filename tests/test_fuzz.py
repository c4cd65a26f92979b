"""The fuzzer itself works, and finds nothing in a short run. tests/fuzz/README.md has the long one."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).parent / "fuzz" / "run.py"
SECONDS = 60

atheris = pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None,
    reason="atheris is not installed: pip install -e '.[fuzz]'",
)


def fuzz(out: Path, seconds: float, *targets: str) -> tuple[int, dict[str, dict[str, object]]]:
    done = subprocess.run(
        [sys.executable, str(RUN), str(seconds), *targets, "--out", str(out)],
        capture_output=True,
        text=True,
        timeout=20 * SECONDS,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@atheris
@pytest.mark.slow
@pytest.mark.timeout(1300)
def test_a_minute_finds_nothing(tmp_path: Path) -> None:
    code, report = fuzz(tmp_path, SECONDS)
    assert {name: found["findings"] for name, found in report.items()} == {name: [] for name in report}
    assert code == 0
    assert len(report) == 6
    assert all(int(str(found["executions"])) > 50 for found in report.values()), report


@atheris
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_fuzzer_finds_a_fault_that_is_there(tmp_path: Path) -> None:
    """A copy of the fuzzer with a target that fails on its seed reports it, in its exit code too."""
    for path in RUN.parent.glob("*.py"):
        text = path.read_text()
        if path.name == "targets.py":
            text = text.replace('load(_file("m.onnx", data))', 'raise ValueError("planted")', 1).replace(
                "Path(__file__).parents[2]", f"Path({str(RUN.parents[2])!r})"
            )
        (tmp_path / path.name).write_text(text)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "run.py"), "3", "onnx", "--out", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 1, done.stderr
    assert len(json.loads(done.stdout)["onnx"]["findings"]) == 1
    assert "planted" in next((tmp_path / "out" / "onnx" / "findings").glob("*.txt")).read_text()
