"""Activation cells: transfer curve against the best fit and the nominal function, bandwidth, noise."""

from __future__ import annotations

import numpy as np
from scipy.optimize import least_squares

from analognet.analog.cells import Cell
from analognet.analog.ngspice import AC, DC, NOISE, OP
from analognet.characterize.fixture import Bench, Fixture, Plots
from analognet.characterize.opamps import BAND, LOAD_F, at
from analognet.characterize.points import Point
from analognet.characterize.reading import crossing_log, decibels, integrated
from analognet.characterize.rectifiers import PUSH_A, largest
from analognet.characterize.study import Curve, Measured, Study, Value
from analognet.characterize.sweep import NET, Sweep
from analognet.errors import InputError
from analognet.network import Activation, Array

_POINTS = 181
_REACH = 8.0  # of s_in: an argument beyond it changes a sigmoid by less than 0.04 %


def nominal(fixture: Fixture, volts: Array) -> Array:
    """What the mapping takes the cell for: volts (N,) at its input, against the common, to volts out."""
    full, function = fixture.technology.full_scale, _function(fixture.cell)
    if function.name in ("leaky_relu", "linear"):
        return np.asarray(function(fixture.cell.polarity * volts))
    scale = _mid(fixture.cell, "s_in")
    return full * np.asarray(function(fixture.cell.polarity * volts / scale))


def _function(cell: Cell) -> Activation:
    """The activation, with the middle of its slopes. Raises InputError where the header names none."""
    if cell.activation is None:
        raise InputError(f"cell '{cell.name}': no '*@ activation' line says what it computes")
    if cell.activation == "leaky_relu":
        return Activation("leaky_relu", _mid(cell, "slope"))
    return Activation.parse(cell.activation)


def _mid(cell: Cell, key: str) -> float:
    """The middle of a rating's range. Raises InputError where the header lacks it."""
    if key not in cell.ratings:
        raise InputError(f"cell '{cell.name}': no '*@ {key}' line with its smallest and largest value")
    values = cell.ratings[key][:2]
    return sum(values) / len(values)


def reach(fixture: Fixture) -> float:
    """The input is swept from minus to plus this, in volts against the common."""
    if _function(fixture.cell).name in ("sigmoid", "tanh"):
        rail = min(fixture.technology.vdd, -fixture.technology.vss)
        return float(min(_REACH * _mid(fixture.cell, "s_in"), 0.9 * rail))
    return fixture.technology.full_scale


def transfer(fixture: Fixture, point: Point) -> Bench:
    """One sweep of three cells: t unloaded, p with a current into its output, m with one out of it."""
    lines = [
        *fixture.domain("x", point, held=True),
        *fixture.domain("y", point, held=True),
        *_sweep(fixture).lines(),
    ]
    sunk = [p for p in ("vss", "com") if p in fixture.cell.pin_names]
    for tag, domain in (("t", "x"), ("p", "y"), ("m", "y")):
        nets = {"in": f"in_{tag}", "out": f"out_{tag}"}
        lines += [
            f"Ein_{tag} in_{tag} com_{domain} sw 0 1",
            *fixture.metered(tag, domain, "in", "vdd", *sunk, **nets),
        ]
    lines += [f"Ip com_y out_p {PUSH_A:.9g}", f"Im out_m com_y {PUSH_A:.9g}"]
    nodes = [f"v(out_{tag})" for tag in "tpm"] + ["v(com_x)", "v(com_y)"]
    meters = [f"i(vm_{pin}_t)" for pin in ("in", "vdd", *sunk)]
    return Bench(lines, (_sweep(fixture).card(),), {DC: (NET, *nodes, *meters)})


def _sweep(fixture: Fixture) -> Sweep:
    return Sweep(-reach(fixture), reach(fixture), _POINTS)


def read_transfer(fixture: Fixture, point: Point, plots: Plots) -> Measured:
    dc = _sweep(fixture).read(plots[DC])
    x = dc[NET]
    out = dc["v(out_t)"] - dc["v(com_x)"]
    error = out - nominal(fixture, x)
    values: dict[str, Value] = {
        "nominal_error_v": float(np.abs(error).max()),
        "nominal_rms_v": float(np.sqrt(np.mean(error**2))),
        "zero_error_v": at(x, error, 0.0),
        "out_ohm": float((np.abs(dc["v(out_p)"] - dc["v(out_m)"]) / (2 * PUSH_A)).max()),
        "input_a": float(np.abs(dc["i(vm_in_t)"]).max()),
        "supply_a": at(x, dc["i(vm_vdd_t)"], 0.0),
    }
    if "i(vm_com_t)" in dc:
        values["com_a"] = largest(-dc["i(vm_com_t)"])
    fitted, figures = fit(fixture, x, out)
    values.update(figures)
    curves = {
        "transfer, V": Curve(x, out, "input, V"),
        "error against nominal, V": Curve(x, error, "input, V"),
        "error against best fit, V": Curve(x, out - fitted, "input, V"),
    }
    return Measured(values, curves)


