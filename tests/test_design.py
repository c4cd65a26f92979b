"""Designs: converted, saved, opened again, and refused where they were tampered with."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ACTIVATIONS, EXAMPLES, ROOT, TOPOLOGIES, dense, example, inputs, random_network

from analognet import storage
from analognet.data import Dataset
from analognet.design import KIND, Design, convert, open_design, save
from analognet.errors import AnalogNetError, InputError, UsageError
from analognet.network import Network

DIGITS = EXAMPLES / "digits" / "digits.safetensors"


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("technology", ["ideal", "board"])
def test_a_design_opens_as_it_was_saved(
    technology: str, activation: str, topology: str, tmp_path: Path
) -> None:
    design = convert(
        random_network((3, 4, 2), (activation, "linear")), technology=technology, topology=topology
    )
    save(design, tmp_path / "d")
    back = open_design(tmp_path / "d")
    assert back.standalone_netlist() == design.standalone_netlist()
    assert (tmp_path / "d" / "network.cir").read_text() == design.standalone_netlist()
    assert back.tally == design.tally
    assert back.technology == design.technology
    assert back.ranges == design.ranges
    x = inputs(5, 3)
    np.testing.assert_array_equal(back.network(x), design.network(x))


@pytest.mark.parametrize("labels", [True, False])
def test_calibration_data_are_kept(labels: bool, tmp_path: Path) -> None:
    x = inputs(20, 3)
    data = Dataset("mine", x, np.arange(20) % 2 if labels else None, "digest")
    design = convert(random_network((3, 2), ("linear",)), calibrate=data)
    assert design.calibration == "data"
    save(design, tmp_path / "d")
    back = open_design(tmp_path / "d")
    assert back.samples is not None
    np.testing.assert_array_equal(back.samples.x, x)
    assert (back.samples.y is None) is not labels


def test_calibrating_with_a_built_in_set_keeps_its_name_alone(tmp_path: Path) -> None:
    model = EXAMPLES / "iris" / "iris.safetensors"
    design = convert(model, calibrate="iris")
    assert (design.dataset, design.samples, design.calibration) == ("iris", None, "data")
    save(design, tmp_path / "d")
    assert not (tmp_path / "d" / "calibration.npz").exists()
    assert open_design(tmp_path / "d").dataset == "iris"


def test_where_the_scales_come_from() -> None:
    network = random_network((3, 2), ("linear",))
    assert convert(DIGITS).calibration == "metadata"
    assert convert(DIGITS, input_range=(0.0, 2.0)).calibration == "interval"
    design = convert(network)
    assert design.calibration == "interval"
    assert design.analog.input_range == (-1.0, 1.0)
    assert "nothing says what range the inputs have: -1 to 1 is assumed" in design.notes[0]
    assert convert(network, input_range=(0.0, 5.0)).notes == ()
    narrow = convert(network, calibrate=Dataset("d", np.full((2, 3), 0.5), None, ""))
    assert narrow.analog.input_range == (0.0, 0.5)
    zeros = convert(network, calibrate=Dataset("d", np.zeros((2, 3)), None, ""))
    assert zeros.analog.input_range == (-1.0, 1.0)


def test_dropped_weights_are_said() -> None:
    network = Network("n", (dense([[1.0, 1e-9]]),))
    assert "1 of 2 weights and biases need more than 1e+07 Ohm and were dropped" in convert(network).notes


def test_files_of_a_directory(tmp_path: Path) -> None:
    save(example("digits"), tmp_path / "d")
    names = {str(p.relative_to(tmp_path / "d")) for p in (tmp_path / "d").rglob("*") if p.is_file()}
    assert names >= {"network.cir", "design.json", "names.json", "weights.safetensors", "manifest.json"}
    assert "cells/opamp_opa4192.cir" in names
    description = json.loads((tmp_path / "d" / "design.json").read_text())
    assert set(description["versions"]) >= {"analognet", "numpy", "python"}
    assert len(description["source"]["model_sha256"]) == 64
    layers = json.loads((tmp_path / "d" / "names.json").read_text())["layers"]
    assert list(layers) == ["layer0", "layer1"]


# --- tampering


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save(example("iris"), tmp_path / "iris")
    return tmp_path / "iris"


def test_any_changed_file_is_refused_by_name(saved: Path) -> None:
    files = [p for p in saved.rglob("*") if p.is_file() and p.name != storage.MANIFEST]
    assert len(files) > 6
    for path in files:
        original = path.read_bytes()
        for changed in (original + b" ", original[:-1], b""):
            path.write_bytes(changed)
            with pytest.raises(InputError) as caught:
                open_design(saved)
            name = str(path.relative_to(saved))
            assert f"{name} was changed after convert" in str(caught.value)
            assert caught.value.exit_code == 3
        path.write_bytes(original)
    open_design(saved)


def resealed(directory: Path, name: str, data: bytes | None) -> None:
    """Change or remove a file and make the manifest agree: what somebody with an editor can do."""
    path, manifest_path = directory / name, directory / storage.MANIFEST
    manifest = json.loads(manifest_path.read_text())
    if data is None:
        path.unlink()
        del manifest["files"][name]
    else:
        path.write_bytes(data)
        manifest["files"][name] = storage.digest(data)
    manifest_path.write_text(json.dumps(manifest))


def edited(directory: Path, edit: Callable[[dict[str, Any]], object], name: str = "design.json") -> None:
    description = json.loads((directory / name).read_text())
    edit(description)
    resealed(directory, name, json.dumps(description).encode())


EDITS: dict[str, Callable[[dict[str, Any]], object]] = {
    "no activations": lambda d: d.pop("activations"),
    "activations no list": lambda d: d.update(activations=7),
    "too few activations": lambda d: d["activations"].pop(),
    "unknown activation": lambda d: d["activations"][0].update(name="gelu"),
    "activation of code": lambda d: d["activations"].__setitem__(0, {"name": "relu", "x": 1}),
    "technology a string": lambda d: d.update(technology="board"),
    "unknown value": lambda d: d["technology"].update(speed=3),
    "hostile name": lambda d: d["technology"].update(name="x\n.control\nshell id\n.endc"),
    "missing cell": lambda d: d["technology"].update(opamp="opamp_nosuch"),
    "missing activation cell": lambda d: d["technology"]["amplifiers"].update(relu="nosuch"),
    "unknown topology": lambda d: d.update(topology="ring"),
    "topology a list": lambda d: d.update(topology=["split"]),
    "unknown series": lambda d: d["technology"]["resistor"].update(series="E7"),
    "ranges too few": lambda d: d["ranges"].pop(),
    "ranges no numbers": lambda d: d["ranges"][0].update(z=["a", "b"]),
    "ranges short": lambda d: d["ranges"][0].update(z=[1]),
    "ranges other": lambda d: d["ranges"][0].update(z=[-9.0, 9.0]),
    "range huge": lambda d: d.update(input_range=[0, 1e300]),
    "range empty": lambda d: d.update(input_range=[]),
    "no dataset": lambda d: d.pop("dataset"),
    "source a number": lambda d: d.update(source=7),
}


@pytest.mark.parametrize("case", sorted(EDITS))
def test_a_description_that_was_edited_is_refused(case: str, saved: Path) -> None:
    edited(saved, EDITS[case])
    with pytest.raises(AnalogNetError) as caught:
        open_design(saved)
    assert caught.value.exit_code == 3
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["network.cir", "design.json", "names.json", "weights.safetensors"])
def test_a_file_that_was_taken_out_is_missed(name: str, saved: Path) -> None:
    resealed(saved, name, None)
    with pytest.raises(InputError):
        open_design(saved)


@pytest.mark.parametrize("name", ["cells/opamp_opa4192.cir", "cells/d1n4148.cir", "cells/opamp_macro.cir"])
def test_a_cell_that_was_taken_out_is_missed(name: str, saved: Path) -> None:
    resealed(saved, name, None)
    with pytest.raises(InputError, match=f"'?{Path(name).stem}'?"):
        open_design(saved)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("network.cir", b"* another circuit\n.end\n"),
        ("design.json", b"{}"),
        ("design.json", b"[" * 100_000),
        ("design.json", b"\xff"),
        ("names.json", b"[]"),
        ("names.json", b'{"network": "n", "layers": {}}'),
        ("weights.safetensors", b""),
        ("weights.safetensors", b"\xff" * 64),
        ("cells/opamp_opa4192.cir", b"* x\n.control\nshell touch pwned\n.endc\n"),
        ("cells/opamp_opa4192.cir", b"\xff\xfe"),
        ("cells/opamp_opa4192.cir", b""),
    ],
)
def test_a_file_that_was_replaced_is_refused(name: str, data: bytes, saved: Path) -> None:
    resealed(saved, name, data)
    with pytest.raises(InputError):
        open_design(saved)


def test_a_netlist_that_does_not_follow_from_the_weights_is_refused(saved: Path) -> None:
    text = (saved / "network.cir").read_bytes()
    resealed(saved, "network.cir", text.replace(b"Rf0", b"Rg0"))
    with pytest.raises(InputError, match=r"network.cir is not what this AnalogNet builds from it"):
        open_design(saved)


def test_foreign_names_are_shown_disarmed(tmp_path: Path) -> None:
    network = Network("\x1b[31mred", (dense([[1.0]], name="a\nb"),))
    save(convert(network), tmp_path / "d")
    edited(
        tmp_path / "d",
        lambda d: d["technology"]["resistor"].update(max_ohm=20e3, min_ohm=19e3, feedback_ohm=19e3),
    )
    edited(tmp_path / "d", lambda d: d.update(ranges=[{"z": [0, 1e300], "partial": [0, 1]}]))
    with pytest.raises(InputError) as caught:
        open_design(tmp_path / "d")
    assert r"layer 'a\x0ab'" in str(caught.value)


# --- overrides and refusals


def test_overrides() -> None:
    network = random_network((3, 4, 2), ("sigmoid", "linear"))
    design = convert(
        network, overrides={"opamp": "lm358", "series": "E96", "full_scale": 2.0, "feedback_ohm": 2e4}
    )
    assert design.technology.opamp == "opamp_lm358"
    assert design.technology.resistor.series == "E96"
    assert design.technology.full_scale == 2.0
    assert "opamp_lm358" in design.netlist
    piecewise = convert(network, overrides={"cells": {"sigmoid": "act_sigmoid_pwl"}})
    assert piecewise.analog.layers[0].cell == "act_sigmoid_pwl"


def test_another_rectifier_by_name() -> None:
    network = random_network((3, 4, 2), ("relu", "linear"))
    assert convert(network).analog.layers[0].amplifier == "rectifier_diode"
    other = convert(network, overrides={"cells": {"relu": "act_relu_diode"}}).analog.layers[0]
    assert (other.amplifier, other.cell) == ("opamp", "act_relu_diode")
    back = convert(network, topology="signed", overrides={"cells": {"relu": "rectifier_diode"}})
    assert back.analog.layers[0].cell == "act_relu_diode"


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"opamp": "741"}, "op-amp '741' is not among the cells; there are ada4522_4, "),
        ({"opamp": "act_relu_diode"}, "op-amp 'act_relu_diode' is not among the cells"),
        ({"opamp": "../x"}, "op-amp '../x' is not among the cells"),
        ({"series": "E12"}, "resistor series 'E12' is unknown; there are exact, E24, E96, E192, and pot4 to"),
        (
            {"full_scale": -1.0},
            "technology board: full_scale: Input should be greater than or equal to 0.001",
        ),
        ({"full_scale": float("nan")}, "technology board: full_scale: Input should be a finite number"),
        ({"feedback_ohm": 1.0}, "technology board: feedback_ohm must lie in [1000, 1e+07]"),
        ({"colour": "red"}, "technology board has no value 'colour' to set"),
        (
            {"cells": {"relu": "act_tanh_bjt"}},
            "cell 'act_tanh_bjt' does not compute relu; there are act_relu_",
        ),
        ({"cells": {"gelu": "act_tanh_bjt"}}, "does not compute gelu; there are none that do"),
        ({"cells": {"relu": "\x1b[2J"}}, r"cell '\x1b[2J' does not compute relu"),
    ],
)
def test_overrides_that_are_refused(overrides: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        convert(random_network((2, 2), ("relu",)), overrides=overrides)
    assert words in str(caught.value)


def test_an_opamp_on_the_wrong_supply(tmp_path: Path) -> None:
    board = (ROOT / "cells" / "board.toml").read_text()
    path = tmp_path / "low.toml"
    path.write_text(board.replace("vdd = 5.0", "vdd = 1.0").replace("vss = -5.0", "vss = -1.0"))
    with pytest.raises(
        InputError, match=r"op-amp opamp_opa4192 works on 4.5 to 36 V, technology board gives it 2 V"
    ):
        convert(random_network((2, 2), ("relu",)), technology=path)


def test_cells_of_ones_own_beside_a_technology(tmp_path: Path) -> None:
    ideal = (ROOT / "cells" / "ideal.toml").read_text()
    (tmp_path / "mine.toml").write_text(
        ideal.replace("opamp_ideal", "opamp_mine").replace('"ideal"', '"mine"')
    )
    cell = (ROOT / "cells" / "opamp_ideal.cir").read_text().replace("opamp_ideal", "opamp_mine")
    (tmp_path / "opamp_mine.cir").write_text(cell)
    design = convert(random_network((2, 2), ("relu",)), technology=str(tmp_path / "mine.toml"))
    assert "Xpart inp inn out vdd vss opamp_mine" in design.netlist
    save(design, tmp_path / "d")
    assert open_design(tmp_path / "d").netlist == design.netlist


def test_a_cell_that_is_declared_twice(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text((ROOT / "cells" / "ideal.toml").read_text())
    (tmp_path / "opamp_ideal.cir").write_text((ROOT / "cells" / "opamp_ideal.cir").read_text())
    with pytest.raises(InputError, match="cell 'opamp_ideal' is declared twice"):
        convert(random_network((2, 2), ("relu",)), technology=tmp_path / "mine.toml")


def test_data_of_the_wrong_width() -> None:
    with pytest.raises(InputError, match="x has 64 columns; the network takes 3"):
        convert(random_network((3, 2), ("linear",)), calibrate="digits")


def test_nothing_is_written_before_save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    design = convert(DIGITS)
    assert design.netlist
    assert list(tmp_path.iterdir()) == []


def test_a_design_of_another_kind_is_refused(saved: Path) -> None:
    manifest = json.loads((saved / storage.MANIFEST).read_text())
    assert manifest["kind"] == KIND
    (saved / storage.MANIFEST).write_text(json.dumps({**manifest, "kind": "vhdl"}))
    with pytest.raises(InputError, match=f"is not a {KIND} directory; make it with analognet convert"):
        open_design(saved)


def test_its_files_are_named_safely() -> None:
    design: Design = example("iris")
    assert replace(design, network=Network("../../\x00x", design.network.layers)).stem == "x"
