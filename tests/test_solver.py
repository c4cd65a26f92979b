"""The structural solver by itself: its laws, refusals and errors; test_solver_referee holds it to ngspice."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from analognet import Activation, Dense, Network, convert
from analognet.analog import solver
from analognet.analog.cells import library
from analognet.analog.solver import engine, island, rectifier
from analognet.analog.solver.devices import (
    DIODE_DEFAULTS,
    GMIN,
    depletion,
    diode,
    junction,
    parse_model,
    thermal_voltage,
)
from analognet.analog.solver.expressions import evaluate
from analognet.analog.solver.hardware import hardware, nine_digits, written
from analognet.analog.solver.parts import open_cell, read_opamp
from analognet.analog.solver.rectifier import Rectifier, rectify
from analognet.analog.solver.tables import tabulate
from analognet.design import Design
from analognet.errors import InputError, SimulatorError

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def design(activation: str = "relu", topology: str = "split", **options: object) -> Design:
    rng = np.random.default_rng(4)
    layers = (
        Dense("a", rng.normal(0, 1, (5, 3)), rng.normal(0, 0.2, 5), Activation.parse(activation)),
        Dense("b", rng.normal(0, 1, (3, 5)), rng.normal(0, 0.2, 3), Activation("linear")),
    )
    return convert(Network("small", layers), topology=topology, **{"technology": "board", **options})  # type: ignore[arg-type]


X = np.random.default_rng(5).uniform(-1, 1, (40, 3))


def with_cell(made: Design, name: str, old: str, new: str) -> Design:
    cell = made.cells[name]
    assert old in cell.text
    changed = dataclasses.replace(cell, text=cell.text.replace(old, new))
    return dataclasses.replace(made, cells={**made.cells, name: changed})


def answer(made: Design, x: np.ndarray = X, **options: object) -> np.ndarray:
    return solver.solve(made.analog, made.cells, x, **options).outputs_v  # type: ignore[arg-type]


# devices


def test_a_junction_is_shockleys_and_continuous() -> None:
    vte = 1.752 * thermal_voltage(300.15)
    v = np.array([-1.0, -3 * vte - 1e-9, -3 * vte + 1e-9, 0.0, 0.5])
    i, g = junction(v, 2.52e-9, vte)
    assert i[4] == pytest.approx(2.52e-9 * (np.exp(0.5 / vte) - 1), rel=1e-4)
    assert i[3] == 0.0
    assert i[0] == pytest.approx(-2.52e-9 - GMIN, rel=1e-3)
    assert i[1] == pytest.approx(i[2], rel=1e-6)
    step = 1e-6
    numeric = (junction(v + step, 2.52e-9, vte)[0] - junction(v - step, 2.52e-9, vte)[0]) / (2 * step)
    assert g[[0, 3, 4]] == pytest.approx(numeric[[0, 3, 4]], rel=1e-4)


def test_a_diode_follows_temperature() -> None:
    """At constant current the junction voltage falls by (EG + XTI kT/q - V) / T."""
    model = {**DIODE_DEFAULTS, "is": 1e-14}
    cold, warm = diode(model, 300.15), diode(model, 301.15)
    current = 1e-4
    v_cold = cold.vte * np.log(current / cold.i_s)
    v_warm = warm.vte * np.log(current / warm.i_s)
    slope = -(1.11 + 3 * thermal_voltage(300.15) - v_cold) / 300.15
    assert v_warm - v_cold == pytest.approx(slope, rel=1e-2)


def test_depletion_capacitance_is_smooth_at_its_corner() -> None:
    v = np.array([-1.0, 0.0, 0.35 - 1e-9, 0.35 + 1e-9])
    c = depletion(v, 4e-12, 0.7, 0.4, 0.5)
    assert c[1] == pytest.approx(4e-12)
    assert c[0] == pytest.approx(4e-12 * (1 + 1 / 0.7) ** -0.4)
    assert c[2] == pytest.approx(c[3], rel=1e-6)


def test_model_cards() -> None:
    assert parse_model(".model x D(IS=1e-9 n=2)")[1]["n"] == 2.0
    with pytest.raises(InputError, match="the solver knows diodes and NPN transistors, not pnp"):
        parse_model(".model x PNP(IS=1e-9)")
    with pytest.raises(InputError, match="the solver has no parameter KF"):
        parse_model(".model x D(KF=1)")
    with pytest.raises(InputError, match="cannot read the model card"):
        parse_model(".model x")


# cells


def test_expressions() -> None:
    values = {"a": 2.0, "in": 3.0, "e": 0.5}
    assert evaluate("{a*(1-e)/in}", values) == 2.0 * 0.5 / 3.0
    assert evaluate("10e3", {}) == 10e3
    assert evaluate("{-max(a, sqrt(16))}", values) == -4.0
    for bad in ("{b}", "{a/0}", "{a if a else e}", "{__import__('os')}", "{a..}"):
        with pytest.raises(InputError, match="the solver cannot evaluate"):
            evaluate(bad, values)


def test_numbers_are_those_of_the_netlist() -> None:
    rng = np.random.default_rng(1)
    values = np.concatenate([10 ** rng.uniform(-12, 12, 2000), [0.0, 1.0, 123456789.5, 1e-3]])
    text = np.array([float(f"{v:.9g}") for v in values])
    assert np.abs(nine_digits(values) - text).max(initial=0.0, where=text == 0) == 0.0
    assert nine_digits(values[text > 0]) == pytest.approx(text[text > 0], rel=3e-16)
    assert written(np.array([0.0, 1 / 3]))[0] == 0.0


def test_a_cell_is_opened_up() -> None:
    opened = open_cell(library(), "act_relu_diode", {"r": 5e3})
    assert [p.name for p in opened.parts] == ["rin", "rf", "xrect.xamp", "xrect.dp", "xrect.dn", "xbuf"]
    assert opened.parts[0].value == 5e3
    assert opened.parts[3].nodes == ("xrect.drive", "rect")


def test_what_the_solver_has_no_equations_for_is_refused() -> None:
    made = design()
    with pytest.raises(InputError, match=r"opamp_macro is not the circuit .* gin 0 x inp inn"):
        answer(with_cell(made, "opamp_macro", "Gin 0 x inp inn {gm}", "Gin 0 x inp inn {2*gm}"))
    with pytest.raises(InputError, match="is not built on opamp_macro"):
        answer(with_cell(made, "opamp_opa4192", "opamp_macro", "opamp_other"))
    with pytest.raises(
        InputError, match="cell 'rectifier_diode': the solver has no equation for 'lx inp inn"
    ):
        answer(with_cell(made, "rectifier_diode", "Dn inn", "Lx inp inn 1e-3\nDn inn"))
    with pytest.raises(InputError, match="amplifier 'rectifier_diode': the solver has no equations"):
        answer(with_cell(made, "rectifier_diode", "Dn inn drive", "Dn drive inn"))
    other = design("relu", "dual_rail")
    with pytest.raises(InputError, match="inverter 'inverter': the solver has no equations"):
        answer(with_cell(other, "inverter", "Rf out sum {r}", "Rf out sum {r}\nRg out sum {r}"))
    assert read_opamp(made.cells, "opamp_opa4192").clamp_kelvin == 300.15


# laws


def test_the_gap_to_the_ideal_circuit_follows_one_over_gain() -> None:
    gaps = []
    for a0 in (1e4, 1e5, 1e6):
        made = with_cell(design(technology="ideal"), "opamp_ideal", "a0=1e7", f"a0={a0}")
        cells = dict(made.cells)
        cells["opamp_ideal"] = dataclasses.replace(cells["opamp_ideal"], defaults={"a0": a0})
        made = dataclasses.replace(made, cells=cells)
        gaps.append(np.abs(answer(made) - made.analog.outputs_v(X)).max())
    assert gaps[0] / gaps[1] == pytest.approx(10, rel=0.01)
    assert gaps[1] / gaps[2] == pytest.approx(10, rel=0.01)


@pytest.mark.parametrize("topology", ["split", "signed", "dual_rail"])
def test_superposition_in_a_linear_network(topology: str) -> None:
    made = design("linear", topology)
    a, b = 0.4 * X[:20], 0.4 * X[20:]
    both = answer(made, a + b) + answer(made, 0 * a)
    assert np.abs(both - answer(made, a) - answer(made, b)).max() < 1e-11


def test_signed_with_ideal_op_amps_in_extended_precision() -> None:
    """Where ngspice's own rounding shows, the solver is right to 1e-14 V."""
    made = design("relu", "signed", technology="ideal")
    layer = made.analog.layers[0]
    volts = nine_digits(X * made.analog.scale_in)
    v = np.hstack([volts, np.full((len(X), 1), 2.5)]).astype(np.longdouble)
    g_pos, g_neg = (written(g).astype(np.longdouble) for g in (layer.g_pos, layer.g_neg))
    b_pos, b_neg, g_f = (written(g) for g in (layer.balance_pos, layer.balance_neg, layer.g_f))
    total = g_neg.sum(axis=1) + b_neg + g_f
    a0 = np.longdouble(1e7)
    v_p = v @ g_pos.T / (g_pos.sum(axis=1) + b_pos)
    z = a0 * (v_p - v @ g_neg.T / total) / (1 + a0 * g_f / total)
    found = solver.solve(made.analog, made.cells, volts / made.analog.scale_in, hidden=True).hidden_v[0]
    assert np.abs(found - np.maximum(z, 0)).max() < 1e-14


