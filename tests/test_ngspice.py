"""The contract with ngspice: a run is believed only where it can be, and says why where it cannot."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import example, test_set
from hypothesis import given
from hypothesis import strategies as st

from analognet import process
from analognet.analog.ngspice import fault_in, parse_raw, run_deck
from analognet.errors import SimulatorError, ToolMissing
from analognet.simulation import ngspice_version, simulate

Fake = Callable[[str], None]
DECK = "* test\nVa a 0 1\nR1 a b 1k\nR2 b 0 1k\n.dc Va 0 2 1\n.end\n"
WANTED = ["v(a)", "v(b)"]


def test_a_sound_run() -> None:
    run = run_deck(DECK, WANTED, points=3)
    np.testing.assert_allclose(run.vectors["v(b)"], [0, 0.5, 1])
    assert run.cpu_s < 5
    assert "No. of Data Rows : 3" in run.log


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("crash.sh", "ngspice died of SIGSEGV: doing something dangerous"),
        ("garbage.sh", "ngspice's raw file is incomplete: it has no 'Binary:' part"),
        ("truncated.sh", "ngspice's raw file is truncated: 8 bytes for 1 points of 2 variables"),
        ("nan.sh", "ngspice gave values of v(a) that are not finite: it printed nothing"),
        ("silent.sh", "ngspice ended with code 0 and wrote no result: it printed nothing"),
        ("singular.sh", "ngspice: Warning: singular matrix: check nodes l0_z1 and l0_z1"),
        ("short.sh", "ngspice left out v(b) of its result: it printed nothing"),
        ("failing.sh", "ngspice ended with code 1 and wrote no result: Error: the license server is on fire"),
    ],
)
def test_each_way_to_fail_has_its_own_words(script: str, words: str, fake_ngspice: Fake) -> None:
    fake_ngspice(script)
    with pytest.raises(SimulatorError) as caught:
        run_deck(DECK, WANTED)
    told, kept, place = re.sub(" +", " ", str(caught.value)).partition("; its log is kept in ")
    assert (told, bool(kept)) == (words, True)
    assert (Path(place) / "deck.cir").read_text() == DECK
    assert caught.value.exit_code == 5


def test_a_run_that_hangs_is_stopped_with_all_its_children(fake_ngspice: Fake, tmp_path: Path) -> None:
    fake_ngspice("hang.sh")
    start = time.monotonic()
    with pytest.raises(
        SimulatorError, match=r"^ngspice was stopped after 0\.5 s: Reference value : 1\.0; its log"
    ):
        run_deck(DECK, WANTED, timeout_s=0.5)
    assert time.monotonic() - start < 5
    child = int((tmp_path / "fake-bin" / "child.pid").read_text())
    assert gone(child)


def gone(pid: int) -> bool:
    """Whether a process has ended, within a few seconds."""
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{pid}/stat").is_file() and Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
            return True
        time.sleep(0.05)
    return False


def test_a_wrong_number_of_points(fake_ngspice: Fake) -> None:
    fake_ngspice("good.sh")
    assert run_deck(DECK, WANTED).vectors["v(b)"].tolist() == [0.0]
    with pytest.raises(SimulatorError, match=r"^ngspice gave 1 of 7 points: it printed nothing; its log"):
        run_deck(DECK, WANTED, points=7)


def test_surroundings_of_a_run(fake_ngspice: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "from the user's shell")
    monkeypatch.setenv("SPICE_ASCIIRAWFILE", "1")
    monkeypatch.setenv("LD_PRELOAD", "")
    fake_ngspice("good.sh")
    run_deck(DECK, WANTED)
    left = tmp_path / "fake-bin"
    names = {line.partition("=")[0] for line in (left / "env.txt").read_text().splitlines()}
    assert names - {"PWD", "OLDPWD", "SHLVL", "_"} == {
        "PATH",
        "HOME",
        "TMPDIR",
        "LC_ALL",
    }  # the shell's apart
    cwd = (left / "cwd.txt").read_text().strip()
    assert f"HOME={cwd}\n" in (left / "env.txt").read_text()
    assert not Path(cwd).exists()
    assert (left / "stdin.txt").read_text() == ""
    assert (left / "argv.txt").read_text().split() == ["-b", "-n", "-r", "out.raw", "deck.cir"]


def test_ngspice_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing) as caught:
        run_deck(DECK, WANTED)
    assert str(caught.value) == (
        "ngspice was not found on PATH; install it: apt-get install ngspice (Debian, Ubuntu) "
        "or brew install ngspice (macOS)"
    )
    assert caught.value.exit_code == 4


def test_an_answer_that_is_complete_and_wrong_is_found_out(fake_ngspice: Fake) -> None:
    fake_ngspice("zeros.py")
    with pytest.raises(SimulatorError, match=r"where the mathematics says .* apart: no result is given$"):
        simulate(example("iris"), test_set("iris"), jobs=1)


def test_version() -> None:
    assert re.fullmatch(r"\d+(\.\d+)*\+?", ngspice_version())


# --- real faults of a real ngspice


@pytest.mark.parametrize(
    ("deck", "words"),
    [
        ("* t\nVa a 0 1\nVb a 0 2\n.op\n.end\n", "singular matrix"),
        ("* t\nVa a 0 1\nX1 a nosuch\n.op\n.end\n", "unknown subckt|nosuch"),
        ("* t\nVa a 0 1\nD1 a 0 nosuch\n.op\n.end\n", "can't find model|nosuch"),
        ("* t\nVa a 0 1\nR1 a 0 nan\n.op\n.end\n", "."),
        ("* t\n.end\n", "."),
        ("\x01\x02\x03", "."),
        ("* t\nVa a 0 1\nR1 a 0 1\n.end\n", "wrote no result"),
    ],
)
def test_decks_that_cannot_be_simulated(deck: str, words: str) -> None:
    with pytest.raises(SimulatorError, match=words) as caught:
        run_deck(deck, ["v(a)"], timeout_s=20)
    assert str(caught.value).startswith("ngspice")


def test_a_vector_that_is_not_there() -> None:
    with pytest.raises(SimulatorError, match=r"^ngspice left out v\(nosuch\) of its result: "):
        run_deck(DECK, ["v(nosuch)"])


def test_an_old_result_is_never_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out.raw").write_bytes(b"stale")
    (tmp_path / ".spiceinit").write_text("shell touch pwned\n")
    run_deck(DECK, WANTED)
    assert sorted(p.name for p in tmp_path.iterdir()) == [".spiceinit", "out.raw"]


# --- what ngspice says


@pytest.mark.parametrize(
    ("log", "fault"),
    [
        ("No. of Data Rows : 3\n", None),
        ("Note: Starting dynamic gmin stepping\nNote: Dynamic gmin stepping completed\n", None),
        ("Warning: Dynamic gmin stepping failed\nNo. of Data Rows : 1\n", None),
        ("Warning: source stepping failed\n", "no operating point: gmin and source stepping failed"),
        ("Warning: singular matrix:  check node a\n", "Warning: singular matrix:  check node a"),
        ("doAnalyses: TRAN:  Timestep too small\n", "doAnalyses: TRAN:  Timestep too small"),
        ("Fatal error: \x1b[31mno\n", r"Fatal error: \x1b[31mno"),
        ("run simulation(s) aborted\n", "run simulation(s) aborted"),
        ("Circuit: * AnalogNet 2-2 network, technology aborted\n", None),
    ],
)
def test_faults_in_the_log(log: str, fault: str | None) -> None:
    assert fault_in(log) == fault


# --- raw files


def raw(names: list[str], table: np.ndarray, flags: str = "real") -> bytes:
    head = f"Title: t\nDate: x\nPlotname: DC\nFlags: {flags}\nNo. Variables: {len(names)}\n"
    head += f"No. Points: {len(table)}\nVariables:\n"
    head += "".join(f"\t{i}\t{n}\tvoltage\n" for i, n in enumerate(names)) + "Binary:\n"
    return head.encode() + table.tobytes()


@given(st.integers(1, 5), st.integers(1, 7), st.integers(0, 1000), st.booleans())
def test_a_raw_file_reads_back(variables: int, points: int, seed: int, is_complex: bool) -> None:
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(points, variables))
    if is_complex:
        table = table + 1j * rng.normal(size=(points, variables))
    names = [f"V(N{i})" for i in range(variables)]
    found = parse_raw(raw(names, table, "complex" if is_complex else "real"))
    assert list(found) == [n.lower() for n in names]
    for i, values in enumerate(found.values()):
        np.testing.assert_array_equal(values, table[:, i])


def test_a_frequency_is_real() -> None:
    """ngspice writes whatever memory held as the imaginary part of an AC frequency, once NaN."""
    found = parse_raw(raw(["frequency", "v(a)"], np.array([[complex(1e3, np.nan), 2 + 3j]]), "complex"))
    np.testing.assert_array_equal(found["frequency"], [1e3])
    np.testing.assert_array_equal(found["v(a)"], [2 + 3j])


GOOD = raw(["v(a)", "v(b)"], np.arange(6.0).reshape(3, 2))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b"Binary:\n", b"Values:\n", "has no 'Binary:' part"),
        (b"No. Points: 3\n", b"", "has no counts of variables and points"),
        (b"No. Points: 3\n", b"No. Points: x\n", "has no counts of variables and points"),
        (b"No. Points: 3\n", b"No. Points: 0\n", "has 0 points and 2 of 2 variables"),
        (b"No. Points: 3\n", b"No. Points: -3\n", "has -3 points and 2 of 2 variables"),
        (b"No. Points: 3\n", b"No. Points: 4\n", "truncated: 48 bytes for 4 points of 2 variables"),
        (b"No. Variables: 2\n", b"No. Variables: 3\n", "has 3 points and 2 of 3 variables"),
        (b"\t1\tv(b)\tvoltage\n", b"\t1\tv(A)\tvoltage\n", "has 3 points and 2 of 2 variables"),
        (b"\t1\tv(b)\tvoltage\n", b"\t1\n", "has a broken variable line: \\x091"),
        (b"Flags: real", b"Flags: complex", "truncated"),
    ],
)
def test_raw_files_that_are_damaged(old: bytes, new: bytes, words: str) -> None:
    assert old in GOOD
    with pytest.raises(SimulatorError) as caught:
        parse_raw(GOOD.replace(old, new))
    assert words in str(caught.value)


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    with pytest.raises(SimulatorError):
        parse_raw(data)


@given(st.integers(0, len(GOOD) - 1), st.binary(max_size=12), st.integers(0, 12))
def test_no_damage_breaks_the_reader(at: int, patch: bytes, cut: int) -> None:
    refusal, found = "ngspice's raw file", {}
    try:
        found = parse_raw(GOOD[:at] + patch + GOOD[at + cut :])
    except SimulatorError as e:
        refusal = str(e)
    assert refusal.startswith("ngspice's raw file")
    assert all(len(values) >= 1 for values in found.values())


def test_output_is_kept_in_bounds(
    monkeypatch: pytest.MonkeyPatch, fake_ngspice: Fake, tmp_path: Path
) -> None:
    fake_ngspice("flood.sh")
    done = process.run(
        [process.find_tool("ngspice")], cwd=tmp_path, timeout_s=20, file_bytes=1 << 20, memory_bytes=None
    )
    assert done.signal_name == "SIGXFSZ" or done.returncode != 0
    assert len(done.stdout) <= process.OUTPUT_LIMIT
    assert (tmp_path / "stdout.log").stat().st_size <= 1 << 20
