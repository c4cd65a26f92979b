"""No input runs a command, writes where it should not, hangs, takes all memory, or ends in a traceback."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import corpus
import numpy as np
import pytest
from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st

from analognet.cli.app import run
from analognet.errors import AnalogNetError
from analognet.names import did_you_mean, disarmed, file_stem, printable
from analognet.network import Activation

CASES = corpus.cases()
EACH = 10  # of the fast subset
# one or more of every group, also through the door that a user takes
THROUGH_THE_DOOR = (
    "model: header of 2^62",
    "model: 300,000 tensors",
    "model: a pickle that runs a command, as .safetensors",
    "model: a link to a device",
    "onnx: a batch of 10^9",
    "tensor name: control",
    "tensor name: mathtext",
    "model file name: line feed",
    "output directory: ansi",
    "output directory: unicode",
    "data: npz header is code",
    "data: npz claims 2^60 values",
    "data: idx gzip bomb",
    "technology: deep",
    "cell: control",
    "prices: a named pipe",
    "build directory: netlist foreign, simulate",
    "command line: 'simulate design --images=1000000000000'",
)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("prepared")
    corpus.prepare(place)
    return place


def test_there_are_enough_of_every_kind() -> None:
    assert len(CASES) >= 300
    kinds = [case.name.partition(":")[0] for case in CASES]
    least = {"model": 80, "data": 50, "technology": 40, "cell": 40, "tensor name": 40, "command line": 70}
    assert all(kinds.count(kind) >= n for kind, n in least.items())
    assert {case.code for case in CASES} == {-1, 0, 2, 3}


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=str(k), marks=[] if k % EACH == 0 else pytest.mark.slow)
        for k, case in enumerate(CASES)
    ],
)
def test_case(case: corpus.Case, prepared: Path, tmp_path: Path) -> None:
    place = tmp_path / "work"
    place.mkdir()
    corpus.arrange(case, place, prepared)
    assert corpus.faults(case, place, tmp_path) == [], case.name


@pytest.mark.slow
@pytest.mark.parametrize("name", THROUGH_THE_DOOR)
def test_case_in_a_process_of_bounded_memory(name: str, prepared: Path, tmp_path: Path) -> None:
    prlimit = shutil.which("prlimit")
    if prlimit is None:
        pytest.skip("prlimit (util-linux) is not installed")
    case = next(c for c in CASES if c.name == name)
    place = tmp_path / "work"
    place.mkdir()
    corpus.arrange(case, place, prepared)
    code = "from analognet.cli import main; main()"
    done = subprocess.run(
        [prlimit, f"--as={3 << 30}", "--", sys.executable, "-c", code, *case.argv],
        cwd=place,
        capture_output=True,
        timeout=corpus.CASE_S,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "2"},
    )
    err = done.stderr.decode()
    assert done.returncode == case.code, err
    assert case.words in err
    assert "Traceback" not in err
    assert "\x1b" not in err + done.stdout.decode()
    assert not list(tmp_path.rglob(corpus.CANARY))


@pytest.mark.slow
def test_what_hostile_names_end_up_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model whose every name is hostile, through every command: no name stands in a file that is code."""
    monkeypatch.chdir(tmp_path)
    for kind in ("control", "mathtext", "vhdl string"):
        text = corpus.NAMES[kind]
        data = corpus.tensors_of({f"{text}.weight": np.eye(2) / 2, f"{text}.bias": [0.1, -0.1]})
        model = Path(f"{kind}.safetensors")
        model.write_bytes(data)
        model.with_suffix(".json").write_text('{"activations": ["relu"], "input_range": [0, 1]}')
        np.savez("$x$.npz", x=np.random.default_rng(0).uniform(0, 1, (6, 2)), y=np.array([0, 1] * 3))
        there = [f"--out={kind}"]
        assert run(["convert", str(model), *there]) == 0
        assert run(["simulate", kind, "--data", "$x$.npz", "--monte-carlo", "2", "--transient", "2"]) == 0
        assert run(["bom", kind]) == 0
        assert run(["draw", kind, "--image", "0", "--data", "$x$.npz", "--ltspice"]) == 0
        assert run(["vhdl", str(model), "--verify", "4", "--data", "$x$.npz", f"--out={kind}-vhdl"]) == 0
        for path in [*Path(kind).rglob("*"), *Path(f"{kind}-vhdl").rglob("*")]:
            if path.is_file() and path.suffix not in (".json", ".npz", ".png", ".piece"):
                assert text.encode() not in path.read_bytes(), path
        json.loads(Path(kind, "names.json").read_text())
    assert not list(tmp_path.rglob(corpus.CANARY))
    assert not (ROOT / corpus.CANARY).exists()


# --- laws of names and numbers


@given(st.text(max_size=300))
def test_no_text_reaches_a_terminal_as_it_is(text: str) -> None:
    for shown in (printable(text), disarmed(text).replace("\n", "")):
        assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in shown)
    assert disarmed(printable(text)) == printable(text)
    assert disarmed(disarmed(text)) == disarmed(text)


@given(st.text(max_size=200))
def test_any_name_becomes_a_file_name(text: str) -> None:
    stem = file_stem(text)
    assert 0 < len(stem) <= 40
    assert stem == file_stem(stem)
    assert set(stem) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-")
    assert not stem.startswith("-")


@given(st.text(max_size=200), st.lists(st.text(min_size=1, max_size=20), max_size=6))
def test_a_suggestion_is_a_known_name_or_none(word: str, known: list[str]) -> None:
    told = did_you_mean(word, known)
    assert told == "" or told.removeprefix("; did you mean '").removesuffix("'?") in known


@given(st.text(max_size=30) | st.floats().map(lambda v: f"leaky_relu:{v!r}"))
def test_any_activation_is_read_or_refused(text: str) -> None:
    try:
        parsed = Activation.parse(text)
    except AnalogNetError as e:
        words = str(e)
    else:
        assert np.isfinite(parsed.slope)
        assert Activation.parse(str(parsed)).name == parsed.name
        return
    assert disarmed(words) == words


@pytest.mark.slow
@settings(max_examples=60)
@given(
    weight=st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=4, max_size=4),
    bias=st.lists(st.floats(width=32), min_size=2, max_size=2),
    low=st.floats(),
    high=st.floats(),
)
def test_any_numbers_make_a_circuit_or_a_message(
    weight: list[float], bias: list[float], low: float, high: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("numbers")
    values = {"l.weight": np.reshape(weight, (2, 2)), "l.bias": np.array(bias)}
    (place / "m.safetensors").write_bytes(corpus.tensors_of(values))
    argv = ["convert", str(place / "m.safetensors"), "--activations=relu", f"--out={place / 'd'}"]
    with corpus.quietly() as (_, err):
        code = run([*argv, f"--input-range={low!r},{high!r}"])
    assert code in (0, 2, 3), err.getvalue()
    if code == 0:
        netlist = (place / "d" / "network.cir").read_text()
        assert not re.search(r"[ =](nan|-?inf)\b", netlist)
    else:
        assert err.getvalue().startswith("analognet: ")
