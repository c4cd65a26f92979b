"""Pieces of long runs: whole and what was written, or made again. Directories: one run at a time."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import EXAMPLES
from hypothesis import given
from hypothesis import strategies as st

from analognet import inference, locks, pieces, storage
from analognet.cli.app import run
from analognet.design import convert
from analognet.errors import InputError

IRIS = EXAMPLES / "iris" / "iris.safetensors"


def test_a_piece_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.piece"
    assert pieces.get(path) is None
    arrays = {"x": np.array([[1.0, np.inf], [np.nan, -0.0]]), "n": np.arange(3), "none": np.zeros((0, 2))}
    pieces.put(path, {"k": [1, None, "ü"]}, arrays)
    values, found = pieces.get(path) or ({}, {})
    assert values == {"k": [1, None, "ü"]}
    assert set(found) == set(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype
    whole = path.read_bytes()
    pieces.put(path, {"k": [1, None, "ü"]}, arrays)
    assert path.read_bytes() == whole  # the same piece, the same bytes


@given(st.integers(0, 10_000), st.integers(1, 255), st.booleans())
def test_no_damage_is_taken_for_a_piece(
    tmp_path_factory: pytest.TempPathFactory, at: int, flip: int, cut: bool
) -> None:
    path = tmp_path_factory.mktemp("p") / "a.piece"
    pieces.put(path, {"v": 1}, {"x": np.arange(20.0)})
    raw = bytearray(path.read_bytes())
    at %= len(raw)
    if cut:
        raw = raw[:at]
    else:
        raw[at] ^= flip
    path.write_bytes(raw)
    assert pieces.get(path) is None


def test_what_is_no_file_is_no_piece(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "d").mkdir()
    assert [pieces.get(tmp_path / n) for n in ("fifo", "zero", "d")] == [None] * 3
    (tmp_path / "f").write_text("")
    with pytest.raises(InputError, match="cannot be made: Not a directory"):
        pieces.put(tmp_path / "f" / "d" / "a.piece", {})


def test_names_tell_apart_all_that_decides() -> None:
    assert pieces.name(1, b"x", 0.1) == pieces.name(1, b"x", 0.1)
    others = [(1, b"x", 0.2), (1, b"y", 0.1), (2, b"x", 0.1), (b"x", 1, 0.1), (1, b"x")]
    assert len({pieces.name(*o) for o in [(1, b"x", 0.1), *others]}) == 6


# --- transitions


def study(directory: Path | None, **options: object) -> inference.TransientStudy:
    design = convert(IRIS)
    keywords: dict[str, object] = {"transitions": 4, "jobs": 1, "seed": 3} | options
    return inference.transient(design, checkpoint=directory, **keywords)  # type: ignore[arg-type]


@pytest.mark.slow
def test_transitions_are_measured_once_and_damaged_ones_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[object] = []
    real = inference.simulate_transitions

    def counted(*args: object, **keywords: object) -> object:
        recall = keywords["recall"]

        def watched(k: int) -> object:
            found = recall(k)  # type: ignore[operator]
            if found is None:
                ran.append(k)
            return found

        return real(*args, **{**keywords, "recall": watched})  # type: ignore[arg-type]

    monkeypatch.setattr(inference, "simulate_transitions", counted)
    first = study(tmp_path)
    assert len(ran) == 4
    files = sorted(tmp_path.iterdir())
    assert len(files) == 4
    ran.clear()
    second = study(tmp_path)
    assert ran == []
    assert second.metrics.to_json() == first.metrics.to_json()
    files[0].write_bytes(files[0].read_bytes()[:-1])
    files[1].write_bytes(b"")
    study(tmp_path)
    assert len(ran) == 2
    ran.clear()
    study(tmp_path, temperature=60.0)  # of another run: not taken
    assert len(ran) == 4


@pytest.mark.slow
def test_an_undisturbed_study_is_the_same_with_and_without_pieces(tmp_path: Path) -> None:
    def figures(found: inference.TransientStudy) -> dict[str, object]:
        body = dict(found.metrics.details["transient"])
        return {k: v for k, v in body.items() if not k.startswith("cpu_s")} | dict(found.metrics.values)

    assert figures(study(None)) == figures(study(tmp_path)) == figures(study(tmp_path))


# --- locks and directories


def hold(directory: Path, ready: object, done: object) -> None:
    with locks.locked(directory):
        ready.set()  # type: ignore[attr-defined]
        done.wait(60)  # type: ignore[attr-defined]


@pytest.fixture
def held(tmp_path: Path) -> Callable[[Path], None]:
    """Call with a directory: another process holds it until the test ends."""
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    started = []

    def start(directory: Path) -> None:
        child = context.Process(target=hold, args=(directory, ready, done))
        child.start()
        started.append(child)
        assert ready.wait(60)

    yield start  # type: ignore[misc]
    done.set()
    for child in started:
        child.join(20)


@pytest.mark.slow
def test_a_second_run_in_a_directory_is_refused(
    tmp_path: Path,
    held: Callable[[Path], None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["convert", str(IRIS)]) == 0
    before = sorted((p, p.stat().st_mtime_ns) for p in Path("build").rglob("*"))
    held(tmp_path / "build/iris")
    capsys.readouterr()
    for argv in (["simulate", "--images", "2"], ["bom"], ["draw"], ["convert", str(IRIS)]):
        assert run(argv) == 3
        assert "'" in (said := capsys.readouterr().err)
        assert "is in use by another run of analognet; wait until it has ended" in said
    assert sorted((p, p.stat().st_mtime_ns) for p in Path("build").rglob("*")) == before
    assert run(["vhdl", "build/iris", "--verify", "0", "--out", "other"]) == 0  # it only reads


def test_a_lock_leaves_nothing_and_may_be_asked_for_twice(tmp_path: Path) -> None:
    for _ in range(2):
        with locks.locked(tmp_path), locks.locked(tmp_path):
            assert list(tmp_path.iterdir()) == []
    assert locks._held == set()
    with pytest.raises(InputError, match="cannot be used: No such file"), locks.locked(tmp_path / "x"):
        pass


@pytest.mark.slow
def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from analognet.locks import locked\n"
        "with locked(Path(sys.argv[1])): os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], timeout=60).returncode == -9
    with locks.locked(tmp_path):
        pass


def test_what_killed_runs_left_is_cleared_and_nothing_else(tmp_path: Path) -> None:
    design = tmp_path / "d"
    storage.write_directory(design, "kind", {"a": b"1", "sub/b": b"2"})
    (design / ".simulate.json.k2j3.part").write_text("half")
    (design / "sub" / ".x.piece.k2j3.part").write_text("half")
    (design / "mine.part").write_text("mine")
    locks.clear(design)
    assert {p.name for p in design.rglob("*") if p.is_file()} == {"a", "b", "mine.part", "manifest.json"}
    half = tmp_path / ".d.abcdefgh.part"
    half.mkdir()
    (half / "a").write_text("half")
    (tmp_path / ".d.12345_78-old.part").mkdir()  # what stood there, where it was replaced in two steps
    # names that are not ours, or not this directory's
    others = [
        ".d.my film.part",
        ".d.ABCDEFGH.part",
        ".d.abcdefghi.part",
        ".dd.abcdefgh.part",
        "d.abcdefgh.part",
    ]
    for name in others:
        (tmp_path / name).mkdir()
    (tmp_path / ".d.iamafile.part").write_text("mine")
    (tmp_path / ".d.iamalink.part").symlink_to(tmp_path / ".d.my film.part")
    storage.write_directory(design, "kind", {"a": b"3"})
    left = {*others, ".d.iamafile.part", ".d.iamalink.part", "d"}
    assert {p.name for p in tmp_path.iterdir()} == left
    assert {p.name for p in design.iterdir()} == {"a", "manifest.json"}


@pytest.mark.slow
def test_what_a_killed_run_left_of_a_directory_is_gone_after_the_next(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path; from analognet import storage\n"
        "def pieces():\n    yield b'half'\n    os.kill(os.getpid(), signal.SIGKILL)\n"
        "storage.write_directory(Path(sys.argv[1]), 'kind', {'a': b'1', 'b': pieces()})\n"
    )
    storage.write_directory(tmp_path / "d", "kind", {"a": b"0"})
    killed = subprocess.run([sys.executable, "-c", script, str(tmp_path / "d")], check=False)
    assert killed.returncode == -signal.SIGKILL
    left = [p.name for p in tmp_path.iterdir() if p.name != "d"]
    assert len(left) == 1
    assert (tmp_path / "d" / "a").read_bytes() == b"0"  # what stood there still does
    storage.write_directory(tmp_path / "d", "kind", {"a": b"2"})
    assert [p.name for p in tmp_path.iterdir()] == ["d"]


def test_a_directory_that_another_process_is_writing_is_left_alone(tmp_path: Path) -> None:
    with locks.unfinished(tmp_path / "d") as mine:
        (mine / "f").write_text("half")
        storage.write_directory(tmp_path / "d", "kind", {"a": b"1"})
        assert (mine / "f").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["d"]
