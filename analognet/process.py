"""The one module that starts other programs.

No shell, no inherited environment, no standard input; a limit on time, memory, file size and
disk; output kept in bounds; and a child that cannot outlive us, nor its own children outlive it.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import re
import resource
import select
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

from analognet.errors import SimulatorError, ToolMissing

GIB = 1 << 30
OUTPUT_LIMIT = 4 << 20  # bytes of stdout and of stderr that are read back, from the end
DISK_RESERVE = 16 << 20  # bytes that a program must leave free where it runs
LOOK_S = 0.2  # how often a running program is looked at
_GRACE_S = 0.2  # for children that are just ending

INSTALL = {
    "ngspice": "apt-get install ngspice (Debian, Ubuntu) or brew install ngspice (macOS)",
    "clang": "apt-get install clang (Debian, Ubuntu) or xcode-select --install (macOS)",
    "ghdl": "apt-get install ghdl (Debian, Ubuntu) or brew install ghdl (macOS)",
    "iverilog": "apt-get install iverilog (Debian, Ubuntu) or brew install icarus-verilog (macOS)",
    "vvp": "apt-get install iverilog (Debian, Ubuntu) or brew install icarus-verilog (macOS)",
    "verilator": "apt-get install verilator (Debian, Ubuntu) or brew install verilator (macOS)",
    "make": "apt-get install make (Debian, Ubuntu) or xcode-select --install (macOS)",
    "setpriv": "apt-get install util-linux (Debian, Ubuntu)",
    "prlimit": "apt-get install util-linux (Debian, Ubuntu)",
    "g++": "apt-get install g++ (Debian, Ubuntu) or xcode-select --install (macOS)",
}

_EXEC_FAILED = re.compile(r"prlimit: failed to execute .*: ([^:\n]+)\n")
_log = logging.getLogger("analognet.process")
_live: dict[subprocess.Popen[bytes], tuple[Group, ...]] = {}  # with the groups of the thread that waits
_live_lock = threading.Lock()
_thread = threading.local()


@dataclass(eq=False)
class Group:
    """Threads that work for one caller; ended: nobody wants what they do any more."""

    ended: bool = False


@dataclass(frozen=True)
class Finished:
    """What a program left behind.

    returncode is negative for a signal; cpu_s is user plus system time of the child;
    stdout and stderr are the last `OUTPUT_LIMIT` bytes, decoded. left_behind: how many of its own
    children it left running; they were killed. overfull: it took too much disk, and was killed.
    """

    returncode: int
    stdout: str
    stderr: str
    wall_s: float
    cpu_s: float
    timed_out: bool
    left_behind: int = 0
    overfull: bool = False
    limit_s: float = 0.0

    @property
    def fault(self) -> str | None:
        """How it ended, in words behind its name, where it did not end by itself and alone; else None."""
        if self.timed_out:
            return f"was stopped after {self.limit_s:g} s"
        if self.overfull or self.signal_name == "SIGXFSZ":
            return "filled the disk space it may use and was stopped"
        if self.signal_name:
            return f"died of {self.signal_name}"
        if self.left_behind:
            return f"ended and left {self.left_behind} processes running, which were stopped"
        return None

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
    disk_bytes: int = 16 * GIB,
    env: Mapping[str, str] | None = None,
    on_output: Callable[[str], None] | None = None,
) -> Finished:
    """Run a program to its end in `cwd`, a directory made for it alone.

    Its output goes to `stdout.log` and `stderr.log` there. `memory_bytes` bounds its address
    space (None: no bound, for programs that reserve more than they use), file_bytes one file,
    disk_bytes all files in `cwd`. On a time-out, a full disk or an interrupt, and also where it
    ends by itself, all that it started is killed. on_output gets the end of its output now and
    then while it runs. Raises ToolMissing where it cannot be started.
    """
    out_path, err_path = cwd / "stdout.log", cwd / "stderr.log"
    start = time.monotonic()
    if not os.access(argv[0], os.X_OK):
        fault = "Permission denied" if Path(argv[0]).exists() else "No such file or directory"
        raise ToolMissing(f"{argv[0]} could not be started: {fault}")
    # nobody writes to this pipe: while its other end is open, something that the child started lives
    alive, held = os.pipe()
    with os.fdopen(alive, "rb"), out_path.open("wb") as out, err_path.open("wb") as err:
        with _live_lock:  # from its first moment on a child is one that kill_all knows
            if unwanted():
                os.close(held)
                raise SimulatorError(f"{Path(argv[0]).name} was not started: what it was for has ended")
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
                    pass_fds=(held,),
                )
            except OSError as e:
                raise ToolMissing(f"{argv[0]} could not be started: {e.strerror}") from e
            finally:
                os.close(held)
            _live[child] = groups()

        def watch() -> bool:
            if on_output is not None:
                on_output(_tail(out_path, 400) + _tail(err_path, 400))
            taken = _disk_use(cwd)
            # a disk that was full before is not this program's doing
            return taken > disk_bytes or (taken > DISK_RESERVE and shutil.disk_usage(cwd).free < DISK_RESERVE)

        try:
            ended = _wait(child, start + timeout_s, watch, lambda: _sweep(child, alive, cwd))
        except BaseException:
            _kill(child)
            child.wait()
            raise
        finally:
            with _live_lock:
                _live.pop(child, None)
    _log.debug("%s: code %s after %.3g s", Path(argv[0]).name, child.returncode, time.monotonic() - start)
    failed = _EXEC_FAILED.match(_tail(err_path))
    if failed and child.returncode in (126, 127):
        raise ToolMissing(f"{argv[0]} could not be started: {failed.group(1)}")
    return Finished(
        returncode=child.returncode,
        stdout=_tail(out_path),
        stderr=_tail(err_path),
        wall_s=time.monotonic() - start,
        cpu_s=ended.cpu_s,
        timed_out=ended.timed_out,
        left_behind=ended.left_behind,
        overfull=ended.overfull,
        limit_s=timeout_s,
    )


def die_with_parent() -> None:
    """For a worker process at its start: end when the process that started it does, however that ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG of linux/prctl.h


