"""Transients of a chip: what makes them quick changes neither settling times nor energies."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import EXAMPLES

from analognet import convert, load_data
from analognet.analog import pdk, simulate
from analognet.analog.amplifiers import amplifiers
from analognet.analog.settling import worst_settling
from analognet.analog.transient import CHIP_OPTIONS, Waveforms, deck, run, simulate_transitions
from analognet.analog.transitions import RISE_S, Transition, choose_transitions
from analognet.design import Design
from analognet.energy import energy_flow
from analognet.errors import ToolMissing

try:
    pdk.find()
except ToolMissing as e:
    pytest.skip(str(e), allow_module_level=True)

LENGTH_S = 4e-6
TIGHT = "reltol=1e-6 vntol=1e-9 abstol=1e-15 trtol=1 method=gear"


@pytest.fixture(scope="module")
def iris() -> Design:
    return convert(EXAMPLES / "iris" / "iris.safetensors", technology="sky130")


@pytest.fixture(scope="module")
def step(iris: Design) -> Transition:
    return choose_transitions(iris.analog, load_data("iris", 4, 3).x, 1)[0]


@pytest.fixture(scope="module")
def start(iris: Design, step: Transition) -> dict[str, float]:
    found = simulate.start_voltages(iris.analog, iris.cells, step.start[None], iris.conditions(27.0))
    return {net: float(volts[0]) for net, volts in found.items()}


def measured(design: Design, waves: Waveforms, final: np.ndarray) -> tuple[float, float]:
    """(s until all outputs stay within 1 % of full scale of where they end, J until then)."""
    full_scale = design.technology.full_scale
    latency = float(worst_settling(waves.time, waves.layers_v[-1], final, 0.01 * full_scale).max())
    return latency, energy_flow(design, waves).energy(latency)


@pytest.mark.slow
def test_quick_runs_tell_the_times_and_energies_of_the_tightest(
    step: Transition, start: dict[str, float]
) -> None:
    """Looser tolerances, a damped rule and no substrate resistors against none of the three."""
    quick, tight = (convert(EXAMPLES / "iris" / "iris.safetensors", technology="sky130") for _ in range(2))
    tight.__dict__["dc_files"] = tight.files
    assert "rbodymod = 1" in tight.dc_files["models.spice"]
    assert "rbodymod = 1" not in quick.dc_files["models.spice"]
    runs = [
        run(design, step, LENGTH_S, options=options, start=start)[0]
        for design, options in ((quick, CHIP_OPTIONS), (tight, TIGHT))
    ]
    assert len(runs[0].time) < 0.5 * len(runs[1].time)
    final = runs[1].layers_v[-1][-1]
    (latency, energy), (wanted_s, wanted_j) = (measured(quick, waves, final) for waves in runs)
    assert latency == pytest.approx(wanted_s, rel=0.01)
    assert energy == pytest.approx(wanted_j, rel=0.01)
    late = runs[0].time > 0.75 * LENGTH_S
    assert np.abs(runs[0].layers_v[-1][late] - final).max() < 1e-4  # the damped rule does not ring


@pytest.mark.slow
def test_nodesets_say_where_to_look_and_not_what_is_found(
    iris: Design, step: Transition, start: dict[str, float]
) -> None:
    text, _ = deck(iris, step, amplifiers(iris.circuit, iris.cells), 1e-8, RISE_S, 27.0, CHIP_OPTIONS, start)
    assert text.count(".nodeset ") == len(start)
    wrong = {net: volts + 0.1 for net, volts in start.items()}
    plain, near, far = (run(iris, step, 1e-8, start=s)[0] for s in (None, start, wrong))
    for a, b, c in zip(plain.layers_v, near.layers_v, far.layers_v, strict=True):
        assert np.abs(a[0] - b[0]).max() < 1e-6
        assert np.abs(a[0] - c[0]).max() < 1e-6


@pytest.mark.slow
def test_transitions_begin_near_where_that_pays(
    iris: Design, step: Transition, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    real = run

    def spy(*args: object, start: dict[str, float], **kwargs: object) -> object:
        seen.append(bool(start))
        return real(*args, start=start, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr("analognet.analog.transient.run", spy)
    for least in (10**9, 0):
        monkeypatch.setattr(simulate, "STARTS_PAY", least)
        simulate_transitions(iris, [step], [LENGTH_S], jobs=1)
    assert seen == [False, True]