def fit(fixture: Fixture, x: Array, out: Array) -> tuple[Array, dict[str, Value]]:
    """The nominal function's shape with free centre, scale and height, by least squares on the curve
    (N,), and what that says of it.
    """
    cell = fixture.cell
    function = _function(cell)
    if function.name == "linear":
        gain, offset = np.polyfit(cell.polarity * x, out, 1)
        fitted, span = gain * cell.polarity * x + offset, float(np.ptp(out))
        figures: dict[str, Value] = {"gain": float(gain), "centre_out_v": float(offset)}
    elif function.name == "leaky_relu":

        def knee(p: Array) -> Array:
            d = cell.polarity * x - p[0]
            return np.asarray(np.where(d > 0, p[2] * d, p[3] * d) + p[1])

        p = least_squares(lambda q: knee(q) - out, [0.0, 0.0, 1.0, function.slope], x_scale="jac").x
        fitted, span = knee(p), float(np.ptp(out))
        figures = {"gain_pos": float(p[2]), "gain_neg": float(p[3])}
    else:
        full, scale = fixture.technology.full_scale, _mid(cell, "s_in")
        low = -1.0 if function.name == "tanh" else 0.0

        def curve(p: Array) -> Array:  # p: centre / s_in, slope * s_in, span / full scale, its floor / same
            y = (np.asarray(function(p[1] * (cell.polarity * x / scale - p[0]))) - low) / (1.0 - low)
            return np.asarray(full * (p[3] + p[2] * y))

        p = least_squares(lambda q: curve(q) - out, [0.0, 1.0, 1.0 - low, low], x_scale="jac").x
        fitted, span = curve(p), float(full * p[2])
        figures = {"slope_1_v": float(p[1] / scale), "centre_v": float(p[0] * scale), "span_v": span}
    residual = (out - fitted) / abs(span)
    figures["fit_error_max"] = float(np.abs(residual).max())
    figures["fit_error_rms"] = float(np.sqrt(np.mean(residual**2)))
    return fitted, figures


def small_signal(fixture: Fixture, point: Point) -> Bench:
    """The cell at its steepest: bandwidth and noise. A leaky ReLU is measured above its knee."""
    leaky = _function(fixture.cell).name == "leaky_relu"
    v = 0.4 * fixture.technology.full_scale * fixture.cell.polarity if leaky else 0.0
    lines = [
        *fixture.domain("x", point, held=True),
        f"Vin in com_x {v:.9g} ac 1",
        fixture.instance(fixture.cell.name, "t", "x", **{"in": "in", "out": "out"}),
        f"Cl out com_x {LOAD_F:.9g}",
    ]
    return Bench(
        lines,
        (
            ".op",
            f".ac dec 20 {BAND[0]:.9g} 1e9",
            f".noise v(out,com_x) Vin dec 20 {BAND[0]:.9g} {BAND[1]:.9g}",
        ),
        {
            OP: ("v(out)", "v(com_x)"),
            AC: ("frequency", "v(out)", "v(com_x)"),
            NOISE: ("frequency", "onoise_spectrum"),
        },
    )


def read_small_signal(fixture: Fixture, point: Point, plots: Plots) -> Measured:
    ac, noise = plots[AC], plots[NOISE]
    f = ac["frequency"]
    size = np.abs(ac["v(out)"] - ac["v(com_x)"])
    values: dict[str, Value] = {
        "bandwidth_hz": crossing_log(f, size / size[0], float(np.sqrt(0.5))),
        "noise_v_rms": integrated(noise["frequency"], np.real(noise["onoise_spectrum"])),
    }
    return Measured(values, {"gain, dB": Curve(f, decibels(size), "frequency, Hz")})


STUDIES = (
    Study("transfer", transfer, read_transfer, mismatch=True),
    Study("small signal", small_signal, read_small_signal),
)
