"""Calibration after fabrication: boards measured by an ADC and trimmed; ngspice agrees with a trimmed board."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from conftest import TOPOLOGIES, example, random_network, test_set

from analognet import convert
from analognet.analog import solver
from analognet.analog.boards import board_netlist
from analognet.analog.calibration import (
    Calibrator,
    calibrate,
    calibrated_netlist,
    calibrator,
)
from analognet.analog.montecarlo import monte_carlo
from analognet.analog.netlist import is_flat
from analognet.analog.referee import spice_voltages
from analognet.analog.solver.hardware import nine_digits
from analognet.analog.variation import Board, Spread, board, default_spread
from analognet.data import load_data
from analognet.design import Design
from analognet.errors import InputError, UsageError

OFFSETS = Spread(0.0, 0.0, 3e-3, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
X = np.random.default_rng(1).uniform(-1.0, 1.0, (200, 4))


def made_of(activation: str, topology: str, n_in: int = 4) -> Design:
    network = random_network([n_in, 6, 3], (activation, "linear"), seed=3)
    return convert(
        network, topology=topology, input_range=(-1.0, 1.0), overrides={"opamp": "lm358", "full_scale": 2.0}
    )


def errors(design: Design, one: Board, system: solver.Equations, x: np.ndarray) -> list[np.ndarray]:
    """Of all layers' outputs against the board without spread, (N, n) volts."""
    nominal = solver.equations(solver.hardware(design.analog, design.cells, one.temperature), 1e-6)
    volts = x * design.analog.scale_in
    return [a - b for a, b in zip(system.solve(volts)[0], nominal.solve(volts)[0], strict=True)]


def bare(design: Design, one: Board) -> solver.Equations:
    return solver.equations(
        solver.hardware(design.analog, design.cells, one.temperature, one.factors, one.rails), 1e-6
    )


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("activation", ["relu", pytest.param("tanh", marks=pytest.mark.slow)])
def test_offsets_are_trimmed_away(activation: str, topology: str) -> None:
    design = made_of(activation, topology)
    fine = calibrator(design, X, OFFSETS, adc_bits=16, dac_bits=14)
    coarse = calibrator(design, X, OFFSETS, adc_bits=10, dac_bits=6)
    for k in range(2):
        one = board(design, OFFSETS, 3, k)
        before = np.abs(errors(design, one, bare(design, one), X)[-1].mean(axis=0)).max()
        after = [
            np.abs(errors(design, one, calibrate(design, c, one, 1e-6).system, X)[-1].mean(axis=0)).max()
            for c in (fine, coarse)
        ]
        assert after[0] < 0.1 * before
        assert after[1] < 0.6 * before
        assert after[0] < after[1] or activation != "relu"  # a tanh of transistors is none quite


def test_codes_undo_a_known_offset() -> None:
    """One op-amp with 4 mV: its neuron's code is that offset through the noise gain; the others' are small."""
    design = made_of("relu", "split")
    nothing = Spread(*[0.0] * 12)
    drawn = board(design, nothing, 0, 0)
    vos = np.zeros(6)
    vos[2] = 4e-3
    one = dataclasses.replace(drawn, factors={"layer0.xamp.xamp.vos": vos})
    found = calibrator(design, X, OFFSETS, adc_bits=20, dac_bits=16)
    made = calibrate(design, found, one)
    codes, trim = made.codes[0], found.trims[0]
    moved = codes[2] * trim.range_v / 2.0 ** (trim.bits - 1)
    rest = calibrate(design, found, dataclasses.replace(drawn, factors={})).codes[0]
    own = rest * trim.range_v / 2.0 ** (trim.bits - 1)  # bias currents of a board without spread
    noise_gain = design.analog.layers[0].noise_gain[2] + trim.siemens / design.analog.layers[0].g_f[2]
    assert moved - own[2] == pytest.approx(4e-3 * noise_gain, rel=0.01)
    assert np.abs(np.delete(codes - rest, 2)).max() <= 1


@pytest.mark.parametrize(
    ("topology", "n_in"), [("split", 4), ("signed", 4), ("dual_rail", 4), ("split", 1200)]
)
def test_a_trimmed_board_in_ngspice_is_that_of_the_solver(topology: str, n_in: int) -> None:
    """As subcircuits, and flat, as netlists with more pins than ngspice takes are written."""
    design = made_of("relu", topology, n_in)
    x = np.random.default_rng(1).uniform(-1.0, 1.0, (40, n_in))
    one = board(design, default_spread(design), 11, 3)
    one = dataclasses.replace(one, rails=tuple(float(f"{v:.9g}") for v in one.rails))
    made = calibrate(design, calibrator(design, x, OFFSETS), one)
    assert max(np.abs(c).max() for c in made.codes) > 10
    volts = nine_digits(x[:3] * design.analog.scale_in)
    vdd, vss, reference = one.rails
    technology = design.technology.model_copy(update={"vdd": vdd, "vss": vss, "reference": reference})
    there = dataclasses.replace(design, analog=dataclasses.replace(design.analog, technology=technology))
    netlist = calibrated_netlist(design, made)
    assert netlist != board_netlist(design, one)
    assert is_flat(design.circuit) == (n_in > 1000)
    _, layers, _ = spice_voltages(there, volts, 27.0, netlist)
    for spice, ours in zip(layers, made.system.solve(volts)[0], strict=True):
        assert np.abs(spice - ours).max() <= 1e-9


def digits() -> tuple[Design, Calibrator, Spread]:
    design = convert(example("digits").network, calibrate="digits", overrides={"opamp": "lm358"})
    spread = default_spread(design, vos_sigma=7e-3)
    return design, calibrator(design, load_data("digits", split="train").x, spread), spread


@pytest.mark.slow
def test_digits_are_read_again() -> None:
    design, found, spread = digits()
    data = test_set("digits")
    assert data.y is not None
    before = monte_carlo(design, data.x, data.y, 30, 1, spread, sensitivity_boards=0)
    after = monte_carlo(design, data.x, data.y, 30, 1, spread, sensitivity_boards=0, calibrator=found)
    assert before.mean < before.reference - 0.003
    assert after.mean > after.reference - 0.002
    assert after.sigma < 0.3 * before.sigma


def test_what_cannot_be_calibrated() -> None:
    design = made_of("relu", "split")
    with pytest.raises(UsageError, match="ADC of 3 bits: allowed is 6 to 24"):
        calibrator(design, X, OFFSETS, adc_bits=3)
    with pytest.raises(UsageError, match="trim DAC of 40 bits: allowed is 2 to 20"):
        calibrator(design, X, OFFSETS, dac_bits=40)
    with pytest.raises(InputError, match=r"calibration inputs have shape \(200, 3\)"):
        calibrator(design, X[:, :3], OFFSETS)
