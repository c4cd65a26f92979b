"""Energy: the books balance, the formulas hold, and converters are lines of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import dense, example, random_network
from conftest import test_set as data_set

from analognet.analog.amplifiers import amplifiers
from analognet.analog.ngspice import run_deck
from analognet.analog.transient import Waveforms, deck, run
from analognet.analog.transitions import Transition, choose_transitions
from analognet.converters import PACKAGED, converter_energies, load_converters
from analognet.design import Design, convert
from analognet.energy import (
    BOLTZMANN,
    SOURCES,
    USES,
    duty_cycled,
    energy_flow,
    integral,
    landauer_j,
)
from analognet.errors import InputError, UsageError
from analognet.inference import transient
from analognet.network import Network


def small(activation: str, topology: str = "split") -> tuple[Design, Transition]:
    network = random_network((4, 6, 3), (activation, "linear"), seed=5)
    design = convert(network, topology=topology, input_range=(-1.0, 1.0))
    rng = np.random.default_rng(2)
    start, end = rng.uniform(-1, 1, 4), rng.uniform(-1, 1, 4)
    return design, Transition("chosen", start, end, (None, None))


def test_integral_ends_between_points_and_goes_on_after_the_last() -> None:
    time, power = np.array([0.0, 1.0, 2.0]), np.array([0.0, 2.0, 2.0])
    assert integral(time, power, 1.5) == pytest.approx(2.0)
    assert integral(time, power, 4.0) == pytest.approx(7.0)
    assert integral(time, power, 0.0) == 0.0
    assert integral(time, power, np.inf) == np.inf


@pytest.mark.parametrize(
    ("activation", "topology"), [("linear", "split"), ("relu", "split"), ("linear", "signed")]
)
def test_energy_from_the_supplies_is_dissipated_or_stored(activation: str, topology: str) -> None:
    """What no part accounts for is below 1 % of the energy beyond quiescent current, capacitors included."""
    design, step = small(activation, topology)
    waves, _ = run(design, step, 3e-6)
    flow = energy_flow(design, waves)
    uses = flow.by_use(3e-6)
    moving = flow.energy(3e-6) - uses[USES[0]] - uses[USES[1]]
    assert uses[USES[0]] > 0
    assert moving > 0
    assert abs(uses["unaccounted"]) < 0.01 * moving


def test_sources_and_uses_have_the_same_sum() -> None:
    design, step = small("tanh")
    waves, _ = run(design, step, 2e-6)
    flow = energy_flow(design, waves)
    assert set(flow.sources) == set(SOURCES)
    assert set(flow.uses) == set(USES)
    assert sum(flow.by_use(1e-6).values()) == pytest.approx(sum(flow.by_source(1e-6).values()))
    assert np.allclose(sum(flow.uses.values()), flow.power)


def test_diode_heat_is_what_ngspice_says_of_each_diode() -> None:
    design, step = small("relu")
    amps = amplifiers(design.circuit, design.cells)
    text, wanted = deck(design, step, amps, 2e-6, 1e-9, 27.0)
    names = [f"d.xnet.xlayer0.xamp{i}.d{s}" for i in range(6) for s in "pn"]
    powers = [f"@{n}[id]" for n in names] + [f"@{n}[vd]" for n in names]
    text = text.replace(".save ", f".save {' '.join(powers)} ")
    told = [f"i({p})" if p.endswith("[id]") else f"v({p})" for p in powers]
    v = run_deck(text, [*wanted, *told]).vectors
    waves = Waveforms(step, v["time"], np.zeros((len(v["time"]), 4)), (), v, amps)
    assert waves["time"][-1] == pytest.approx(2e-6)
    heat = sum(v[f"i(@{n}[id])"] * v[f"v(@{n}[vd])"] for n in names)
    plain, _ = run(design, step, 2e-6)
    ours = energy_flow(design, plain).uses["activation cells"]
    settled = integral(v["time"], heat, 2e-6) - integral(v["time"], heat, 1e-6)
    counted = integral(plain.time, ours, 2e-6) - integral(plain.time, ours, 1e-6)
    assert counted == pytest.approx(settled, rel=0.01)


def test_resistor_heat_of_one_neuron_by_hand() -> None:
    """Two weights at rest into a virtual ground: V^2 G each, and the feedback's own."""
    design = convert(Network("two", (dense([[-1.0, -0.5]]),)), input_range=(-1.0, 1.0))
    x = np.array([0.4, -0.8])
    step = Transition("chosen", x, x + 1e-12, (None, None))
    waves, _ = run(design, step, 1e-6)
    uses = energy_flow(design, waves).uses
    layer, volts = design.analog.layers[0], x * design.analog.scale_in
    weights = (volts**2 * layer.g_neg[0, :2]).sum()
    assert uses["weights"][-1] == pytest.approx(weights, rel=1e-3)
    out = waves.layers_v[0][-1, 0]
    assert uses["feedback and link resistors"][-1] == pytest.approx(
        out**2 * layer.g_f[0], rel=1e-3, abs=1e-12
    )


