"""The command line as a user meets it: what it prints where, what it writes, and its exit codes."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import EXAMPLES, FAKES, NETLISTS
from safetensors.numpy import save_file

from analognet import process
from analognet import simulation as simulations
from analognet.cli import console
from analognet.cli.app import run
from analognet.metrics import FIGURES
from analognet.units import engineering

DIGITS = str(EXAMPLES / "digits" / "digits.safetensors")
IRIS = str(EXAMPLES / "iris" / "iris.safetensors")


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory of its own."""
    directory = tmp_path / "work"
    directory.mkdir()
    monkeypatch.chdir(directory)
    return directory


def written(directory: Path) -> set[str]:
    return {str(p.relative_to(directory)) for p in directory.rglob("*") if p.is_file()}


def refused(capsys: pytest.CaptureFixture[str], code: int, *arguments: str) -> str:
    """Run a command that must fail with this code; its message, which is all it prints."""
    assert run(arguments) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("analognet: ")
    assert "Traceback" not in captured.err
    assert not [c for c in captured.err if ord(c) < 32 and c != "\n"]
    return captured.err


# --- what works


def test_convert_then_simulate_prints_one_json_object(capsys: pytest.CaptureFixture[str], work: Path) -> None:
    assert run(["convert", DIGITS]) == 0
    capsys.readouterr()
    assert run(["simulate", "--data", "digits", "--json"]) == 0
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 1
    body = json.loads(captured.out)
    assert body["schema"] == 1
    assert set(FIGURES) <= set(body["metrics"])
    assert body["metrics"]["images"] == 450
    assert body["metrics"]["accuracy"] > 0.96
    low, high = body["metrics"]["accuracy_ci95"]
    assert low < body["metrics"]["accuracy"] < high
    assert body["metrics"]["yield"] is None
    provenance = body["provenance"]
    assert provenance["technology"] == "board"
    assert provenance["data"]["name"] == "digits"
    assert set(provenance["versions"]) >= {"analognet", "numpy", "python"}
    assert provenance["ngspice"]
    assert written(work) >= {"build/.latest", "build/digits/network.cir", "build/digits/simulate.png"}
    assert json.loads((work / "build/digits/simulate.json").read_text()) == body


