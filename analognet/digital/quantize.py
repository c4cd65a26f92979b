"""From the float network to the integer one: power-of-two scales, chosen on calibration data."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from analognet.digital.fixedpoint import Floats, Format, best_frac
from analognet.digital.quantized import TABLES, QuantizedLayer, QuantizedNetwork
from analognet.errors import InputError, UsageError
from analognet.names import printable
from analognet.network import Dense, Network

BITS_MIN, BITS_MAX = 2, 16
OUTPUT_BITS = 16  # of the last layer without a table: logits keep their order, and cost one register
PRE_BITS_LEAKY = 18  # the width of one operand of a DSP block
TABLE_EXTRA_BITS = 2  # index bits of a table beyond those of its output
TABLE_BITS_MAX = 12
TABLE_SPAN = {"sigmoid": 3, "tanh": 2}  # log2 of the |z| the table covers: beyond 8 and 4 within 4e-4 of flat
SLOPE_BITS = 8
ACC_BITS_MAX = 48
FRAC_MAX = 120


def check_bits(bits: int, what: str) -> None:
    """Raises UsageError for a width that the hardware does not have."""
    if not BITS_MIN <= bits <= BITS_MAX:
        raise UsageError(f"{what} {bits}: allowed are {BITS_MIN} to {BITS_MAX}")


def quantize(
    network: Network, calibration: ArrayLike, *, weight_bits: int = 8, activation_bits: int = 8
) -> QuantizedNetwork:
    """The integer network whose scales fit `calibration` (N, n_in), N >= 1.

    Every tensor gets the power-of-two scale of least mean square error: each layer's weights,
    the inputs, and each layer's outputs as the float network gives them on the calibration
    data. The outputs of the last layer keep 16 bits unless a table makes them.
    Raises UsageError for widths outside 2 to 16, InputError for data that does not fit.
    """
    check_bits(weight_bits, "--weight-bits")
    check_bits(activation_bits, "--activation-bits")
    x = np.asarray(calibration, dtype=np.float64)
    if x.ndim != 2 or x.shape[0] == 0 or x.shape[1] != network.n_in or not np.isfinite(x).all():
        raise InputError(
            f"calibration data has shape {x.shape}; the network takes (N, {network.n_in}), finite, N >= 1"
        )
    fmt = Format(activation_bits, _frac(x, activation_bits))
    low, high = fmt.low, fmt.high
    layers: list[QuantizedLayer] = []
    for at, dense in enumerate(network.layers):
        z = dense.preactivation(x)
        x = dense.activation(z)
        last = at == len(network.layers) - 1
        layer = _layer(dense, fmt, low, high, z, x, weight_bits, activation_bits, last)
        layers.append(layer)
        fmt, low, high = layer.y, layer.y_low, layer.y_high
    return QuantizedNetwork(network.name, tuple(layers))


def requantize(network: Network, like: QuantizedNetwork) -> QuantizedNetwork:
    """New weights in the formats of `like`, a network of the same shape: what fine-tuning ends in."""
    layers = []
    for dense, old in zip(network.layers, like.layers, strict=True):
        weight, bias = _integers(dense, old.x, old.weight_format)
        fields = {**old.__dict__, "weight": weight, "bias": bias}
        layers.append(QuantizedLayer(**{k: fields[k] for k in QuantizedLayer.__dataclass_fields__}))
    return QuantizedNetwork(like.name, tuple(layers))


def _layer(
    dense: Dense,
    x: Format,
    x_low: int,
    x_high: int,
    z: Floats,
    y: Floats,
    weight_bits: int,
    activation_bits: int,
    last: bool,
) -> QuantizedLayer:
    name = dense.activation.name
    y_bits = activation_bits if name in TABLES or not last else max(OUTPUT_BITS, activation_bits)
    y_format = Format(y_bits, _frac(y, y_bits, headroom=last and name not in TABLES))
    slope_int = slope_frac = 0
    pre = y_format
    if name in TABLES:
        y_format = Format(y_bits, y_bits - 1)
        bits = min(y_bits + TABLE_EXTRA_BITS, TABLE_BITS_MAX)
        pre = Format(bits, bits - 1 - TABLE_SPAN[name])
    elif name == "leaky_relu":
        pre = Format(PRE_BITS_LEAKY, _frac(z, PRE_BITS_LEAKY, headroom=True))
        slope_int, slope_frac = _slope(dense.activation.slope)
    frac = _weight_frac(dense, weight_bits, x, pre)
    # a rounding shift cannot be negative: coarser outputs where the sum has fewer fraction bits
    pre = Format(pre.bits, min(pre.frac, x.frac + frac))
    if name in ("linear", "relu"):
        y_format = pre
    elif name == "leaky_relu":
        y_format = Format(y_format.bits, min(y_format.frac, slope_frac + pre.frac))
    while True:
        weight_format = Format(weight_bits, frac)
        weight, bias = _integers(dense, x, weight_format)
        layer = QuantizedLayer(
            name=dense.name,
            weight=weight,
            bias=bias,
            activation=dense.activation,
            x=x,
            weight_format=weight_format,
            pre=pre,
            y=y_format,
            x_low=x_low,
            x_high=x_high,
            slope_int=slope_int,
            slope_frac=slope_frac,
        )
        if layer.acc_bits <= ACC_BITS_MAX and np.abs(bias).max() < 1 << ACC_BITS_MAX:
            return layer
        if layer.shift == 0:
            raise InputError(
                f"layer '{printable(dense.name)}': biases up to {np.abs(dense.bias).max():.3g} beside weights up to "
                f"{np.abs(dense.weight).max():.3g} need an accumulator of more than {ACC_BITS_MAX} bits"
            )
        frac -= 1


def _integers(dense: Dense, x: Format, weight_format: Format) -> tuple[np.ndarray, np.ndarray]:
    weight = weight_format.quantise(dense.weight)
    scaled = np.floor(dense.bias * 2.0 ** (x.frac + weight_format.frac) + 0.5)
    limit = 2.0**60
    return weight, np.clip(scaled, -limit, limit).astype(np.int64)


def _frac(values: Floats, bits: int, headroom: bool = False) -> int:
    """Fraction bits for data; `headroom` doubles the range for inputs not in the calibration."""
    frac = best_frac(values * 2.0 if headroom else values, bits)
    return int(np.clip(frac, -FRAC_MAX, FRAC_MAX))


def _weight_frac(dense: Dense, bits: int, x: Format, pre: Format) -> int:
    """Fraction bits for weights, such that the rounding shift stays within 40 bits."""
    return min(best_frac(dense.weight, bits), pre.frac + 40 - x.frac)


def _slope(slope: float) -> tuple[int, int]:
    """The slope of leaky_relu as m * 2**-k: m in `SLOPE_BITS` signed bits and k in 0 to 15."""
    k = int(np.clip(best_frac([slope], SLOPE_BITS), 0, 15))
    return int(Format(SLOPE_BITS, k).quantise(slope)), k
