"""The contract that every cell of a family meets: new files in cells/ are picked up by themselves."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from _pytest.mark import ParameterSet
from numpy.typing import NDArray

from analognet.analog.cells import OPAMP_PINS, Cell, closure, count, library, parse_cell
from analognet.analog.ngspice import SpiceRun, run_deck
from analognet.errors import InputError
from analognet.network import ACTIVATIONS, Activation

Array = NDArray[np.float64]
CELLS = library(Path(__file__).parents[1] / "cells")
VDD, VSS, FULL_SCALE = 5.0, -5.0, 2.5
REFERENCE_PART = "opamp_opa4192"
TIGHT = ".options reltol=1e-6 abstol=1e-14 vntol=1e-9"
K_B, Q, T_NOM = 1.380649e-23, 1.602176634e-19, 300.15

ACTIVATION_CELLS = sorted(n for n, c in CELLS.items() if c.family == "activation")
BEHAVIOURAL = [n for n in ACTIVATION_CELLS if CELLS[n].behavioural]
REAL = [n for n in ACTIVATION_CELLS if not CELLS[n].behavioural]
PARTS = sorted(n for n, c in CELLS.items() if c.family == "opamp" and n != "opamp_ideal")
SATURATING = ("sigmoid", "tanh")


# --- the bench


def role(part: str) -> str:
    pins = " ".join(OPAMP_PINS)
    return f".subckt opamp {pins}\nXpart {pins} {part}\n.ends"


def bench(
    names: list[str],
    body: str,
    wanted: list[str],
    *,
    part: str = REFERENCE_PART,
    celsius: float = 27.0,
    options: str = TIGHT,
) -> SpiceRun:
    """Run `body` beside the named cells and all they use, with `part` in the role of the op-amp."""
    cells = "\n".join(c.text for c in closure(CELLS, [part, *names], part))
    rails = f"Vdd vdd 0 {VDD}\nVss vss 0 {VSS}"
    deck = f"* bench\n{cells}\n{role(part)}\n{rails}\n{body}\n.options temp={celsius}\n{options}\n.end\n"
    run = run_deck(deck, wanted)
    assert "stepping" not in run.log, f"an operating point needed a continuation method:\n{run.log}"
    return run


def swing(part: str) -> tuple[float, float]:
    values = CELLS[part].defaults
    return VSS + values["drop_lo"], VDD - values["drop_hi"]


def parameters(cell: Cell, given: Mapping[str, float], part: str = REFERENCE_PART) -> str:
    """Instance parameters: what is given, and what the mapping would take from the op-amp."""
    low, high = swing(part)
    known = {"vsat_hi": high, "vsat_lo": low, "r_out": CELLS[part].defaults["rout"], **given}
    return " ".join(f"{k}={known[k]:.9g}" for k in cell.defaults if k in known)


def sweep(x: Array) -> str:
    step = (x[-1] - x[0]) / (len(x) - 1)
    stop = x[-1] + 0.01 * step  # a little further, so that rounding does not lose the last point
    return f".dc Vin {x[0]:.12g} {stop:.12g} {step:.12g}"


def transfer(
    name: str, given: Mapping[str, float], x: Array, *, part: str = REFERENCE_PART, celsius: float = 27.0
) -> Array:
    """v(out) of one cell for evenly spaced input voltages x."""
    cell = CELLS[name]
    body = f"Vin in 0 0\nXcell in out 0 vdd vss {name} {parameters(cell, given, part)}\n" + sweep(x)
    found = bench([name], body, ["v(in)", "v(out)"], part=part, celsius=celsius).vectors
    np.testing.assert_allclose(found["v(in)"], x, atol=1e-9)
    return found["v(out)"]


def settings(name: str) -> list[dict[str, float]]:
    """Parameter sets that span what a cell allows."""
    cell = CELLS[name]
    if cell.activation in SATURATING:
        least, most = cell.ratings.get("s_in", (0.1, 1.0))
        return [{"s_in": s, "s_out": FULL_SCALE} for s in (least, 0.25, most)]
    if cell.activation == "leaky_relu":
        least, most = cell.ratings.get("slope", (1e-4, 1.0))
        middle = math.copysign(0.01, most + least)
        return [{"slope": s} for s in (np.clip(least, -1.9, 1.0), middle, np.clip(most, -1.9, 1.0))]
    return [{}]


def cases(names: list[str]) -> list[ParameterSet]:
    return [
        pytest.param(name, given, id="-".join([name, *(f"{k}{v:g}" for k, v in given.items())]))
        for name in names
        for given in settings(name)
    ]


def ideal(cell: Cell, given: Mapping[str, float], x: Array) -> Array:
    """What the cell should answer in volts."""
    assert cell.activation is not None
    activation = Activation(cell.activation, given.get("slope", 0.0))
    return given.get("s_out", 1.0) * activation(cell.polarity * x / given.get("s_in", 1.0))


def span(cell: Cell, given: Mapping[str, float]) -> float:
    """Volts between the smallest and largest output: what error_max is a fraction of."""
    return {"sigmoid": 1.0, "tanh": 2.0}.get(cell.activation or "", 1.0) * given.get("s_out", FULL_SCALE)


def reach(cell: Cell, part: str = REFERENCE_PART) -> float:
    low, high = swing(part)
    return min(FULL_SCALE, high - cell.rating("headroom", 0.0), -low - cell.rating("headroom", 0.0))


def within_reach(cell: Cell, given: Mapping[str, float], n: int = 401) -> Array:
    limit = reach(cell) / max(1.0, abs(given.get("slope", 0.0)))
    return np.linspace(-limit, limit, n)


def twin_of(cell: Cell) -> Cell:
    """The behavioural cell of the same activation."""
    return next(c for c in CELLS.values() if c.behavioural and c.activation == cell.activation)


def lines_of(cell: Cell) -> list[str]:
    """Element lines of the cell's own subcircuit, continuation lines joined."""
    text = re.sub(r"\n\+", " ", cell.text)
    return [line for line in text.splitlines() if line and line[0] not in "*."]


