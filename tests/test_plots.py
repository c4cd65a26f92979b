"""Figures stay readable where there is hardly anything to show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from conftest import example

from analognet.analog.montecarlo import MonteCarlo, monte_carlo
from analognet.analog.variation import default_spread
from analognet.canvas import figure
from analognet.data import load_data
from analognet.plots import _accuracies, _errors, _losses, boards_figure


@pytest.mark.parametrize(
    ("scale", "unit"), [(3e-3, "mV"), (2e-6, "uV"), (4e-9, "nV"), (1e-12, "pV"), (0.0, "pV")]
)
@pytest.mark.parametrize("same", [False, True])
def test_small_errors_are_shown_in_a_unit_of_their_size(scale: float, unit: str, same: bool) -> None:
    axes = figure(4, 4).subplots()
    errors = np.full((5, 3), scale) if same else scale * np.linspace(-1, 1, 15).reshape(5, 3)
    _errors(axes, errors)
    assert axes.get_xlabel().endswith(f", {unit}")
    assert sum(bar.get_height() for bar in axes.patches) == 15  # none falls outside
    low, high = axes.get_xlim()
    assert len([tick for tick in axes.get_xticks() if low <= tick <= high]) <= 8
    assert not axes.xaxis.get_major_formatter().get_useOffset()


@pytest.fixture(scope="module")
def boards() -> MonteCarlo:
    design, data = example("iris"), load_data("iris", 4, 3)
    assert data.y is not None
    return monte_carlo(design, data.x[:20], data.y[:20], 5, 0, default_spread(design), jobs=1)


@pytest.mark.parametrize("accuracy", [[1.0] * 5, [0.95, 1.0, 1.0, 1.0, 1.0], [0.0] * 5])
def test_no_axis_of_accuracies_goes_beyond_what_can_be(boards: MonteCarlo, accuracy: list[float]) -> None:
    axes = figure(4, 4).subplots()
    values = np.array(accuracy)
    _accuracies(axes, replace(boards, accuracy=values, mean=float(values.mean()), reference=1.0))
    assert 0 <= min(axes.get_xticks()) <= max(axes.get_xticks()) <= 100
    assert sum(bar.get_height() for bar in axes.patches) == 5
    assert all(float(tick).is_integer() for tick in axes.get_yticks())


def test_a_spread_that_costs_nothing_is_said(boards: MonteCarlo) -> None:
    axes = figure(4, 4).subplots()
    none = tuple(replace(s, loss=0.0, loss_error=0.0) for s in boards.sensitivity)
    _losses(axes, replace(boards, sensitivity=none))
    assert "changes an answer" in axes.texts[0].get_text()
    assert axes.get_xlim() == (0.0, 5.0)
    axes = figure(4, 4).subplots()
    _losses(axes, replace(boards, sensitivity=(replace(none[0], loss=0.1), *none[1:])))
    assert not axes.texts


def test_the_same_boards_give_the_same_picture(boards: MonteCarlo) -> None:
    assert boards_figure(boards) == boards_figure(boards)
