"""The netlist as text: goldens to read, and what every netlist keeps to."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from conftest import ACTIVATIONS, EXAMPLES, NETLISTS, TOPOLOGIES, dense, random_network
from hypothesis import given
from hypothesis import strategies as st

from analognet.analog.netlist import WIDTH, wrap
from analognet.analog.simulate import plausible_error
from analognet.cli.app import run
from analognet.design import Design, convert, open_design, save
from analognet.network import Activation, Dense, Network

HIDDEN = dense([[0.5, -1.0], [-0.75, 0.0], [1.0, 0.25]], [0.25, 0.5, 0.0], "relu", "hidden")
OUTPUT = dense([[1.0, -0.5, 2.0], [-1.0, 0.75, 0.0]], [0.0, -0.125], name="output")


def tiny(activation: str) -> Network:
    """A 2-3-2 network with a zero weight, a zero bias and both signs."""
    hidden = Dense("hidden", HIDDEN.weight, HIDDEN.bias, Activation(activation))
    return Network("tiny", (hidden, OUTPUT))


def golden_design(name: str) -> Design:
    if name == "iris":
        return convert(EXAMPLES / "iris" / "iris.safetensors")
    _, activation, topology = name.split("_", 2)
    return convert(tiny(activation), topology=topology, input_range=(-0.5, 1.0))


GOLDENS = ("iris", "tiny_relu_dual_rail", "tiny_relu_signed", "tiny_relu_split", "tiny_sigmoid_split")


@pytest.mark.parametrize("name", GOLDENS)
def test_golden(name: str, refresh_goldens: bool) -> None:
    path = NETLISTS / f"{name}.cir"
    text = golden_design(name).standalone_netlist()
    if refresh_goldens:
        path.write_text(text, encoding="ascii")
    assert path.read_text(encoding="ascii") == text, (
        f"netlists/{name}.cir differs: read the difference, then pytest --refresh-goldens"
    )


def test_there_is_no_golden_without_a_test() -> None:
    assert {p.stem for p in NETLISTS.glob("*.cir")} == set(GOLDENS)


@pytest.mark.parametrize("name", GOLDENS)
def test_a_golden_runs_by_itself_and_prints_what_its_comments_say(name: str, tmp_path: Path) -> None:
    shutil.copy(NETLISTS / f"{name}.cir", tmp_path / "network.cir")
    done = subprocess.run(
        ["ngspice", "-b", "network.cir"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    assert "singular" not in done.stdout + done.stderr
    text = (NETLISTS / f"{name}.cir").read_text()
    wanted = {n: float(v) for n, v in re.findall(r"^\* (y\d+) = (\S+) V$", text, re.MULTILINE)}
    printed = {n: float(v) for n, v in re.findall(r"^v\((y\d+)\) = (\S+)$", done.stdout, re.MULTILINE)}
    design = golden_design(name)
    assert list(wanted) == list(printed) == [f"y{i}" for i in range(design.network.n_out)]
    bound = plausible_error(design.analog, design.cells, 27.0)
    for i, net in enumerate(wanted):
        assert abs(printed[net] - wanted[net]) <= bound[i]
    assert re.search(r"^i\(vdd\) = ", done.stdout, re.MULTILINE)


def test_convert_writes_the_golden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["convert", str(EXAMPLES / "iris" / "iris.safetensors")]) == 0
    assert (tmp_path / "build/iris/network.cir").read_text() == (NETLISTS / "iris.cir").read_text()


# --- every netlist


def element_names(text: str) -> list[tuple[str, str]]:
    """(subcircuit, element name) of every element line."""
    found, inside, control = [], "", False
    for line in text.splitlines()[1:]:
        word = line.split(" ")[0].lower()
        if word == ".subckt":
            inside = line.split()[1]
        elif word == ".ends":
            inside = ""
        elif word in (".control", ".endc"):
            control = word == ".control"
        elif line and line[0].isalpha() and not control:
            found.append((inside, word))
    return found


def check_text(text: str) -> None:
    assert text.isascii()
    assert not re.search(r"[^\x20-\x7e\n]", text)
    assert text.startswith("* AnalogNet ")
    assert text.endswith(".end\n")
    names = element_names(text)
    assert len(set(names)) == len(names)
    own = text[text.index("\n* layer 0:") :]
    for line in own.splitlines():
        assert len(line) <= 120
        if line.startswith("R"):
            # name, two nets, one plain number
            assert re.fullmatch(r"R[a-z]+\d+(_(\d+|b))? \w+ \w+ \d+(\.\d+)?(e[+-]\d+)?", line), line
    assert not re.search(r"\b(nan|inf)\b", text)


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_text_of_every_kind_of_netlist(activation: str, topology: str) -> None:
    network = random_network((12, 11, 3), (activation, "linear"))
    for technology in ("ideal", "board"):
        check_text(convert(network, technology=technology, topology=topology).standalone_netlist())


HOSTILE = (
    "x\n.control\nshell touch pwned\n.endc",
    "*# .include /etc/passwd",
    "*ng_script",
    "a;b$c[0,1]=d",
    "\x00\x1b[31m",
    "gnd",
    "temper",
    "../../x",
    "[red]<script>=cmd|' /C calc'!A0",
    "\\input{x}_%#",
    "\u202e\ud800",
    "y" * 100_000,
)


@pytest.mark.slow
@given(st.text(st.characters(), max_size=50) | st.sampled_from(HOSTILE), st.sampled_from(TOPOLOGIES))
def test_no_name_from_outside_reaches_the_netlist(name: str, topology: str) -> None:
    layers = tuple(Dense(name, d.weight, d.bias, d.activation) for d in (HIDDEN, OUTPUT))
    design = convert(Network(name, layers), topology=topology)
    plain = convert(Network("tiny", (HIDDEN, OUTPUT)), topology=topology)
    assert design.standalone_netlist() == plain.standalone_netlist()


@pytest.mark.parametrize("name", [n for n in HOSTILE if "\ud800" not in n])
def test_names_from_outside_survive_in_the_name_map_alone(name: str, tmp_path: Path) -> None:
    layers = tuple(
        Dense(name + str(i), d.weight, d.bias, d.activation) for i, d in enumerate((HIDDEN, OUTPUT))
    )
    design = convert(Network(name, layers))
    save(design, tmp_path / design.stem)
    back = open_design(tmp_path / design.stem)
    assert back.network.name == name
    assert [layer.name for layer in back.network.layers] == [name + "0", name + "1"]
    assert sorted(p.name for p in tmp_path.iterdir()) == [design.stem]


def test_the_same_model_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    model = EXAMPLES / "digits" / "digits.safetensors"
    for directory in ("a", "b"):
        save(convert(model), tmp_path / directory)
    written = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file())
    assert Path("network.cir") in written
    for path in written:
        assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes(), path
    text = (tmp_path / "a" / "network.cir").read_text()
    assert str(tmp_path) not in text
    assert str(EXAMPLES) not in text


def test_resistances_are_the_conductances_to_nine_figures() -> None:
    design = convert(tiny("relu"), technology="ideal")
    layer = design.analog.layers[0]
    text = design.netlist
    for i, j in zip(*np.nonzero(layer.g_pos[:, :-1]), strict=True):
        assert f"\nRp{i}_{j} x{j} p{i} {1 / layer.g_pos[i, j]:.9g}\n" in text


@given(st.lists(st.from_regex(r"[a-z0-9_=.]{1,30}", fullmatch=True), min_size=1, max_size=60))
def test_wrapped_lines_hold_the_same_words(words: list[str]) -> None:
    lines = wrap(words)
    assert all(len(line) <= WIDTH for line in lines)
    assert all(line.startswith("+ ") for line in lines[1:])
    joined = " ".join([lines[0], *(line[2:] for line in lines[1:])])
    assert joined.split() == words