@pytest.mark.parametrize("temperature", [-40.0, 27.0, 85.0, 125.0])
def test_both_ways_through_the_rectifier_agree(temperature: float) -> None:
    """The chain of explicit equations and Newton's method, over ten decades of current and both signs."""
    made = design()
    equations = solver.equations(hardware(made.analog, made.cells, temperature))
    c = equations.layers[0].amp
    assert isinstance(c, Rectifier)
    rng = np.random.default_rng(0)
    shape = (400, c.g_f.size)
    s = rng.choice([-1, 1], shape) * 10 ** rng.uniform(-13, -3.4, shape) + c.op.i_n
    fast = rectify(c, s, 0.0)
    rows, columns = np.nonzero(np.ones(shape, dtype=bool))
    o, n, _, active = rectifier._carefully(c.take(columns), (s - c.op.i_n)[rows, columns], np.zeros(s.size))
    assert not active.any()
    assert not fast.failed.any()
    assert np.abs(fast.o.ravel() - o).max() < 5e-11
    assert np.abs(fast.n.ravel() - n).max() < 1e-11


def test_a_table_is_as_good_as_the_cell() -> None:
    made = design("tanh")
    row = hardware(made.analog, made.cells, 27.0).layers[0].cell
    assert row is not None
    table = tabulate(row, 0, 5.0, -5.0)
    z = np.random.default_rng(2).uniform(-5, 5, 300)
    circuit = island.Island(len(z), {"0": 0.0, "vdd": 5.0, "vss": -5.0, "in": z})
    from analognet.analog.solver.tables import add_cell

    add_cell(circuit, row, np.zeros(len(z), dtype=np.int64), "", {"com": "0"})
    exact = circuit.solve("out")
    assert exact.converged.all()
    assert np.abs(table(z)[0] - exact.nodes["out"]).max() < 2e-11
    assert np.abs(table(z)[0]).max() > 2.0


