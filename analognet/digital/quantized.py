"""The integer network: calling it is the reference that VHDL must equal bit for bit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from analognet.digital.fixedpoint import Floats, Format, Ints, round_shift, saturate, width
from analognet.network import Activation, classify

TABLES = ("sigmoid", "tanh")


@dataclass(frozen=True, eq=False)
class QuantizedLayer:
    """One dense layer in integers.

    weight (n_out, n_in) in `weight_format`, bias (n_out,) at the accumulator's scale
    2**-(x.frac + weight.frac). With acc = weight @ x + bias, the layer gives

    - relu, linear: y = saturate(round(acc / 2**shift)); relu then replaces negatives by 0;
    - leaky_relu: z = saturate(round(acc / 2**shift)) in `pre`, then
      y = saturate(round(m * z / 2**k2)) with m = slope_int for z < 0 and 2**slope_frac otherwise,
      k2 = slope_frac + pre.frac - y.frac;
    - sigmoid, tanh: y = table[z + 2**(pre.bits - 1)] with z = saturate(round(acc / 2**shift)) in `pre`.

    round is half up. `x_low` and `x_high` bound the integers that can arrive.
    """

    name: str
    weight: Ints
    bias: Ints
    activation: Activation
    x: Format
    weight_format: Format
    pre: Format  # what acc is rounded to: y itself, or what the slope or the table reads
    y: Format
    x_low: int
    x_high: int
    slope_int: int = 0
    slope_frac: int = 0

    @property
    def n_in(self) -> int:
        return int(self.weight.shape[1])

    @property
    def n_out(self) -> int:
        return int(self.weight.shape[0])

    @property
    def shift(self) -> int:
        """Bits that rounding takes off the accumulator; never negative."""
        return self.x.frac + self.weight_format.frac - self.pre.frac

    @property
    def slope_shift(self) -> int:
        return self.slope_frac + self.pre.frac - self.y.frac

    @cached_property
    def table(self) -> Ints:
        """y for every index z of `pre`, from the lowest up: (2**pre.bits,), tables only."""
        z = self.pre.real(np.arange(self.pre.low, self.pre.high + 1))
        return self.y.quantise(self.activation(z))

    @cached_property
    def acc_bits(self) -> int:
        """Width in which no sum can overflow, whatever arrives in [x_low, x_high].

        Every partial sum of products, in any order, lies between the sum of the lowest and
        the sum of the highest products (each widened to include 0), and the serial stage adds
        the bias and half a unit of the rounding; the width holds all of these.
        """
        at_low, at_high = self.weight * self.x_low, self.weight * self.x_high
        high = np.maximum(np.maximum(at_low, at_high), 0).sum(axis=1)
        low = np.minimum(np.minimum(at_low, at_high), 0).sum(axis=1)
        half = (1 << self.shift) >> 1
        offset = self.bias + half
        lows = (low, low + offset, offset, self.bias)
        highs = (high, high + offset, offset, self.bias)
        least = min(0, *(int(v.min()) for v in lows))
        most = max(0, *(int(v.max()) for v in highs))
        return width(least, most)

    @property
    def y_low(self) -> int:
        if self.activation.name == "relu":
            return 0
        return int(self.table.min()) if self.activation.name in TABLES else self.y.low

    @property
    def y_high(self) -> int:
        return int(self.table.max()) if self.activation.name in TABLES else self.y.high

    def accumulate(self, x: Ints) -> Ints:
        """weight @ x + bias in int64 for x (N, n_in); answers (N, n_out)."""
        # float64 holds these integers exactly below 2**53, and its product runs in BLAS
        if self.acc_bits <= 52:
            return (x.astype(np.float64) @ self.weight.T.astype(np.float64)).astype(np.int64) + self.bias
        return np.asarray(x @ self.weight.T + self.bias, dtype=np.int64)

    def __call__(self, x: Ints) -> Ints:
        """Integers (N, n_out) in `y` for integers (N, n_in) in `x`."""
        z = saturate(round_shift(self.accumulate(x), self.shift), self.pre.bits)
        if self.activation.name == "relu":
            return np.maximum(z, 0)
        if self.activation.name == "leaky_relu":
            scaled = np.where(z < 0, z * self.slope_int, z << self.slope_frac)
            return saturate(round_shift(scaled, self.slope_shift), self.y.bits)
        if self.activation.name in TABLES:
            return self.table[z - self.pre.low]
        return z


@dataclass(frozen=True, eq=False)
class QuantizedNetwork:
    """A chain of integer layers. `network(ints)` is the integer reference."""

    name: str
    layers: tuple[QuantizedLayer, ...]

    @property
    def n_in(self) -> int:
        return self.layers[0].n_in

    @property
    def n_out(self) -> int:
        return self.layers[-1].n_out

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.n_in, *(layer.n_out for layer in self.layers))

    @property
    def macs(self) -> int:
        return sum(layer.weight.size for layer in self.layers)

    def encode(self, x: ArrayLike) -> Ints:
        """Real inputs (N, n_in) as integers of the input format."""
        return self.layers[0].x.quantise(x)

    def decode(self, y: ArrayLike) -> Floats:
        """Integers of the last layer as real numbers in the network's own units."""
        return self.layers[-1].y.real(y)

    def __call__(self, x: ArrayLike) -> Ints:
        """Integers (N, n_out) for x (N, n_in): integers of the input format, or reals to encode."""
        return self.trace(x)[-1]

    def trace(self, x: ArrayLike) -> list[Ints]:
        """What every layer gives, each (N, n_out): the streams between the layers of the hardware."""
        given = np.asarray(x)
        y = given.astype(np.int64) if np.issubdtype(given.dtype, np.integer) else self.encode(given)
        y = saturate(y, self.layers[0].x.bits)
        out = []
        for layer in self.layers:
            y = layer(y)
            out.append(y)
        return out

    def classes(self, x: ArrayLike) -> Ints:
        """The class of every row of x (N, n_in): (N,). The first of equal outputs wins."""
        return classify(self.decode(self(x)))
