"""Output buffers: what they do into a load off the chip, at DC and after steps."""

from __future__ import annotations

import numpy as np

from analognet.analog.ngspice import DC, TRAN
from analognet.characterize.activations import nominal
from analognet.characterize.fixture import TRANSIENT_OPTIONS, Bench, Fixture, Plots
from analognet.characterize.points import Point
from analognet.characterize.reading import settled
from analognet.characterize.study import Curve, Measured, Study, Value
from analognet.characterize.sweep import NET, Sweep
from analognet.network import Array

LOAD_OHM, LOAD_F = 10e3, 50e-12
SMALL_V = 0.1  # a step that no slew rate limits
UP_S, HALF_S, EDGE_S = 0.2e-6, 3e-6, 1e-9
_POINTS = 101
_DRAWN_S = 1e-6


def loaded(fixture: Fixture, point: Point) -> Bench:
    """One sweep of the input over full scale, the output into the load's resistance."""
    lines = [*fixture.domain("x", point, held=True), *_sweep(fixture).lines()]
    lines += ["Ein in_t com_x sw 0 1", fixture.instance(fixture.cell.name, "t", "x", **_nets("t"))]
    lines += [f"Rl_t out_t com_x {LOAD_OHM:.9g}"]
    return Bench(lines, (_sweep(fixture).card(),), {DC: (NET, "v(out_t)", "v(com_x)")})


def _sweep(fixture: Fixture) -> Sweep:
    full = fixture.technology.full_scale
    return Sweep(-full, full, _POINTS)


def _nets(tag: str) -> dict[str, str]:
    return {"in": f"in_{tag}", "out": f"out_{tag}"}


def read_loaded(fixture: Fixture, point: Point, plots: Plots) -> Measured:
    dc = _sweep(fixture).read(plots[DC])
    error = dc["v(out_t)"] - dc["v(com_x)"] - nominal(fixture, dc[NET])
    return Measured(
        {"load_error_v": float(np.abs(error).max())},
        {"error into 10 kOhm, V": Curve(dc[NET], error, "input, V")},
    )


def steps(fixture: Fixture, point: Point) -> Bench:
    """Three buffers that step up and down again: f by the whole scale and s by little into the largest
    load, b by little into none; h and l have done what f is to do.
    """
    full = fixture.technology.full_scale * fixture.cell.polarity
    small = SMALL_V / 2 * fixture.cell.polarity
    lines = fixture.domain("x", point, held=True)
    times = " ".join(f"{t:.9g}" for t in (UP_S, EDGE_S, EDGE_S, HALF_S, 1.0))
    for tag, source, farads in (
        ("f", f"pulse({-full:.9g} {full:.9g} {times})", LOAD_F),
        ("s", f"pulse({-small:.9g} {small:.9g} {times})", LOAD_F),
        ("b", f"pulse({-small:.9g} {small:.9g} {times})", 0.0),
        ("h", f"{full:.9g}", LOAD_F),
        ("l", f"{-full:.9g}", LOAD_F),
    ):
        lines += [f"Vin_{tag} in_{tag} com_x {source}", f"Rl_{tag} out_{tag} com_x {LOAD_OHM:.9g}"]
        lines += [f"Cl_{tag} out_{tag} com_x {farads:.9g}"] if farads else []
        lines += [fixture.instance(fixture.cell.name, tag, "x", **_nets(tag))]
    wanted = ("time", "v(com_x)", *(f"v(out_{tag})" for tag in "fsbhl"))
    end = UP_S + 2 * HALF_S
    return Bench(lines, (f".tran {EDGE_S:.9g} {end:.9g} 0 20e-9",), {TRAN: wanted}, options=TRANSIENT_OPTIONS)


def read_steps(fixture: Fixture, point: Point, plots: Plots) -> Measured:
    tran = plots[TRAN]
    t = tran["time"]
    out = {tag: tran[f"v(out_{tag})"] - tran["v(com_x)"] for tag in "fsbhl"}
    bound = 0.01 * fixture.technology.full_scale
    up = settled(t, out["f"] - out["h"], bound, UP_S, UP_S + HALF_S)
    down = settled(t, out["f"] - out["l"], bound, UP_S + HALF_S, UP_S + 2 * HALF_S)
    values: dict[str, Value] = {
        "load_settling_s": None if up is None or down is None else max(up, down),
        "overshoot": max(_overshoot(t, out["s"]), _overshoot(t, out["b"])),
    }
    near = (t > 0.5 * UP_S) & (t < UP_S + _DRAWN_S)
    return Measured(
        values, {"step into 10 kOhm and 50 pF, V": Curve(1e6 * t[near], out["f"][near], "time, us")}
    )


def _overshoot(t: Array, v: Array) -> float:
    """Of the step, on the way up or on the way down: by how much v (T,) goes beyond both ends' levels."""
    low = float(v[t < UP_S][-1])
    high = float(v[t < UP_S + HALF_S][-1])
    return max(float(v.max()) - high, low - float(v.min()), 0.0) / (high - low)


STUDIES = (Study("load", loaded, read_loaded, mismatch=True), Study("steps into a load", steps, read_steps))