def kill_all(group: Group | None = None) -> None:
    """End every child still running: for an interrupt while worker threads wait on theirs.

    group: only those that its threads wait for, and they start no others.
    """
    with _live_lock:
        if group is not None:
            group.ended = True
        for child, groups in _live.items():
            if group is None or group in groups:
                _kill(child)


def groups() -> tuple[Group, ...]:
    """Those that this thread works in, the outermost first."""
    found: tuple[Group, ...] = getattr(_thread, "groups", ())
    return found


def unwanted() -> bool:
    """Whether one of this thread's groups has ended."""
    return any(group.ended for group in groups())


def join(joined: tuple[Group, ...]) -> None:
    """For a worker thread at its start."""
    _thread.groups = joined


def _up_to(limit: str, wanted: int) -> int:
    """What is wanted, or our own limit where that is lower: nobody may raise it for a child."""
    hard = resource.getrlimit(getattr(resource, limit))[1]
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)


@cache
def _wrapper(memory_bytes: int | None, file_bytes: int) -> tuple[str, ...]:
    """What starts a child on Linux: util-linux's setpriv, which has the kernel end it when we die,
    and prlimit, which bounds it before it begins. Elsewhere there is the time limit alone.
    """
    setpriv, prlimit = shutil.which("setpriv"), shutil.which("prlimit")
    if sys.platform != "linux" or setpriv is None or prlimit is None:
        return ()
    memory = () if memory_bytes is None else (f"--as={_up_to('RLIMIT_AS', memory_bytes)}",)
    tied = (setpriv, "--pdeathsig", "KILL", "--")
    return (*tied, prlimit, *memory, f"--fsize={_up_to('RLIMIT_FSIZE', file_bytes)}", "--core=0", "--")


@dataclass
class _Ended:
    cpu_s: float = 0.0
    timed_out: bool = False
    overfull: bool = False
    left_behind: int = 0


def _wait(
    child: subprocess.Popen[bytes],
    deadline: float,
    watch: Callable[[], bool],
    sweep: Callable[[], int],
) -> _Ended:
    """Wait until the child ends, the deadline passes, or `watch` says that it takes too much disk."""
    ended, pause, looked = _Ended(), 0.001, time.monotonic()
    while not _has_ended(child):
        if time.monotonic() > deadline:
            ended.timed_out = True
            _kill(child)
        if time.monotonic() - looked > LOOK_S:
            if watch() and not ended.timed_out:
                ended.overfull = True
                _kill(child)
            looked = time.monotonic()
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)
    ended.left_behind = sweep()
    if child.returncode is None:  # a zombie up to here, so that its number is nobody else's
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        ended.cpu_s = usage.ru_utime + usage.ru_stime
    return ended


def _has_ended(child: subprocess.Popen[bytes]) -> bool:
    return os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _sweep(child: subprocess.Popen[bytes], alive: int, cwd: Path) -> int:
    """Kill what the child started and left; answers how many there were.

    Its process group goes as a whole. On Linux those that left the group are found by their HOME,
    which is this run's directory and no other's.
    """
    killed: set[int] = set()
    end = time.monotonic() + _GRACE_S
    while not select.select([alive], [], [], max(0.0, end - time.monotonic()))[0]:
        killed |= {pid for pid in _at_home(cwd) if pid != child.pid}
        _kill(child)
        for pid in killed:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > end + 2.0:  # it cannot be killed, or has hidden itself
            return max(1, len(killed))
        time.sleep(0.01)
    return len(killed)


def _at_home(cwd: Path) -> list[int]:
    """Processes whose HOME is `cwd`; none where there is no /proc."""
    found = []
    wanted = f"HOME={cwd}".encode()
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if wanted in (place / "environ").read_bytes().split(b"\0"):
                found.append(int(place.name))
    return found


def _disk_use(directory: Path) -> int:
    """Bytes that the files under a directory take."""
    total = 0
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                total += _disk_use(Path(entry.path))
            else:
                with contextlib.suppress(OSError):
                    total += 512 * entry.stat(follow_symlinks=False).st_blocks
    return total


def _kill(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)  # its own session: the group is the child's alone


def _tail(path: Path, limit: int = OUTPUT_LIMIT) -> str:
    with path.open("rb") as f:
        f.seek(0, os.SEEK_END)
        f.seek(max(0, f.tell() - limit))
        return f.read().decode("utf-8", errors="replace")
