"""Noise: the adjoint method against ngspice, against closed forms, and against transient noise."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from analognet import Activation, Dense, Network, convert
from analognet.analog import ngspice, solver
from analognet.analog.netlist import supplies
from analognet.analog.noise import Noise, frequencies, noise, snr_db, spice_noise
from analognet.analog.noise_effect import noise_effect
from analognet.analog.solver.devices import BOLTZMANN
from analognet.analog.technology import load_technology
from analognet.design import Design
from analognet.errors import UsageError

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def small(
    topology: str = "split", activations: tuple[str, ...] = ("relu", "linear"), **options: object
) -> Design:
    rng = np.random.default_rng(4)
    shape = [3, *[4] * (len(activations) - 1), 3]
    layers = tuple(
        Dense(f"d{i}", rng.normal(0, 1, (m, n)), rng.normal(0, 0.2, m), Activation.parse(a))
        for i, (n, m, a) in enumerate(zip(shape, shape[1:], activations, strict=False))
    )
    return convert(Network("small", layers), topology=topology, **{"technology": "board", **options})  # type: ignore[arg-type]


X = np.array([0.3, -0.7, 0.5])


def agree(design: Design, found: Noise, x: np.ndarray, temperature: float) -> None:
    """Both engines' V rms and spectra at every output within 1 % (they agree far better)."""
    for output, (f, density, v_rms) in spice_noise(design, x, temperature=temperature).items():
        assert found.v_rms[output] == pytest.approx(v_rms, rel=1e-3)
        ours = np.exp(np.interp(np.log(f), np.log(found.frequency), np.log(found.density[:, output])))
        assert np.abs(ours / density - 1.0).max() < 0.01


@pytest.mark.parametrize("temperature", [-40.0, 27.0, 125.0])
@pytest.mark.parametrize("topology", ["split", "signed", "dual_rail"])
def test_ngspice_agrees(topology: str, temperature: float) -> None:
    design = small(topology)
    agree(design, noise(design, X, temperature=temperature), X, temperature)


@pytest.mark.parametrize("cell", ["sigmoid", "tanh", "leaky_relu:0.2"])
def test_ngspice_agrees_on_the_other_cells(cell: str) -> None:
    design = small("split", (cell, "linear"))
    agree(design, noise(design, X), X, 27.0)


def test_ngspice_agrees_on_behavioural_cells_and_ideal_parts() -> None:
    design = small("split", ("relu", "tanh", "sigmoid"), technology="ideal")
    agree(design, noise(design, X), X, 27.0)
    names = ("relu", "sigmoid")
    technology = load_technology("board").model_copy(
        update={"amplifiers": {}, "activations": {n: f"act_{n}_behavioural" for n in names}}
    )
    design = small("signed", ("relu", "sigmoid", "linear"), technology=technology)
    agree(design, noise(design, X), X, 27.0)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits", "digits_deep", "digits_sigmoid"])
def test_ngspice_agrees_on_the_examples(name: str) -> None:
    design = convert(EXAMPLES / name / f"{name}.safetensors")
    x = np.random.default_rng(1).uniform(0, 1, design.analog.n_in)
    agree(design, noise(design, x), x, 27.0)


def one_amplifier(part: str = "opa4192") -> Design:
    layer = Dense("a", np.array([[-1.0]]), np.zeros(1), Activation("linear"))
    return convert(Network("one", (layer,)), overrides={"opamp": part}, input_range=(-1.0, 1.0))


def test_closed_form_of_an_inverting_amplifier() -> None:
    """In the flat part of the band: 4kTR of both resistors and the op-amp's noise times the noise gain."""
    design = one_amplifier()
    layer = design.analog.layers[0]
    g_in, g_f = float(layer.g_neg.sum()), float(layer.g_f[0])
    part = design.cells[design.technology.opamp].defaults
    found = noise(design, np.array([0.2]), band=(1.0, 1e4))
    kt4 = 4 * BOLTZMANN * 300.15
    gain = 1 + g_in / g_f
    wanted = kt4 / g_f + kt4 * g_in / g_f**2 + (part["en"] * gain) ** 2 + (part["in"] / g_f) ** 2
    assert found.density[0, 0] == pytest.approx(wanted, rel=1e-4)
    assert found.v_rms[0] == pytest.approx(np.sqrt(wanted * 1e4), rel=1e-3)


def test_contributions_add_up() -> None:
    found = noise(small(), X)
    total = sum(v**2 for v in found.kinds.values())
    assert np.sqrt(total) == pytest.approx(found.v_rms, rel=1e-9)
    assert np.sqrt(np.diag(found.covariance)) == pytest.approx(found.v_rms, rel=1e-9)
    shares = [c.share for c in found.contributors]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) <= 1.0 + 1e-9
    assert found.contributors[0].v_rms == pytest.approx(found.v_rms[found.worst] * shares[0] ** 0.5)
    assert {"resistor", "op-amp voltage", "op-amp current", "diode"} <= set(found.kinds)


