"""The estimate against ngspice and against formulas, and what is said of weak op-amps beforehand."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from conftest import dense, example, with_opamp
from conftest import test_set as data_set

from analognet.analog.reduced import reduced_transitions
from analognet.analog.stages import Dynamics, Macro, amplifier, grid, macro_constants
from analognet.analog.timing import check_opamps, estimate
from analognet.analog.transient import run, simulate_transitions
from analognet.analog.transitions import Transition, choose_transitions
from analognet.design import Design, convert
from analognet.errors import InputError, UsageError
from analognet.network import Network

PART = Dynamics(gbw=1e7, slew=1e12, a0=1e6, rout=1e-3, cin=1e-18, low=-4.9, high=4.9)


def inverter_response(part: Dynamics, volts: float) -> tuple[np.ndarray, np.ndarray]:
    """Output over time of a unity inverter of 10 kOhm whose input steps from 0 to -volts."""
    time = grid(part.tau, 1000 * part.tau)
    current = np.full((len(time), 1, 1), -volts * 1e-4)
    current[0] = 0.0
    g = np.array([1e-4])
    return time, amplifier(part, time, current, g, g).out[:, 0, 0]


def test_a_stage_is_a_single_pole_where_nothing_else_limits_it() -> None:
    time, out = inverter_response(PART, 1.0)
    tau = 2 * 1.01 / (2 * np.pi * PART.gbw)
    inside = (time > 0.1 * tau) & (time < 8 * tau)
    assert np.abs(out - (1 - np.exp(-time / tau)))[inside].max() < 2e-3
    assert out[-1] == pytest.approx(1.0, abs=1e-5)


def test_a_stage_slews() -> None:
    part = replace(PART, slew=1e5)
    time, out = inverter_response(part, 2.0)
    ramp = (out > 0.2) & (out < 1.8)
    assert np.gradient(out, time)[ramp] == pytest.approx(1e5, rel=0.02)


def test_a_stage_clips_at_its_swing() -> None:
    _, out = inverter_response(PART, 8.0)
    assert out[-1] == pytest.approx(4.9, abs=0.01)


def test_macromodel_constants_are_read_from_the_cell() -> None:
    design = example("iris")
    text = design.cells["opamp_macro"].text
    macro = macro_constants(text)
    assert macro == Macro()  # what they are without a text
    for old, new, changed in (
        ("/0.01)", "/0.02)", Macro(limit_v=0.02)),
        ("cc/100", "cc/50", Macro(x_share=0.02)),
        ("/0.05)", "/0.1)", Macro(excess_v=0.1)),
    ):
        assert macro_constants(text.replace(old, new)) == changed


@pytest.mark.parametrize(
    "opamp", ["opa4192", *(pytest.param(p, marks=pytest.mark.slow) for p in ("ada4522_4", "opa2810"))]
)
@pytest.mark.parametrize(
    "activation",
    ["linear", "relu", "sigmoid", *(pytest.param(a, marks=pytest.mark.slow) for a in ("tanh", "leaky_relu"))],
)
def test_reduced_waveforms_are_ngspice_ones(activation: str, opamp: str) -> None:
    """In 3 % of the step: some of it is ngspice's own error, and what the cells miss of their function."""
    network = Network("one", (dense([[1.0]], [0.1], activation),))
    design = convert(network, input_range=(-1.0, 1.0), overrides={"opamp": opamp})
    step = Transition("chosen", np.array([-0.5]), np.array([0.7]), (None, None))
    waves, _ = run(design, step, estimate(design, [step]).lengths_s[0])
    reduced = reduced_transitions(design.analog, design.cells, [step])
    ours = np.interp(waves.time, reduced.time, reduced.layers_v[0][:, 0, 0])
    assert np.abs(ours - waves.layers_v[0][:, 0]).max() < 0.03 * np.ptp(waves.layers_v[0])


def test_inputs_ramp_as_long_as_they_are_said_to() -> None:
    """A linear stage answers a ramp of length r with what it answers a step with, r / 2 later."""
    part = {"slew": 1e12}
    design = with_opamp(
        convert(Network("one", (dense([[1.0]], [0.1], "linear"),)), input_range=(-1.0, 1.0)), **part
    )
    step = Transition("chosen", np.array([-0.5]), np.array([0.7]), (None, None))
    at_once, later = (estimate(design, [step], rise_s=r).latency_1_s[0] for r in (1e-12, 1e-8))
    assert later - at_once == pytest.approx(5e-9, rel=0.1)


@pytest.mark.slow
def test_a_ripple_at_the_edge_of_the_band_is_told() -> None:
    """The latency lies between those for a wider and a narrower band."""
    design = example("iris")
    guess = estimate(design, choose_transitions(design.analog, data_set("iris").x, 3))
    assert (guess.earliest_1_s <= guess.latency_1_s).all()
    assert (guess.latency_1_s <= guess.latest_1_s).all()
    assert (guess.earliest_1_s < guess.latest_1_s).any()


