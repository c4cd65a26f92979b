"""Networks as sky130 chips: every transistor in ngspice, and the compact model beside it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from conftest import EXAMPLES

from analognet import Activation, Dense, Network, convert, load_data
from analognet.analog import build, conditions, pdk, simulate
from analognet.analog.area import chip_area
from analognet.analog.circuit import Shunt, Star
from analognet.analog.compact import solve
from analognet.analog.compact.chips import chip
from analognet.analog.montecarlo import monte_carlo
from analognet.analog.netlist import KIT_RESISTOR, with_kit_resistors
from analognet.analog.technology import load_technology
from analognet.analog.variation import default_spread
from analognet.cli.app import run as cli
from analognet.design import Design, open_design, save
from analognet.errors import InputError, SimulatorError, ToolMissing, UsageError
from analognet.inference import transient
from analognet.simulation import simulate as run

try:
    pdk.find()
except ToolMissing as e:
    pytest.skip(str(e), allow_module_level=True)

IRIS = EXAMPLES / "iris" / "iris.safetensors"
COMPACT_V = 1e-3  # what the compact model may be off the transistors, at any node


@pytest.fixture(scope="module")
def iris() -> Design:
    return convert(IRIS, technology="sky130")


@pytest.fixture(scope="module")
def x() -> np.ndarray:
    return load_data("iris", 4, 3).x


def points(design: Design, x: np.ndarray, temperature: float = 27.0) -> simulate.OperatingPoints:
    return simulate.operating_points(
        design.analog,
        design.circuit,
        design.netlist,
        design.cells,
        x,
        temperature=temperature,
        files=design.dc_files,
        hidden=True,
    )


def small(activation: str, seed: int = 0) -> Network:
    rng = np.random.default_rng(seed)
    return Network(
        activation,
        (
            Dense("a", rng.normal(0, 0.7, (3, 4)), rng.normal(0, 0.2, 3), Activation.parse(activation)),
            Dense("b", rng.normal(0, 0.7, (2, 3)), rng.normal(0, 0.2, 2), Activation("linear")),
        ),
    )


def test_nothing_behavioural_is_in_the_signal_path(iris: Design) -> None:
    for cell in iris.circuit.cells:
        for line in cell.text.splitlines():
            assert line[:1].lower() not in ("b", "e", "f", "g", "h", "i", "v"), (cell.name, line)


def test_the_ideal_chip_computes_the_network(iris: Design, x: np.ndarray) -> None:
    wanted = iris.network(x) * iris.analog.scale_out
    dropped = max(abs(layer.weight).max() for layer in iris.network.layers) * iris.analog.dropped
    assert np.abs(iris.analog.outputs_v(x) - wanted).max() < 0.02 * dropped + 1e-9


def test_transistors_classify_as_the_float_network(iris: Design) -> None:
    result = run(iris, "iris", images=20)
    assert result.metrics.values["agreement"] == 1.0
    assert result.metrics.values["output_error_v_max"] < 0.03
    assert result.metrics.values["area_m2"] > 1e-9
    assert result.metrics.provenance["pdk"] == pdk.find().version


@pytest.mark.slow
def test_compact_model_follows_the_transistors(iris: Design, x: np.ndarray) -> None:
    real = points(iris, x[:12])
    found = solve(iris.analog, iris.cells, x[:12], iris.conditions(27.0))
    for a, b in zip((*real.hidden_v, real.outputs_v), (*found.hidden_v, found.outputs_v), strict=True):
        assert np.abs(a - b).max() < COMPACT_V
    assert real.power_w is not None
    assert np.abs(found.power_w / real.power_w - 1).max() < 0.01
    assert not found.beyond.any()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("activation", "corner", "temperature"),
    [
        *((a, "ss", 125.0) for a in ("linear", "leaky_relu:0.1", "sigmoid", "tanh")),
        *(("relu", c, t) for c, t in (("tt", 27.0), ("ss", 125.0), ("ff", -40.0), ("hh", 27.0))),
    ],
)
def test_compact_model_at_corners(activation: str, corner: str, temperature: float) -> None:
    design = convert(small(activation), technology="sky130").under(corner, temperature)
    x = np.random.default_rng(1).uniform(-1, 1, (6, 4))
    real = points(design, x, temperature)
    found = solve(design.analog, design.cells, x, design.conditions(temperature))
    for a, b in zip((*real.hidden_v, real.outputs_v), (*found.hidden_v, found.outputs_v), strict=True):
        assert np.abs(a - b).max() < COMPACT_V


@pytest.mark.slow
def test_kit_resistors_agree_with_plain_ones(iris: Design, x: np.ndarray) -> None:
    plain = points(iris, x[:3])
    text = with_kit_resistors(iris.netlist, iris.technology.resistor.strip)
    assert text.count(KIT_RESISTOR) == iris.circuit.resistors
    files = iris.files | {"models.spice": pdk.models({**iris.circuit.devices, KIT_RESISTOR: frozenset()})}
    kit = simulate.operating_points(
        iris.analog, iris.circuit, text, iris.cells, x[:3], files=files, hidden=True
    )
    # the kit's resistance falls with the voltage across it: 0.1 % at half a volt
    assert np.abs(kit.outputs_v - plain.outputs_v).max() < 2e-3


def test_resistors_drift_together(iris: Design) -> None:
    hot = iris.under("tt", 125.0)
    ratio = iris.analog.layers[0].g_f / hot.analog.layers[0].g_f
    assert ratio == pytest.approx(iris.technology.resistor.strip.factor(125.0, "tt"))
    assert ratio.max() < 0.85  # the film's coefficient is negative
    np.testing.assert_allclose(
        hot.analog.outputs_v([[1.0, 2, 3, 4]]), iris.analog.outputs_v([[1.0, 2, 3, 4]])
    )
    with pytest.raises(ValueError, match="on top of others"):
        hot.under("tt", 27.0)


@pytest.mark.slow
def test_mismatch_is_a_seed(iris: Design, x: np.ndarray) -> None:
    one, same, other = (points(iris.under("tt", 27.0, k), x[:2]).outputs_v for k in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert 1e-4 < np.abs(one - other).max() < 0.2


def test_mismatch_of_strips_has_the_stated_sigma() -> None:
    strip = load_technology("sky130").resistor.strip
    design = convert(small("relu"), technology="sky130")
    layer = design.analog.layers[0]
    drawn = np.array([conditions.mismatched(design.analog, strip, [k]).layers[0].g_f[0] for k in range(400)])
    ohms = 1 / layer.g_f[0]
    expected = 0.0464 / np.sqrt(0.35 * (ohms + 213) / 7373)
    assert np.std(layer.g_f[0] / drawn) == pytest.approx(expected, rel=0.15)


def test_a_chip_is_the_same_for_any_number_of_chips_and_workers(iris: Design, x: np.ndarray) -> None:
    y = load_data("iris", 4, 3).y
    spread = default_spread(iris)
    few = monte_carlo(iris, x, y, 3, 5, spread, sensitivity_boards=0, jobs=1)
    more = monte_carlo(iris, x, y, 6, 5, spread, sensitivity_boards=2, jobs=2)
    np.testing.assert_array_equal(few.accuracy, more.accuracy[:3])
    assert {s.source for s in more.sensitivity} == {"strips", "cells"}
    assert chip(iris, spread, 5, 1).offsets[0] == pytest.approx(chip(iris, spread, 5, 1).offsets[0])


@pytest.mark.slow
def test_noise_of_a_chip(iris: Design, x: np.ndarray) -> None:
    from analognet.analog.chip_noise import chip_noise

    found = chip_noise(iris, x[0])
    assert found.contributors
    assert 0.5 < sum(c.share for c in found.contributors) <= 1.001
    # more than the thermal noise of the feedback resistor alone in the op-amps' band, less than 10 mV
    assert (found.v_rms > 2e-5).all()
    assert (found.v_rms < 1e-2).all()


@pytest.mark.slow
def test_a_transient_settles_at_the_operating_point(iris: Design) -> None:
    study = transient(iris, "iris", transitions=3)
    assert study.metrics.details["transient"]["unsettled"] == 0
    assert 1e-8 < study.metrics.values["latency_s"] < 2e-5
    flow = study.worst.observed.flow
    sources, uses = flow.by_source(1e-6), flow.by_use(1e-6)
    assert sum(sources.values()) == pytest.approx(sum(uses.values()))
    assert all(v >= 0 for v in uses.values())


def test_long_strips_are_lines_with_the_same_capacitance(iris: Design) -> None:
    def total(circuit: object) -> float:
        elements = [e for s in circuit.subcircuits for e in s.elements()]  # type: ignore[attr-defined]
        shunts = sum(e.farads for e in elements if isinstance(e, Shunt))
        middles = sum(e.middle_f.sum() for e in elements if isinstance(e, Star) and e.middle_f is not None)
        return shunts + middles

    line = build.build(iris.analog, iris.cells, distributed=True)
    strip = iris.technology.resistor.strip
    stars = [e for s in line.subcircuits for e in s.elements() if isinstance(e, Star)]
    assert any(e.middle_f is not None for e in stars)
    whole = sum(strip.capacitance(e.ohms).sum() for e in stars)
    # what a balance resistor has at its end on the common is left out
    assert total(line) == pytest.approx(total(iris.circuit), rel=0.05)
    assert 0.9 * whole < total(line) <= whole * (1 + 1e-9)


def test_area_counts_strips_by_their_length(iris: Design) -> None:
    area = chip_area(iris.analog, iris.circuit, iris.cells)
    stars = [e for s in iris.circuit.subcircuits for e in s.elements() if isinstance(e, Star)]
    assert iris.under("ss", 125.0).area == iris.area  # silicon does not grow with temperature
    um = sum(((e.ohms + 213) / 7373 + 2.08).sum() for e in stars)
    assert area is not None
    assert area.resistors == pytest.approx(um * 0.83e-12)
    assert area.cells > 0
    assert chip_area(convert(IRIS).analog, convert(IRIS).circuit, convert(IRIS).cells) is None


@pytest.mark.slow
def test_a_wrong_circuit_is_an_error_that_names_the_node(iris: Design, x: np.ndarray) -> None:
    wrong = iris.netlist.replace("Rf0 y0 n0", "Rf0 y0 p0", 1)
    assert wrong != iris.netlist
    with pytest.raises(SimulatorError, match=r"l0_y0 for input|l0_y\d+ for input|y\d for input"):
        simulate.operating_points(iris.analog, iris.circuit, wrong, iris.cells, x[:2], files=iris.files)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"corner": "xx"}, "tt, ss, ff, sf, fs"),
        ({"temperature": 200.0}, "-40 to 125"),
        ({"temperature": -60.0}, "-40 to 125"),
    ],
)
def test_conditions_outside_the_characterised_ones_are_refused(
    iris: Design, asked: dict[str, object], told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        run(iris, "iris", images=1, **asked)  # type: ignore[arg-type]


def test_a_board_has_no_corners() -> None:
    with pytest.raises(UsageError, match="technology board has tt"):
        run(convert(IRIS), "iris", images=1, corner="ss")


def test_the_compact_model_says_what_it_covers(iris: Design, x: np.ndarray) -> None:
    split = dataclasses.replace(iris.analog, topology="split")
    with pytest.raises(InputError, match="covers topology signed"):
        solve(split, iris.cells, x[:1], iris.conditions(27.0))


def test_a_saved_chip_is_complete(iris: Design, tmp_path: Path) -> None:
    directory = tmp_path / "chip"
    save(iris, directory)
    assert (directory / "models.spice").is_file()
    assert (directory / ".spiceinit").is_file()
    again = open_design(directory)
    assert again.netlist == iris.netlist


@pytest.mark.slow
def test_outputs_through_buffers(x: np.ndarray) -> None:
    """The last layer's buffers invert, which its weights make up for; the model knows them too."""
    design = convert(IRIS, technology="sky130", overrides={"cells": {"linear": "out_buffer"}})
    assert design.circuit.subcircuits[1].name == "layer1"
    assert sum("out_buffer" in line for line in design.netlist.splitlines() if line.startswith("Xact")) == 3
    real = points(design, x[:20])
    found = solve(design.analog, design.cells, x[:20], design.conditions(27.0))
    assert np.abs(real.outputs_v - found.outputs_v).max() < COMPACT_V
    assert np.abs(real.outputs_v - design.analog.outputs_v(x[:20])).max() < 3e-3
    assert real.power_w is not None
    assert np.abs(found.power_w / real.power_w - 1).max() < 0.01


@pytest.mark.slow
def test_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli(["convert", str(IRIS), "--technology", "sky130"]) == 0
    capsys.readouterr()
    asked = ["--data", "iris", "--images", "5", "--corner", "ss", "--temperature", "125", "--json"]
    assert cli(["simulate", *asked]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["provenance"]["corner"] == "ss"
    assert told["metrics"]["agreement"] == 1.0
