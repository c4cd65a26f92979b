"""What value a resistor can have."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analognet.analog.resistors import check_series, pot_bits, realise
from analognet.errors import UsageError

SERIES = ("exact", "E24", "E96", "E192", "pot4", "pot8", "pot12")
# half the largest ratio between neighbours, in relative terms
WORST = {"exact": 0.0, "E24": 0.0745, "E96": 0.0148, "E192": 0.0099}


@given(st.lists(st.floats(1e3, 1e7), min_size=1, max_size=20), st.sampled_from(SERIES))
def test_values_stay_in_the_range_and_realising_twice_changes_nothing(ohms: list[float], series: str) -> None:
    real = realise(np.array(ohms), series, 1e3, 1e7)
    assert ((real >= 1e3 * (1 - 1e-9)) & (real <= 1e7 * (1 + 1e-9))).all()
    np.testing.assert_array_equal(realise(real, series, 1e3, 1e7), real)
    if series in WORST:
        assert (np.abs(real / np.array(ohms) - 1) <= WORST[series] + 1e-12).all()


@given(st.floats(1e3, 1e7), st.sampled_from(SERIES[1:]))
def test_no_other_value_is_nearer_in_ratio(ohms: float, series: str) -> None:
    around = realise(ohms * np.linspace(0.7, 1.4, 200).clip(1e3 / ohms, 1e7 / ohms), series, 1e3, 1e7)
    best = np.abs(np.log(around / ohms)).min()
    assert abs(np.log(realise(np.array([ohms]), series, 1e3, 1e7)[0] / ohms)) <= best + 1e-12


def test_catalogue_values() -> None:
    e24 = realise(np.array([4.65e3, 1.05e4, 9.9e6]), "E24", 1e3, 1e7)
    assert e24.tolist() == [4.7e3, 1.1e4, 1e7] or e24.tolist() == [4.7e3, 1e4, 1e7]
    assert realise(np.array([4990.0, 102e3]), "E96", 1e3, 1e7).tolist() == [4990.0, 102e3]
    assert realise(np.array([5050.0]), "E192", 1e3, 1e7).tolist() == [5050.0]


def test_a_potentiometer_has_equal_steps() -> None:
    real = realise(np.linspace(100, 10_000, 5000), "pot4", 100.0, 10_000.0)
    steps = np.unique(real)
    assert len(steps) == 15  # 2^4 - 1: the wiper alone is no weight
    np.testing.assert_allclose(np.diff(steps), 9_900 / 14)


def test_infinite_stays_and_shape_is_kept() -> None:
    real = realise(np.array([[np.inf, 5e3], [np.inf, np.inf]]), "E96", 1e3, 1e7)
    assert real.shape == (2, 2)
    assert np.isinf(real[1]).all()
    assert np.isinf(realise(np.array([np.inf]), "E24", 1e3, 1e7)).all()


@pytest.mark.parametrize("series", ["E12", "e96", "pot3", "pot13", "pot08", "pot", "", "pot8\n", "\x1b[2J"])
def test_unknown_series(series: str) -> None:
    assert pot_bits(series) is None
    with pytest.raises(UsageError) as caught:
        check_series(series)
    assert "there are exact, E24, E96, E192, and pot4 to pot12" in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("series", SERIES)
def test_known_series(series: str) -> None:
    assert check_series(series) == series
