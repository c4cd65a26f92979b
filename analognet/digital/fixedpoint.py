"""Fixed-point arithmetic on numpy int64: the rules that the VHDL package `an_pkg` states again.

A format is `bits` (two's complement, sign included) and `frac`: the integer q stands for
q * 2**-frac. `frac` may be negative or larger than `bits`. Rounding is half up, towards plus
infinity, floor(v + 1/2); what does not fit saturates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FRAC_LIMIT = 200  # scales beyond 2**+-200 are of no use and end in floating-point overflow

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Format:
    """A two's complement fixed-point format: `bits` wide, of them `frac` after the point."""

    bits: int
    frac: int

    @property
    def low(self) -> int:
        return -(1 << (self.bits - 1))

    @property
    def high(self) -> int:
        return (1 << (self.bits - 1)) - 1

    @property
    def step(self) -> float:
        """The value of one least significant bit."""
        return 2.0**-self.frac

    def __str__(self) -> str:
        return f"s{self.bits}.{self.frac}"

    def quantise(self, values: ArrayLike) -> Ints:
        """Integers of any shape for real values: rounded half up, saturated."""
        scaled = np.asarray(values, dtype=np.float64) * 2.0**self.frac
        return (
            np.floor(np.clip(scaled, self.low - 1.0, self.high + 1.0) + 0.5)
            .clip(self.low, self.high)
            .astype(np.int64)
        )

    def real(self, ints: ArrayLike) -> Floats:
        """The real values that integers of this format stand for."""
        return np.asarray(ints, dtype=np.float64) * self.step


def round_shift(v: Ints, shift: int) -> Ints:
    """floor(v / 2**shift + 1/2) for shift >= 0: an arithmetic shift right with rounding half up."""
    if shift == 0:
        return v
    return np.asarray((v + (1 << (shift - 1))) >> shift, dtype=np.int64)


def saturate(v: Ints, bits: int) -> Ints:
    """Clip to the range of a two's complement number of `bits` bits."""
    return np.clip(v, -(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def width(low: int, high: int) -> int:
    """Bits that a two's complement number needs to hold every integer of [low, high]."""
    return (
        max((high if high >= 0 else -high - 1).bit_length(), (low if low >= 0 else -low - 1).bit_length()) + 1
    )


def best_frac(values: ArrayLike, bits: int, spread: int = 4) -> int:
    """The `frac` that gives `values` the least mean square error in a format of `bits` bits.

    Tried are the largest that holds every value without saturation and `spread` finer ones,
    which saturate outliers for a smaller step; the coarser wins a tie.
    """
    v = np.asarray(values, dtype=np.float64)
    peak = float(np.max(np.abs(v))) if v.size else 0.0
    if peak == 0.0:
        return bits - 1
    covers = int(np.clip(bits - 1 - np.ceil(np.log2(peak)), -FRAC_LIMIT, FRAC_LIMIT))
    errors = []
    for frac in range(covers - 1, covers + spread + 1):
        f = Format(bits, frac)
        errors.append((float(np.mean((f.real(f.quantise(v)) - v) ** 2)), frac))
    return min(errors)[1]