def test_the_netlist_that_convert_wrote_runs_by_itself(work: Path) -> None:
    assert run(["convert", IRIS]) == 0
    done = subprocess.run(
        ["ngspice", "-b", "build/iris/network.cir"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    assert "v(y2) = " in done.stdout


def test_tables_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["convert", IRIS]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("build/iris/network.cir: 4-8-3\n")
    for words in ("board, opamp_opa4192, split topology", "op-amps", "resistors", "layer 1"):
        assert words in captured.out
    assert "next: analognet simulate" in captured.err
    assert run(["simulate", "--images", "10"]) == 0
    captured = capsys.readouterr()
    assert "accuracy of what was built" in captured.out
    assert "figures: " in captured.err


def test_convert_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["convert", IRIS, "--json", "--topology", "dual_rail", "--technology", "ideal"]) == 0
    body = json.loads(capsys.readouterr().out)
    assert body["metrics"]["opamps"] > 8
    assert body["metrics"]["directory"] == "build/iris"
    assert [layer["activation"] for layer in body["metrics"]["layers"]] == ["relu", "linear"]
    assert body["provenance"]["topology"] == "dual_rail"
    digest = body["metrics"]["netlist_file_sha256"]
    assert json.loads(Path("build/iris/manifest.json").read_text())["files"]["network.cir"] == digest


def test_what_is_saved(work: Path) -> None:
    assert run(["convert", IRIS]) == 0
    assert run(["simulate", "--images", "12", "--save", "out.npz"]) == 0
    with np.load("out.npz") as found:
        assert set(found.files) == {"outputs_v", "outputs", "reference", "predictions"}
        assert found["outputs_v"].shape == found["outputs"].shape == found["reference"].shape == (12, 3)
        assert found["predictions"].shape == (12,)
        np.testing.assert_array_equal(found["predictions"], found["outputs"].argmax(axis=1))
        assert np.abs(found["outputs"] - found["reference"]).max() < 0.05


def test_data_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    np.savez("mine.npz", x=rng.uniform(0, 1, (9, 4)), y=rng.integers(0, 3, 9))
    np.savetxt("mine.csv", rng.uniform(0, 1, (5, 4)), delimiter=",")
    assert run(["convert", IRIS, "--calibrate", "mine.npz"]) == 0
    capsys.readouterr()
    assert run(["simulate", "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["metrics"]["images"] == 9
    assert "note: simulated on the data it was calibrated with" in captured.err
    assert run(["simulate", "--json", "--data", "mine.csv"]) == 0
    body = json.loads(capsys.readouterr().out)
    assert body["metrics"]["images"] == 5
    assert body["metrics"]["accuracy"] is None
    assert body["metrics"]["agreement"] == 1.0


@pytest.mark.slow
def test_random_inputs_where_nothing_else_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    save_file({"l1.weight": np.eye(2, dtype=np.float32)}, "bare.safetensors")
    assert run(["convert", "bare.safetensors", "--activations", "linear"]) == 0
    assert "note: nothing says what range the inputs have: -1 to 1 is assumed" in capsys.readouterr().err
    values = []
    for seed in ("3", "3", "4"):
        assert run(["simulate", "--json", "--seed", seed, "--images", "6"]) == 0
        captured = capsys.readouterr()
        assert "note: random inputs from -1 to 1; give --data for an accuracy" in captured.err
        body = json.loads(captured.out)
        assert body["metrics"]["images"] == 6
        values.append((body["provenance"]["data"]["sha256"], body["metrics"]["output_error_v_max"]))
    assert values[0] == values[1] != values[2]


def test_later_commands_take_the_design_built_last(capsys: pytest.CaptureFixture[str], work: Path) -> None:
    assert run(["convert", IRIS, "--out", str(work / "a")]) == 0
    assert run(["convert", DIGITS]) == 0
    capsys.readouterr()
    assert run(["simulate", "--images", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["provenance"]["network"]["shape"] == [64, 32, 10]
    assert run(["simulate", "a", "--images", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["provenance"]["network"]["shape"] == [4, 8, 3]


def test_a_model_called_latest(work: Path) -> None:
    save_file({"l1.weight": np.eye(2, dtype=np.float32)}, "latest.safetensors")
    for _ in range(2):
        assert run(["convert", "latest.safetensors", "--activations", "linear"]) == 0
        assert run(["simulate", "--images", "2"]) == 0


@pytest.mark.parametrize(
    "name",
    [
        *("a b", "-x", "$(id)", "\x1b[31m", "\udcff"),
        *(pytest.param(n, marks=pytest.mark.slow) for n in ("ü", "[red]", ";", ":fire:", "a\nb", "%s")),
    ],
)
def test_directories_of_any_name(name: str, capsys: pytest.CaptureFixture[str], work: Path) -> None:
    assert run(["convert", IRIS, f"--out={name}"]) == 0
    captured = capsys.readouterr()
    shown = captured.out + captured.err
    assert "\x1b" not in shown
    assert run(["simulate", "--images", "2", "--json"]) == 0
    assert {p.name for p in work.iterdir()} == {"build", name}


def test_options_reach_the_design(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--opamp", "lm358", "--resistors", "E96", "--full-scale", "2", "--feedback", "22e3"]
    assert run(["convert", IRIS, "--json", *options]) == 0
    body = json.loads(capsys.readouterr().out)
    assert body["provenance"]["opamp"] == "opamp_lm358"
    assert body["provenance"]["resistor_series"] == "E96"
    assert body["provenance"]["full_scale_v"] == 2.0
    assert body["metrics"]["layers"][0]["feedback_ohm"] >= 22e3


# --- usage: exit code 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--topology", "ring"], "topology 'ring' is unknown; there are split, signed, dual_rail"),
        (["--technology", "cmos"], "technology 'cmos' is unknown; there are board, ideal"),
        (
            ["--resistors", "E13"],
            "resistor series 'E13' is unknown; there are exact, E24, E96, E192, and pot4",
        ),
        (["--opamp", "741"], "op-amp '741' is not among the cells; there are "),
        (["--cell", "nonsense"], "--cell 'nonsense': write NAME=VALUE"),
        (["--cell", "relu="], "--cell 'relu=': write NAME=VALUE"),
        (["--cell", "relu=act_tanh_bjt"], "cell 'act_tanh_bjt' does not compute relu"),
        (["--cell", "relu=\x1b[31m"], r"cell '\x1b[31m' does not compute relu"),
        (["--input-range", "1,0"], "--input-range '1,0': write two numbers, the lower one first, as in 0,1"),
        (["--input-range", "a,b"], "--input-range 'a,b': write two numbers"),
        (["--input-range", "1"], "--input-range '1': write two numbers"),
        (["--input-range", "0,inf"], "--input-range '0,inf': write two numbers"),
        (["--input-range", "nan,1"], "--input-range 'nan,1': write two numbers"),
        (["--full-scale", "-1"], "full_scale: Input should be greater than or equal to 0.001"),
        (["--full-scale", "nan"], "full_scale: Input should be a finite number"),
        (["--full-scale", "x"], "'--full-scale': Input should be a valid number"),
        (["--feedback", "1"], "feedback_ohm must lie in [1000, 1e+07]"),
        (["--nonsense"], "No such option"),
    ],
)
def test_convert_options_that_are_wrong(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str], work: Path
) -> None:
    assert words in refused(capsys, 2, "convert", IRIS, *options)
    assert written(work) == set()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--images", "-1"], "--images -1: at least 1 input is needed"),
        (["--images", "0"], "--images 0: at least 1 input is needed"),
        (["--images", "ten"], "'--images': Input should be a valid integer"),
        (["--temperature", "200"], "--temperature 200: technology board holds from -40 to 125 C"),
        (["--temperature", "nan"], "--temperature nan: technology board holds from -40 to 125 C"),
        (["--temperature", "warm"], "'--temperature': Input should be a valid number"),
        (["--seed", "1.5"], "'--seed': Input should be a valid integer"),
        (["--seed", "-1"], "--seed -1: a seed is a whole number from 0 to 2^63 - 1"),
        (["--seed", str(1 << 64)], "a seed is a whole number from 0 to 2^63 - 1"),
        (["--jobs", "-1"], "--jobs -1: at least 1 is needed"),
        (["--jobs", "0"], "--jobs 0: at least 1 is needed"),
    ],
)
def test_simulate_options_that_are_wrong(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str], work: Path
) -> None:
    assert run(["convert", IRIS]) == 0
    capsys.readouterr()
    before = written(work)
    assert words in refused(capsys, 2, "simulate", *options)
    assert written(work) == before


def test_nothing_built_yet(capsys: pytest.CaptureFixture[str]) -> None:
    assert "nothing was built here yet; run: analognet convert MODEL" in refused(capsys, 2, "simulate")


def test_no_command_and_no_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["convert"]) == 2
    assert run(["destroy"]) == 2
    assert "No such command 'destroy'" in capsys.readouterr().err
    assert run(["--help"]) == 0
    assert "convert" in capsys.readouterr().out


def test_a_directory_that_holds_something_else(capsys: pytest.CaptureFixture[str], work: Path) -> None:
    (work / "thesis").mkdir()
    (work / "thesis" / "thesis.tex").write_text("years of work")
    words = refused(capsys, 2, "convert", IRIS, "--out", "thesis")
    assert "thesis holds something else; choose another --out, or empty it" in words
    assert written(work) == {"thesis/thesis.tex"}


# --- bad input: exit code 3

BAD_MODELS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "has 0 bytes"),
    "pickle": (pickle.dumps({"l1.weight": [1.0]}), "model '"),
    "cut short": (Path(IRIS).read_bytes()[:-5], "not a valid"),
    "header of 2^62": (b"\0\0\0\0\0\0\0\x40", "model '"),
}


