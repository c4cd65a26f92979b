"""Technology files: the shipped ones, and refusals that name file, key and fault."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import ROOT

from analognet.analog.technology import available, load_technology, parse_technology, read_technology
from analognet.errors import InputError, UsageError

BOARD = (ROOT / "cells" / "board.toml").read_text()


def test_shipped_technologies() -> None:
    assert {"board", "ideal"} <= set(available())
    for name in available():
        assert load_technology(name).name == name


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(BOARD.replace('name = "board"', 'name = "mine"'))
    assert load_technology(str(path)).name == "mine"
    assert load_technology(path).vdd == 5.0


def test_unknown_names() -> None:
    with pytest.raises(UsageError) as caught:
        load_technology("../board\x1b")
    assert r"technology '../board\x1b' is unknown; there are board, ideal" in str(caught.value)
    assert "or a .toml file" in str(caught.value)
    with pytest.raises(InputError, match=r"technology file 'none.toml': no such file"):
        load_technology("none.toml")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("vdd = 5.0", "vdd = 'x'", "vdd: Input should be a valid number"),
        ("vdd = 5.0", "vdd = nan", "vdd: Input should be a finite number"),
        ("vdd = 5.0", "vdd = -5.0", "vdd must be above 0 and vss at or below it"),
        ("vss = -5.0", "vss = 1.0", "vdd must be above 0 and vss at or below it"),
        ("reference = 2.5", "reference = 0", "reference: Input should be greater than 0"),
        ("full_scale = 2.5", "full_scale = -1", "full_scale: Input should be greater than or equal to 0.001"),
        ("full_scale = 2.5", "full_scale = 2.5\nspeed = 1", "speed: Extra inputs are not permitted"),
        ('opamp = "opamp_opa4192"', 'opamp = "a b\\n.control"', "opamp: String should match pattern"),
        ('name = "board"', 'name = "x\\n.control"', "name: String should match pattern"),
        ('name = "board"', "", "name: Field required"),
        ("min_ohm = 1e3", "min_ohm = 0", "resistor.min_ohm: Input should be greater than 0"),
        ("feedback_ohm = 10e3", "feedback_ohm = 1", "feedback_ohm must lie in [1000, 1e+07]"),
        ("min_ohm = 1e3", "min_ohm = 1e9", "feedback_ohm must lie in"),
        ("tolerance = 0.001", "tolerance = 1.5", "resistor.tolerance: Input should be less than 1"),
        ('relu = "act_relu_diode"', 'relu = "; rm -rf /"', "activations.relu: String should match pattern"),
        ("vdd = 5.0", "vdd = = 5.0", "Invalid value"),
        ("vdd = 5.0", "", "vdd: Field required"),
    ],
)
def test_files_that_are_wrong(tmp_path: Path, old: str, new: str, words: str) -> None:
    path = tmp_path / "t.toml"
    assert old in BOARD
    path.write_text(BOARD.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        read_technology(path)
    assert str(caught.value).startswith("technology file 't.toml'")
    assert words in str(caught.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "t.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"technology file 't\.toml'"):
        read_technology(path)
    path.write_bytes(b"#" * (1 << 19))
    with pytest.raises(InputError, match="at most 64 KiB are read"):
        read_technology(path)
    with pytest.raises(InputError, match="is a directory; a regular file is needed"):
        read_technology(tmp_path)


def test_values_that_are_no_table() -> None:
    with pytest.raises(InputError, match="here: Input should be a valid dictionary"):
        parse_technology([1, 2], "here")


def test_a_missing_cell_names_layer_and_what_there_is() -> None:
    technology = load_technology("board").model_copy(update={"activations": {"relu": "act_relu_diode"}})
    with pytest.raises(
        InputError, match="layer 'l2': activation 'tanh' has no cell; technology board has relu"
    ):
        technology.cell_for("tanh", "l2")
