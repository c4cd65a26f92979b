"""Steps from one input to the next: how they are chosen, simulated, and found settled."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import dense, example, inputs, random_network, with_opamp
from conftest import test_set as data_set

from analognet.analog.amplifiers import amplifiers
from analognet.analog.settling import decision_time, slewing_time, worst_settling
from analognet.analog.timing import estimate
from analognet.analog.transient import measure, run, simulate_transitions
from analognet.analog.transitions import Transition, choose_transitions
from analognet.design import Design, convert
from analognet.errors import UsageError
from analognet.inference import spread, transient
from analognet.network import Network


def follower(gain: float = -1.0) -> Design:
    """One linear neuron of one input on the board: one op-amp for a negative weight."""
    return convert(Network("one", (dense([[gain]]),)), input_range=(-1.0, 1.0))


def step(start: list[float], end: list[float]) -> Transition:
    return Transition("chosen", np.array(start), np.array(end), (None, None))


def test_settling_is_interpolated_between_points() -> None:
    time = np.array([0.0, 1.0, 2.0, 3.0])
    values = np.array([[1.0], [0.5], [0.1], [0.0]])
    assert worst_settling(time, values, np.array([0.0]), 0.3)[0] == pytest.approx(1.5)


def test_a_late_excursion_counts() -> None:
    time = np.arange(6.0)
    values = np.array([[1.0], [0.0], [0.0], [1.0], [0.0], [0.0]])
    assert 3.0 < worst_settling(time, values, np.array([0.0]), 0.5)[0] < 4.0


def test_what_never_settles_is_infinite_and_what_never_leaves_is_zero() -> None:
    time = np.arange(3.0)
    values = np.array([[0.0, 1.0], [0.0, 1.0], [0.0, 1.0]])
    assert worst_settling(time, values, np.array([0.0, 0.0]), 0.1).tolist() == [0.0, np.inf]


def test_decision_is_the_last_change_of_class() -> None:
    time = np.arange(4.0)
    outputs = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    assert decision_time(time, outputs, np.array([0.0, 1.0])) == pytest.approx(1.5)
    assert decision_time(time, outputs, np.array([1.0, 0.0])) == np.inf
    assert decision_time(time, outputs[[1, 1, 1, 1]], np.array([1.0, 0.0])) == 0.0


def test_a_single_output_decides_at_one_half() -> None:
    outputs = np.array([[0.0], [1.0]])
    assert decision_time(np.array([0.0, 1.0]), outputs, np.array([1.0])) == pytest.approx(0.5)


def test_slewing_time_is_a_union_and_ends_with_the_latency() -> None:
    design = example("iris")
    two = amplifiers(design.circuit, design.cells)[:2]
    time = np.arange(5.0)
    still, moving = np.zeros(5), np.array([0.0, 1.0, 1.0, 1.0, 0.0])
    vectors = {a.x: moving for a in two} | {a.c: still for a in two}
    assert slewing_time(time, vectors, two, 2.0, 0.01) == pytest.approx(1.5)


def test_spread_counts_unsettled_runs_as_worst() -> None:
    assert spread([1.0, 2.0, np.inf]) == {"median": 2.0, "p95": None, "worst": None}
    assert spread([]) is None


@pytest.mark.parametrize("name", ["iris", "digits", "digits_sigmoid", "digits_deep"])
def test_every_opamp_is_found(name: str) -> None:
    design = example(name)
    found = amplifiers(design.circuit, design.cells)
    assert len(found) == design.tally.opamps
    assert len({a.path for a in found}) == len(found)


def test_transitions_hold_the_worst_cases_and_repeat_with_the_seed() -> None:
    design = example("digits")
    x = data_set("digits").x
    chosen = choose_transitions(design.analog, x, 20, seed=3)
    kinds = [t.kind for t in chosen]
    assert len(chosen) == 20
    assert kinds.count("random") == 10
    assert {"largest input swing", "from zero", "to zero", "hidden neuron nearest zero"} < set(kinds)
    again = choose_transitions(design.analog, x, 20, seed=3)
    assert [t.rows for t in again] == [t.rows for t in chosen]
    assert [t.rows for t in choose_transitions(design.analog, x, 20, seed=4)] != [t.rows for t in chosen]


def test_a_neuron_near_zero_ends_there_and_comes_from_the_other_side() -> None:
    design = example("iris")
    chosen = choose_transitions(design.analog, data_set("iris").x, 10)
    near = [t for t in chosen if t.kind == "hidden neuron nearest zero"]
    assert near
    for t in near:
        before, after = (design.analog.voltages(v[None])[0][0][0] for v in (t.start, t.end))
        crossing = before * after < 0
        assert crossing.any()


@pytest.mark.parametrize(("n", "rows"), [(0, 5), (5, 1)])
def test_too_few_are_refused(n: int, rows: int) -> None:
    design = example("iris")
    with pytest.raises(UsageError, match="at least"):
        choose_transitions(design.analog, inputs(rows, 4), n)


def test_a_single_pole_settles_as_its_formula_says() -> None:
    """One inverting op-amp, slew and second poles out of the way: tau = noise gain / (2 pi GBW)."""
    design = with_opamp(follower(), slew=1e12, cin=1e-18, rout=1e-3)
    waves, _ = run(design, step([0.0], [0.8]), 1e-6, rise_s=1e-12)
    goal = waves.layers_v[-1][-1]
    settling = measure(design, waves, (goal,))
    gbw = design.cells[design.technology.opamp].defaults["gbw"]
    tau = 2.0 * 1.01 / (2 * np.pi * gbw)  # noise gain 2; the macromodel's C_x adds a hundredth
    swing = abs(goal[0] - waves.layers_v[-1][0, 0])
    assert settling.latency_1_s == pytest.approx(tau * np.log(swing / 0.025), rel=0.02)
    assert settling.slewing_s == 0.0


def test_a_slow_slew_rate_sets_the_time() -> None:
    design = with_opamp(follower(), slew=1e5)
    waves, _ = run(design, step([-0.8], [0.8]), 60e-6)
    settling = measure(design, waves, (waves.layers_v[-1][-1],))
    assert settling.latency_1_s == pytest.approx(4.0 / 1e5, rel=0.05)
    assert settling.slewing_s > 0.9 * settling.latency_1_s


def test_settling_is_against_the_operating_point_and_the_run_is_extended() -> None:
    """Far too short at first: it must go on, and answer what a long run answers."""
    design, x = example("iris"), data_set("iris").x
    chosen = choose_transitions(design.analog, x, 2)
    short = simulate_transitions(design, chosen, [30e-9] * 2, jobs=1)
    long = simulate_transitions(design, chosen, [6e-6] * 2, jobs=1)
    for a, b in zip(short, long, strict=True):
        assert a.runs > 1
        assert b.runs == 1
        assert a.settling.latency_01_s == pytest.approx(b.settling.latency_01_s, rel=0.02)


@pytest.mark.slow
def test_unsettled_is_said_with_the_time_reached() -> None:
    design = example("iris")
    study = transient(design, "iris", transitions=2, limit_s=50e-9, jobs=1)
    assert study.metrics.details["transient"]["unsettled"] == 2
    assert study.metrics["latency_s"] is None
    assert study.metrics["energy_j"] is None
    assert any("did not settle" in note and "5e-08 s" in note for note in study.notes)


def test_an_opamp_without_dynamics_has_no_latency() -> None:
    design = example("iris", technology="ideal")
    with pytest.raises(UsageError, match="no dynamics"):
        transient(design, "iris", transitions=2)
    chosen = choose_transitions(design.analog, data_set("iris").x, 2)
    with pytest.raises(UsageError, match="no bandwidth"):
        simulate_transitions(design, chosen, [1e-6, 1e-6])


@pytest.mark.slow
def test_study_answers_in_metrics_and_reports_progress() -> None:
    seen: list[tuple[int, int]] = []
    design = example("iris")
    study = transient(design, "iris", transitions=4, jobs=2, progress=lambda a, b: seen.append((a, b)))
    assert seen[-1] == (4, 4)
    details = study.metrics.details["transient"]
    assert study.metrics["latency_s"] == details["latency_1_percent_s"]["worst"]
    assert details["throughput_hz"] == pytest.approx(1 / study.metrics["latency_s"])
    assert details["decision_s"]["worst"] <= details["latency_01_percent_s"]["worst"]
    assert len(details["transitions"][0]["outputs_1_percent_s"]) == 3
    assert study.metrics.to_json()


@pytest.mark.slow
@pytest.mark.parametrize("topology", ["signed", "dual_rail"])
def test_other_topologies_settle_and_are_estimated(topology: str) -> None:
    network = random_network((3, 4, 2), ("relu", "linear"), seed=2)
    design = convert(network, topology=topology, input_range=(-1.0, 1.0))
    chosen = choose_transitions(design.analog, inputs(20, 3), 3)
    guess = estimate(design, chosen)
    found = simulate_transitions(design, chosen, guess.lengths_s, jobs=1)
    worst = max(i.settling.latency_1_s for i in found)
    assert guess.latency_1_s.max() == pytest.approx(worst, rel=0.25)


def test_tolerances_of_the_transient_are_tight_enough() -> None:
    design, x = example("iris"), data_set("iris").x
    chosen = choose_transitions(design.analog, x, 2)[0]
    goals = None
    found = []
    for options in (None, "reltol=1e-6 vntol=1e-9 abstol=1e-14 trtol=1"):
        waves, _ = run(design, chosen, 3e-6, **({"options": options} if options else {}))
        goals = goals or tuple(v[-1] for v in waves.layers_v)
        found.append(measure(design, waves, goals).latency_01_s)
    assert found[0] == pytest.approx(found[1], rel=0.02)