@pytest.mark.parametrize("case", sorted(BAD_MODELS))
def test_models_that_are_damaged(case: str, capsys: pytest.CaptureFixture[str], work: Path) -> None:
    data, words = BAD_MODELS[case]
    Path("bad.safetensors").write_bytes(data)
    assert words in refused(capsys, 3, "convert", "bad.safetensors", "--activations", "linear")
    assert written(work) == {"bad.safetensors"}


@pytest.mark.parametrize(
    ("tensors", "activations", "words"),
    [
        ({"l1.weight": np.full((2, 2), np.nan)}, "linear", "every value must be finite"),
        ({"l1.weight": np.full((2, 2), np.inf)}, "linear", "every value must be finite"),
        ({"l1.weight": np.ones((2, 3)), "l2.weight": np.ones((2, 3))}, "relu,linear", "chain"),
        ({"l1.weight": np.ones((2, 3, 3, 3))}, "linear", "convolution"),
        ({"l1.weight": np.full((1, 1), 1e300)}, "linear", "pre-activations reach 1e+300"),
    ],
    ids=["nan", "infinity", "no chain", "convolution", "huge"],
)
def test_models_that_cannot_be_converted(
    tensors: dict[str, np.ndarray],
    activations: str,
    words: str,
    capsys: pytest.CaptureFixture[str],
    work: Path,
) -> None:
    save_file(tensors, "m.safetensors")
    assert words in refused(capsys, 3, "convert", "m.safetensors", "--activations", activations)
    assert written(work) == {"m.safetensors"}