@pytest.mark.parametrize(
    "name", ["iris", *(pytest.param(n, marks=pytest.mark.slow) for n in ("digits_sigmoid", "digits_deep"))]
)
def test_estimate_is_within_its_promise(name: str) -> None:
    """Latency within 25 % and energy within 10 % of ngspice; benchmarks/time.py has all of them."""
    from analognet.energy import energy_flow

    design = example(name)
    chosen = choose_transitions(design.analog, data_set(name.split("_")[0]).x, 3)
    guess = estimate(design, chosen)
    found = simulate_transitions(
        design, chosen, guess.lengths_s, jobs=2, observe=lambda waves, _: energy_flow(design, waves)
    )
    for k, i in enumerate(found):
        assert guess.latency_1_s[k] == pytest.approx(i.settling.latency_1_s, rel=0.25)
        assert guess.latency_01_s[k] == pytest.approx(i.settling.latency_01_s, rel=0.25)
        energy = i.observed.energy(i.settling.latency_1_s)
        assert guess.energy_1_j[k] == pytest.approx(energy, rel=0.10)


@pytest.mark.slow
def test_formula_names_what_the_time_is_made_of() -> None:
    design = example("digits")
    chosen = choose_transitions(design.analog, data_set("digits").x, 4)
    fast = estimate(design, chosen)
    slow = estimate(with_opamp(design, slew=1e5), chosen)
    assert [layer.name for layer in fast.layers] == [layer.name for layer in design.network.layers]
    assert slow.layers[0].slew_s > 10 * fast.layers[0].slew_s
    assert slow.layers[0].tau_s == fast.layers[0].tau_s
    assert (slow.formula_s > fast.formula_s).all()


@pytest.mark.slow
def test_a_stand_in_is_owned_up_to() -> None:
    network = Network("pwl", (dense([[1.0]], activation="sigmoid"), dense([[1.0]])))
    design = convert(network, overrides={"cells": {"sigmoid": "act_sigmoid_pwl"}}, input_range=(-1.0, 1.0))
    step = Transition("chosen", np.array([-0.5]), np.array([0.7]), (None, None))
    assert not estimate(design, [step]).exact


def weak(**ratings: float) -> Design:
    design = example("iris")
    part = design.cells[design.technology.opamp]
    changed = replace(part, ratings={**part.ratings, **{k: (v,) for k, v in ratings.items()}})
    return replace(design, cells={**design.cells, part.name: changed})


def test_a_sound_design_gets_no_warning() -> None:
    assert check_opamps(example("iris"), data_set("iris").x) == ()


def test_too_weak_names_neuron_and_margin() -> None:
    x = data_set("iris").x
    with pytest.raises(InputError) as refused:
        check_opamps(weak(i_out=1e-6), x)
    told = re.search(r"drives ([0-9.]+) mA", str(refused.value))
    assert told
    needed = 1e-3 * float(told.group(1))
    found = [n for n in check_opamps(weak(i_out=needed / 2), x) if "mA" in n]
    assert found
    assert "neuron" in found[0]
    assert "times too much" in found[0]


def test_an_opamp_past_its_short_circuit_is_an_error() -> None:
    with pytest.raises(InputError, match="short circuit"):
        check_opamps(weak(i_out=1e-5), data_set("iris").x)


def test_too_little_swing_names_neuron_and_margin() -> None:
    design = example("iris")
    x = data_set("iris").x
    assert any("neuron" in n and "beyond what" in n for n in check_opamps(design, 2.5 * x))
    with pytest.raises(InputError, match="no result would mean anything"):
        check_opamps(design, 10 * x)


def test_too_slow_for_the_period_is_a_warning_then_an_error() -> None:
    design, x = example("iris"), data_set("iris").x
    found = check_opamps(design, x, period_s=100e-9)
    assert any("time constant" in n and "neuron" in n for n in found)
    assert not any("time constant" in n for n in check_opamps(design, x, period_s=1e-3))
    with pytest.raises(InputError, match="earlier inputs"):
        check_opamps(design, x, period_s=1e-9)
    with pytest.raises(UsageError, match="above 0"):
        check_opamps(design, x, period_s=0.0)


def test_ringing_is_said() -> None:
    loose = with_opamp(example("iris"), cin=500e-12)
    assert any("rings" in n for n in check_opamps(loose, data_set("iris").x))


def test_ideal_parts_have_no_estimate() -> None:
    design = example("iris", technology="ideal")
    chosen = choose_transitions(design.analog, data_set("iris").x, 2)
    with pytest.raises(UsageError, match="no dynamics"):
        estimate(design, chosen)
