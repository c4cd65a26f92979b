"""Outside programs that hang, crash, print rubbish, stop half way, fill the disk or leave children behind.

Each is stood in for by a script of tests/fakes, and each failure has its own words, within its time.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from conftest import FAKES
from test_quantize import small_network

from analognet import kept_logs, process
from analognet.analog import ngspice
from analognet.digital import flow, netlist, synthesis, tools
from analognet.digital.simulate import GhdlBench
from analognet.errors import SimulatorError

LIMIT_S = 1.5
DISK = 2_000_000
Run = Callable[[Path], object]


def _made() -> flow.Design:
    network, x = small_network((4, 3, 2), ["relu", "linear"])
    return flow.design(network, x)


def _ngspice(_: Path) -> object:
    return ngspice.run_deck("* t\n.end\n", ["v(a)"], timeout_s=LIMIT_S)


def _ghdl(_: Path) -> object:
    made = _made()
    with GhdlBench(made.files, made.quantized, made.plan) as bench:
        return bench.run(made.quantized.encode(np.zeros((3, 4))), 0, 1)


def _ghdl_synth(_: Path) -> object:
    made = _made()
    with GhdlBench(made.files, made.quantized, made.plan) as bench:
        return bench.synthesised()


def _iverilog(_: Path) -> object:
    made = _made()
    x = made.quantized.encode(np.zeros((3, 4)))
    return netlist.check_netlist({"an_top.v": ""}, made.quantized, made.plan, x)


def _yosys(_: Path) -> object:
    return synthesis.synthesise("module an_top; endmodule", synthesis.TARGETS["ice40"])


def _nextpnr(work: Path) -> object:
    (work / "netlist.json").write_text("{}")
    return synthesis._route(work, synthesis.TARGETS["ice40"], 1, LIMIT_S)


TOOLS: dict[str, Run] = {
    "ngspice": _ngspice,
    "ghdl": _ghdl,
    "iverilog": _iverilog,
    "yosys": _yosys,
    "nextpnr": _nextpnr,
}
TIME = {"ngspice": "was stopped after 1.5 s"}
NOTHING = {
    "ngspice": "ended with code 0 and wrote no result: it printed nothing",
    "ghdl": "stopped after 0 of 3 vectors",
    "iverilog": "gave 0 of 6 outputs",
    "yosys": "left no netlist that can be read",
    "nextpnr": "left no report that can be read",
}
GARBAGE = NOTHING | {
    "ngspice": "raw file is incomplete: it has no 'Binary:' part",
    "ghdl": "outputs.txt is no table of integers",
    "iverilog": "gave 1 of 6 outputs: \\x1b[31mred",
}
WORDS: dict[str, dict[str, str]] = {
    "hang.sh": dict.fromkeys(TOOLS, "ran over its limit of 1.5 s and was ended") | TIME,
    "flood.sh": dict.fromkeys(TOOLS, "filled the disk space it may use and was stopped"),
    "crash.sh": dict.fromkeys(TOOLS, "died of SIGSEGV: doing something dangerous"),
    "failing.sh": dict.fromkeys(TOOLS, "failed (1): Error: the license server is on fire")
    | {"ngspice": "ended with code 1 and wrote no result: Error: the license server is on fire"},
    "silent.sh": NOTHING,
    "garbage_everywhere.sh": GARBAGE,
    "fill.sh": dict.fromkeys(TOOLS, "filled the disk space it may use and was stopped"),
    "big.sh": dict.fromkeys(TOOLS, "filled the disk space it may use and was stopped"),
    "orphan.sh": dict.fromkeys(TOOLS, "ended and left 2 processes running, which were stopped"),
}


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Puts a script in the place of every program; answers the directory it is in."""

    def install(script: str) -> Path:
        directory = tmp_path / "bin"
        directory.mkdir()
        for name in ("ngspice", "ghdl", "iverilog", "vvp", "yosys", "nextpnr"):
            (directory / name).write_text((FAKES / script).read_text())
            (directory / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{directory}{os.pathsep}/usr/bin{os.pathsep}/bin")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        monkeypatch.setattr(tools, "yosys_command", lambda request: [directory / "yosys", request])
        monkeypatch.setattr(tools, "nextpnr_command", lambda target: [directory / "nextpnr"])
        monkeypatch.setattr(tools, "versions", dict)
        for limit in ("SIMULATION_S", "SYNTHESIS_S", "PLACE_AND_ROUTE_S"):
            monkeypatch.setattr(tools, limit, LIMIT_S)
        if script in ("fill.sh", "flood.sh", "big.sh"):
            monkeypatch.setattr(ngspice, "_RAW_LIMIT", DISK)
            run = process.run
            # what fills the disk must be stopped for that, on however slow a machine
            monkeypatch.setattr(
                process,
                "run",
                lambda *a, **k: partial(run, disk_bytes=DISK)(
                    *a, **{**k, "timeout_s": 60, "file_bytes": DISK if script != "fill.sh" else 1 << 30}
                ),
            )
        return directory

    return install


def gone(pid: int) -> bool:
    for _ in range(100):
        try:
            if Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("script", WORDS)
@pytest.mark.parametrize(
    "tool", [pytest.param(t, marks=[] if t == "ngspice" else pytest.mark.slow) for t in TOOLS]
)
def test_each_failure_has_its_own_words(
    tool: str, script: str, stand_in: Callable[[str], Path], tmp_path: Path
) -> None:
    directory = stand_in(script)
    work = tmp_path / "work"
    work.mkdir()
    start = time.monotonic()
    with pytest.raises(SimulatorError) as caught:
        TOOLS[tool](work)
    said = str(caught.value)
    assert time.monotonic() - start < 60
    assert WORDS[script][tool] in said
    assert tool in said
    assert "\x1b" not in said
    place = Path(said.rpartition("; its log is kept in ")[2])
    assert place.is_relative_to(tmp_path / "cache" / "analognet" / "logs")
    assert {p.name for p in place.iterdir()} >= {"stdout.log", "stderr.log"}
    assert place.stat().st_mode & 0o077 == 0
    for pid in (directory / "children").read_text().split() if (directory / "children").exists() else []:
        assert gone(int(pid)), "a child lives on"


@pytest.mark.slow
def test_ghdl_that_synthesises_nothing(stand_in: Callable[[str], Path]) -> None:
    stand_in("silent.sh")
    with pytest.raises(SimulatorError, match="ghdl --synth wrote no module an_top; its log is kept in"):
        _ghdl_synth(Path())


def test_the_same_failure_is_kept_once_and_the_oldest_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    work = tmp_path / "work"
    work.mkdir()
    told = set()
    for k in range(kept_logs.KEPT + 5):
        (work / "stdout.log").write_text(f"run {k}")
        told |= {kept_logs.keep_logs(work, "tool") for _ in range(2)}
    assert len(told) == kept_logs.KEPT + 5
    kept = list((tmp_path / "cache" / "analognet" / "logs").iterdir())
    assert len(kept) == kept_logs.KEPT
    (work / "stdout.log").write_bytes(b"x" * (kept_logs.TAIL + 10) + b"end")
    place = Path(kept_logs.keep_logs(work, "tool").rpartition(" ")[2])
    assert (place / "stdout.log").stat().st_size == kept_logs.TAIL
    assert (place / "stdout.log").read_bytes().endswith(b"end")


def test_a_log_that_cannot_be_kept_is_no_second_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert "; its log could not be kept: " in kept_logs.keep_logs(tmp_path, "tool")


def test_a_lower_limit_of_the_system_is_kept_to(tmp_path: Path) -> None:
    """Under `ulimit -v`, as batch systems set it, programs run within that limit and start at all."""
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))\n"
        "from analognet.process import run; from pathlib import Path\n"
        f"print(run(['/bin/sh', '-c', 'ulimit -v'], cwd=Path({str(tmp_path)!r}), timeout_s=20).stdout)"
    )
    import subprocess
    import sys

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert re.search(rf"^{(3 << 30) // 1024}$", done.stdout, re.MULTILINE), done.stderr
