"""Figures: their keys, their JSON, their intervals."""

from __future__ import annotations

import json
import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analognet.metrics import FIGURES, Metrics, wilson


def test_json_has_every_key_and_null_where_nothing_was_measured() -> None:
    text = Metrics(
        {"accuracy": np.float64(0.5), "opamps": np.int64(3)}, {"seed": 1}, {"dropped": 2}
    ).to_json()
    body = json.loads(text)
    assert list(body) == ["schema", "metrics", "provenance"]
    assert body["schema"] == 1
    assert set(FIGURES) <= set(body["metrics"])
    assert body["metrics"]["accuracy"] == 0.5
    assert body["metrics"]["latency_s"] is None
    assert body["metrics"]["dropped"] == 2
    assert "\n" not in text


def test_arrays_become_lists_and_nan_is_refused() -> None:
    assert json.loads(Metrics({}, {}, {"a": np.arange(3)}).to_json())["metrics"]["a"] == [0, 1, 2]
    with pytest.raises(ValueError, match="not JSON compliant"):
        Metrics({"accuracy": math.nan}).to_json()
    with pytest.raises(TypeError, match="set has no JSON form"):
        Metrics({}, {"a": {1}}).to_json()


def test_figures_must_be_declared() -> None:
    with pytest.raises(ValueError, match=r"unknown figures \['speed'\]; declare them in FIGURES"):
        Metrics({"speed": 1.0})
    with pytest.raises(KeyError):
        Metrics({})["speed"]
    assert Metrics({})["accuracy"] is None


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_ends_solve_its_equation(case: tuple[int, int]) -> None:
    k, n = case
    low, high = wilson(k, n)
    z = NormalDist().inv_cdf(0.975)
    assert 0 <= low <= k / n <= high <= 1
    for end in (low, high):
        # the score test's statistic is z at both ends, or the end is 0 or 1
        score = abs(k / n - end)
        limit = z * math.sqrt(end * (1 - end) / n)
        assert score == pytest.approx(limit, rel=1e-4, abs=1e-9) or end in (0.0, 1.0)


def test_wilson_known_value() -> None:
    assert wilson(10, 20) == pytest.approx((0.2993, 0.7007), abs=5e-5)
