"""Support cells: bias lines with the currents made from them and their start-up, and the common."""

from __future__ import annotations

import numpy as np

from analognet.analog.cells import Cell, logical_lines
from analognet.analog.ngspice import AC, DC, NOISE, OP, TRAN
from analognet.analog.pdk import PREFIX
from analognet.characterize.fixture import TRANSIENT_OPTIONS, Bench, Fixture, Plots
from analognet.characterize.opamps import BAND, ERROR_V, at
from analognet.characterize.points import Point
from analognet.characterize.reading import at_frequency, integrated, settled, within
from analognet.characterize.study import Curve, Measured, Study, Value
from analognet.characterize.sweep import NET, Sweep

FAST_S, SLOW_S = 1e-6, 1e-3  # rise of the supply
SETTLED_V, COMMON_SETTLED_V = 5e-3, 1e-3
_WAIT_S = 1e-3  # after the rise
_RATED_A = 1e-3  # of a common buffer whose header does not say `i_unit`
_USERS = ("opamp", "amplifier", "activation")


def makes_common(cell: Cell) -> bool:
    return ("com", "out") in cell.pins


def lines_of(cell: Cell) -> tuple[str, ...]:
    """The bias lines that a cell drives."""
    return tuple(net for net, role in cell.pins if role == "out" and net != "com")


def mirrors(fixture: Fixture) -> list[tuple[Cell, str, str]]:
    """(cell, device, ngspice's name of its drain current inside an instance) of each transistor in the
    technology's own cells whose gate is a bias line of the cell under test.
    """
    t = fixture.technology
    found = []
    names = dict.fromkeys([t.opamp, *t.amplifiers.values(), *t.activations.values()])
    for name in names:
        cell = fixture.cells.get(name)
        if cell is None or cell.family not in _USERS:
            continue
        for line in logical_lines(cell.text):
            words = line.lower().split()
            if words[0][0] != "x" or len(words) < 6 or not words[5].startswith(PREFIX):
                continue
            if words[2] in lines_of(fixture.cell) and words[2] in cell.pin_names:
                found.append((cell, words[0][1:], f"{words[0]}.m{words[5]}"))
    return found


def bias(fixture: Fixture, point: Point) -> Bench:
    """The bias generator on its board, with one of each cell that takes a current from it."""
    lines = _metered(fixture, point)
    wanted = ["i(vm_vdd)", *(f"v({net}_x)" for net in lines_of(fixture.cell))]
    used = {}
    for cell, _, path in mirrors(fixture):
        used[cell.name] = cell
        wanted.append(f"i(@m.xu_{cell.name}.{path}[id])")
    for name in used:
        lines += fixture.at_rest(name, f"u_{name}", "x")
    return Bench(lines, (".op",), {OP: wanted}, tuple(used))


def _metered(fixture: Fixture, point: Point) -> list[str]:
    """Board x with a 0 V source in the vdd pin of the support cell under test."""
    lines = fixture.domain("x", point)
    place = fixture.cell.pin_names.index("vdd")
    for k, line in enumerate(lines):
        words = line.split()
        if words[0] == f"X{fixture.cell.name}_x":
            words[1 + place] = "m_vdd"
            lines[k] = " ".join(words)
    return [*lines, "Vm_vdd vdd_x m_vdd 0"]


def read_bias(fixture: Fixture, point: Point, plots: Plots) -> Measured:
    op = plots[OP]
    values: dict[str, Value] = {"supply_a": float(op["i(vm_vdd)"][0])}
    for net in lines_of(fixture.cell):
        values[f"line_v_{net}"] = float(op[f"v({net}_x)"][0])
    for cell, device, path in mirrors(fixture):
        values[f"bias_a_{cell.name}.{device}"] = abs(float(op[f"i(@m.xu_{cell.name}.{path}[id])"][0]))
    return Measured(values)


def start_up(fixture: Fixture, point: Point) -> Bench:
    """Three boards: f whose supply rises fast, s slowly, and r whose supply was always there."""
    high, low = point.rails(fixture.technology)
    lines = fixture.domain("r", point)
    for tag, rise in (("f", FAST_S), ("s", SLOW_S)):
        lines += fixture.domain(tag, point, _ramp(high, rise), _ramp(low, rise))
    nets = [f"v({net}_{tag})" for net in lines_of(fixture.cell) for tag in "fsr"]
    end = SLOW_S + _WAIT_S
    return Bench(lines, (f".tran 1e-7 {end:.9g} 0 1e-5",), {TRAN: ("time", *nets)}, options=TRANSIENT_OPTIONS)


def _ramp(volts: float, rise_s: float) -> str:
    return f"pwl(0 0 {rise_s:.9g} {volts:.9g})"


def read_start_up(fixture: Fixture, point: Point, plots: Plots) -> Measured:
    tran = plots[TRAN]
    t = tran["time"]
    worst: dict[str, Value] = {}
    curves = {}
    for key, tag, rise in (("startup_s", "f", FAST_S), ("startup_slow_s", "s", SLOW_S)):
        times = []
        for net in lines_of(fixture.cell):
            error = tran[f"v({net}_{tag})"] - tran[f"v({net}_r)"]
            times.append(settled(t, error, SETTLED_V, rise, rise + _WAIT_S))
            curves[f"{net}, rise in {rise:g} s, V"] = Curve(1e6 * t, tran[f"v({net}_{tag})"], "time, us")
        known = [s for s in times if s is not None]
        worst[key] = max(known) if known and len(known) == len(times) else None
    return Measured(worst, curves)


