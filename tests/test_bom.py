"""Bills of materials: every element once, packages filled, sums right, spreadsheets safe."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import EXAMPLES, example

from analognet.bom import bill_of_materials, ranges, safe_cell
from analognet.cli.bom import bom as bom_command
from analognet.design import convert, save
from analognet.errors import InputError, UsageError
from analognet.prices import PACKAGED, load_prices


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


@pytest.mark.parametrize("name", ["iris", "digits_sigmoid", "digits_deep"])
def test_every_element_of_the_netlist_stands_once(name: str) -> None:
    design = example(name)
    bom = bill_of_materials(design, converters=False)
    by_kind: dict[str, int] = {}
    for line in bom.lines:
        kind = line.description.split(",")[0]
        by_kind[kind] = by_kind.get(kind, 0) + line.used
    assert by_kind["op-amp"] == design.tally.opamps
    assert by_kind["resistor"] == design.tally.resistors
    references = [r for line in bom.lines for r in line.references]
    assert len(set(references)) == len(references) == len(bom.designators)


@pytest.mark.parametrize(("opamp", "units"), [("opa4192", 4), ("lm358", 2)])
def test_packages_are_filled(opamp: str, units: int) -> None:
    design = convert(EXAMPLES / "iris" / "iris.safetensors", overrides={"opamp": opamp})
    line = next(x for x in bill_of_materials(design).lines if x.description.startswith("op-amp"))
    assert line.used == design.tally.opamps
    assert line.quantity == -(-line.used // units)
    decoupling = next(x for x in bill_of_materials(design).lines if x.description == "decoupling")
    assert decoupling.quantity == 2 * line.quantity


def test_values_are_those_of_the_series() -> None:
    design = convert(EXAMPLES / "iris" / "iris.safetensors", overrides={"series": "E24"})
    bom = bill_of_materials(design)
    values = {line.value for line in bom.lines if line.description == "resistor"}
    assert "10 kOhm" in values
    e24 = {10, 11, 12, 13, 15, 16, 18, 20, 22, 24, 27, 30, 33, 36, 39, 43, 47, 51, 56, 62, 68, 75, 82, 91}
    for value in values:
        digits = value.split()[0].replace(".", "").strip("0")
        assert int(digits.ljust(2, "0")) in e24, value
    assert not any("cannot be bought" in note for note in bom.notes)
    assert any("cannot be bought" in note for note in bill_of_materials(example("iris")).notes)


def test_programmable_weights_cost_potentiometers_and_inputs_dacs() -> None:
    design = convert(EXAMPLES / "iris" / "iris.safetensors", overrides={"series": "pot8"})
    lines = bill_of_materials(design).lines
    pots = next(x for x in lines if x.description.startswith("potentiometer"))
    weights = sum(int((layer.g_pos > 0).sum() + (layer.g_neg > 0).sum()) for layer in design.analog.layers)
    assert pots.used == weights
    units = load_prices().potentiometer.units
    assert pots.quantity == -(-weights // units)
    dacs = next(x for x in lines if x.description.startswith("dac"))
    assert dacs.used == 4
    assert not any(x.description.startswith("dac") for x in bill_of_materials(design, converters=False).lines)


def test_totals_and_area() -> None:
    bom = bill_of_materials(example("iris"))
    assert bom.parts_cost == pytest.approx(sum(x.quantity * x.price for x in bom.lines))
    assert bom.cost == pytest.approx(bom.parts_cost + bom.board_price)
    assert bom.area_m2 == pytest.approx(sum(x.area_m2 for x in bom.lines) / 0.5)
    last = rows(bom.to_csv())[-1]
    assert float(last[7]) == pytest.approx(bom.cost)
    assert json.loads(json.dumps(bom.to_values()))["cost"] == pytest.approx(bom.cost)


def test_every_line_has_a_price_with_source_and_date() -> None:
    for line in bill_of_materials(example("digits_deep")).lines:
        assert line.price > 0
        assert line.source
        assert line.date


def test_the_same_design_gives_the_same_bytes() -> None:
    design = example("iris")
    assert bill_of_materials(design).to_csv() == bill_of_materials(design).to_csv()


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_is_a_formula(start: str, tmp_path: Path) -> None:
    assert safe_cell(f"{start}1") == f"'{start}1"
    assert safe_cell("1-2") == "1-2"
    if start in "=+-@":
        text = PACKAGED.read_text(encoding="utf-8").replace('part = "REF5025"', f'part = "{start}cmd"')
        own = tmp_path / "own.toml"
        own.write_text(text, encoding="utf-8")
        bom = bill_of_materials(example("iris"), load_prices(own))
        cells = [c for row in rows(bom.to_csv()) for c in row]
        assert f"'{start}cmd" in cells
        assert not any(c[:1] in "=+-@" for c in cells if c)


def test_designators_are_shortened() -> None:
    assert ranges(["R1", "R2", "R3", "R7", "U8"]) == "R1-R3 R7 U8"


def test_what_cannot_be_bought_is_refused() -> None:
    with pytest.raises(UsageError, match="no part one can buy"):
        bill_of_materials(example("iris", technology="ideal"))
    design = convert(
        EXAMPLES / "iris" / "iris.safetensors", overrides={"cells": {"relu": "act_relu_behavioural"}}
    )
    with pytest.raises(UsageError, match="formula and no circuit"):
        bill_of_materials(design)
    with pytest.raises(UsageError, match="comparators"):
        bill_of_materials(example("iris"), outputs="eye")


def test_an_opamp_without_a_price_takes_its_cells() -> None:
    prices = load_prices()
    found = bill_of_materials(example("iris"), prices.model_copy(update={"opamp": {}}))
    line = next(x for x in found.lines if x.description.startswith("op-amp"))
    assert line.price == 7.5
    assert "opamp_opa4192" in line.source


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("price = 7.5", "price = -1", "price"),
        ("fill = 0.5", "fill = 2", "fill"),
        ("currency", "currencies", "currenc"),
        ('"0603" = 3.9e-6', "", "no courtyard"),
        ("[board]", "[board", "cannot be read"),
    ],
)
def test_a_broken_price_file_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    own = tmp_path / "own.toml"
    own.write_text(PACKAGED.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        bill_of_materials(example("iris"), load_prices(own))


def test_command_writes_csv_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(example("iris"), tmp_path / "iris")
    bom_command(tmp_path / "iris", out=tmp_path / "parts.json")
    assert json.loads((tmp_path / "parts.json").read_text())["cost"] > 0
    capsys.readouterr()
    bom_command(tmp_path / "iris", json=True)
    answer = json.loads(capsys.readouterr().out)
    assert answer["metrics"]["cost"] > 0
    assert answer["metrics"]["area_m2"] > 0
    assert rows((tmp_path / "iris" / "bom.csv").read_text())[0][0] == "references"
    with pytest.raises(UsageError, match=r"\.csv or a \.json"):
        bom_command(tmp_path / "iris", out=tmp_path / "parts.xls")


def test_cell_resistors_are_those_of_its_parameters() -> None:
    design = example("digits_sigmoid")
    changed = replace(design.analog.layers[0], cell_params={"s_in": 0.5, "s_out": 2.5})
    other = replace(design, analog=replace(design.analog, layers=(changed, *design.analog.layers[1:])))
    values = [{x.value for x in bill_of_materials(d).lines} for d in (design, other)]
    assert values[0] != values[1]


def test_exact_resistors_are_not_passed_off_as_stock_parts() -> None:
    mark = "exact value: no stock part, priced as one"
    for series, expected in (("exact", True), ("E96", False)):
        design = convert(EXAMPLES / "iris" / "iris.safetensors", overrides={"series": series})
        found = bill_of_materials(design)
        resistors = [line for line in found.lines if line.description.startswith("resistor")]
        assert resistors
        assert all((mark in line.description) is expected for line in resistors)
        assert (mark in found.to_csv()) is expected
