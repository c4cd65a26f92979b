"""The command line day by day: help, hints, completion, how much it says, and what it does when output fails."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer
from conftest import EXAMPLES

from analognet.cli.app import app, run
from analognet.cli.examples import EXAMPLES as SHOWN

IRIS = str(EXAMPLES / "iris" / "iris.safetensors")
COMMANDS = sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
MAIN = "from analognet.cli import main; main()"


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(capsys: pytest.CaptureFixture[str], code: int, *argv: str) -> tuple[str, str]:
    capsys.readouterr()
    assert run(argv) == code
    return capsys.readouterr()


def options_of(command: str) -> set[str]:
    found = typer.main.get_command(app).commands[command]  # type: ignore[attr-defined]
    return {o for p in found.params for o in (*p.opts, *p.secondary_opts) if o.startswith("-")}


# --- help


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples_that_hold(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = told(capsys, 0, command, "--help")
    assert err == ""
    assert "Examples:" in out
    assert SHOWN[command]
    for line in SHOWN[command]:
        assert f"    {line}\n" in out  # as it stands, to be copied
        program, name, *rest = shlex.split(line)
        assert (program, name) == ("analognet", command)
        assert {word.partition("=")[0] for word in rest if word.startswith("--")} <= options_of(command)


def test_every_command_takes_the_common_options() -> None:
    assert set(COMMANDS) == set(SHOWN)
    for command in COMMANDS:
        assert {"--quiet", "-q", "--verbose", "-v", "--json"} <= options_of(command)


def test_help_tells_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = told(capsys, 0, "--help")
    assert "0 done, 1 a specification was missed, 2 usage, 3 input that cannot be used" in out
    _, err = told(capsys, 2)
    assert "Usage: " in err
    assert "convert" in err


# --- hints


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["convrt", IRIS], "Did you mean 'convert'?"),
        (["convert", IRIS, "--topolgy", "split"], "Possible options: --technology, --topology"),
        (["convert", IRIS, "--nosuch"], "convert --help lists what there is"),
        (["convert", IRIS, "--technology", "bord"], "did you mean 'board'?"),
        (["convert", IRIS, "--topology", "dualrail"], "did you mean 'dual_rail'?"),
        (["convert", IRIS, "--opamp", "lm385"], "did you mean 'lm358'?"),
        (["convert", IRIS, "--activations", "sigmod,linear"], "did you mean 'sigmoid'?"),
        (["convert", IRIS, "--calibrate", "irris"], "did you mean 'iris'?"),
        (["convert", IRIS, "--cell", "relu=act_relu_diod"], "did you mean 'act_relu_diode'?"),
        (["vhdl", IRIS, "--synth", "ecp4"], "did you mean 'ecp5'?"),
    ],
)
def test_what_was_probably_meant(argv: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, err = told(capsys, 2, *argv)
    assert words in err


def test_nothing_is_suggested_for_what_is_far_off(capsys: pytest.CaptureFixture[str]) -> None:
    _, err = told(capsys, 2, "convert", IRIS, "--technology", "zzz")
    assert "did you mean" not in err


# --- how much is said


def test_quiet_says_results_alone(capsys: pytest.CaptureFixture[str]) -> None:
    out, err = told(capsys, 0, "convert", IRIS, "--quiet")
    assert "4-8-3" in out
    assert err == ""
    out, err = told(capsys, 0, "convert", IRIS, "-q", "--json")
    assert json.loads(out)["schema"] == 1
    assert err == ""
    _, err = told(capsys, 2, "convert", IRIS, "-q", "--opamp", "none")
    assert err.startswith("analognet: op-amp 'none'")


@pytest.mark.slow
def test_verbose_names_the_programs_that_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["convert", IRIS]) == 0
    _, quiet = told(capsys, 0, "simulate", "--images", "2")
    _, verbose = told(capsys, 0, "simulate", "--images", "2", "--verbose")
    assert "ngspice: code 0 after" in verbose
    assert "ngspice: code" not in quiet
    _, err = told(capsys, 0, "simulate", "--images", "2")  # and no longer
    assert "ngspice: code" not in err


def test_quiet_and_verbose_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    _, err = told(capsys, 2, "convert", IRIS, "-q", "-v")
    assert err == "analognet: --quiet and --verbose: choose one\n"


def on_terminal(*argv: str, **environment: str) -> str:
    """What a command writes to a terminal as its stderr."""
    master, slave = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", MAIN, *argv],
        stdout=subprocess.DEVNULL,
        stderr=slave,
        env={**os.environ, "TERM": "xterm-256color", **environment},
    ) as child:
        os.close(slave)
        seen = b""
        while True:
            try:
                data = os.read(master, 65536)
            except OSError:  # Linux's way to say that the other end is closed
                break
            if not data:
                break
            seen += data
        assert child.wait(120) == 0
    os.close(master)
    return seen.decode()


@pytest.mark.slow
def test_progress_is_on_a_terminal_alone_and_leaves_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["convert", IRIS]) == 0
    argv = ["simulate", "--images", "50"]
    shown = on_terminal(*argv)
    assert "operating points" in shown
    assert shown.rindex("\x1b[2K") > shown.rindex("operating points")  # the line is cleared at its end
    assert "operating points" not in on_terminal(*argv, "--quiet")
    assert "operating points" not in on_terminal(*argv, TERM="dumb")
    done = subprocess.run([sys.executable, "-c", MAIN, *argv], capture_output=True, text=True, timeout=120)
    assert "operating points" not in done.stderr
    assert "\x1b" not in done.stderr + done.stdout


@pytest.mark.slow
def test_no_color() -> None:
    assert run(["convert", IRIS]) == 0
    coloured = re.compile(r"\x1b\[[0-9;]*3[0-9][;m]|\x1b\[[0-9;]*38;")
    assert coloured.search(on_terminal("simulate", "--images", "50"))
    assert not coloured.search(on_terminal("simulate", "--images", "50", NO_COLOR="1"))


# --- completion


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("analognet con", ["convert"]),
        pytest.param("analognet convert m --technology ", ["board", "ideal"], marks=pytest.mark.slow),
        pytest.param("analognet convert m --topology d", ["dual_rail"], marks=pytest.mark.slow),
        pytest.param("analognet convert m --opamp lm", ["lm258", "lm358"], marks=pytest.mark.slow),
        pytest.param("analognet convert m --activations relu,li", ["relu,linear"], marks=pytest.mark.slow),
        pytest.param("analognet simulate --data m", ["mnist"], marks=pytest.mark.slow),
        pytest.param("analognet convert --topo", ["--topology"], marks=pytest.mark.slow),
    ],
)
def test_completion(line: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """As bash calls it; the script that --show-completion prints does nothing else."""
    code = "from analognet.cli.app import app; app(prog_name='analognet')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={
            **os.environ,
            "_ANALOGNET_COMPLETE": "complete_bash",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(line.split()) - (not line.endswith(" "))),
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert [w for w in done.stdout.split() if w in words] == words, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_is_shown(shell: str) -> None:
    code = "from analognet.cli.app import app; app(prog_name='analognet')"
    done = subprocess.run(
        [sys.executable, "-c", code, "--show-completion", shell],
        env={**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert f"_ANALOGNET_COMPLETE=complete_{shell}" in done.stdout


# --- output that fails, and a polite end


@pytest.mark.parametrize(
    ("redirect", "code", "words"),
    [
        ("> /dev/full", 3, "analognet: no space is left on a disk (output)"),
        (">&-", None, ""),
        ("2> /dev/full", 0, ""),
    ],
)
@pytest.mark.slow
def test_output_that_cannot_be_written(redirect: str, code: int | None, words: str) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f'"{sys.executable}" -c "$0" convert "$1" {redirect}', MAIN, IRIS],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert words in done.stderr
    assert code is None or done.returncode == code


@pytest.mark.slow
def test_a_terminal_without_letters_is_shown_numbers(work: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MAIN, "convert", IRIS, "--out", "ü"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"},
        timeout=120,
    )
    assert done.returncode == 0
    assert r"\xfc" in done.stdout


@pytest.mark.slow
def test_the_end_of_a_batch_job_is_an_interrupt(work: Path) -> None:
    """SIGTERM, as batch systems send it: the code of an interrupt, and no temporary directory is left."""
    assert run(["convert", IRIS]) == 0
    (work / "tmp").mkdir()
    with subprocess.Popen(
        [
            sys.executable,
            "-c",
            MAIN,
            "simulate",
            "--engine=solver",
            "--data",
            "iris",
            "--monte-carlo",
            "100000",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(work / "tmp")},
    ) as child:
        for _ in range(1200):
            if list(Path("build/iris").glob("monte_carlo/*.piece")):
                break
            time.sleep(0.05)
        child.send_signal(signal.SIGTERM)
        _, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert err.endswith("analognet: interrupted\n")
    assert list((work / "tmp").iterdir()) == []