def rated(cell: Cell) -> float:
    """Amperes of one unit of a common buffer."""
    return cell.rating("i_unit", _RATED_A)


def common(fixture: Fixture, point: Point) -> Bench:
    """The common under a load: a sweep on board x, AC and noise on the same, its supply current."""
    amperes = rated(fixture.cell)
    lines = [
        *_metered(fixture, point),
        *_load_sweep(fixture, point).lines(),
        f"Bload 0 com_x I={4 * amperes / fixture.technology.vdd**2:.9g}*v(sw)*abs(v(sw))",
        "Iac 0 com_x 0 ac 1",
    ]
    return Bench(
        lines,
        (
            ".op",
            _load_sweep(fixture, point).card(),
            ".ac dec 20 1 100e6",
            f".noise v(com_x) Iac dec 20 {BAND[0]:.9g} {BAND[1]:.9g}",
        ),
        {
            OP: ("v(com_x)", "i(vm_vdd)"),
            DC: (NET, "v(com_x)"),
            AC: ("frequency", "v(com_x)"),
            NOISE: ("frequency", "onoise_spectrum"),
        },
    )


def _load_sweep(fixture: Fixture, point: Point) -> Sweep:
    high, low = point.rails(fixture.technology)
    return Sweep(low, high, 361)


def read_common(fixture: Fixture, point: Point, plots: Plots) -> Measured:
    op, ac, noise = plots[OP], plots[AC], plots[NOISE]
    dc = _load_sweep(fixture, point).read(plots[DC])
    high, low = point.rails(fixture.technology)
    x = dc[NET]
    current = 4 * rated(fixture.cell) / fixture.technology.vdd**2 * x * np.abs(x)
    moved = dc["v(com_x)"] - at(x, dc["v(com_x)"], 0.0)
    limits = within(current, moved, ERROR_V, 0.0)
    f = ac["frequency"]
    impedance = np.abs(ac["v(com_x)"])
    values: dict[str, Value] = {
        "common_offset_v": float(op["v(com_x)"][0]) - (high + low) / 2,
        "supply_a": float(op["i(vm_vdd)"][0]),
        "common_ohm": float(impedance[0]),
        "common_ohm_1m": at_frequency(f, impedance, 1e6),
        "common_ohm_100m": float(impedance[-1]),
        "common_ohm_peak": float(impedance.max()),
        "common_sink_a": None if limits is None else limits[1],
        "common_source_a": None if limits is None else -limits[0],
        "noise_v_rms": integrated(noise["frequency"], np.real(noise["onoise_spectrum"])),
    }
    curves = {
        "load, V": Curve(1e3 * current, dc["v(com_x)"], "current into it, mA"),
        "impedance, Ohm": Curve(f, impedance, "frequency, Hz"),
    }
    return Measured(values, curves)


def common_step(fixture: Fixture, point: Point) -> Bench:
    """Its rated current in 10 ns into board p and out of m, beside boards that always had it."""
    amperes = rated(fixture.cell)
    lines = []
    for tag, sign in (("p", 1.0), ("m", -1.0)):
        lines += fixture.domain(tag, point)
        lines.append(f"Is_{tag} 0 com_{tag} pwl(0 0 1e-6 0 1.01e-6 {sign * amperes:.9g})")
        lines += fixture.domain(f"{tag}r", point)
        lines.append(f"Is_{tag}r 0 com_{tag}r {sign * amperes:.9g}")
    nodes = [f"v(com_{tag})" for tag in ("p", "m", "pr", "mr")]
    return Bench(lines, (".tran 1e-9 21e-6 0 200e-9",), {TRAN: ("time", *nodes)}, options=TRANSIENT_OPTIONS)


def read_common_step(fixture: Fixture, point: Point, plots: Plots) -> Measured:
    tran = plots[TRAN]
    t = tran["time"]
    times, moved = [], []
    for tag in "pm":
        v = tran[f"v(com_{tag})"]
        moved.append(float(np.abs(v - v[0]).max()))
        times.append(settled(t, v - tran[f"v(com_{tag}r)"], COMMON_SETTLED_V, 1e-6, 21e-6))
    known = [s for s in times if s is not None]
    values: dict[str, Value] = {
        "common_step_v": max(moved),
        "common_settling_s": max(known) if len(known) == len(times) else None,
    }
    curves = {
        f"{name}, V": Curve(1e6 * t, tran[f"v(com_{tag})"], "time, us")
        for name, tag in (("sinking", "p"), ("sourcing", "m"))
    }
    return Measured(values, curves)


BIAS = (Study("bias", bias, read_bias, mismatch=True), Study("start-up", start_up, read_start_up))
COMMON = (Study("common", common, read_common, mismatch=True), Study("step", common_step, read_common_step))
