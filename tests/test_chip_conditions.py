"""Conditions that a chip's cells were not characterised at, and results that cannot be: on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import EXAMPLES, ROOT

from analognet import convert
from analognet.analog import ngspice, pdk, simulate
from analognet.analog.characterized import shipped_range
from analognet.cli.app import run as cli
from analognet.design import Design, open_design
from analognet.errors import SimulatorError, ToolMissing, UsageError
from analognet.inference import transient

try:
    pdk.find()
except ToolMissing as e:
    pytest.skip(str(e), allow_module_level=True)

IRIS = EXAMPLES / "iris" / "iris.safetensors"
Capsys = pytest.CaptureFixture[str]


@pytest.fixture
def chip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capsys) -> Path:
    """A directory that `convert` wrote, and that `simulate` will take."""
    monkeypatch.chdir(tmp_path)
    assert cli(["convert", str(IRIS), "--technology", "sky130"]) == 0
    capsys.readouterr()
    return tmp_path / "build" / "iris"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (
            ["--corner", "typical"],
            "--corner 'typical': technology sky130 has tt, ss, ff, sf, fs, ll, hl, lh, hh",
        ),
        (["--temperature", "126"], "--temperature 126: technology sky130 holds from -40 to 125 C"),
        (["--temperature", "nan"], "--temperature nan: technology sky130 holds from -40 to 125 C"),
        (["--supply", "1.5"], "--supply 1.5: the cells were characterised from 1.62 to 1.98 V"),
        (["--supply", "1.981"], "--supply 1.981: the cells were characterised from 1.62 to 1.98 V"),
        (["--supply", "nan"], "--supply nan: the cells were characterised from 1.62 to 1.98 V"),
    ],
)
def test_outside_what_was_characterised(chip: Path, asked: list[str], told: str, capsys: Capsys) -> None:
    assert cli(["simulate", "--data", "iris", "--images", "2", *asked]) == 2
    assert told in " ".join(capsys.readouterr().err.split())


def test_a_technology_that_promises_more_than_its_cells_datasheets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "sky130" / "sky130.toml").read_text()
    (tmp_path / "wide.toml").write_text(text.replace("[-40.0, 125.0]", "[-60.0, 150.0]"))
    assert cli(["convert", str(IRIS), "--technology", "wide.toml"]) == 0
    for asked in ("150", "-55"):
        capsys.readouterr()
        assert cli(["simulate", "--data", "iris", "--images", "2", "--temperature", asked]) == 2
        told = " ".join(capsys.readouterr().err.split())
        assert f"temperature {asked} C: the cells were characterised from -40 to 125 C" in told


def test_a_cell_of_ones_own_is_held_to_what_its_technology_states(chip: Path) -> None:
    cells = {cell.name: cell for cell in open_design(chip).circuit.cells}
    assert shipped_range(cells) is not None
    assert shipped_range({}) is None


@pytest.mark.slow
def test_supply(chip: Path, capsys: Capsys) -> None:
    asked = ["simulate", "--data", "iris", "--images", "3", "--supply", "1.62", "--json"]
    assert cli(asked) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["provenance"]["supply_v"] == pytest.approx([-0.81, 0.81])
    assert told["metrics"]["agreement"] == 1.0
    design = open_design(chip)
    nominal = simulate.operating_points(
        design.analog, design.circuit, design.netlist, design.cells, np.ones((1, 4)), files=design.dc_files
    )
    assert nominal.power_w is not None
    assert told["metrics"]["power_w"] < 0.95 * nominal.power_w[0]


def test_a_board_has_the_supply_of_its_file() -> None:
    with pytest.raises(
        UsageError, match=r"--supply 9: technology board has the rails of its file, -5 and 5 V"
    ):
        convert(IRIS).at_supply(9.0)


# --- results that cannot be


def tampered(monkeypatch: pytest.MonkeyPatch, wrong: Callable[[str, np.ndarray], np.ndarray]) -> None:
    """Let ngspice answer with something else."""
    real = ngspice.run_deck

    def run(deck: str, wanted: list[str], **kwargs: object) -> ngspice.SpiceRun:
        done = real(deck, wanted, **kwargs)  # type: ignore[arg-type]
        return ngspice.SpiceRun(
            {name: wrong(name, v) for name, v in done.vectors.items()}, done.cpu_s, done.wall_s, done.log
        )

    monkeypatch.setattr(ngspice, "run_deck", run)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("net", "volts", "told"),
    [
        ("v(xnet.l0_y3)", 0.15, "ngspice's output l0_y3 for input"),
        ("v(y2)", 1.5, "outside the rails of -0.9 and 0.9 V"),
    ],
)
def test_a_node_that_cannot_be_is_named(
    chip: Path, net: str, volts: float, told: str, monkeypatch: pytest.MonkeyPatch, capsys: Capsys
) -> None:
    tampered(monkeypatch, lambda name, v: v + volts if name == net else v)
    assert cli(["simulate", "--data", "iris", "--images", "2"]) == 5
    found = " ".join(capsys.readouterr().err.split())
    assert told in found
    assert f"output {net.removeprefix('v(').removeprefix('xnet.').rstrip(')')} for input" in found
    assert "no result is given" in found


def test_outside_the_rails_counts_where_a_node_clips(chip: Path) -> None:
    design = open_design(chip)
    far = np.full((1, 4), 12.0)  # beyond the input range: hidden nodes clip
    layers = [v for _, v in design.analog.voltages(far)]
    clipped = {i: np.clip(v, -0.89, 0.89) for i, v in enumerate(layers)}
    assert simulate.check_layers(design.analog, design.cells, far, clipped, 27.0) == 1
    clipped[0][0, 2] = 0.95
    with pytest.raises(SimulatorError, match=r"l0_y2 for input 0 is 0\.95 V, outside the rails"):
        simulate.check_layers(design.analog, design.cells, far, clipped, 27.0)


@pytest.mark.slow
def test_a_transient_that_begins_wrong_is_an_error(monkeypatch: pytest.MonkeyPatch, capsys: Capsys) -> None:
    design: Design = convert(IRIS, technology="sky130")
    tampered(monkeypatch, lambda name, v: v + 0.2 if name == "v(y0)" and len(v) > 20 else v)
    with pytest.raises(SimulatorError, match=r"transition 'random' .*, before the step: .* y0 for input 0"):
        transient(design, "iris", transitions=2, jobs=1)
