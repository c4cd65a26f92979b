"""The solver on a tinygrad device: within 1e-5 V of float64 where it says so, and the same counts.

tinygrad's CPU device stands for every other: the code is the same, only the compiler differs.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from conftest import random_network

from analognet import Activation, Dense, Network, convert
from analognet.analog import right_answers, solver
from analognet.analog.montecarlo import monte_carlo
from analognet.analog.solver.device import device_run, open_device, outputs
from analognet.analog.solver.differences import BoardDifferences, anchors, differences
from analognet.analog.solver.rounding import AGREEMENT_V, Anchors, bounds
from analognet.analog.variation import board, default_spread
from analognet.cli.app import run
from analognet.design import Design, save
from analognet.errors import InputError, SimulatorError, ToolMissing, UsageError

ROUGH = {"resistor_tolerance": 0.01, "temperature_span": 20.0}


def design(*activations: str, technology: str = "board", **options: object) -> Design:
    shape = [3, *[6] * (len(activations) - 1), 4]
    network = random_network(shape, activations, seed=7)
    return convert(network, technology=technology, input_range=(-1.0, 1.0), **options)  # type: ignore[arg-type]


def inputs(count: int, reach: float = 1.0) -> np.ndarray:
    x = np.random.default_rng(5).uniform(-reach, reach, (count, 3))
    x[: count // 4] *= np.geomspace(1e-7, 1.0, count // 4)[:, None]  # into the corner of the rectifiers
    return x


def anchored(made: Design, x: np.ndarray, temperature: float = 27.0) -> Anchors:
    system = solver.equations(solver.hardware(made.analog, made.cells, temperature))
    hidden = solver.solve(made.analog, made.cells, x, temperature=temperature, hidden=True).hidden_v
    return anchors(system, x * made.analog.scale_in, hidden)


def drawn(
    made: Design, found: Anchors, k: int, temperature: float = 27.0, **spread: float
) -> tuple[solver.Equations, BoardDifferences]:
    one = board(made, default_spread(made, **spread), 3, k, temperature)
    hardware = solver.hardware(made.analog, made.cells, one.temperature, one.factors, one.rails)
    system = solver.equations(hardware)
    return system, differences(found, system)


CASES = {
    "rectifiers": (("relu", "linear"), "board", {"opamp": "opa4192"}),
    "rectifiers of poor op-amps": (("relu", "linear"), "board", {"opamp": "lm358", "full_scale": 2.0}),
    "two layers of rectifiers": (("relu", "relu", "linear"), "board", {}),
    "plain stages": (("linear", "linear"), "board", {}),
    "rectified outputs": (("relu", "relu"), "board", {}),
    "behavioural cells": (("tanh", "leaky_relu:0.1", "sigmoid", "linear"), "ideal", {}),
}


@pytest.mark.slow  # compiled for minutes where cores are busy
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("temperature", [27.0, 115.0])
def test_what_a_device_trusts_is_within_the_bound(case: str, temperature: float) -> None:
    activations, technology, overrides = CASES[case]
    made = design(*activations, technology=technology, overrides=overrides)
    x = inputs(64)
    found = anchored(made, x, temperature)
    pairs = [drawn(made, found, k, temperature, **ROUGH) for k in range(2)]
    run = device_run(found, np.zeros(len(x), dtype=np.int64), made.analog.scale_out, open_device("CPU"), 2)
    volts, trusted = outputs(run, [p[1] for p in pairs], 2)
    assert trusted.mean() > 0.9
    for i, (system, _) in enumerate(pairs):
        exact = system.solve(x * made.analog.scale_in)[0][-1]
        assert np.abs(volts[i] - exact)[trusted[i]].max() <= AGREEMENT_V / 5.0  # far within


@pytest.mark.slow
def test_images_that_clip_are_never_trusted() -> None:
    made = design("relu", "linear", overrides={"opamp": "lm358", "full_scale": 2.0})
    x = inputs(64, 2.4)
    found = anchored(made, x)
    system, one = drawn(made, found, 0, **ROUGH)
    volts, clipped, _ = system.solve(x * made.analog.scale_in)
    assert 4 < clipped.sum() < 60
    run = device_run(found, np.zeros(len(x), dtype=np.int64), made.analog.scale_out, open_device("CPU"), 1)
    answer, trusted = outputs(run, [one], 1)
    assert not (clipped & trusted[0]).any()
    assert np.abs(answer[0] - volts[-1])[trusted[0]].max() <= AGREEMENT_V
    broken = dataclasses.replace(one, layers=tuple(
        dataclasses.replace(layer, rows=layer.rows * np.float32(np.nan)) for layer in one.layers
    ))  # fmt: skip
    assert not outputs(run, [broken], 1)[1].any()
    far = dataclasses.replace(one, reach=(np.inf, 1e-6))
    assert not outputs(run, [far], 1)[1][0, 16:].any()


@pytest.mark.slow
def test_a_device_that_is_off_gives_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    made = design("relu", "linear")
    x = inputs(40)
    y = made.network(x).argmax(axis=1)
    run = (made, x, y, 2, 5, default_spread(made))
    assert monte_carlo(*run, sensitivity_boards=0, device="CPU").accuracy.min() > 0.5

    def off(*args: object) -> tuple[np.ndarray, np.ndarray]:
        volts, trusted = outputs(*args)  # type: ignore[arg-type]
        return volts * (1.0 + 2.0**-11), trusted  # as of a device that multiplies in TF32

    monkeypatch.setattr(right_answers, "outputs", off)
    with pytest.raises(SimulatorError, match=r"device CPU is off by .* V from the float64 solver"):
        monte_carlo(*run, sensitivity_boards=0, device="CPU")


@pytest.mark.slow
@pytest.mark.parametrize("single", [False, True])
def test_boards_answer_as_in_float64(single: bool, tmp_path: Path) -> None:
    """Every class, ties and images at the limit among them; and resumed, but never with another engine's."""
    rng = np.random.default_rng(2)
    n_out = 1 if single else 3
    second = rng.normal(0, 1, (n_out, 5))
    bias = rng.normal(0, 0.2, n_out)
    if not single:
        second[2], bias[2] = second[1], bias[1]  # two outputs that only tolerances tell apart
    network = Network(
        "close",
        (
            Dense("a", rng.normal(0, 1, (5, 3)), rng.normal(0, 0.2, 5), Activation("relu")),
            Dense("b", second, bias, Activation("linear")),
        ),
    )
    made = convert(network, technology="board", input_range=(-1.0, 1.0), overrides={"opamp": "lm358"})
    x = rng.uniform(-1, 1, (100, 3))
    z = network(x)
    y = (z[:, 0] > 0.5).astype(np.int64) if single else z.argmax(axis=1)
    args = (made, x, y, 11, 5, default_spread(made))
    plain = monte_carlo(*args, sensitivity_boards=3)
    there = tmp_path / "boards"
    on_device = monte_carlo(*args, sensitivity_boards=3, device="cpu", checkpoint=there)
    assert on_device.accuracy.tolist() == plain.accuracy.tolist()
    assert on_device.sensitivity == plain.sensitivity
    assert plain.accuracy.min() < 1.0 or single
    kept = {p: p.read_bytes() for p in there.iterdir()}
    again = monte_carlo(*args, sensitivity_boards=3, device="CPU", checkpoint=there)
    assert again.accuracy.tolist() == plain.accuracy.tolist()
    assert {p: p.read_bytes() for p in there.iterdir()} == kept
    monte_carlo(*args, sensitivity_boards=3, checkpoint=there)  # not what the device did
    assert len(list(there.iterdir())) == 2 * len(kept)


