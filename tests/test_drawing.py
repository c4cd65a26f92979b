"""Schematics: one for every cell and layer, well-formed, the same bytes again, with the real values."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from conftest import example
from conftest import test_set as data_set

from analognet.analog.cells import library
from analognet.cli.draw import draw as draw_command
from analognet.design import save
from analognet.drawing import draw_cell, draw_network
from analognet.drawing.cells import LAYOUTS
from analognet.errors import UsageError
from analognet.inference import transient
from analognet.plots_time import network_figure, study_figure, waveform_figure
from analognet.units import engineering


def words(svg: bytes) -> str:
    root = ElementTree.fromstring(svg)
    return " ".join("".join(e.itertext()) for e in root.iter() if e.tag.endswith("text"))


@pytest.mark.parametrize("name", sorted(library()))
def test_every_cell_is_drawn_the_same_way_twice(name: str) -> None:
    cell = library()[name]
    svg = draw_cell(cell)
    assert svg == draw_cell(cell)
    assert ElementTree.fromstring(svg).tag.endswith("svg")


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_a_layout_shows_every_resistor_with_its_value(name: str) -> None:
    from analognet.interchange.elements import cell_elements

    cell = library()[name]
    shown = words(draw_cell(cell))
    for e in cell_elements(cell):
        assert e.name in shown, e.name
        if e.kind == "r":
            assert e.value is not None
            assert f"{e.name} {engineering(e.value)}" in shown


def test_every_circuit_of_op_amps_has_a_layout() -> None:
    drawn = {n for n, c in library().items() if c.family in ("activation", "amplifier", "inverter")}
    assert {n for n in drawn if not library()[n].behavioural} == set(LAYOUTS)


@pytest.mark.parametrize("topology", ["split", "signed", "dual_rail"])
def test_a_small_network_is_drawn_whole(topology: str) -> None:
    design = example("iris", topology=topology)
    drawn = draw_network(design)
    assert set(drawn) == {"network", "layer0", "layer1"}
    assert drawn == draw_network(design)
    shown = words(drawn["layer0"])
    for i in range(8):
        assert f"neuron {i}:" in shown
    layer = design.analog.layers[0]
    for g in layer.g_pos[layer.g_pos > 0][:5]:
        assert engineering(1 / float(g)) in shown


def test_a_large_network_is_drawn_by_layer() -> None:
    drawn = draw_network(example("digits"))
    shown = words(drawn["layer0"])
    assert shown.count("neuron ") == 1
    assert "more" in shown
    assert "one of 32 neurons" in shown
    assert "64 -> 32" in words(drawn["network"])


@pytest.mark.slow
def test_figures_of_one_inference() -> None:
    design = example("iris")
    study = transient(design, data_set("iris"), transitions=2, jobs=1, keep_waveforms=True)
    waves = study.inferences[0].observed.waves
    assert waves is not None
    layers = [v[-1] for v in waves.layers_v]
    for data in (
        study_figure(design, study),
        waveform_figure(design, waves),
        network_figure(design, waves.transition.end, layers),
        network_figure(design, np.zeros(4), [np.zeros(8), np.zeros(3)]),
    ):
        assert data[:4] == b"\x89PNG"


@pytest.mark.slow
def test_command_draws_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(example("iris"), tmp_path / "iris")
    draw_command(tmp_path / "iris", data="iris", image=3, waveforms=True, ltspice=True, json=True)
    answer = json.loads(capsys.readouterr().out)
    files = set(answer["metrics"]["files"])
    assert {"network.svg", "layer0.svg", "layer1.svg", "cell_rectifier_diode.svg", "voltages.png"} < files
    assert {"waveforms.raw", "ltspice.raw", "waveforms.npz", "waveforms.csv", "ltspice.cir"} < files
    for name in files:
        assert (tmp_path / "iris" / "drawings" / name).stat().st_size > 100
    with pytest.raises(UsageError, match="inputs 0 to 49"):
        draw_command(tmp_path / "iris", data="iris", image=50)
    with pytest.raises(UsageError, match="--image"):
        draw_command(tmp_path / "iris", waveforms=True)
