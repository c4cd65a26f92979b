"""Op-amps and rectifying amplifiers in time: slew rate, settling, recovery from off.

What an output settles to is the output of a second amplifier whose input never moved, so that a slow
tail is not taken for the end.
"""

from __future__ import annotations

from analognet.analog.ngspice import TRAN
from analognet.characterize.fixture import TRANSIENT_OPTIONS, Bench, Fixture, Plots
from analognet.characterize.opamps import load
from analognet.characterize.points import Point
from analognet.characterize.reading import settled, slope_between
from analognet.characterize.study import Curve, Measured, Study, Value
from analognet.network import Array

UP_S, HALF_S, EDGE_S = 1e-6, 20e-6, 1e-9  # the first edge; how long a level lasts; how long an edge does
FEEDBACK_OHM = 100e3
STEP_V = 0.4
_DRAWN_S = 1.5e-6
_GAIN = 3.0  # of an inverter with noise gain 4


def levels(fixture: Fixture, large: bool) -> tuple[float, float]:
    """The output's two levels against the common: about it, or from 0.1 of full scale up where it rectifies."""
    full = fixture.technology.full_scale
    if fixture.cell.family == "amplifier":
        return 0.1 * full, 0.1 * full + STEP_V
    return (-0.8 * full, 0.8 * full) if large else (-STEP_V / 2, STEP_V / 2)


def steps(fixture: Fixture, point: Point) -> Bench:
    """Inverters on one board: s slews, n settles at noise gain 4 beside h and l that have done so;
    a rectifying amplifier r also comes back from off, beside w.
    """
    low, high = levels(fixture, large=True)
    lines = [*fixture.domain("x", point, held=True), *_inverter(fixture, "s", 1.0, _pulse(-low, -high))]
    low, high = levels(fixture, large=False)
    lines += _inverter(fixture, "n", _GAIN, _pulse(-low / _GAIN, -high / _GAIN))
    lines += _inverter(fixture, "h", _GAIN, f"{-high / _GAIN:.9g}")
    lines += _inverter(fixture, "l", _GAIN, f"{-low / _GAIN:.9g}")
    tags = "snhl"
    if fixture.cell.family == "amplifier":
        full = fixture.technology.full_scale
        lines += _inverter(fixture, "r", 1.0, _pulse(full, -full / 2))
        lines += _inverter(fixture, "w", 1.0, f"{-full / 2:.9g}")
        tags += "rw"
    wanted = ("time", "v(com_x)", *(f"v(out_{tag})" for tag in tags))
    end = UP_S + 2 * HALF_S
    return Bench(
        lines, (f".tran {EDGE_S:.9g} {end:.9g} 0 200e-9",), {TRAN: wanted}, options=TRANSIENT_OPTIONS
    )


def _pulse(first: float, second: float) -> str:
    times = " ".join(f"{t:.9g}" for t in (UP_S, EDGE_S, EDGE_S, HALF_S, 1.0))
    return f"pulse({first:.9g} {second:.9g} {times})"


def _inverter(fixture: Fixture, tag: str, gain: float, source: str) -> list[str]:
    nets = {"inp": "com_x", "inn": f"inn_{tag}", "out": f"out_{tag}"}
    return [
        f"Vin_{tag} in_{tag} com_x {source}",
        f"R1_{tag} in_{tag} inn_{tag} {FEEDBACK_OHM / gain:.9g}",
        f"R2_{tag} inn_{tag} out_{tag} {FEEDBACK_OHM:.9g}",
        fixture.instance(fixture.cell.name, tag, "x", **nets),
        *load(tag, "x"),
    ]


def read_steps(fixture: Fixture, point: Point, plots: Plots) -> Measured:
    tran = plots[TRAN]
    t = tran["time"]
    out = {name[6:-1]: tran[name] - tran["v(com_x)"] for name in tran if name.startswith("v(out_")}
    low, high = levels(fixture, large=True)
    a, b = low + 0.2 * (high - low), low + 0.8 * (high - low)
    rising, falling = t < UP_S + HALF_S, t >= UP_S + HALF_S
    down = slope_between(t[falling], out["s"][falling], b, a)
    bound = 1e-3 * STEP_V
    up_s = settled(t, out["n"] - out["h"], bound, UP_S, UP_S + HALF_S)
    down_s = settled(t, out["n"] - out["l"], bound, UP_S + HALF_S, UP_S + 2 * HALF_S)
    values: dict[str, Value] = {
        "slew_up_v_s": slope_between(t[rising], out["s"][rising], a, b),
        "slew_down_v_s": None if down is None else -down,
        "settling_s": None if up_s is None or down_s is None else max(up_s, down_s),
    }
    curves = {
        "step, V": _first_edge(t, out["s"]),
        "step at noise gain 4, V": _first_edge(t, out["n"]),
    }
    if "r" in out:
        half = 0.005 * fixture.technology.full_scale
        values["recovery_s"] = settled(t, out["r"] - out["w"], half, UP_S, UP_S + HALF_S)
        curves["from off to on, V"] = _first_edge(t, out["r"])
    return Measured(values, curves)


def _first_edge(t: Array, v: Array) -> Curve:
    """What is drawn: the start of the first step."""
    near = (t > 0.8 * UP_S) & (t < UP_S + _DRAWN_S)
    return Curve(1e6 * t[near], v[near], "time, us")


STUDIES = (Study("steps", steps, read_steps),)
