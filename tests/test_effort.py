"""What ngspice will take, and when the user is told before it starts."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from analognet import process
from analognet.analog.effort import (
    MEMORY_LIMIT,
    effort_warning,
    image_seconds,
    point_bytes,
    point_seconds,
    refusal,
)
from analognet.analog.layers import AnalogNetwork
from analognet.design import Design, convert
from analognet.errors import UsageError
from analognet.network import Activation, Dense, Network
from analognet.simulation import simulate


def random_design(shape: Sequence[int], activation: str = "relu") -> Design:
    rng = np.random.default_rng(0)
    layers = [
        Dense(f"l{i}", rng.normal(0, np.sqrt(2 / a), (b, a)), rng.normal(0, 0.1, b), Activation(activation))
        for i, (a, b) in enumerate(itertools.pairwise(shape))
    ]
    layers[-1] = Dense("last", layers[-1].weight, layers[-1].bias, Activation("linear"))
    return convert(Network("random", tuple(layers)), input_range=(-1.0, 1.0))


@pytest.fixture(scope="module")
def deep() -> AnalogNetwork:
    return random_design((300, 200, 100, 50, 10)).analog


def test_a_deep_network_takes_long_and_the_solver_is_named(deep: AnalogNetwork) -> None:
    assert 20 < image_seconds(deep) < 200
    assert effort_warning(deep, 1, 2) is None
    line = effort_warning(deep, 100, 2)
    assert line is not None
    assert "s an image and" in line
    assert "minutes in all" in line
    assert "--engine solver" in line
    assert "hours in all" in (effort_warning(deep, 1000, 2) or "")


def test_small_networks_and_those_without_rectifiers_are_left_alone() -> None:
    assert effort_warning(random_design((64, 32, 10)).analog, 1000, 1) is None
    assert image_seconds(random_design((64, 32, 10), "sigmoid").analog) == 0


def test_it_is_said_before_ngspice_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []
    monkeypatch.setattr("analognet.analog.effort.NOTABLE_S", 0.0)
    design = random_design((4, 3, 2))

    def progress(done: int, total: int) -> None:
        assert heard

    result = simulate(design, images=3, engine="ngspice", progress=progress, warn=heard.append)
    assert len(heard) == 1
    assert heard[0] not in result.notes
    assert heard[0] in simulate(design, images=3, engine="ngspice").notes


@pytest.mark.parametrize(
    ("shape", "seconds", "gigabytes"),  # as measured with ngspice 39, docs/scale.md
    [((1000, 100, 10), 5.5, 0.126), ((300, 100, 10), 0.72, 0.054)],
)
def test_a_first_point_is_estimated_within_its_doubt(
    shape: Sequence[int], seconds: float, gigabytes: float
) -> None:
    network = random_design(shape).analog
    assert seconds / 3 < point_seconds(network) < seconds * 3
    assert gigabytes / 2 < point_bytes(network) / 1e9 < gigabytes * 2
    assert refusal(network, 3600.0) is None


def test_what_is_beyond_ngspice_is_refused_with_an_estimate_and_solved_by_auto() -> None:
    design = random_design((60, 40, 4))
    line = refusal(design.analog, 1e-4)
    assert line is not None
    assert "cannot take a network of" in line
    assert "--engine solver" in line
    assert refusal(design.analog, 3600.0, memory_bytes=1_000_000) is not None
    with pytest.raises(UsageError, match="its first operating point alone would need about"):
        simulate(design, images=2, engine="ngspice", timeout_s=1e-4)
    answered = simulate(design, images=2, timeout_s=1e-4)
    assert answered.metrics.provenance["engine"] == "solver"
    assert line in answered.notes


def test_the_memory_limit_is_the_one_that_programs_have() -> None:
    assert inspect.signature(process.run).parameters["memory_bytes"].default == MEMORY_LIMIT


def test_a_network_of_millions_of_weights_is_refused() -> None:
    small, large = random_design((300, 30, 10)).analog, random_design((300, 60, 10)).analog
    assert point_seconds(large) / point_seconds(small) == pytest.approx(2**3, rel=0.1)
    assert refusal(random_design((1000, 600, 10)).analog, 100.0) is not None