@pytest.mark.parametrize(
    ("activations", "words"),
    [
        ("gelu", "activation 'gelu' is not known; known are linear, relu"),
        ("rlu", "did you mean 'relu'?"),
        ("relu,relu", "has 1 dense layer, so 1 activation is needed; 2 given"),
        ("leaky_relu:x", "slope is not a number; write leaky_relu:0.1"),
    ],
)
def test_activations_that_are_typed_wrong(
    activations: str, words: str, capsys: pytest.CaptureFixture[str], work: Path
) -> None:
    """What was typed is usage; the same in a file is input that cannot be used."""
    save_file({"l1.weight": np.ones((2, 3))}, "m.safetensors")
    assert words in refused(capsys, 2, "convert", "m.safetensors", "--activations", activations)
    Path("m.json").write_text(json.dumps({"activations": activations.split(",")}))
    assert words in refused(capsys, 3, "convert", "m.safetensors")
    assert written(work) == {"m.safetensors", "m.json"}


def test_a_model_that_does_not_say_its_activations(capsys: pytest.CaptureFixture[str]) -> None:
    save_file({"l1.weight": np.ones((2, 3)), "l2.weight": np.ones((1, 2))}, "m.safetensors")
    words = refused(capsys, 3, "convert", "m.safetensors")
    assert "analognet convert m.safetensors --activations relu,linear" in words


def test_models_that_are_not_there(capsys: pytest.CaptureFixture[str], work: Path) -> None:
    assert "nosuch.safetensors" in refused(capsys, 3, "convert", "nosuch.safetensors")
    os.mkfifo("fifo.safetensors")
    refused(capsys, 3, "convert", "fifo.safetensors", "--activations", "linear")
    Path("dir.safetensors").mkdir()
    refused(capsys, 3, "convert", "dir.safetensors", "--activations", "linear")


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": np.ones((3, 5))}, "x has 5 columns; the network takes 4"),
        ({"x": np.full((3, 4), np.nan)}, "x[0, 0] is nan; every value must be finite"),
        ({"x": np.ones((0, 4))}, "x has no rows"),
        ({"x": np.ones((2, 4)), "y": np.array([0, 7])}, "y[1] is 7; classes are whole numbers 0..2"),
        ({"x": np.ones((2, 4)), "y": np.array([0.0, 0.5])}, "y[1] is 0.5; classes are whole numbers 0..2"),
        ({"x": np.ones((2, 4)), "y": np.zeros(3)}, "y has shape (3,); expected (2,)"),
        (
            {"x": 100 * np.ones((2, 4))},
            "V and beyond the supplies (-5 to 5 V); scale the circuit for them",
        ),
    ],
    ids=["width", "nan", "no rows", "class", "half a class", "labels", "beyond the rails"],
)
def test_data_that_cannot_be_used(
    arrays: dict[str, np.ndarray], words: str, capsys: pytest.CaptureFixture[str], work: Path
) -> None:
    assert run(["convert", IRIS]) == 0
    capsys.readouterr()
    np.savez("data.npz", **arrays)  # type: ignore[arg-type]
    before = written(work)
    assert words in refused(capsys, 3, "simulate", "--data", "data.npz", "--save", "out.npz")
    assert written(work) == before


def test_inputs_beyond_full_scale_are_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["convert", IRIS]) == 0
    capsys.readouterr()
    np.savez("data.npz", x=np.array([[1.2, 0.5, 0.5, 0.5], [0.1, 0.2, 0.3, 0.4]]))
    assert run(["simulate", "--data", "data.npz"]) == 0
    assert (
        "note: inputs reach 3.04 V, more than the full scale of 2.5 V: nodes may clip"
        in capsys.readouterr().err
    )


def test_a_design_that_is_not_there(capsys: pytest.CaptureFixture[str], work: Path) -> None:
    assert "build directory 'nosuch' is not there" in refused(capsys, 3, "simulate", "nosuch")
    (work / "empty").mkdir()
    assert "has no readable manifest.json" in refused(capsys, 3, "simulate", "empty")
    assert run(["convert", IRIS]) == 0
    capsys.readouterr()
    (work / "build/iris/network.cir").write_text("* mine\n")
    assert "network.cir was changed after convert" in refused(capsys, 3, "simulate")


def test_places_that_cannot_be_written(capsys: pytest.CaptureFixture[str], work: Path) -> None:
    (work / "file").write_text("x")
    assert "cannot be written" in refused(capsys, 3, "convert", IRIS, "--out", "file/design")
    assert "exists and is no directory of its own" in refused(capsys, 2, "convert", IRIS, "--out", "file")
    assert run(["convert", IRIS]) == 0
    capsys.readouterr()
    words = refused(capsys, 3, "simulate", "--images", "2", "--save", "nosuch/out.npz")
    assert "nosuch/out.npz cannot be written: No such file or directory" in words


