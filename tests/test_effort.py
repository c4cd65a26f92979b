"""What ngspice will take, and when the user is told before it starts."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from analognet.analog.effort import effort_warning, image_seconds
from analognet.analog.layers import AnalogNetwork
from analognet.design import Design, convert
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