def nodes_of(line: str) -> list[str]:
    words = [w for w in line.split() if "=" not in w and w != "params:"]
    kind = line[0].lower()
    if kind == "x":
        return words[1:-1]
    return words[1 : {"q": 4, "b": 3, "g": 5, "e": 5}.get(kind, 3)]


# --- headers


@pytest.mark.parametrize("name", sorted(CELLS))
def test_header(name: str) -> None:
    cell = CELLS[name]
    assert cell.title
    assert cell.words.get("source"), "a cell says where it comes from"
    assert cell.text.isascii()
    assert not re.search(r"(?<![\w.])\d+(\.\d+)?(meg|[kmunpfgt])\b", "\n".join(lines_of(cell)), re.I) or (
        cell.family == "core"
    ), "plain numbers only: SPICE reads 1M as 1e-3"
    assert parse_cell(cell.text, name) == cell


@pytest.mark.parametrize("name", ACTIVATION_CELLS)
def test_activation_header(name: str) -> None:
    cell = CELLS[name]
    assert cell.activation in ACTIVATIONS
    assert cell.polarity in (1, -1)
    assert twin_of(cell).behavioural
    if cell.behavioural:
        return
    assert "headroom" in cell.ratings
    sources = [line for line in lines_of(cell) if line[0].lower() in "begfhiv"]
    assert sources == [], "a real circuit has no ideal source"
    opamps, resistors = count(CELLS, name)
    assert opamps >= 1
    assert resistors >= 2


@pytest.mark.parametrize("name", REAL)
def test_every_node_is_connected(name: str) -> None:
    cell = CELLS[name]
    met: dict[str, int] = dict.fromkeys(cell.pin_names, 1)
    for line in lines_of(cell):
        for node in nodes_of(line):
            met[node] = met.get(node, 0) + 1
    assert {n for n, times in met.items() if times < 2} == set()
    drivers = [line for line in lines_of(cell) if line[0].lower() == "x" and nodes_of(line)[2] == "out"]
    assert len(drivers) == 1, "one op-amp drives out"


def test_a_cell_without_pins_is_refused() -> None:
    text = CELLS["act_relu_diode"].text.replace("*@ pin com common signal common\n", "")
    with pytest.raises(InputError, match=r"cell 'act_relu_diode': no '\*@ pin' line for com"):
        parse_cell(text, "act_relu_diode")


# --- activations


@pytest.mark.parametrize(("name", "given"), cases(REAL))
def test_transfer_is_the_activation(name: str, given: dict[str, float]) -> None:
    cell = CELLS[name]
    x = within_reach(cell, given)
    error = (transfer(name, given, x) - ideal(cell, given, x)) / span(cell, given)
    assert np.abs(error).max() <= cell.rating("error_max", 1e-4)


