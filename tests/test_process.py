"""Programs of others: bounded, cleanly surrounded, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import FAKES

from analognet import process
from analognet.errors import ToolMissing
from analognet.process import GIB, INSTALL, OUTPUT_LIMIT, clean_environment, find_tool, kill_all, run

linux = pytest.mark.skipif(sys.platform != "linux", reason="prctl and RLIMIT_AS are Linux's")


def ended(pid: int) -> bool:
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().split()[2]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def appears(path: Path) -> str:
    for _ in range(200):
        if path.is_file() and path.read_text().strip():
            return path.read_text().strip()
        time.sleep(0.05)
    raise AssertionError(f"{path} did not appear")


def test_output_code_and_time(tmp_path: Path) -> None:
    done = run(["/bin/sh", "-c", "echo out; echo err >&2; exit 3"], cwd=tmp_path, timeout_s=10)
    assert (done.stdout, done.stderr, done.returncode) == ("out\n", "err\n", 3)
    assert done.signal_name is None
    assert not done.timed_out
    assert done.wall_s < 5


def test_processor_time_is_the_childs(tmp_path: Path) -> None:
    busy = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    done = run([sys.executable, "-c", busy], cwd=tmp_path, timeout_s=20)
    assert 0.3 <= done.cpu_s < 3
    assert run(["/bin/sleep", "0.3"], cwd=tmp_path, timeout_s=10).cpu_s < 0.1


def test_a_signal_is_named(tmp_path: Path) -> None:
    done = run(["/bin/sh", "-c", "kill -ABRT $$"], cwd=tmp_path, timeout_s=10)
    assert done.signal_name == "SIGABRT"
    assert process.Finished(-250, "", "", 0, 0, False).signal_name == "signal 250"


def test_a_time_out_kills_the_whole_group(tmp_path: Path) -> None:
    script = "sleep 1000 & echo $! > child; wait"
    done = run(["/bin/sh", "-c", script], cwd=tmp_path, timeout_s=0.4)
    assert done.timed_out
    assert done.signal_name == "SIGKILL"
    assert done.wall_s < 5
    assert ended(int((tmp_path / "child").read_text()))


def test_output_that_is_long_is_read_from_its_end(tmp_path: Path) -> None:
    done = run(
        ["/bin/sh", "-c", f"head -c {OUTPUT_LIMIT + 1000} /dev/zero; echo end"], cwd=tmp_path, timeout_s=30
    )
    assert len(done.stdout) == OUTPUT_LIMIT
    assert done.stdout.endswith("end\n")


def test_output_that_is_no_text_is_read_all_the_same(tmp_path: Path) -> None:
    assert run(["/usr/bin/printf", r"\377\376a"], cwd=tmp_path, timeout_s=10).stdout == "\ufffd\ufffda"


def test_a_file_over_the_limit_ends_the_program(tmp_path: Path) -> None:
    done = run(
        ["/bin/sh", "-c", "head -c 100000 /dev/zero > big"], cwd=tmp_path, timeout_s=10, file_bytes=50_000
    )
    assert done.returncode != 0
    assert (tmp_path / "big").stat().st_size <= 50_000


@linux
def test_memory_is_limited(tmp_path: Path) -> None:
    argv = [sys.executable, FAKES / "hog.py"]
    assert run(argv, cwd=tmp_path, timeout_s=30, memory_bytes=2 * GIB).returncode != 0
    assert "Cannot allocate memory" in run(argv, cwd=tmp_path, timeout_s=30, memory_bytes=2 * GIB).stderr


def test_the_environment_is_clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET", "x")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    done = run(["/usr/bin/env"], cwd=tmp_path, timeout_s=10, env={"EXTRA": "1"})
    found = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert found == {**clean_environment(tmp_path), "EXTRA": "1"}
    assert set(found) == {"PATH", "HOME", "TMPDIR", "LC_ALL", "EXTRA"}
    assert found["HOME"] == str(tmp_path)


def test_nothing_is_inherited_but_the_output(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    os.set_inheritable(write_end, True)
    done = run(["/bin/sh", "-c", "ls /dev/fd; cat"], cwd=tmp_path, timeout_s=10)
    os.close(read_end)
    os.close(write_end)
    assert str(write_end) not in done.stdout.split()
    assert done.returncode == 0  # cat met the end of its input


def test_no_shell_stands_between(tmp_path: Path) -> None:
    done = run(["/bin/echo", "$HOME; touch pwned", "`id`"], cwd=tmp_path, timeout_s=10)
    assert done.stdout == "$HOME; touch pwned `id`\n"
    assert not (tmp_path / "pwned").exists()


def test_output_is_watched_while_the_program_runs(tmp_path: Path) -> None:
    seen: list[str] = []
    run(["/bin/sh", "-c", "echo first; sleep 0.8"], cwd=tmp_path, timeout_s=10, on_output=seen.append)
    assert seen
    assert set(seen) == {"first\n"}


def test_an_interrupt_kills_the_program(tmp_path: Path) -> None:
    def interrupt(tail: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(["/bin/sh", "-c", "echo $$ > pid; sleep 1000"], cwd=tmp_path, timeout_s=30, on_output=interrupt)
    assert ended(int(appears(tmp_path / "pid")))


def test_kill_all_ends_what_other_threads_wait_for(tmp_path: Path) -> None:
    found: list[process.Finished] = []
    thread = threading.Thread(
        target=lambda: found.append(
            run(["/bin/sh", "-c", "echo $$ > pid; exec sleep 1000"], cwd=tmp_path, timeout_s=60)
        )
    )
    thread.start()
    appears(tmp_path / "pid")
    kill_all()
    thread.join(10)
    assert found[0].signal_name == "SIGKILL"
    assert not found[0].timed_out


@linux
def test_a_child_does_not_outlive_a_parent_that_is_killed(tmp_path: Path) -> None:
    script = textwrap.dedent(f"""
        from pathlib import Path
        from analognet.process import run
        where = Path({str(tmp_path)!r})
        run(["/bin/sh", "-c", "echo $$ > pid; exec sleep 1000"], cwd=where, timeout_s=100)
    """)
    with subprocess.Popen([sys.executable, "-c", script]) as parent:
        child = int(appears(tmp_path / "pid"))
        parent.send_signal(signal.SIGKILL)
        parent.wait(10)
    assert ended(child)


@pytest.mark.parametrize("name", sorted(INSTALL))
def test_a_missing_tool_says_how_to_install_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing) as caught:
        find_tool(name)
    assert str(caught.value) == f"{name} was not found on PATH; install it: {INSTALL[name]}"


def test_a_tool_without_an_install_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing, match="nosuch was not found on PATH; install it: see the README"):
        find_tool("nosuch")


def test_a_program_that_cannot_be_started(tmp_path: Path) -> None:
    program = tmp_path / "text"
    program.write_text("not marked as a program")
    with pytest.raises(ToolMissing, match="text could not be started: Permission denied"):
        run([program], cwd=tmp_path, timeout_s=5)
    with pytest.raises(ToolMissing, match="could not be started: No such file or directory"):
        run([tmp_path / "nosuch"], cwd=tmp_path, timeout_s=5)


def test_many_at_a_time(tmp_path: Path) -> None:
    """No child's end is mistaken for another's."""
    codes: list[tuple[int, int]] = []

    def one(code: int) -> None:
        where = tmp_path / str(code)
        where.mkdir()
        codes.append((code, run(["/bin/sh", "-c", f"exit {code}"], cwd=where, timeout_s=20).returncode))

    tasks: list[Callable[[], None]] = [lambda c=c: one(c) for c in range(20)]  # type: ignore[misc]
    threads = [threading.Thread(target=task) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [(c, c) for c in range(20)]
