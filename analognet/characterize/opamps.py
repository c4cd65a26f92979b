"""Op-amps and rectifying amplifiers: small signals, noise, and what they do at DC.

A rectifying amplifier is measured with its output at 0.4 of full scale, where it regulates; an op-amp
with its output at the common.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from analognet.analog.ngspice import AC, DC, NOISE, OP
from analognet.characterize.fixture import Bench, Fixture, Plots
from analognet.characterize.points import Point
from analognet.characterize.reading import (
    at_frequency,
    crossing_log,
    decibels,
    integrated,
    within,
)
from analognet.characterize.study import Curve, Measured, Study
from analognet.characterize.sweep import NET, Sweep
from analognet.network import Array

LOAD_OHM, LOAD_F = 100e3, 2e-12
SWING_OHM = 50e3
ERROR_V = 10e-3  # what ends a swing or a load current
COMMON_ERROR_V = 5e-3  # at the input: what ends the common-mode range
BAND = (1.0, 10e6)  # Hz, of integrated noise
_HIGHEST_HZ = 1e9
_AMPERES = 2e-3  # the load current's range is this times the square of the rail
_POINTS = 181
_LEAST = 1e-15  # a gain below is rounding


def load(tag: str, domain: str, ohms: float = LOAD_OHM) -> list[str]:
    return [f"Rl_{tag} out_{tag} com_{domain} {ohms:.9g}", f"Cl_{tag} out_{tag} com_{domain} {LOAD_F:.9g}"]


def small_signal(fixture: Fixture, point: Point) -> Bench:
    """Six amplifiers without feedback at AC (1 MOhm and 1 F close the loop at DC), each on a board
    of its own, and a follower e for noise. With the common held: signal a, common mode b, ripple on vdd c
    and on vss d; with the technology's own common: signal g, ripple on the supply f.

    A giant inductor in the resistor's place makes ngspice's AC results of b garbage at some frequencies.
    """
    name, v = fixture.cell.name, fixture.level(fixture.cell.name)
    lines = []
    for tag in "abcdfg":
        ripple = ("ac 1" if tag in "cf" else "", "ac 1" if tag == "d" else "")
        lines += fixture.domain(tag, point, *ripple, held=tag in "abcd")
        nets = {"inp": f"inp_{tag}", "inn": f"inn_{tag}", "out": f"out_{tag}"}
        lines += [
            fixture.instance(name, tag, tag, **nets),
            f"Vin_{tag} inp_{tag} com_{tag} {v:.9g}{' ac 1' if tag in 'abg' else ''}",
            f"Ef_{tag} fed_{tag} 0 out_{tag} 0 1",
            f"Rf_{tag} fed_{tag} inn_{tag} 1e6",
            f"Cf_{tag} inn_{tag} {'inp_b' if tag == 'b' else f'com_{tag}'} 1",
            *load(tag, tag),
        ]
    lines += fixture.domain("e", point, held=True)
    sunk = [p for p in ("vss", "com") if p in fixture.cell.pin_names]
    lines += fixture.metered("e", "e", *sunk, inp="inp_e", inn="out_e", out="out_e")
    lines += [f"Vin_e inp_e com_e {v:.9g} ac 1", *load("e", "e")]
    nodes = [f"v({n}_{tag})" for tag in "abcdfg" for n in ("inp", "inn", "out", "com")]
    meters = [f"i(vm_{p}_e)" for p in sunk]
    return Bench(
        lines,
        (
            ".op",
            f".ac dec 20 {BAND[0]:.9g} {_HIGHEST_HZ:.9g}",
            f".noise v(out_e,com_e) Vin_e dec 20 {BAND[0]:.9g} {BAND[1]:.9g}",
        ),
        {
            OP: ("v(out_e)", "v(com_e)", *meters),
            AC: ("frequency", *nodes),
            NOISE: ("frequency", "onoise_spectrum", "inoise_spectrum"),
        },
    )


def read_small_signal(fixture: Fixture, point: Point, plots: Plots) -> Measured:
    ac, op, noise = plots[AC], plots[OP], plots[NOISE]
    f = ac["frequency"]
    gain, size, phase = _gain(ac, "a")
    own, own_size, own_phase = _gain(ac, "g")
    common, on_vdd, on_vss = (_other_gain(ac, tag, gain) for tag in "bcd")
    on_both = _other_gain(ac, "f", own)

    def margin(noise_gain: float, size: Array = size, phase: Array = phase) -> float | None:
        """Where the loop gain is last above 1: a resonance may take it there more than once."""
        crossed = crossing_log(f[::-1], size[::-1], noise_gain)
        return None if crossed is None else 180.0 + at_frequency(f, phase, crossed)

    # from where the phase has turned, up to the end: a resonance may lift the gain once more
    turned = np.flatnonzero(phase <= -180.0)
    loudest = size[turned[0] :].max() if len(turned) else size[-1]
    density = np.real(noise["inoise_spectrum"])
    f_noise = noise["frequency"]
    values: dict[str, float | None] = {
        "offset_v": float(op["v(out_e)"][0] - op["v(com_e)"][0]) - fixture.level(fixture.cell.name),
        "supply_a": sum(-float(op[name][0]) for name in op if name.startswith("i(")),
        "a0_db": float(decibels(size[0])),
        "phase_margin_own_deg": margin(1.0, own_size, own_phase),
        "phase_margin_own_4_deg": margin(4.0, own_size, own_phase),
        "gbw_hz": crossing_log(f, size, 1.0),
        "phase_margin_deg": margin(1.0),
        "phase_margin_2_deg": margin(2.0),
        "phase_margin_4_deg": margin(4.0),
        "gain_margin_db": -float(decibels(float(loudest))),
        "cmrr_db": _rejection(f, gain, common, BAND[0]),
        "cmrr_100k_db": _rejection(f, gain, common, 1e5),
        "psrr_vdd_db": _rejection(f, gain, on_vdd, BAND[0]),
        "psrr_vdd_100k_db": _rejection(f, gain, on_vdd, 1e5),
        "psrr_vss_db": _rejection(f, gain, on_vss, BAND[0]),
        "psrr_vss_100k_db": _rejection(f, gain, on_vss, 1e5),
        "psrr_db": _rejection(f, own, on_both, BAND[0]),
        "psrr_100k_db": _rejection(f, own, on_both, 1e5),
        "noise_1k_v_rthz": at_frequency(f_noise, density, 1e3),
        "noise_100k_v_rthz": at_frequency(f_noise, density, 1e5),
        "noise_v_rms": integrated(f_noise, np.real(noise["onoise_spectrum"])),
    }
    curves = {
        "gain, dB": Curve(f, decibels(size), "frequency, Hz"),
        "phase, deg": Curve(f, phase, "frequency, Hz"),
        "input noise, V/rtHz": Curve(f_noise, density, "frequency, Hz"),
    }
    return Measured(values, curves)


def _gain(ac: Mapping[str, Array], tag: str) -> tuple[Array, Array, Array]:
    """The open loop's complex gain (N,), its size, and its phase in degrees, near 0 where it begins."""
    gain = _against_common(ac, tag) / (ac[f"v(inp_{tag})"] - ac[f"v(inn_{tag})"])
    return gain, np.abs(gain), np.degrees(np.unwrap(np.angle(gain)))