@pytest.mark.slow
def test_quiescent_energy_is_opamps_times_current_times_supply() -> None:
    design = example("iris")
    study = transient(design, "iris", transitions=2, jobs=1)
    part = design.cells[design.technology.opamp].defaults
    by_use = study.metrics.details["transient"]["energy_by_use_j"]
    expected = design.tally.opamps * part["iq"] * 10.0 * study.metrics["latency_s"]
    assert by_use[USES[0]] + by_use[USES[1]] == pytest.approx(expected, rel=1e-6)
    assert study.metrics["energy_j"] > expected


def test_landauer_is_kt_ln_2() -> None:
    assert landauer_j(1.0, 26.85) == pytest.approx(BOLTZMANN * 300.0 * np.log(2))
    assert landauer_j(8.0) == pytest.approx(8 * landauer_j(1.0))


def test_duty_cycle_adds_idle_power_and_leaves_out_what_cannot_be() -> None:
    found = duty_cycled(1e-6, 1e-6, 0.5, (1e3, 1e6, 1e9))
    assert found == {"1000": pytest.approx(1e-6 + 0.5 * (1e-3 - 1e-6)), "1000000": pytest.approx(1e-6)}


@pytest.mark.slow
def test_converters_are_lines_of_their_own_and_can_be_left_out() -> None:
    design, data = example("iris"), data_set("iris")
    bare = transient(design, data, transitions=2, jobs=1)
    full = transient(design, data, transitions=2, jobs=1, converters="board", output_converters="adc")
    assert bare.metrics.details["transient"]["converters"] == []
    lines = full.metrics.details["transient"]["converters"]
    assert [(line["name"], line["count"]) for line in lines] == [("input DACs", 4), ("output ADCs", 3)]
    assert full.metrics["energy_j"] == pytest.approx(bare.metrics["energy_j"])
    total = full.metrics.details["transient"]["energy_with_converters_j"]
    assert total == pytest.approx(full.metrics["energy_j"] + sum(line["energy_j"] for line in lines))


def test_walden_energy_is_fom_times_steps() -> None:
    adc = load_converters().converter["sar_65nm"]
    assert adc.fom_j is not None
    assert adc.energy(1.0) == pytest.approx(adc.fom_j * 2**8.75)
    lines = converter_energies(1, 1, 1e-6, chosen="integrated", outputs="adc")
    assert lines[1].energy_j == pytest.approx(adc.energy(1e-6))


def test_a_converter_that_always_draws_needs_at_least_its_own_time() -> None:
    dac = load_converters().converter["dac084s085"]
    assert dac.energy(0.0) == pytest.approx(2.5e-3 / 4 / 222e3)
    assert dac.energy(1.0) == pytest.approx(2.5e-3 / 4)


def test_every_converter_and_price_has_a_source() -> None:
    for converter in load_converters().converter.values():
        assert len(converter.source) > 10


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("bits = 12", "bits = 0", "bits"),
        ('adc = "ads7042"', 'adc = "tlv3201"', "no adc is called"),
        ("fom_j = 0.29e-12", "", "one of fom_j"),
        ("[sets.board]", "[sets.board", "cannot be read"),
    ],
)
def test_a_broken_converter_file_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(PACKAGED.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        load_converters(path)


def test_unknown_converters_are_refused() -> None:
    with pytest.raises(UsageError, match="board"):
        converter_energies(1, 1, 1.0, chosen="none")
    with pytest.raises(UsageError, match="comparators"):
        converter_energies(1, 1, 1.0, outputs="eye")


def test_energy_grows_with_time_and_decision_is_cheapest() -> None:
    design = example("iris")
    chosen = choose_transitions(design.analog, data_set("iris").x, 2)[0]
    waves, _ = run(design, chosen, 2e-6)
    flow = energy_flow(design, waves)
    assert flow.energy(1e-7) < flow.energy(1e-6) < flow.energy(1e-5)
