"""Stages kept by content: what is done is never lost, what fails is a gap, and nothing half-written counts."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import EXAMPLES, example, random_network, test_set

from analognet import program
from analognet.cli.app import run as cli
from analognet.comparison import accuracy, clock, plan, processors, reproduce, settings, stages, store
from analognet.comparison.compare import compare
from analognet.comparison.store import Result, Store
from analognet.data import Dataset
from analognet.errors import InputError, SimulatorError, ToolMissing, UsageError

IRIS = EXAMPLES / "iris" / "iris.safetensors"
SMALL = ["--data", "iris", "--quick", "--fpga", "none", "--images", "20", "--jobs", "1"]


def stage(name: str, work: Callable[[stages.Advance], Result], **inputs: Any) -> stages.Stage:
    return stages.Stage(name, f"title of {name}", inputs, work)


def value(found: Any) -> Callable[[stages.Advance], Result]:
    return lambda advance: Result({"found": found}, {"rows": np.arange(3)})


def failing(error: BaseException) -> Callable[[stages.Advance], Result]:
    def work(advance: stages.Advance) -> Result:
        raise error

    return work


# --- the store


def test_an_entry_reads_back(tmp_path: Path) -> None:
    kept = Store(tmp_path)
    given = Result(
        {"a": 0.1, "b": [1, None], "c": {"d": "x"}}, {"x/y.z": np.array([1.5, np.inf]), "n": np.arange(3)}
    )
    assert kept.put("k", given).value == given.value
    found = kept.get("k")
    assert found is not None
    assert found.value == given.value
    assert {k: v.tolist() for k, v in found.arrays.items()} == {"x/y.z": [1.5, np.inf], "n": [0, 1, 2]}
    assert kept.get("another") is None


def test_no_byte_of_an_entry_can_change_unnoticed(tmp_path: Path) -> None:
    kept = Store(tmp_path)
    kept.put("k", Result({"a": 1}, {"x": np.arange(50)}))
    whole = kept.place("k").read_bytes()
    for at in range(0, len(whole), 7):
        kept.place("k").write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert kept.get("k") is None, at
    for length in range(0, len(whole), 13):
        kept.place("k").write_bytes(whole[:length])
        assert kept.get("k") is None, length


def test_an_entry_with_objects_is_not_unpickled(tmp_path: Path) -> None:
    import io

    from analognet.storage import digest

    class Trap:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return os.system, (f"touch {tmp_path}/sprung",)

    buffer = io.BytesIO()
    np.savez(buffer, value_json=np.frombuffer(b"{}", dtype=np.uint8), x=np.array([Trap()], dtype=object))
    body = buffer.getvalue()
    Store(tmp_path).place("k").write_bytes(digest(body).encode() + b"\n" + body)
    assert Store(tmp_path).get("k") is None
    assert not (tmp_path / "sprung").exists()


def test_not_a_number_is_never_kept(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Out of range"):
        Store(tmp_path).put("k", Result({"a": float("nan")}))


def test_a_key_is_of_all_that_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    base = store.key_of("a", {"x": 1})
    assert base == store.key_of("a", {"x": 1})
    assert len({base, store.key_of("b", {"x": 1}), store.key_of("a", {"x": 2}), store.key_of("a", {})}) == 4
    monkeypatch.setattr(store, "program_digest", lambda: "changed")
    assert store.key_of("a", {"x": 1}) != base


def test_the_program_digest_holds_cells_and_solver_and_no_page() -> None:
    names = [name for name, _ in program._program()]
    assert {
        "analog/solver/engine.py",
        "comparison/at_rest.py",
        "digital/energy.toml",
        "cells/board.toml",
    } <= set(names)
    assert not [name for name in names if name.startswith(("report/", "cli/"))]


# --- running stages


def test_what_is_known_is_not_measured_again(tmp_path: Path) -> None:
    calls: list[str] = []

    def counted(advance: stages.Advance) -> Result:
        calls.append("x")
        return Result({"found": 1})

    chosen = [stage("a/one", counted, x=1)]
    first, second = (stages.run(chosen, Store(tmp_path)) for _ in range(2))
    assert calls == ["x"]
    assert first.measured == ("a/one",)
    assert second.measured == ()
    assert first.results["a/one"].value == second.results["a/one"].value
    stages.run([stage("a/one", counted, x=2)], Store(tmp_path))
    assert len(calls) == 2


@pytest.mark.parametrize(
    ("error", "reason", "kept"),
    [
        (ToolMissing("ghdl was not found on PATH; install it: apt-get install ghdl"), "install it", False),
        (SimulatorError("ngspice failed\x1b[31m: <b>"), "\\x1b[31m: <b>", False),
        (InputError("cells are not known"), "cells", False),
        (UsageError("does not fit iCE40"), "does not fit", True),
        (ZeroDivisionError("oops"), "ZeroDivisionError: oops", False),
        (MemoryError(), "MemoryError", False),
    ],
)
def test_a_stage_that_fails_is_a_gap_and_the_rest_goes_on(
    tmp_path: Path, error: Exception, reason: str, kept: bool
) -> None:
    chosen = [stage("a/bad", failing(error)), stage("b/good", value(1))]
    found = stages.run(chosen, Store(tmp_path))
    assert list(found.results) == ["b/good"]
    (gap,) = found.gaps
    assert gap.stage == "a/bad"
    assert reason in gap.reason
    assert gap.fix
    again = stages.run(chosen, Store(tmp_path))
    assert again.gaps == found.gaps
    assert ("a/bad" in again.measured) == (not kept)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")])
def test_what_nobody_can_go_on_from_ends_a_run_and_loses_nothing(
    tmp_path: Path, error: BaseException
) -> None:
    chosen = [stage("a/one", value(1)), stage("b/bad", failing(error)), stage("c/late", value(3))]
    with pytest.raises(type(error)):
        stages.run(chosen, Store(tmp_path))
    chosen[1] = stage("b/bad", value(2))
    assert stages.run(chosen, Store(tmp_path)).measured == ("b/bad", "c/late")


def test_a_full_disk_ends_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="cannot be written: No space left"):
        stages.run([stage("a/one", value(1))], Store(tmp_path))
    monkeypatch.undo()
    assert not [p for p in tmp_path.iterdir() if p.is_file()]


def test_a_cache_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cache .* cannot be made"):
        stages.run([], Store(tmp_path / "file" / "cache"))


def test_progress_counts_stages_and_the_time_left(tmp_path: Path) -> None:
    def slow(advance: stages.Advance) -> Result:
        for k in range(5):
            time.sleep(0.002)
            advance(k, 5)
        return Result({})

    told: list[clock.Progress] = []
    stages.run([stage("a/1", slow), stage("b/2", slow)], Store(tmp_path), told.append)
    assert [p.done for p in told] == sorted(p.done for p in told)
    assert {p.total for p in told} == {2}
    assert told[0].left_s is None
    assert told[-1].left_s == pytest.approx(0.0, abs=1e-9)
    assert all(p.left_s is None or p.left_s >= 0 for p in told)


def test_lanes_run_side_by_side_and_what_has_none_alone(tmp_path: Path) -> None:
    meeting = threading.Barrier(2, timeout=30)
    running: set[str] = set()
    seen: dict[str, set[str]] = {}

    def work(name: str, meets: bool) -> Callable[[stages.Advance], Result]:
        def measure(advance: stages.Advance) -> Result:
            running.add(name)
            if meets:
                meeting.wait()  # the other lane is here too, or this fails
            advance(1, 2)
            seen[name] = set(running)
            running.discard(name)
            return Result({})

        return measure

    def planned() -> list[stages.Stage]:
        return [
            replace(stage("t/time", work("t/time", False)), lane=""),
            replace(stage("a/one", work("a/one", True)), lane="analog"),
            replace(stage("a/two", work("a/two", False)), lane="analog"),
            replace(stage("d/one", work("d/one", True)), lane="digital"),
            replace(stage("z/last", work("z/last", False)), lane=""),
        ]

    told: list[clock.Progress] = []
    found = stages.run(planned(), Store(tmp_path / "one"), told.append)
    assert not found.gaps
    assert list(found.results) == [s.name for s in planned()]
    assert seen["t/time"] == {"t/time"}
    assert seen["z/last"] == {"z/last"}
    assert max(len(p.running) for p in told) == 2
    assert told[-1].done == 4
    assert told[-1].left_s == pytest.approx(0.0, abs=1e-9)
    meeting.reset()
    alone = [replace(s, measure=work(s.name, False)) for s in planned()]
    stages.run(alone, Store(tmp_path / "two"), side_by_side=False)
    assert all(len(names) == 1 for names in seen.values())


def test_a_full_disk_in_one_lane_ends_the_other(tmp_path: Path) -> None:
    begun = threading.Event()
    steps: list[int] = []

    def full(advance: stages.Advance) -> Result:
        assert begun.wait(30)
        raise OSError(errno.ENOSPC, "No space left on device")

    def long(advance: stages.Advance) -> Result:
        begun.set()
        for k in range(10_000):
            steps.append(k)
            advance(k, 10_000)
            time.sleep(0.005)
        return Result({})

    chosen = [
        replace(stage("a/full", full), lane="analog"),
        replace(stage("d/long", long), lane="digital"),
        replace(stage("d/never", value(1)), lane="digital"),
    ]
    with pytest.raises(OSError, match="No space left"):
        stages.run(chosen, Store(tmp_path))
    assert len(steps) < 9_000
    again = [replace(s, measure=value(1)) for s in chosen]
    assert stages.run(again, Store(tmp_path)).measured == ("a/full", "d/long", "d/never")


def test_the_time_left_counts_what_comes_before_and_the_longer_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(clock.time, "monotonic", lambda: now[0])
    left = [
        replace(stage("a/one", value(1)), lane="analog", effort=1.0, before=lambda: 30.0),
        replace(stage("d/one", value(1)), lane="digital", effort=10.0),
        replace(stage("z/one", value(1)), effort=2.0),
    ]
    told: list[clock.Progress] = []
    ticking = clock.Clock(3, left, told.append)
    with ticking.timed(left[0]) as advance:
        now[0] += 62.0  # 15.5 s of effort in 62 s: four seconds each
        advance(1, 2)
        # half of the analog lane is longer than the digital one; then the stage that is alone
        assert told[-1].left_s == pytest.approx(4 * (15.5 + 2))
    with ticking.timed(left[1]):
        assert told[-1].left_s == pytest.approx(2 * (10 + 2))
    assert told[0].left_s is None
    assert told[-1].left_s == pytest.approx(62 / 41 * 2)


# --- accuracy, settings, columns


def test_effective_bits_are_those_of_a_quantiser() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, 100_000)
    for bits in (4, 8, 12):
        step = 2.0 / 2**bits
        error = np.round(x / step) * step - x
        found = accuracy.effective_bits(float(np.sqrt(np.mean(error**2))), 2.0)
        assert found == pytest.approx(bits, abs=0.02)
    assert accuracy.effective_bits(0.0, 1.0) is None


def test_judged_counts() -> None:
    network = random_network((3, 4), ("linear",))
    x = np.random.default_rng(2).normal(size=(40, 3))
    y = np.argmax(network(x), axis=1)
    y[:10] = (y[:10] + 1) % 4
    outputs = network(x)
    outputs[30:] = -outputs[30:]
    found, classes = accuracy.judged(network, Dataset("d", x, y, ""), outputs)
    assert found["accuracy"] == float((classes == y).mean())
    assert found["agreement"] == float((classes == np.argmax(network(x), axis=1)).mean())
    assert found["accuracy_ci95"][0] < found["accuracy"] < found["accuracy_ci95"][1]


@pytest.mark.parametrize("names", [["spartan"], ["ecp5", "ecp5"], ["ecp5", "<b>"]])
def test_unknown_fpgas_are_refused(names: list[str]) -> None:
    with pytest.raises(UsageError, match="choose from ecp5, ice40, xc7"):
        settings.choose(example("iris").network, True, 0, names)


@pytest.mark.slow
def test_float32_on_this_machine_is_the_float_network() -> None:
    if processors.PROCESSOR not in processors.find_devices():
        pytest.skip("tinygrad finds no compiler (clang) on this machine")
    network = random_network((5, 7, 6, 6, 7, 3), ("relu", "sigmoid", "tanh", "leaky_relu:0.1", "linear"))
    x = np.random.default_rng(3).normal(size=(300, 5))
    found = processors.measure(network, Dataset("d", x, None, ""), "CPU", (1, 256), True)
    assert found.value["agreement"] > 0.99
    assert found.value["error_rms"] < 1e-5 * found.value["range"]
    for batch in ("1", "256"):
        spread = found.value["batches"][batch]["inside_s"]
        assert 0 < spread["p5"] <= spread["median"] <= spread["p95"]
        energy = found.value["batches"][batch]["energy_j"]
        assert energy is None or energy > 0


def test_a_processor_that_fails_says_its_own_words(tmp_path: Path) -> None:
    data = Dataset("d", np.zeros((3, 2)), None, "")
    with pytest.raises(SimulatorError, match="tinygrad on NODEVICE failed"):
        processors.measure(random_network((2, 2), ("linear",)), data, "NODEVICE", (1,), True)


# --- the command


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "xdg"


def test_an_output_directory_of_others_is_left_alone(
    cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    assert cli(["compare", str(IRIS), *SMALL, "--out", "mine"]) == 2
    assert "holds something else" in capsys.readouterr().err
    (tmp_path / "file").write_text("x")
    assert cli(["compare", str(IRIS), *SMALL, "--out", "file"]) == 2
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "years of work"
    assert not cache.exists()  # nothing was begun


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--data", "nowhere.npz"], 3, "nowhere.npz"),
        (["--data", "iris", "--images", "1"], 2, "at least 2 inputs"),
        (["--data", "iris", "--technology", "board,board"], 2, "each once"),
        (["--data", "iris", "--seed", "-1"], 2, "--seed -1"),
        (["--data", "iris", "--jobs", "0"], 2, "--jobs 0"),
        (["--data", "iris", "--fpga", "zynq"], 2, "--fpga 'zynq'"),
        (["--data", "digits"], 3, "64 columns; the network takes 4"),
        ([], 2, "--data"),
    ],
)
def test_bad_options_are_said_before_anything_is_measured(
    cache: Path, capsys: pytest.CaptureFixture[str], options: list[str], code: int, message: str
) -> None:
    assert cli(["compare", str(IRIS), *options]) == code
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_a_report_of_iris_is_whole_and_the_same_again(
    cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["compare", str(IRIS), *SMALL, "--technology", "board,sky131", "--out", "out"]
    assert cli(command) == 0
    told = capsys.readouterr()
    assert "technology 'sky131' is unknown" in told.err
    files = contents(tmp_path / "out")
    assert {"report.json", "report.html", "report.md", "report.csv", "tables/comparison.tex"} <= set(files)
    assert len(files["report.html"]) < 2_000_000
    report = json.loads(files["report.json"])
    assert [gap["stage"] for gap in report["gaps"] if gap["reason"] != stages.LEFT_OUT] == ["sky131/convert"]
    columns = {c["id"]: c["cells"] for c in report["columns"]}
    assert all(cell["value"] is None for cell in columns["sky131"].values())
    board = columns["board"]
    for key in ("accuracy", "latency_s", "energy_j", "noise_v_rms", "yield", "cost", "bits"):
        assert board[key]["value"] is not None, key
    # the report's numbers are the studies' own
    from analognet import simulate

    alone = simulate(example("iris"), test_set("iris"), images=20, engine="solver")
    assert board["accuracy"]["value"] == alone.metrics["accuracy"]
    assert str(tmp_path).encode() not in b"".join(files.values())
    assert cli([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == report
    assert contents(tmp_path / "out") == files
    # and another directory holds the same bytes
    assert cli([*command[:-1], "other"]) == 0
    assert contents(tmp_path / "other") == files
    stages_then = [s["name"] for s in report["stages"]]
    found = reproduce.reproduce(
        tmp_path / "out" / "report.json", figure="curves", model=str(IRIS), data="iris"
    )
    assert found.same
    assert [s.stage for s in found.stages] == [n for n in stages_then if n.endswith("/curves")]
    # a number that was tampered with is found out
    changed = json.loads(files["report.json"])
    curve = next(s for s in changed["stages"] if s["name"] == "board/curves")
    curve["value"]["rows"][0]["error_v_max"] *= 1.001
    (tmp_path / "changed.json").write_text(json.dumps(changed))
    assert (
        cli(["reproduce", "changed.json", "--figure", "curves", "--model", str(IRIS), "--data", "iris"]) == 1
    )
    assert "error_v_max" in capsys.readouterr().err


@pytest.mark.slow
def test_without_ngspice_a_report_has_gaps_and_no_number_from_it(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = tmp_path / "bin"
    bare.mkdir()
    for tool in ("setpriv", "prlimit"):
        if found := shutil.which(tool):
            (bare / tool).symlink_to(found)
    monkeypatch.setenv("PATH", str(bare))
    from analognet.simulation import ngspice_version

    ngspice_version.cache_clear()
    found = compare(IRIS, "iris", quick=True, images=20, fpgas=[], jobs=1, out=tmp_path / "out")
    failed = {gap.stage: gap.reason for gap in found.gaps}
    assert {"board/ngspice", "board/transient", "board/curves"} <= set(failed)
    assert "ngspice was not found on PATH; install it" in failed["board/transient"]
    cells = next(c["cells"] for c in found.report["columns"] if c["id"] == "board")
    for key in ("latency_s", "energy_j", "power_w", "throughput_hz"):
        assert cells[key]["value"] is None
        assert "ngspice was not found" in cells[key]["missing"]
    assert cells["accuracy"]["value"] is not None  # the solver needs no program
    ngspice_version.cache_clear()


def contents(directory: Path) -> dict[str, bytes]:
    return {
        p.relative_to(directory).as_posix(): p.read_bytes()
        for p in sorted(directory.rglob("*"))
        if p.is_file()
    }


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    def environment(name: str) -> dict[str, str]:
        return os.environ | {"XDG_CACHE_HOME": str(tmp_path / name)}

    command = [sys.executable, "-c", "from analognet.cli import main; main()", "compare", str(IRIS), *SMALL]

    def start(name: str, out: Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*command, "--out", str(out)],
            env=environment(name),
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    whole = tmp_path / "whole"
    began = time.monotonic()
    assert start("one", whole).wait(timeout=500) == 0
    took = time.monotonic() - began
    wanted = contents(whole)
    # what a clock measures comes out otherwise each time: the other run is given it
    report = json.loads(wanted["report.json"])
    other = tmp_path / "two" / "analognet" / "compare"
    other.mkdir(parents=True)
    for held in report["stages"]:
        if held["name"].startswith("float "):
            shutil.copy(tmp_path / "one" / "analognet" / "compare" / f"{held['key']}.entry", other)
    out, moments = tmp_path / "out", random.Random(1)
    killed = 0
    for _ in range(6):
        child = start("two", out)
        try:
            child.wait(timeout=moments.uniform(0.15, 0.8) * took)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            killed += 1
        else:
            break
        assert not out.exists() or contents(out) == wanted  # whole or not there
    assert killed >= 1
    assert start("two", out).wait(timeout=500) == 0
    assert contents(out) == wanted
    assert (
        not [p for p in tmp_path.iterdir() if p.name.startswith(".out")] or killed
    )  # what a kill left is no report


@pytest.mark.slow
def test_reproduce_wants_the_same_model_and_data(tmp_path: Path) -> None:
    from reports import report

    value = report()
    value["request"] |= {"model": str(IRIS), "data": "iris"}
    (tmp_path / "report.json").write_text(json.dumps(value))
    with pytest.raises(InputError, match="the model is another than the report's"):
        reproduce.reproduce(tmp_path / "report.json")
    with pytest.raises(UsageError, match="--stage 'x' is not in the report"):
        reproduce.reproduce(tmp_path / "report.json", stage="x")
    with pytest.raises(UsageError, match="--figure 'x' is unknown"):
        reproduce.reproduce(tmp_path / "report.json", figure="x")
    value["request"]["data"] = None
    (tmp_path / "report.json").write_text(json.dumps(value))
    with pytest.raises(UsageError, match="give --data"):
        reproduce.reproduce(tmp_path / "report.json")


def test_a_quick_comparison_names_what_it_leaves_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processors, "find_devices", tuple)
    chosen = plan.subject(
        IRIS,
        "iris",
        ["board"],
        quick=True,
        activations=None,
        topology=None,
        calibrate=None,
        images=None,
        seed=0,
        fpgas=None,
    )
    planned = plan.stages(chosen, jobs=1, checkpoints=tmp_path)
    left = plan.left_out(chosen, planned, jobs=1, checkpoints=tmp_path)
    assert [gap.stage for gap in left] == [
        *("board/boards at -40 C", "board/boards at 125 C", "fpga ice40/device", "fpga xc7/device"),
        "integer/alternatives",
    ]
    assert {gap.reason for gap in left} == {stages.LEFT_OUT}
    whole = replace(chosen, settings=settings.choose(chosen.network, False))
    planned = plan.stages(whole, jobs=1, checkpoints=tmp_path)
    assert plan.left_out(whole, planned, jobs=1, checkpoints=tmp_path) == ()
    monkeypatch.setattr(plan, "LARGE_MACS", 1)
    few = plan.stages(whole, jobs=1, checkpoints=tmp_path)
    assert {s.name for s in planned} - {s.name for s in few} == {"integer/alternatives"}
    (gap,) = plan.left_out(whole, few, jobs=1, checkpoints=tmp_path)
    assert (gap.stage, gap.reason) == ("integer/alternatives", stages.LEFT_OUT_LARGE)


def test_column_names_are_safe_and_apart() -> None:
    assert plan._column_names(["board", "own/my board.toml"]) == {
        "board": "board",
        "my board": "own/my board.toml",
    }
    with pytest.raises(UsageError, match="two are called 'board'"):
        plan._column_names(["board", "own/board.toml"])
    (name,) = plan._column_names(["<b>\x1b[31m/x"])
    assert "/" not in name
    assert "\x1b" not in name


# --- cells from stages


def fpga_stage(**changes: Any) -> Result:
    return Result(
        {
            "device": "d",
            "lanes": [8, 3],
            "cycles": 100,
            "interval_cycles": 50,
            "fmax_hz": 1e8,
            "fmax_seeds_hz": [0.9e8, 1e8, 1.1e8],
            "latency_s": 1e-6,
            "throughput_hz": 2e6,
            "energy": {"nominal_j": 1e-8, "band_j": [5e-9, 2e-8], "static_w": 0.1, "activity_j": 1e-8},
            "used": {"LUT": 10, "DSP": 0},
            "available": {"LUT": 100},
            "mismatches": 0,
            "verified": {"GHDL": 20},
            "images": 50,
            **changes,
        }
    )


def integer_stage() -> Result:
    judged = {"accuracy": 0.9, "accuracy_ci95": [0.8, 0.95], "agreement": 0.98, "agreement_ci95": [0.9, 1.0]}
    more = {"images": 50, "error_rms": 0.01, "range": 1.0, "floor_j": 1e-9, "floor_source": "s", "bits": {}}
    return Result({**judged, **more})


def fpga_cells(device: Result, fpgas: tuple[str, ...] = ("ecp5",), **others: Result) -> dict[str, Any]:
    from types import SimpleNamespace

    from analognet.comparison import columns

    chosen = SimpleNamespace(
        network=example("iris").network,
        settings=SimpleNamespace(fpgas=fpgas),
        gaps=(),
        designs={},
        technologies={},
    )
    results = {"integer/accuracy": integer_stage(), "fpga ecp5/device": device}
    results |= {f"fpga {name}/device": result for name, result in others.items()}
    found = stages.Outcome(results, (), {}, ())
    return dict(columns._fpga(chosen, found, fpgas[-1])["cells"])  # type: ignore[arg-type]


def test_vhdl_has_the_integers_accuracy_only_where_it_was_proven() -> None:
    assert fpga_cells(fpga_stage())["accuracy"]["value"] == 0.9
    for wrong, told in ((3, "differs from the integers in 3 outputs"), (None, "was not simulated")):
        cells = fpga_cells(fpga_stage(mismatches=wrong, verified={}))
        assert cells["accuracy"]["value"] is None
        assert told in cells["accuracy"]["missing"]
        assert cells["bits"]["value"] is None


def test_vhdl_of_another_device_proves_only_the_same_lanes() -> None:
    same = fpga_cells(
        fpga_stage(), ("ecp5", "xc7"), xc7=fpga_stage(mismatches=None, verified={}, fmax_seeds_hz=[])
    )
    assert same["accuracy"]["value"] == 0.9
    assert same["latency_s"]["value"] is None
    assert "no open tool routes" in same["latency_s"]["missing"]
    other = fpga_stage(mismatches=None, verified={}, lanes=[4, 1])
    assert fpga_cells(fpga_stage(), ("ecp5", "xc7"), xc7=other)["accuracy"]["value"] is None


def test_an_fpga_is_told_with_and_without_converters_and_static_power() -> None:
    cells = fpga_cells(fpga_stage())
    assert (cells["latency_s"]["low"], cells["latency_s"]["high"]) == (100 / 1.1e8, 100 / 0.9e8)
    assert cells["energy_digital_in_j"] == cells["energy_j"]
    assert cells["energy_analog_in_j"]["value"] > cells["energy_j"]["value"]
    assert cells["latency_analog_in_s"]["value"] == pytest.approx(1e-6 + 1e-6)  # the ADC's 1 MS/s
    assert cells["power_w"]["value"] == pytest.approx(1e-8 * 2e6 + 0.1)
    # at full rate an inference takes its share of the static power, as a circuit's of the quiescent
    assert cells["energy_j"]["value"] == pytest.approx(1e-8 + 0.1 / 2e6)
    assert cells["energy_j"]["low"] == pytest.approx(5e-9 + 0.1 / 2e6)
    macs = example("iris").network.macs
    assert cells["energy_per_op_j"]["value"] == pytest.approx(cells["energy_j"]["value"] / (2 * macs))
    still = {"nominal_j": 1e-8, "band_j": [5e-9, 2e-8], "static_w": None, "activity_j": 1e-8}
    unknown = fpga_cells(fpga_stage(energy=still))["energy_j"]
    assert unknown["value"] == 1e-8
    assert "without static power" in unknown["note"]


def test_the_worst_of_a_few_transitions_is_not_taken_for_the_worst() -> None:
    from types import SimpleNamespace

    from analognet.comparison import columns

    ends = {"set": "integrated", "digital_in": {"energy_j": 1e-12, "time_s": 1e-6}}
    value = {
        "transitions": 2,
        "idle_power_w": 1e-3,
        "latency_s": 5e-7,
        "latency_1_percent_s": {"median": 4e-7},
        "energy_1_percent_j": {"median": 9e-10},
        "energy_span_j": [9e-10, 1e-9],
        "energy_j": 9.5e-10,
        "power_w": 2e-3,
        "estimate": None,
        "converters": ends | {"analog_in": {"energy_j": 1e-12, "time_s": 1e-9}},
    }
    chosen = SimpleNamespace(network=example("iris").network, gaps=())

    def latency(**changes: Any) -> dict[str, Any]:
        cells: dict[str, Any] = {}
        found = stages.Outcome({"chip/transient": Result(value | changes)}, (), {}, ())
        columns._analog_time(chosen, found, cells, "chip")  # type: ignore[arg-type]
        return dict(cells["latency_s"])

    assert latency()["few"]
    assert "too few" in latency()["note"]
    assert not latency(transitions=20)["few"]
    guessed = latency(estimate={"transitions": 100, "worst_s": 7e-7})
    assert not guessed["few"]
    assert guessed["high"] == 7e-7


def test_every_cell_of_every_column_has_a_value_or_a_reason() -> None:
    for cell in fpga_cells(fpga_stage(fmax_seeds_hz=[])).values():
        assert (cell["value"] is not None) or cell.get("text") or cell["missing"]


def test_designs_on_the_same_data_do_not_share_checkpoints(tmp_path: Path) -> None:
    from analognet.comparison import analog
    from analognet.loading import load

    few = replace(settings.choose(example("iris").network, True), boards=2, opamps=())
    for topology in ("split", "signed", "split"):
        made, kept = example("iris", topology=topology), tmp_path / "checkpoints"
        planned = analog.stages(
            analog.Circuit("board", made, test_set("iris"), few, load(IRIS), str(IRIS), {}, 1, kept)
        )
        (boards,) = (s for s in planned if s.name == "board/boards")
        found = stages.run([boards], Store(tmp_path))
        assert not found.gaps
        assert found.results["board/boards"].value["boards"] == 2
    assert len(list((tmp_path / "checkpoints").iterdir())) == 2