def _other_gain(ac: Mapping[str, Array], tag: str, gain: Array) -> Array:
    """From a board's excitation to its output, less what its inputs' difference makes."""
    return _against_common(ac, tag) - gain * (ac[f"v(inp_{tag})"] - ac[f"v(inn_{tag})"])


def _against_common(ac: Mapping[str, Array], tag: str) -> Array:
    return ac[f"v(out_{tag})"] - ac[f"v(com_{tag})"]


def _rejection(f: Array, gain: Array, other: Array, wanted: float) -> float:
    """dB at a frequency by which the signal's gain (N,) stands above another gain to the output."""
    return at_frequency(f, decibels(gain / np.maximum(np.abs(other), _LEAST)), wanted)


def static(fixture: Fixture, point: Point) -> Bench:
    """One sweep of three amplifiers: an inverter s into its load, an amplifier c whose inputs follow
    the sweep while a servo holds its output, and a follower i that delivers a current.
    """
    name, v = fixture.cell.name, fixture.level(fixture.cell.name)
    lines = [
        *fixture.domain("x", point, held=True),
        *_sweep(fixture, point).lines(),
        "Ein_s in_s com_x sw 0 1",
        "R1_s in_s inn_s 1e6",
        "R2_s inn_s out_s 1e6",
        fixture.instance(name, "s", "x", inp="com_x", inn="inn_s", out="out_s"),
        f"Rl_s out_s com_x {SWING_OHM:.9g}",
        "Ecm_c inn_c com_x sw 0 1",
        f"Vt_c target com_x {v:.9g}",
        "Eservo inp_c inn_c target out_c 0.1",
        fixture.instance(name, "c", "x", inp="inp_c", inn="inn_c", out="out_c"),
        f"Vin_i inp_i com_x {v:.9g}",
        fixture.instance(name, "i", "x", inp="inp_i", inn="out_i", out="out_i"),
        f"Bload out_i 0 I={_AMPERES:.9g}*v(sw)*abs(v(sw))",
    ]
    nodes = [f"v({n})" for n in ("out_s", "inp_c", "inn_c", "out_i", "com_x")]
    return Bench(lines, (_sweep(fixture, point).card(),), {DC: (NET, *nodes)})


def _sweep(fixture: Fixture, point: Point) -> Sweep:
    high, low = point.rails(fixture.technology)
    return Sweep(low, high, _POINTS)


def read_static(fixture: Fixture, point: Point, plots: Plots) -> Measured:
    dc, v = _sweep(fixture, point).read(plots[DC]), fixture.level(fixture.cell.name)
    x, com = dc[NET], dc["v(com_x)"]
    inverted = dc["v(out_s)"] - com
    swing = within(x, inverted + x, ERROR_V, -v)
    offset = dc["v(inp_c)"] - dc["v(inn_c)"]
    start = v if fixture.cell.family == "amplifier" else 0.0
    common = within(x, offset - at(x, offset, start), COMMON_ERROR_V, start)
    error = dc["v(out_i)"] - com - v
    reach = within(x, error - at(x, error, 0.0), ERROR_V, 0.0)
    current = [None, None] if reach is None else [_AMPERES * r * abs(r) for r in reach]
    values = {
        "swing_low_v": None if swing is None else -swing[1],
        "swing_high_v": None if swing is None else -swing[0],
        "common_low_v": None if common is None else common[0],
        "common_high_v": None if common is None else common[1],
        "source_a": current[1],
        "sink_a": None if current[0] is None else -current[0],
    }
    if fixture.cell.family == "amplifier":  # it ends at the common by design: see `rectifiers`
        del values["swing_low_v"]
    curves = {
        "inverter's error, V": Curve(x, inverted + x, "input, V"),
        "offset, V": Curve(x, offset, "common mode, V"),
    }
    return Measured(values, curves)


def at(x: Array, y: Array, wanted: float) -> float:
    return float(np.interp(wanted, x, y))


STUDIES = (
    Study("small signal", small_signal, read_small_signal, mismatch=True),
    Study("static", static, read_static),
)