def test_a_build_that_is_a_file(capsys: pytest.CaptureFixture[str], work: Path) -> None:
    (work / "build").write_text("x")
    refused(capsys, 3, "convert", IRIS)
    assert "build cannot be written" in refused(capsys, 3, "convert", IRIS, "--out", "elsewhere")


# --- tools: exit codes 4 and 5


def test_ngspice_missing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(["convert", IRIS]) == 0  # needs no simulator
    capsys.readouterr()
    simulations.ngspice_version.cache_clear()
    monkeypatch.setenv("PATH", "")
    words = refused(capsys, 4, "simulate")
    assert "ngspice was not found on PATH; install it: apt-get install ngspice" in words


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("crash.sh", "ngspice died of SIGSEGV"),
        ("silent.sh", "wrote no result"),
        ("garbage.sh", "ngspice"),
        ("zeros.py", "no result is given"),
    ],
)
def test_ngspice_failing(
    script: str,
    words: str,
    capsys: pytest.CaptureFixture[str],
    fake_ngspice: Callable[[str], None],
    work: Path,
) -> None:
    assert run(["convert", IRIS]) == 0
    capsys.readouterr()
    before = written(work)
    fake_ngspice(script)
    assert words in refused(capsys, 5, "simulate", "--save", "out.npz")
    assert written(work) == before


# --- interrupts


def test_interrupted(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(["convert", IRIS]) == 0
    capsys.readouterr()

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(simulations, "operating_points", interrupt)
    assert run(["simulate"]) == 130
    assert capsys.readouterr().err == "analognet: interrupted\n"


@pytest.mark.slow
def test_control_c_ends_ngspice_too(work: Path, tmp_path: Path) -> None:
    """A real SIGINT to a real process, while a simulator hangs."""
    assert run(["convert", IRIS]) == 0
    directory = tmp_path / "bin"
    directory.mkdir()
    (directory / "ngspice").write_text((FAKES / "hang.sh").read_text())
    (directory / "ngspice").chmod(0o755)
    code = (
        # a background job starts with SIGINT ignored, and passes that on
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from analognet import simulation; simulation.ngspice_version = lambda: '39'\n"
        "from analognet.cli import main; main(['simulate'])"
    )
    environment = {**os.environ, "PATH": f"{directory}{os.pathsep}{os.environ['PATH']}"}
    with subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE, text=True
    ) as child:
        for _ in range(400):
            if (directory / "child.pid").is_file():
                break
            time.sleep(0.05)
        time.sleep(0.2)
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=20)
    assert child.returncode == 130
    assert errors == "analognet: interrupted\n"
    sleeper = int((directory / "child.pid").read_text())
    for _ in range(100):
        stat = Path(f"/proc/{sleeper}/stat")
        if not stat.exists() or stat.read_text().split()[2] == "Z":
            break
        time.sleep(0.05)
    else:
        raise AssertionError("ngspice's own child still runs")
    assert not process._live


@pytest.mark.slow
def test_output_that_nobody_reads(work: Path) -> None:
    """`analognet convert ... | head -0` ends without a traceback."""
    code = f"from analognet.cli import main; main(['convert', {IRIS!r}])"
    done = subprocess.run(
        ["/bin/sh", "-c", f'"{sys.executable}" -c "$0" | true', code],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "Traceback" not in done.stderr


# --- how figures are shown


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (0.0123, "A", "12.3 mA"),
        (-1.6e-3, "V", "-1.6 mV"),
        (0.9999e-3, "V", "1 mV"),
        (999.9, "Hz", "1 kHz"),
        (0.0, "V", "0 V"),
        (1e-20, "J", "1e-05 fJ"),
        (2.5e12, "Hz", "2.5e+03 GHz"),
        (4.02e3, "", "4.02 k"),
        (999.9, "", "1 k"),
        (12.0, "", "12"),
        (0.0, "", "0"),
    ],
)
def test_engineering(value: float, unit: str, shown: str) -> None:
    assert engineering(value, unit) == shown


def test_engineering_with_all_its_digits() -> None:
    assert engineering(40_217.5, "Ohm", digits=9) == "40.2175 kOhm"


def test_figures_for_people() -> None:
    assert console.show(0.97555, "") == "97.56 %"
    assert console.show(84, "") == "84"
    assert console.show(None, "V") == "not measured"
    assert console.show((0.9, 1.0), "") == "90.00 % to 100.00 %"
    assert console.show(31.26, "dB") == "31.26 dB"


def test_goldens_are_shipped() -> None:
    assert len(list(NETLISTS.glob("*.cir"))) >= 5
