"""Calibration after fabrication: a board is measured through an ADC, and every neuron's bias is trimmed.

Each summing node n has a trim resistor of conductance G_t to a trim DAC, which stands between minus and
plus the reference voltage. Its current moves the neuron's sum by -(G_t / G_f) v_dac, so a DAC at the
reference moves it by the trim's range. What the board's neurons put out for some inputs is read through an
n-bit ADC, layer by layer from the inputs on, and compared with what the network says of the same inputs:

    shift of the sum = sum(slope * (read - wanted)) / sum(slope^2)

by least squares over the inputs for which the activation passes the sum on. That shift is the offset of
all the neuron's op-amps, its bias error, and the mean of its resistors' errors; the code that undoes it is
stored. Nothing but readings is used: the board's true values stay unknown, as on a bench.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from analognet.analog.boards import board_netlist
from analognet.analog.layers import AnalogLayer
from analognet.analog.limits import usable_swing
from analognet.analog.netlist import INSTANCE, is_flat
from analognet.analog.solver.engine import Equations, equations
from analognet.analog.solver.hardware import Hardware, LayerParts, hardware
from analognet.analog.variation import Board, Spread
from analognet.errors import InputError, UsageError
from analognet.network import Array

if TYPE_CHECKING:
    from analognet.design import Design

Codes = NDArray[np.int64]

ADC_BITS: Final = range(6, 25)
DAC_BITS: Final = range(2, 21)
DEFAULT_ADC_BITS: Final = 12
DEFAULT_DAC_BITS: Final = 8
INPUTS: Final = 256  # that a board is measured with
ROUNDS: Final = 2  # the second takes away what the first left and rounding hid
SIGMAS: Final = 4.0  # of the offset, which the trim's range covers
LEAST_RANGE_V: Final = 5e-3  # of a trim; where op-amps have no offset, resistors' errors remain
STEEP: Final = 0.25  # of its steepest slope: an activation flatter than that says too little of its sum
PROBE_V: Final = 1e-4


@dataclass(frozen=True)
class Trim:
    """The trim of one layer's neurons. siemens: G_t; step_v: volts of the DAC per code, which lies from
    -2^(bits - 1) to 2^(bits - 1) - 1; range_v: what the largest code moves a sum by.
    """

    siemens: float
    step_v: float
    range_v: float
    bits: int

    def held(self, codes: Array) -> Codes:
        half = 2 ** (self.bits - 1)
        return np.clip(np.rint(codes), -half, half - 1).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Calibrator:
    """What every board of a design is calibrated with, chosen without looking at any board.

    volts: (N, n_in) inputs; wanted, slopes: of every layer (N, n): the outputs in volts and, where the sum
    can be told from the output, volts of output per volt of sum, else 0; trims: of every layer; adc_step_v
    and adc_span_v: the ADC reads multiples of the step within +- the span.
    """

    volts: Array
    wanted: tuple[Array, ...]
    slopes: tuple[Array, ...]
    trims: tuple[Trim, ...]
    adc_bits: int
    adc_step_v: float
    adc_span_v: float


@dataclass(frozen=True, eq=False)
class Calibrated:
    """A board and the codes (n,) of its trims, layer by layer; system: its equations with them."""

    board: Board
    trims: tuple[Trim, ...]
    codes: tuple[Codes, ...]
    system: Equations


def calibrator(
    design: Design,
    x: Array,
    spread: Spread,
    *,
    adc_bits: int = DEFAULT_ADC_BITS,
    dac_bits: int = DEFAULT_DAC_BITS,
) -> Calibrator:
    """The trims of a design's layers, and the measurements, for inputs x (N, n_in) in units.

    spread: its offset voltages decide the trims' range. Raises UsageError for bits that are not allowed,
    InputError for inputs that do not fit.
    """
    for option, bits, allowed in (("ADC", adc_bits, ADC_BITS), ("trim DAC", dac_bits, DAC_BITS)):
        if isinstance(bits, bool) or not isinstance(bits, int) or bits not in allowed:
            raise UsageError(f"{option} of {bits} bits: allowed is {allowed[0]} to {allowed[-1]}")
    network = design.analog
    x = np.asarray(x, dtype=np.float64)[:INPUTS]
    if x.ndim != 2 or x.shape[1] != network.n_in or not len(x) or not np.isfinite(x).all():
        raise InputError(
            f"calibration inputs have shape {x.shape}; finite ones are needed, (N, {network.n_in})"
        )
    span = network.technology.full_scale
    step = 2.0 * span / 2**adc_bits
    low, high = usable_swing(design.technology, design.cells)
    v = x * network.scale_in
    wanted, slopes, trims = [], [], []
    for layer in network.layers:
        trim = _trim(layer, spread, network.technology.reference, dac_bits)
        v_sum = layer.summing(v, network.technology.reference)
        v = layer.activate(v_sum)
        slope = _slope(layer, v_sum, trim.range_v + step)
        inside = (
            (v_sum > low + trim.range_v) & (v_sum < high - trim.range_v) & (np.abs(v) < span - trim.range_v)
        )
        wanted.append(v)
        slopes.append(np.where(inside, slope, 0.0))
        trims.append(trim)
    return Calibrator(x * network.scale_in, tuple(wanted), tuple(slopes), tuple(trims), adc_bits, step, span)


def calibrate(
    design: Design, found: Calibrator, board: Board, precision_v: float | None = None
) -> Calibrated:
    """Measure a board and set its trims. precision_v: of tabulated cells, as `equations` takes it.

    Raises SimulatorError where the board has no operating point.
    """
    bare = hardware(design.analog, design.cells, board.temperature, board.factors, board.rails)
    codes = [np.zeros(layer.n_out, dtype=np.int64) for layer in design.analog.layers]
    for i, trim in enumerate(found.trims):
        for _ in range(ROUNDS):
            outputs, _, _ = equations(with_trims(bare, found.trims, codes), found.adc_step_v).solve(
                found.volts
            )
            shift = _shift(_read(outputs[i], found), found.wanted[i], found.slopes[i])
            codes[i] = trim.held(codes[i] + shift * _codes_per_volt(trim))
    system = equations(with_trims(bare, found.trims, codes), precision_v)
    return Calibrated(board, found.trims, tuple(codes), system)


def with_trims(board: Hardware, trims: tuple[Trim, ...], codes: list[Codes] | tuple[Codes, ...]) -> Hardware:
    """The board with a trim resistor at every last summing node, its DACs at these codes.

    A conductance G_t to v_dac is G_t v_dac / v_ref to the reference, of either sign, and the rest to common.
    """
    layers = tuple(
        _trimmed(layer, trim, code, board.reference)
        for layer, trim, code in zip(board.layers, trims, codes, strict=True)
    )
    return replace(board, layers=layers)


def _trimmed(layer: LayerParts, trim: Trim, code: Codes, reference: float) -> LayerParts:
    to_reference = trim.siemens * code * (trim.step_v / reference)
    g_neg = layer.g_neg.copy()
    g_neg[:, -1] += to_reference
    return replace(layer, g_neg=g_neg, balance_neg=layer.balance_neg + trim.siemens - to_reference)


def calibrated_netlist(design: Design, made: Calibrated) -> str:
    """`board_netlist` with the trim resistors, and a voltage source for each DAC, for ngspice."""
    text = board_netlist(design, made.board)
    flat = is_flat(design.circuit)
    lines = text.splitlines()
    for i, (trim, codes) in enumerate(zip(made.trims, made.codes, strict=True)):
        path = f"{INSTANCE.lower()}.xlayer{i}."
        added = []
        for j, code in enumerate(codes.tolist()):
            names = (f"R.{path}rt{j}", f"{path}t{j}", f"{path}n{j}", f"V.{path}vt{j}")
            r, t, n, v = names if flat else (f"Rt{j}", f"t{j}", f"n{j}", f"Vt{j}")
            added += [f"{r} {t} {n} {1.0 / trim.siemens:.17g}", f"{v} {t} 0 {code * trim.step_v:.17g}"]
        end = len(lines) if flat else lines.index(".ends", lines.index(f".subckt {_layer_name(lines, i)}"))
        lines[end:end] = added
    return "\n".join(lines) + "\n"


def _layer_name(lines: list[str], i: int) -> str:
    head = f".subckt layer{i} "
    return next(line for line in lines if line.startswith(head)).removeprefix(".subckt ")


def _trim(layer: AnalogLayer, spread: Spread, reference: float, bits: int) -> Trim:
    """Range: offsets at `SIGMAS`, through the largest noise gain of the layer."""
    gain = layer.noise_gain
    if layer.topology == "split":
        at_first = np.divide(
            layer.g_pos.sum(axis=1), layer.g_f_pos, out=np.zeros(layer.n_out), where=layer.g_f_pos > 0
        )
        gain = np.hypot(gain, (1.0 + at_first) * layer.g_link / layer.g_f)
    range_v = max(LEAST_RANGE_V, SIGMAS * spread.vos_sigma * float(gain.max()))
    siemens = float(f"{float(layer.g_f.max()) * range_v / reference:.3g}")
    return Trim(siemens, reference / 2 ** (bits - 1), siemens / float(layer.g_f.max()) * reference, bits)


def _codes_per_volt(trim: Trim) -> float:
    return 2.0 ** (trim.bits - 1) / trim.range_v


def _slope(layer: AnalogLayer, v_sum: Array, reach: float) -> Array:
    """(N, n) dy/d(sum) of the ideal activation, 0 where it is not about the same within reach of the sum."""

    def at(v: Array) -> Array:
        slope: Array = (layer.activate(v + PROBE_V) - layer.activate(v - PROBE_V)) / (2.0 * PROBE_V)
        return slope

    here = at(v_sum)
    steep = np.abs(here) > STEEP * np.abs(here).max(initial=0.0)
    if layer.activation.name in ("relu", "leaky_relu"):
        steep &= np.sign(v_sum - reach) == np.sign(v_sum + reach)  # no corner in between
    return np.where(steep, here, 0.0)


def _read(volts: Array, found: Calibrator) -> Array:
    """What the ADC says of voltages; NaN where they are beyond its span."""
    read = np.rint(volts / found.adc_step_v) * found.adc_step_v
    return np.where(np.abs(volts) < found.adc_span_v, read, np.nan)


def _shift(read: Array, wanted: Array, slopes: Array) -> Array:
    """(n,) volts by which each neuron's sum is off; 0 where no input tells."""
    used = np.where(np.isfinite(read), slopes, 0.0)
    error = np.where(np.isfinite(read), read - wanted, 0.0)
    weight = (used * used).sum(axis=0)
    shift: Array = np.divide((used * error).sum(axis=0), weight, out=np.zeros(len(weight)), where=weight > 0)
    return shift
