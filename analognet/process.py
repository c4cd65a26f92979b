"""The one module that starts other programs.

No shell, no inherited environment, no standard input; a limit on time, memory and file
size; output kept in bounds; and a child that cannot outlive us.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from analognet.errors import ToolMissing

GIB = 1 << 30
OUTPUT_LIMIT = 4 << 20  # bytes of stdout and of stderr that are read back, from the end

INSTALL = {
    "ngspice": "apt-get install ngspice (Debian, Ubuntu) or brew install ngspice (macOS)",
    "clang": "apt-get install clang (Debian, Ubuntu) or xcode-select --install (macOS)",
    "ghdl": "apt-get install ghdl (Debian, Ubuntu) or brew install ghdl (macOS)",
    "iverilog": "apt-get install iverilog (Debian, Ubuntu) or brew install icarus-verilog (macOS)",
    "vvp": "apt-get install iverilog (Debian, Ubuntu) or brew install icarus-verilog (macOS)",
    "verilator": "apt-get install verilator (Debian, Ubuntu) or brew install verilator (macOS)",
    "make": "apt-get install make (Debian, Ubuntu) or xcode-select --install (macOS)",
    "g++": "apt-get install g++ (Debian, Ubuntu) or xcode-select --install (macOS)",
}

_EXEC_FAILED = re.compile(r"prlimit: failed to execute .*: ([^:\n]+)\n")
_live: set[subprocess.Popen[bytes]] = set()
_live_lock = threading.Lock()


@dataclass(frozen=True)
class Finished:
    """What a program left behind.

    returncode is negative for a signal; cpu_s is user plus system time of the child;
    stdout and stderr are the last `OUTPUT_LIMIT` bytes, decoded.
    """

    returncode: int
    stdout: str
    stderr: str
    wall_s: float
    cpu_s: float
    timed_out: bool

    @property
    def signal_name(self) -> str | None:
        if self.returncode >= 0:
            return None
        try:
            return signal.Signals(-self.returncode).name
        except ValueError:
            return f"signal {-self.returncode}"


def find_tool(name: str) -> Path:
    """Where a program is on PATH. Raises ToolMissing with the way to install it."""
    found = shutil.which(name)
    if found is None:
        raise ToolMissing(f"{name} was not found on PATH; install it: {INSTALL.get(name, 'see the README')}")
    return Path(found).resolve()


def clean_environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The whole environment of a child: nothing of ours but PATH, and an empty HOME."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "TMPDIR": str(home),
        "LC_ALL": "C",
        **(extra or {}),
    }


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path,
    timeout_s: float,
    memory_bytes: int | None = 8 * GIB,
    file_bytes: int = 8 * GIB,
    env: Mapping[str, str] | None = None,
    on_output: Callable[[str], None] | None = None,
) -> Finished:
    """Run a program to its end in `cwd`, a directory made for it alone.

    Its output goes to `stdout.log` and `stderr.log` there. `memory_bytes` bounds its address
    space (None: no bound, for programs that reserve more than they use). On a time-out or an
    interrupt the whole process group is killed. on_output gets the end of its output now and then
    while it runs. Raises ToolMissing where it cannot be started.
    """
    out_path, err_path = cwd / "stdout.log", cwd / "stderr.log"
    start = time.monotonic()
    timed_out = False
    if not os.access(argv[0], os.X_OK):
        fault = "Permission denied" if Path(argv[0]).exists() else "No such file or directory"
        raise ToolMissing(f"{argv[0]} could not be started: {fault}")
    with out_path.open("wb") as out, err_path.open("wb") as err:
        with _live_lock:  # from its first moment on a child is one that kill_all knows
            try:
                # no preexec_fn: it forks, and a fork while another thread is inside OpenBLAS hangs that thread
                child = subprocess.Popen(
                    [*_wrapper(memory_bytes, file_bytes), *(str(a) for a in argv)],
                    cwd=cwd,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    env=clean_environment(cwd, env),
                    start_new_session=True,
                    close_fds=True,
                )
            except OSError as e:
                raise ToolMissing(f"{argv[0]} could not be started: {e.strerror}") from e
            _live.add(child)
        try:
            watch = (
                None if on_output is None else lambda: on_output(_tail(out_path, 400) + _tail(err_path, 400))
            )
            usage, timed_out = _wait(child, start + timeout_s, watch)
        except BaseException:
            _kill(child)
            child.wait()
            raise
        finally:
            with _live_lock:
                _live.discard(child)
    failed = _EXEC_FAILED.match(_tail(err_path))
    if failed and child.returncode in (126, 127):
        raise ToolMissing(f"{argv[0]} could not be started: {failed.group(1)}")
    return Finished(
        returncode=child.returncode,
        stdout=_tail(out_path),
        stderr=_tail(err_path),
        wall_s=time.monotonic() - start,
        cpu_s=usage,
        timed_out=timed_out,
    )


def kill_all() -> None:
    """End every child still running: for an interrupt while worker threads wait on theirs."""
    with _live_lock:
        for child in _live:
            _kill(child)


@cache
def _wrapper(memory_bytes: int | None, file_bytes: int) -> tuple[str, ...]:
    """What starts a child on Linux: util-linux's setpriv, which has the kernel end it when we die,
    and prlimit, which bounds it before it begins. Elsewhere there is the time limit alone.
    """
    setpriv, prlimit = shutil.which("setpriv"), shutil.which("prlimit")
    if sys.platform != "linux" or setpriv is None or prlimit is None:
        return ()
    memory = () if memory_bytes is None else (f"--as={memory_bytes}",)
    tied = (setpriv, "--pdeathsig", "KILL", "--")
    return (*tied, prlimit, *memory, f"--fsize={file_bytes}", "--core=0", "--")


def _wait(
    child: subprocess.Popen[bytes], deadline: float, watch: Callable[[], None] | None
) -> tuple[float, bool]:
    """Wait until the child ends or the deadline passes. Answers its CPU seconds and whether it ran over."""
    pause, timed_out, looked = 0.001, False, time.monotonic()
    while True:
        pid, status, usage = os.wait4(child.pid, os.WNOHANG)
        if pid:
            child.returncode = os.waitstatus_to_exitcode(status)
            return usage.ru_utime + usage.ru_stime, timed_out
        if time.monotonic() > deadline:
            timed_out = True
            _kill(child)
        if watch is not None and time.monotonic() - looked > 0.2:
            watch()
            looked = time.monotonic()
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


def _kill(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)  # its own session: the group is the child's alone


def _tail(path: Path, limit: int = OUTPUT_LIMIT) -> str:
    with path.open("rb") as f:
        f.seek(0, os.SEEK_END)
        f.seek(max(0, f.tell() - limit))
        return f.read().decode("utf-8", errors="replace")
