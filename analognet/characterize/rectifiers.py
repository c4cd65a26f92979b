"""Rectifying amplifiers: what they answer when off, at the knee and when on, and what that costs."""

from __future__ import annotations

import numpy as np

from analognet.analog.ngspice import DC
from analognet.characterize.fixture import Bench, Fixture, Plots
from analognet.characterize.opamps import at
from analognet.characterize.points import Point
from analognet.characterize.study import Curve, Measured, Study
from analognet.characterize.sweep import NET, Sweep
from analognet.network import Activation, Array

PUSH_A = 5e-6
_POINTS = 201


def transfer(fixture: Fixture, point: Point) -> Bench:
    """Three inverters of two feedback resistors each: t alone, p with a current into its output, m with
    one out of it. The last two stand on a board of their own.
    """
    ohms = fixture.technology.resistor.feedback_ohm
    lines = [
        *fixture.domain("x", point, held=True),
        *fixture.domain("y", point, held=True),
        *_sweep(fixture).lines(),
    ]
    for tag, domain in (("t", "x"), ("p", "y"), ("m", "y")):
        nets = {"inp": f"com_{domain}", "inn": f"inn_{tag}", "out": f"out_{tag}"}
        lines += [
            f"Ein_{tag} in_{tag} com_{domain} sw 0 -1",
            f"R1_{tag} in_{tag} inn_{tag} {ohms:.9g}",
            f"R2_{tag} inn_{tag} out_{tag} {ohms:.9g}",
            *fixture.metered(tag, domain, "vdd", "com", **nets),
        ]
    lines += [f"Ip com_y out_p {PUSH_A:.9g}", f"Im out_m com_y {PUSH_A:.9g}"]
    nodes = ("v(out_t)", "v(out_p)", "v(out_m)", "v(com_x)", "v(com_y)", "i(vm_vdd_t)", "i(vm_com_t)")
    return Bench(lines, (_sweep(fixture).card(),), {DC: (NET, *nodes)})


def _sweep(fixture: Fixture) -> Sweep:
    full = fixture.technology.full_scale
    return Sweep(-full, full, _POINTS, fixture.level(fixture.cell.name))


def read_transfer(fixture: Fixture, point: Point, plots: Plots) -> Measured:
    dc, full = _sweep(fixture).read(plots[DC]), fixture.technology.full_scale
    x = dc[NET]
    nominal = Activation.parse(fixture.cell.activation or "relu")(x)
    out = dc["v(out_t)"] - dc["v(com_x)"]
    error = out - nominal
    off, on = x < -0.0999 * full, x > 0.0999 * full
    values = {
        "floor_v": largest(error[off]),
        "floor_source_v": largest((dc["v(out_p)"] - dc["v(com_y)"] - nominal)[off]),
        "floor_sink_v": largest((dc["v(out_m)"] - dc["v(com_y)"] - nominal)[off]),
        "knee_v": largest(error[~off & ~on]),
        "on_error_v": largest(error[on]),
        "com_a": largest(-dc["i(vm_com_t)"]),
        "supply_off_a": at(x, dc["i(vm_vdd_t)"], -full),
    }
    return Measured(
        values,
        {
            "transfer, V": Curve(x, out, "wanted before the rectifier, V"),
            "error, V": Curve(x, error, "wanted before the rectifier, V"),
        },
    )


def largest(values: Array) -> float:
    """The value that is farthest from 0, with its sign."""
    return float(values[int(np.argmax(np.abs(values)))])


STUDIES = (Study("transfer", transfer, read_transfer, mismatch=True),)