def test_signal_to_noise() -> None:
    # a full-scale sine of 2.5 V has 1.7678 V rms; 16 bits of it have 98.1 dB
    assert snr_db(np.array([1.7678e-3]), 2.5)[0] == pytest.approx(60.0, abs=1e-3)
    found = noise(one_amplifier(), np.array([0.2]))
    assert found.effective_bits[0] == pytest.approx((found.snr_db[0] - 1.76) / 6.02)


@pytest.mark.slow
def test_transient_noise_agrees() -> None:
    """The op-amps' voltage noise as random voltages in time, 30 records of 20 us, against the adjoint's."""
    design = one_amplifier()
    step, stop, records = 4e-9, 20e-6, 30
    en = design.cells[design.technology.opamp].defaults["en"]
    # samples of a white source of density en^2, held to 1 / (2 step)
    amplitude = en / np.sqrt(2 * step)
    core = re.sub(
        r"^Ren en 0 .*$", f"Ven en 0 dc 0 trnoise({amplitude:.9g} {step:.9g} 0 0)", design.netlist, flags=re.M
    )
    t = design.technology
    values = []
    for seed in range(records):
        lines = [
            core,
            *supplies(design.circuit, t.vdd, t.vss, t.reference),
            "Vx0 x0 0 0.5",
            ".options reltol=1e-6 vntol=1e-9 abstol=1e-15",
            ".control",
            f"setseed {seed + 1}",
            f"tran {step / 2:.9g} {stop:.9g} 0 {step / 2:.9g}",
            "linearize v(y0)",
            "set filetype=binary",
            "write out.raw v(y0)",
            "quit 0",
            ".endc",
            ".end",
        ]
        v = ngspice.run_deck("\n".join(lines) + "\n", ["v(y0)"], timeout_s=300).vectors["v(y0)"]
        values.append(np.real(v)[len(v) // 5 :])
    measured = float(np.sqrt(np.mean([np.mean((v - v.mean()) ** 2) for v in values])))
    found = noise(design, np.array([0.5 / design.analog.scale_in]), band=(1 / stop, 1e9))
    # 30 records of some 250 independent values each: 1 % of statistics, and the records' own means
    assert measured == pytest.approx(float(found.kinds["op-amp voltage"][0]), rel=0.05)


def close_race(margin_v: float) -> tuple[Design, np.ndarray]:
    """Two outputs that differ by about margin_v at the one input."""
    x = np.array([[0.4]])
    layer = Dense("a", np.array([[0.5], [0.5]]), np.zeros(2), Activation("linear"))
    scale = convert(Network("race", (layer,)), input_range=(-1.0, 1.0)).analog.scale_out
    closer = np.array([[0.5], [0.5 - margin_v / scale / x[0, 0]]])
    layer = Dense("a", closer, np.zeros(2), Activation("linear"))
    return convert(Network("race", (layer,)), input_range=(-1.0, 1.0)), x


def test_a_race_within_the_noise_is_decided_by_it() -> None:
    from scipy.stats import norm

    design, x = close_race(1e-4)
    quiet = solver.solve(design.analog, design.cells, x).outputs_v[0]
    found = noise(design, x[0])
    c = found.covariance
    sigma = np.sqrt(c[0, 0] + c[1, 1] - 2 * c[0, 1])
    wanted = norm.sf(abs(quiet[0] - quiet[1]) / sigma)
    effect = noise_effect(design, x, np.array([int(quiet.argmax())]))
    assert 0.001 < wanted < 0.499
    assert effect.flips[0] == pytest.approx(wanted, abs=4 * np.sqrt(wanted / (1 << 14)) + 0.002)
    assert effect.accuracy == pytest.approx(1 - effect.flips[0])
    assert effect.quiet_accuracy == 1.0


def test_clear_answers_do_not_flip() -> None:
    design = small()
    x = np.random.default_rng(3).uniform(-1, 1, (40, 3))
    effect = noise_effect(design, x, design.network(x).argmax(axis=1), points=4, exact=4)
    clear = np.sort(design.analog(x), axis=1)
    clear = (clear[:, -1] - clear[:, -2]) * design.analog.scale_out > 5e-3
    assert clear.sum() > 20
    assert effect.flips[clear].max() < 1e-6
    assert 4 <= effect.simulated <= 8


def test_bad_input() -> None:
    design = small()
    with pytest.raises(UsageError, match=r"noise band 10,1 Hz: write two frequencies, the lower one first"):
        noise(design, X, band=(10.0, 1.0))
    with pytest.raises(UsageError, match=r"noise band nan,1 Hz"):
        noise(design, X, band=(float("nan"), 1.0))
    with pytest.raises(UsageError, match=r"input has shape \(2,\); noise needs one of \(3,\)"):
        noise(design, X[:2])
    with pytest.raises(UsageError, match="technology board holds from -40 to 125 C"):
        noise(design, X, temperature=200.0)
    with pytest.raises(UsageError, match="at least 1 and 0 are needed"):
        noise_effect(design, X[None], None, points=0)


def test_frequencies_span_the_band() -> None:
    f = frequencies((1.0, 1e3), 10)
    assert (f[0], f[-1]) == pytest.approx((1.0, 1e3))
    assert len(f) == 31
