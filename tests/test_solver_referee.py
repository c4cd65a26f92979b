"""ngspice and the structural solver on the same netlists: every example, random networks, every cell."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from analognet import Activation, Dense, Network, convert
from analognet.analog.referee import referee
from analognet.analog.technology import load_technology
from analognet.design import Design
from analognet.errors import InputError, SimulatorError, UsageError

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
TOPOLOGIES = ("split", "signed", "dual_rail")
# full scale as each part's swing on +-5 V allows, less the rectifiers' headroom
PARTS = {"opa4192": 2.5, "lm358": 2.0, "tl074h": 2.5, "ada4522_4": 2.5, "opa4277": 2.5, "opa2810": 2.5}
ACTIVATIONS = ("linear", "relu", "leaky_relu:0.1", "sigmoid", "tanh")


def board(network: Network | Path, topology: str, part: str = "opa4192") -> Design:
    overrides = {"opamp": part, "full_scale": PARTS[part]}
    return convert(network, technology="board", topology=topology, overrides=overrides, input_range=None)


def random_network(shape: list[int], activations: list[str], seed: int) -> Network:
    rng = np.random.default_rng(seed)
    layers = [
        Dense(f"d{i}", rng.normal(0, 1, (n_out, n_in)), rng.normal(0, 0.3, n_out), Activation.parse(a))
        for i, (n_in, n_out, a) in enumerate(zip(shape, shape[1:], activations, strict=False))
    ]
    return Network("random", tuple(layers))


@dataclass(frozen=True)
class Case:
    """A random network on random hardware; reach: inputs go so far beyond the input range."""

    shape: list[int]
    activations: list[str]
    seed: int
    technology: str
    part: str
    topology: str
    temperature: float
    reach: float


@st.composite
def cases(draw: st.DrawFn) -> Case:
    depth = draw(st.integers(1, 3))
    return Case(
        shape=[draw(st.integers(1, 5)) for _ in range(depth + 1)],
        activations=[draw(st.sampled_from(ACTIVATIONS)) for _ in range(depth)],
        seed=draw(st.integers(0, 10**6)),
        technology=draw(st.sampled_from(["board", "board", "ideal"])),
        part=draw(st.sampled_from(sorted(PARTS))),
        topology=draw(st.sampled_from(TOPOLOGIES)),
        temperature=draw(st.sampled_from([-40.0, 0.0, 27.0, 85.0, 125.0])),
        reach=draw(st.sampled_from([0.001, 1.0, 1.9])),
    )


def hold_together(case: Case) -> None:
    network = random_network(case.shape, case.activations, case.seed)
    try:
        if case.technology == "board":
            design = board(network, case.topology, case.part)
        else:
            design = convert(network, technology="ideal", topology=case.topology)
    except InputError:
        assume(False)  # weights that the technology cannot realise
    rng = np.random.default_rng(case.seed)
    low, high = design.analog.input_range
    x = rng.uniform(low * case.reach, high * case.reach, (5, network.n_in))
    x[0] = 0.0
    try:
        verdict = referee(design, x, case.temperature)
    except SimulatorError as e:
        assume(not str(e).startswith("ngspice"))  # ngspice found no operating point: nothing to compare with
        raise
    assert verdict.agrees, verdict


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(cases())
def test_random_networks(case: Case) -> None:
    hold_together(case)


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(cases())
def test_many_random_networks(case: Case) -> None:
    hold_together(case)


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("temperature", [-40.0, 27.0, 125.0])
def test_rectifiers_over_temperature_and_into_the_clamps(topology: str, temperature: float) -> None:
    design = board(EXAMPLES / "iris" / "iris.safetensors", topology)
    rng = np.random.default_rng(7)
    low, high = design.analog.input_range
    x = np.vstack([rng.uniform(low, high, (6, 4)), rng.uniform(low * 1.9, high * 1.9, (6, 4))])
    verdict = referee(design, x, temperature)
    assert verdict.agrees, verdict
    assert verdict.clipped > 0 or topology == "dual_rail"


@pytest.mark.parametrize("temperature", [-40.0, 27.0, 125.0])
@pytest.mark.parametrize("part", ["lm358", "opa4192"])
def test_a_neuron_that_no_resistor_drives_or_loads(part: str, temperature: float) -> None:
    """Its summing node has nothing but its own feedback: bias current alone decides which diode conducts."""
    rng = np.random.default_rng(4)
    first, second = rng.normal(0, 1, (5, 3)), rng.normal(0, 1, (3, 5))
    bias = rng.normal(0, 0.2, 5)
    first[2], bias[2], second[:, 2] = 0.0, 0.0, 0.0
    network = Network(
        "dead",
        (Dense("a", first, bias, Activation("relu")), Dense("b", second, np.zeros(3), Activation("linear"))),
    )
    verdict = referee(board(network, "split", part), rng.uniform(-1, 1, (6, 3)), temperature)
    assert verdict.agrees, verdict


def test_a_small_signal_at_the_corner_of_the_rectifier() -> None:
    """Neither diode clearly conducts: the part of the solution that no shortcut covers."""
    network = Network(
        "corner",
        (
            Dense("a", np.array([[1.0], [-1.0]]), np.zeros(2), Activation("relu")),
            Dense("b", np.array([[1.0, -0.5]]), np.zeros(1), Activation("linear")),
        ),
    )
    x = np.concatenate([[0.0], np.geomspace(1e-9, 1e-2, 29)])[:, None] * np.array([[1.0]])
    for topology in TOPOLOGIES:
        for temperature in (-40.0, 27.0, 125.0):
            design = convert(network, technology="board", topology=topology, input_range=(-1.0, 1.0))
            verdict = referee(design, np.vstack([x, -x]), temperature)
            assert verdict.agrees, verdict


@pytest.mark.parametrize("name", ["digits", "iris", "digits_sigmoid"])
def test_examples(name: str) -> None:
    design = board(EXAMPLES / name / f"{name}.safetensors", "split")
    low, high = design.analog.input_range
    x = np.random.default_rng(1).uniform(low, high, (3, design.analog.n_in))
    verdict = referee(design, x)
    assert verdict.agrees, verdict


@pytest.mark.slow
@pytest.mark.parametrize("part", sorted(PARTS))
@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("name", ["digits", "iris", "digits_deep", "digits_sigmoid"])
def test_examples_everywhere(name: str, topology: str, part: str) -> None:
    design = board(EXAMPLES / name / f"{name}.safetensors", topology, part)
    low, high = design.analog.input_range
    x = np.random.default_rng(2).uniform(low, high, (3, design.analog.n_in))
    for temperature in (-40.0, 27.0, 125.0):
        verdict = referee(design, x, temperature)
        assert verdict.agrees, verdict


@pytest.mark.slow
def test_mnist_example() -> None:
    design = board(EXAMPLES / "mnist" / "mnist.safetensors", "split")
    verdict = referee(design, np.random.default_rng(3).uniform(0, 1, (2, 784)))
    assert verdict.agrees, verdict


@pytest.mark.parametrize("cell", ["sigmoid", "tanh"])
@pytest.mark.parametrize("temperature", [-40.0, 27.0, 125.0])
def test_sigmoids_from_op_amps_that_clip(cell: str, temperature: float) -> None:
    technology = load_technology("board")
    technology = technology.model_copy(
        update={"activations": {**technology.activations, cell: f"act_{cell}_pwl"}}
    )
    design = convert(random_network([3, 4, 2], [cell, "linear"], 5), technology=technology)
    x = np.random.default_rng(5).uniform(-1, 1, (6, 3))
    verdict = referee(design, x, temperature)
    assert verdict.agrees, verdict


def test_negative_slopes() -> None:
    technology = load_technology("board")
    cells = {**technology.activations, "leaky_relu_neg": "act_leaky_relu_diode_neg"}
    technology = technology.model_copy(update={"activations": cells})
    design = convert(random_network([3, 4, 2], ["leaky_relu:-0.5", "linear"], 6), technology=technology)
    verdict = referee(design, np.random.default_rng(6).uniform(-1, 1, (6, 3)))
    assert verdict.agrees, verdict


def test_behavioural_cells_on_real_op_amps() -> None:
    names = ("relu", "leaky_relu", "sigmoid", "tanh")
    technology = load_technology("board").model_copy(
        update={"amplifiers": {}, "activations": {n: f"act_{n}_behavioural" for n in names}}
    )
    for topology in TOPOLOGIES:
        network = random_network([3, 3, 3, 3, 2], ["relu", "leaky_relu:0.2", "sigmoid", "tanh"], 8)
        design = convert(network, technology=technology, topology=topology)
        verdict = referee(design, np.random.default_rng(8).uniform(-1.5, 1.5, (6, 3)))
        assert verdict.agrees, verdict


def test_the_referee_sees_a_wrong_resistor() -> None:
    """A circuit in which one resistor differs by 1e-6 must not pass."""
    design = board(EXAMPLES / "iris" / "iris.safetensors", "split")
    x = np.random.default_rng(9).uniform(*design.analog.input_range, (3, 4))
    line = next(t for t in design.netlist.splitlines() if t.startswith("Rf0 "))
    ohms = float(line.split()[-1])
    object.__setattr__(
        design, "netlist", design.netlist.replace(line, f"{line.rpartition(' ')[0]} {ohms * (1 + 1e-6):.12g}")
    )
    assert not referee(design, x).agrees


def test_inputs_of_the_wrong_shape() -> None:
    design = board(EXAMPLES / "iris" / "iris.safetensors", "split")
    with pytest.raises(UsageError, match=r"inputs have shape \(2, 3\); the referee needs \(N, 4\)"):
        referee(design, np.zeros((2, 3)))
