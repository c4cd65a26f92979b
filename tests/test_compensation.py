"""Capacitors against ringing: the damping they are sized for, and what a step does with and without them."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import EXAMPLES

from analognet import convert, load_data
from analognet.analog.build import minus_capacitance, plus_capacitance
from analognet.analog.compensation import ZETA, feedback_capacitance
from analognet.analog.settling import worst_settling
from analognet.analog.technology import load_technology
from analognet.analog.transient import run
from analognet.analog.transitions import choose_transitions
from analognet.design import Design
from analognet.errors import ToolMissing

IRIS = EXAMPLES / "iris" / "iris.safetensors"
W_T = 2 * np.pi * 25e6


@pytest.fixture(scope="module")
def iris() -> Design:
    return convert(IRIS, technology="sky130")


@pytest.fixture(scope="module")
def bare() -> Design:
    return convert(IRIS, technology=load_technology("sky130").model_copy(update={"compensation": None}))


def test_the_loop_has_the_damping_asked_for(iris: Design) -> None:
    for layer in iris.analog.layers:
        for at_minus in (0.3e-12, 1e-12, 2e-11):
            c_n = np.full(layer.n_out, at_minus)
            c_f = feedback_capacitance(layer, c_n, W_T)
            at_node = layer.noise_gain * layer.g_f
            zeta = (at_node + c_f * W_T) / (2 * np.sqrt(layer.g_f * W_T * (c_n + c_f)))
            assert zeta[c_f > 0] == pytest.approx(ZETA, rel=1e-6)
            assert (zeta[c_f == 0] >= ZETA).all()
            assert (c_f > 0).any()
            # the roots of the loop's equation, and not the formula again
            poly = [
                [(c + f) / W_T, d / W_T + f, g]
                for c, f, d, g in zip(c_n, c_f, at_node, layer.g_f, strict=True)
            ]
            for roots, f in zip(map(np.roots, poly), c_f, strict=True):
                if f > 0:
                    assert (-roots.real / np.abs(roots)) == pytest.approx([ZETA, ZETA], rel=1e-6)


def test_both_inputs_of_a_neuron_have_the_same_capacitance(iris: Design) -> None:
    strip = iris.technology.resistor.strip
    assert strip is not None
    for layer in iris.analog.layers:
        made = layer.capacitors
        assert made is not None
        at_minus = minus_capacitance(layer, strip) + made.unit_f * (made.minus + made.feedback)
        at_plus = plus_capacitance(layer, strip) + made.unit_f * made.plus
        assert np.abs(at_minus - at_plus).max() <= 0.51 * made.unit_f
        for units in (made.feedback, made.plus, made.minus):
            assert (units == np.round(units)).all()
            assert (units >= 0).all()


def test_capacitors_are_silicon_that_neither_temperature_nor_corner_moves(iris: Design, bare: Design) -> None:
    assert iris.area is not None
    assert bare.area is not None
    units = sum(
        float((c.feedback + c.plus + c.minus).sum())
        for c in (layer.capacitors for layer in iris.analog.layers)
        if c
    )
    assert iris.area.cells - bare.area.cells == pytest.approx(units * 4.84e-6**2)
    hot = iris.under("hh", 125.0)
    for layer, other in zip(iris.analog.layers, hot.analog.layers, strict=True):
        assert layer.capacitors is other.capacitors


def test_a_board_has_none() -> None:
    board = convert(IRIS)
    assert all(layer.capacitors is None for layer in board.analog.layers)
    assert "comp_cap" not in board.netlist


@pytest.mark.slow
def test_a_neuron_that_rang_settles(iris: Design, bare: Design) -> None:
    from analognet.analog import pdk

    try:
        pdk.find()
    except ToolMissing as e:
        pytest.skip(str(e))
    step = choose_transitions(iris.analog, load_data("iris", 4, 3).x, 1)[0]
    latency = []
    for design in (iris, bare):
        waves = run(design, step, 4e-6)[0]
        final, band = waves.layers_v[-1][-1], 0.01 * design.technology.full_scale
        latency.append(worst_settling(waves.time, waves.layers_v[-1], final, band).max())
    assert latency[0] < 0.3 * latency[1]