@pytest.mark.parametrize(("name", "given"), cases(BEHAVIOURAL))
def test_behavioural_twin_is_exact(name: str, given: dict[str, float]) -> None:
    x = np.linspace(-FULL_SCALE, FULL_SCALE, 101)
    # a B source is as good as Newton's last step: reltol times the voltage
    atol = 2e-6 * FULL_SCALE
    np.testing.assert_allclose(transfer(name, given, x), ideal(CELLS[name], given, x), rtol=0, atol=atol)


@pytest.mark.parametrize(("name", "given"), cases(REAL))
def test_transfer_is_monotonic(name: str, given: dict[str, float]) -> None:
    cell = CELLS[name]
    x = within_reach(cell, given)
    y, wanted = transfer(name, given, x), ideal(cell, given, x)
    for part in (x <= 0, x >= 0):  # a leaky ReLU of negative slope turns at 0
        way = np.sign(wanted[part][-1] - wanted[part][0])
        rising = y[part] * way
        # where the ideal is flat the output may move by rounding, or by the cell's own ripple
        fallback = (np.maximum.accumulate(rising) - rising).max()
        assert fallback <= cell.rating("ripple", 1e-5) * span(cell, given)


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("part", PARTS)
def test_every_part_serves_in_every_cell(name: str, part: str) -> None:
    cell, given = CELLS[name], settings(name)[len(settings(name)) // 2]
    limit = reach(cell, part)
    x = np.linspace(-limit, limit, 101)
    error = (transfer(name, given, x, part=part) - ideal(cell, given, x)) / span(cell, given)
    # finite gain and bias current come on top, with the largest noise gain of the cells, 21
    values = CELLS[part].defaults
    floor = 21 * limit / values["a0"] + (abs(values["ib"]) + values["ios"]) * 20e3 + limit / values["cmrr"]
    assert np.abs(error).max() <= cell.rating("error_max", 1e-4) + floor / span(cell, given)


@pytest.mark.parametrize("name", REAL)
def test_inputs_at_the_rails_stay_finite(name: str) -> None:
    for given in settings(name):
        y = transfer(name, given, np.linspace(VSS, VDD, 101))
        assert np.isfinite(y).all()
        assert y.min() >= VSS
        assert y.max() <= VDD


@pytest.mark.parametrize("name", [n for n in REAL if CELLS[n].activation in SATURATING])
def test_saturated_levels_hold_at_the_rails(name: str) -> None:
    cell, given = CELLS[name], {"s_in": 0.1, "s_out": FULL_SCALE}
    x = np.array([VSS, 0.0, VDD])
    error = (transfer(name, given, x) - ideal(cell, given, x)) / span(cell, given)
    assert np.abs(error).max() <= 1.5 * cell.rating("error_max", 1e-4)


@pytest.mark.parametrize("celsius", [-40.0, 85.0, 125.0])
@pytest.mark.parametrize("name", [n for n in REAL if CELLS[n].activation in SATURATING])
def test_slope_follows_temperature(name: str, celsius: float) -> None:
    cell, given = CELLS[name], {"s_in": 0.25, "s_out": FULL_SCALE}
    x = np.linspace(-0.02, 0.02, 5)
    cold = np.polyfit(x, transfer(name, given, x), 1)[0]
    warm = np.polyfit(x, transfer(name, given, x, celsius=celsius), 1)[0]
    law = ((celsius + 273.15) / T_NOM) ** cell.rating("slope_tempco", 0.0)
    assert warm / cold == pytest.approx(law, rel=0.03)


@pytest.mark.parametrize("celsius", [-40.0, 85.0, 125.0])
@pytest.mark.parametrize("name", [n for n in REAL if CELLS[n].activation not in SATURATING])
def test_rectifiers_err_by_leakage_alone(name: str, celsius: float) -> None:
    cell, given = CELLS[name], settings(name)[len(settings(name)) // 2]
    x = within_reach(cell, given, 101)
    error = transfer(name, given, x, celsius=celsius) - ideal(cell, given, x)
    ratio, vt = (celsius + 273.15) / T_NOM, K_B * (celsius + 273.15) / Q
    leakage = 2.52e-9 * math.exp((ratio - 1) * 1.11 / (1.752 * vt) + 3 / 1.752 * math.log(ratio))
    # the diode that is off leaks through one resistor r, and the cell amplifies that by at most 3.5
    assert np.abs(error).max() <= 1e-4 * FULL_SCALE + 3.5 * leakage * 10e3


@pytest.mark.parametrize(("name", "given"), cases(REAL))
def test_twin_agrees(name: str, given: dict[str, float]) -> None:
    """The circuit and its behavioural twin in one netlist, the twin fed with the cell's polarity."""
    cell = CELLS[name]
    twin = twin_of(cell)
    x = within_reach(cell, given, 101)
    body = (
        f"Vin in 0 0\nEin signed 0 in 0 {cell.polarity}\n"
        f"Xcell in out 0 vdd vss {name} {parameters(cell, given)}\n"
        f"Xtwin signed twin 0 vdd vss {twin.name} {parameters(twin, given)}\n" + sweep(x)
    )
    found = bench([name, twin.name], body, ["v(out)", "v(twin)"]).vectors
    difference = np.abs(found["v(out)"] - found["v(twin)"]).max()
    assert difference <= cell.rating("error_max", 1e-4) * span(cell, given)


@pytest.mark.parametrize("part", ["opamp_lm358", "opamp_opa4192", "opamp_opa2810"])
@pytest.mark.parametrize("name", REAL)
def test_step_settles_to_the_operating_point(name: str, part: str) -> None:
    cell, given = CELLS[name], settings(name)[len(settings(name)) // 2]
    values = CELLS[part].defaults
    length = 100 / values["gbw"] + 12 / values["slew"] + 4e-6
    low, high = -0.4, 0.5
    still = transfer(name, given, np.linspace(low, high, 2), part=part)
    body = (
        f"Vin in 0 pwl(0 {low} 1e-8 {low} 2e-8 {high})\n"
        f"Xcell in out 0 vdd vss {name} {parameters(cell, given, part)}\n"
        f".tran {length / 500:.6g} {length:.6g} 0 {length / 500:.6g}"
    )
    run = bench([name], body, ["time", "v(out)"], part=part, options=".options reltol=1e-4")
    y, t = run.vectors["v(out)"], run.vectors["time"]
    late = y[t > 0.8 * length]
    assert y[0] == pytest.approx(still[0], abs=1e-4)
    assert np.abs(late - still[1]).max() <= 2e-3 * span(cell, given)


# --- op-amps


def inverter(r_in: float, r_f: float, part: str, extra: str = "", s: str = "") -> str:
    """An inverting amplifier from node in to node out, both and its elements suffixed with `s`."""
    return f"Rin{s} in n{s} {r_in}\nRf{s} out{s} n{s} {r_f}\nXamp{s} 0 n{s} out{s} vdd vss {part} {extra}"


@pytest.mark.parametrize("part", PARTS)
def test_part_header(part: str) -> None:
    cell = CELLS[part]
    for key in ("units", "supply", "i_out", "vos_sigma", "vos_max", "tcvos", "price", "r_max"):
        assert key in cell.ratings, key
    least, most = cell.ratings["supply"]
    assert least <= VDD - VSS <= most
    assert 0 < cell.ratings["vos_sigma"][0] < cell.ratings["vos_max"][0]
    assert set(cell.defaults) == set(CELLS["opamp_macro"].defaults)


@pytest.mark.parametrize("part", PARTS)
def test_gain_error_is_the_noise_gain_over_a0(part: str) -> None:
    """vo = -vi / (1 + 2 (1 + rho)/(A - rho)), rho = rout/R, A = a0 (1 - 1/(2 cmrr)).

    From Kirchhoff's law at n and out.
    """
    r, values = 10e3, CELLS[part].defaults
    body = f"Vin in 0 0\n{inverter(r, r, part)}\n.dc Vin -1 1 2"
    # gmin stands across the clamp diodes, beside a0/gm = 1e8 Ohm and more
    y = bench([part], body, ["v(out)"], part=part, options=TIGHT + " gmin=1e-16").vectors["v(out)"]
    rho, gain = values["rout"] / r, values["a0"] * (1 - 1 / (2 * values["cmrr"]))
    assert 1 + (y[1] - y[0]) / 2 == pytest.approx(2 * (1 + rho) / (gain - rho), rel=0.02)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("noise_gain", [2.0, 11.0])
def test_offset_appears_times_noise_gain(part: str, noise_gain: float) -> None:
    vos, r_f = 1e-3, 10e3 * (noise_gain - 1)
    plain, offset = inverter(10e3, r_f, part), inverter(10e3, r_f, part, f"vos={vos}", s="2")
    body = f"Vin in 0 0\n{plain}\n{offset}\n.op"
    found = bench([part], body, ["v(out)", "v(out2)"], part=part).vectors
    loop = 1 + noise_gain / CELLS[part].defaults["a0"]
    assert found["v(out2)"][0] - found["v(out)"][0] == pytest.approx(vos * noise_gain / loop, rel=2e-3)


@pytest.mark.parametrize("celsius", [-40.0, 27.0, 125.0])
@pytest.mark.parametrize("part", PARTS)
def test_output_stops_short_of_the_rails(part: str, celsius: float) -> None:
    """Overdriven by 0.1 V to 2 V."""
    body = f"Vin in 0 0\nXamp in 0 out vdd vss {part}\nRl out 0 1e6\n.dc Vin -2 2 0.1"
    found = bench([part], body, ["v(in)", "v(out)"], part=part, celsius=celsius).vectors
    low, high = swing(part)
    np.testing.assert_allclose(found["v(out)"][found["v(in)"] > 0.05], high, atol=0.05)
    np.testing.assert_allclose(found["v(out)"][found["v(in)"] < -0.05], low, atol=0.05)


@pytest.mark.parametrize("celsius", [-40.0, 125.0])
@pytest.mark.parametrize("part", PARTS)
def test_inverter_works_over_temperature(part: str, celsius: float) -> None:
    r, values = 10e3, CELLS[part].defaults
    body = f"Vin in 0 0\n{inverter(r, r, part)}\n.dc Vin -2.5 2.5 2.5"
    y = bench([part], body, ["v(out)"], part=part, celsius=celsius).vectors["v(out)"]
    error = 5 * 2.5 / values["a0"] + abs(values["ib"] - values["ios"] / 2) * r + 1e-6
    np.testing.assert_allclose(y, [2.5, 0.0, -2.5], atol=2 * error)


@pytest.mark.parametrize("part", PARTS)
def test_gain_bandwidth(part: str) -> None:
    gbw = CELLS[part].defaults["gbw"]
    f = gbw / 50
    body = f"Vin in 0 dc 0 ac 1\nXamp in 0 out vdd vss {part} ib=0 ios=0\nRl out 0 1e9\n.ac lin 1 {f} {f}"
    gain = np.abs(bench([part], body, ["v(out)"], part=part).vectors["v(out)"])
    assert gain[0] * f == pytest.approx(gbw, rel=0.05)


@pytest.mark.parametrize("part", PARTS)
def test_phase_at_crossover(part: str) -> None:
    """A single pole: at GBW the open-loop gain, read from a follower's, is 1 at -90 degrees."""
    values = CELLS[part].defaults
    f = values["gbw"]
    body = f"Vin in 0 dc 0 ac 1\nXamp in out out vdd vss {part} cin=0\n.ac lin 1 {f} {f}"
    closed = bench([part], body, ["v(out)"], part=part).vectors["v(out)"][0]
    gain = closed / (1 - closed)
    assert abs(gain) == pytest.approx(1, rel=0.05)
    assert math.degrees(np.angle(gain)) == pytest.approx(-90, abs=3)


@pytest.mark.parametrize("part", PARTS)
def test_slewing_leaves_nothing_behind(part: str) -> None:
    """What the first stage cannot pass on does not wind it up: x stays as near to c as the input to the output."""
    values = CELLS[part].defaults
    length = 6 / values["slew"] + 20 / (2 * math.pi * values["gbw"])
    body = (
        f"Vin in 0 pwl(0 -2 1e-9 2)\nXamp in out out vdd vss {part} ib=0 ios=0 cin=0\n"
        f".tran {length / 1000:.6g} {length:.6g} 0 {length / 1000:.6g}"
    )
    names = ["v(in)", "v(out)", "v(xamp.xcore.x)", "v(xamp.xcore.c)"]
    found = bench([part], body, names, part=part, options=".options reltol=1e-5").vectors
    given, y, x, c = (found[name] for name in names)
    assert (np.abs(x - c) < np.abs(given - y) + 0.1).all()
    assert y.max() < 2 + 4e-3
    assert y[-1] == pytest.approx(2, abs=1e-3)


@pytest.mark.parametrize("part", PARTS)
def test_slew_rate(part: str) -> None:
    """A follower's step from -2 V to 2 V, between -1 V and 1 V, where the input stays overdriven."""
    slew = CELLS[part].defaults["slew"]
    length = 8 / slew
    body = (
        f"Vin in 0 pwl(0 -2 {length / 20:.6g} -2 {length / 20 + 1e-9:.6g} 2)\n"
        f"Xamp in out out vdd vss {part}\n"
        f".tran {length / 1000:.6g} {length:.6g} 0 {length / 1000:.6g}"
    )
    found = bench([part], body, ["time", "v(out)"], part=part, options=".options reltol=1e-4").vectors
    y, t = found["v(out)"], found["time"]
    # the last time below a level: the step's edge itself comes through the input capacitance
    crossing = [t[np.nonzero(y < level)[0][-1]] for level in (-1.0, 1.0)]
    assert 2 / (crossing[1] - crossing[0]) == pytest.approx(slew, rel=0.1)


@pytest.mark.parametrize("part", PARTS)
def test_noise_density(part: str) -> None:
    """At 1 kHz, unity inverter: (2 en)^2 + (in R)^2 + 2 x 4kTR, over the loop gain's |1 + 2/A|^2."""
    r, values = 10e3, CELLS[part].defaults
    body = f"Vin in 0 dc 0 ac 1\n{inverter(r, r, part)}\n.noise v(out) Vin lin 1 1000 1000 1"
    density = np.abs(bench([part], body, ["onoise_spectrum"], part=part).vectors["onoise_spectrum"][0])
    open_loop = values["a0"] / (1 + 1j * 1000 * values["a0"] / values["gbw"])
    loop = abs(1 + 2 / open_loop)
    expected = math.sqrt((2 * values["en"]) ** 2 + (values["in"] * r) ** 2 + 8 * K_B * T_NOM * r) / loop
    assert density == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("part", PARTS)
def test_supply_current_is_quiescent_plus_load(part: str) -> None:
    r, load, values = 10e3, 4e3, CELLS[part].defaults
    body = f"Vin in 0 0\n{inverter(r, r, part)}\nRl out 0 {load}\n.dc Vin -1 1 2"
    found = bench([part], body, ["v(out)", "v(n)", "i(vdd)", "i(vss)"], part=part).vectors
    current = found["v(out)"] / load + (found["v(out)"] - found["v(n)"]) / r
    # the clamps and the slew limiter take nothing in the linear range
    np.testing.assert_allclose(-found["i(vdd)"], values["iq"] + np.maximum(current, 0), rtol=1e-6)
    np.testing.assert_allclose(found["i(vss)"], values["iq"] + np.maximum(-current, 0), rtol=1e-6)


@pytest.mark.parametrize("part", PARTS)
def test_phase_margin_at_r_max(part: str) -> None:
    """The loop of a unity inverter with resistors of r_max, cut at inn behind the input capacitance."""
    cell = CELLS[part]
    r, gbw = cell.rating("r_max", 0.0), cell.defaults["gbw"]
    body = (
        f"Vac src 0 dc 0 ac 1\nCcut src cut 1e6\nLcut cut n 1e6\nRin 0 n {r}\nRf out n {r}\n"
        f"Cin n 0 {cell.defaults['cin']}\nXamp 0 cut out vdd vss {part} cin=1e-18 ib=0 ios=0\n"
        f".ac dec 200 {gbw / 1e3} {gbw * 2}"
    )
    found = bench([part], body, ["frequency", "v(n)"], part=part).vectors
    loop = -found["v(n)"]  # inverting once: the sign is the subtraction
    at = int(np.argmax(np.abs(loop) < 1))
    margin = 180 + np.degrees(np.unwrap(np.angle(loop)))[at]
    assert np.abs(loop[0]) > 100
    assert margin >= 44.0
    if r >= 10e3:
        return
    assert margin <= 60.0, "r_max could be larger"


# --- documentation


@pytest.mark.parametrize("name", REAL + PARTS)
def test_cell_is_documented(name: str) -> None:
    text = (Path(__file__).parents[1] / "docs" / "cells.md").read_text(encoding="utf-8")
    assert f"`{name}`" in text, (
        "docs/cells.md: a row for it; docs/make_cell_figures.py writes those of the op-amps"
    )
