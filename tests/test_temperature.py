"""The warnings of what cells lose away from 27 C, against ngspice."""

from __future__ import annotations

import numpy as np
import pytest

from analognet.analog.simulate import operating_points
from analognet.analog.temperature import leakage_error, slope_error, temperature_warnings
from analognet.design import Design, convert
from analognet.network import Activation, Dense, Network


def one(activation: str) -> Design:
    layers = (
        Dense("first", np.array([[1.0]]), np.zeros(1), Activation(activation)),
        Dense("last", np.array([[1.0]]), np.zeros(1), Activation("linear")),
    )
    return convert(Network("one", layers), input_range=(-3.0, 3.0))


def hidden_v(design: Design, x: np.ndarray, celsius: float) -> np.ndarray:
    found = operating_points(
        design.analog,
        design.circuit,
        design.netlist,
        design.cells,
        x[:, None],
        temperature=celsius,
        jobs=1,
        hidden=True,
    )
    return found.hidden_v[0][:, 0]


@pytest.mark.parametrize("celsius", [85.0, 125.0])
def test_leakage_is_what_ngspice_shows(celsius: float) -> None:
    design = one("relu")
    name, predicted = leakage_error(design.analog.layers[0], design.cells, celsius)
    shown = float(np.abs(hidden_v(design, np.array([-2.0]), celsius))[0])
    assert name == "rectifier_diode"
    assert 0.3 * predicted < shown < 1.5 * predicted


@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
@pytest.mark.parametrize("celsius", [-20.0, 85.0])
def test_slope_is_what_ngspice_shows(activation: str, celsius: float) -> None:
    design = one(activation)
    x = np.linspace(-3, 3, 41)
    moved = hidden_v(design, x, celsius) - hidden_v(design, x, 27.0)
    assert float(np.abs(moved).max()) == pytest.approx(
        slope_error(design.analog.layers[0], celsius), rel=0.25
    )


def test_warnings_name_cell_and_size() -> None:
    relu, tanh = one("relu"), one("tanh")
    assert temperature_warnings(relu.analog, relu.cells, 27.0) == []
    assert temperature_warnings(tanh.analog, tanh.cells, 27.0) == []
    (line,) = temperature_warnings(relu.analog, relu.cells, 125.0)
    assert "layer 'first': rectifier_diode: a diode that blocks leaks" in line
    assert "mV where 0 V should be" in line
    (line,) = temperature_warnings(tanh.analog, tanh.cells, 85.0)
    assert "act_tanh_bjt: its slope follows kT/q and is flatter by 19 %" in line
    assert "--cell tanh=act_tanh_pwl" in line
    assert "steeper" in temperature_warnings(tanh.analog, tanh.cells, -20.0)[0]