def test_the_bound_follows_tolerance_and_refuses_what_it_cannot_hold() -> None:
    made = design("relu", "linear")
    found = anchored(made, inputs(8))
    nothing = [m * 0.0 for m in found.matrices]
    least, slopes = bounds(found, found.equations, nothing)
    more, _ = bounds(found, found.equations, [m * 0.01 for m in found.matrices])
    assert 1e-7 < least < more < AGREEMENT_V
    assert slopes[0] == 0.0 < slopes[1] < 1e-4
    wild, _ = drawn(made, found, 0, resistor_tolerance=0.5)
    one = differences(found, wild)
    assert one.reach[1] < drawn(made, found, 0)[1].reach[1]
    gain = Network(
        "gain",
        tuple(Dense(f"l{i}", np.full((4, 4), 1.0), np.zeros(4), Activation("linear")) for i in range(8)),
    )
    steep = convert(gain, technology="board", input_range=(-1.0, 1.0), topology="split")
    wide = np.tile([[1.0, -1.0, 1.0, -1.0]], (3, 1))
    scaled = dataclasses.replace(
        steep.analog,
        layers=tuple(
            dataclasses.replace(a, g_pos=a.g_pos * 4.0, g_neg=a.g_neg * 4.0) for a in steep.analog.layers
        ),
    )
    with pytest.raises(InputError, match=r"float32 on a device can be off by .* V at an output"):
        anchored(dataclasses.replace(steep, analog=scaled), wide)


def test_what_a_device_has_no_equations_for() -> None:
    x = inputs(8)
    with pytest.raises(InputError, match="topology signed is not computed on a device"):
        anchored(design("relu", "linear", topology="signed"), x)
    with pytest.raises(InputError, match="cell 'act_tanh_bjt' in layer 0 is not computed on a device"):
        anchored(design("tanh", "linear"), x)


def test_devices_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="--device 'no such': a tinygrad device such as CPU, CUDA"):
        open_device("no such")
    with pytest.raises(ToolMissing, match="--device NOSUCH: tinygrad cannot compute there"):
        open_device("NOSUCH")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ToolMissing, match="clang was not found"):
        open_device("cpu")


def test_the_command_line_says_what_a_device_is_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = tmp_path / "made"
    save(design("relu", "linear"), where)
    for extra, told in (
        ([], "boards alone are solved on a device; add --monte-carlo N"),
        (["--monte-carlo", "2", "--engine", "ngspice"], "--engine ngspice runs ngspice"),
    ):
        assert run(["simulate", str(where), "--device", "CPU", *extra]) == 2
        assert told in capsys.readouterr().err
    assert run(["simulate", str(where), "--device", "NOSUCH", "--monte-carlo", "2"]) == 4
    assert run(["simulate", str(where), "--trim-adc", "12"]) == 2
    assert "boards alone are calibrated; add --monte-carlo N" in capsys.readouterr().err