def test_nothing_depends_on_how_images_are_divided(monkeypatch: pytest.MonkeyPatch) -> None:
    made = design()
    seen: list[tuple[int, int]] = []
    whole = answer(made, jobs=1)
    monkeypatch.setattr(engine, "CHUNK", 7)
    parts = answer(made, jobs=2, progress=lambda done, total: seen.append((done, total)))
    assert np.abs(whole - parts).max() < 1e-14
    assert seen[-1] == (40, 40)
    assert len(seen) == 6


def test_clipping_is_reported() -> None:
    made = design("relu")
    weight = made.network.layers[0].weight
    hard = 1.9 * np.sign(weight[np.abs(weight).sum(axis=1).argmax()])[None]  # as far as inputs can drive
    found = solver.solve(made.analog, made.cells, np.vstack([0.1 * X[:3], hard, -hard]))
    assert not found.clipped[:3].any()
    assert found.clipped[3:].any()


# errors


def test_a_newton_that_does_not_converge_names_cell_and_image(monkeypatch: pytest.MonkeyPatch) -> None:
    made = design()
    x = X.copy()
    monkeypatch.setattr(rectifier, "SETTLED_V", -1.0)  # nothing is good enough for the short way
    monkeypatch.setattr(rectifier, "NEWTON_STEPS", 1)
    with pytest.raises(
        SimulatorError,
        match=r"cell 'rectifier_diode' of neuron \d in layer 0, image \d+: Newton's method found no operating point",
    ):
        answer(made, x)


def test_a_cell_without_operating_point_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    made = design("tanh")
    monkeypatch.setattr(island, "ITERATIONS", 1)
    monkeypatch.setattr(island, "POLISH", 1)
    with pytest.raises(SimulatorError, match=r"cell 'act_tanh_bjt' of neuron 0: Newton's method found no"):
        answer(made)


def test_loads_that_do_not_settle_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "SETTLED_V", -1.0)
    monkeypatch.setattr(engine, "PASSES", 3)
    with pytest.raises(
        SimulatorError, match=r"image 0: the layers' loads on each other did not settle in 3 passes"
    ):
        answer(design())


def test_inputs_that_do_not_fit() -> None:
    made = design()
    with pytest.raises(
        InputError, match=r"inputs have shape \(2, 4\); the solver needs finite ones, \(N, 3\)"
    ):
        answer(made, np.zeros((2, 4)))
    with pytest.raises(InputError, match="the solver needs finite ones"):
        answer(made, np.full((2, 3), np.nan))
