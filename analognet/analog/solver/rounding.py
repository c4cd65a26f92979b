"""The nominal board's sums that others are differences from, and what rounding to float32 can do to them.

A sum of n products in float32, added up in any order, is within n u sum |a| |b| of the exact one, u = 2^-24
and n the additions that a product passes through (N. Higham, Accuracy and Stability of Numerical
Algorithms, SIAM 2002, eq. 3.5); Cauchy and Schwarz bound the sum of magnitudes by two norms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analognet.analog.layers import SATURATING
from analognet.analog.solver.engine import Equations
from analognet.analog.solver.layers import LayerEquations
from analognet.analog.solver.rectifier import Rectifier
from analognet.network import Array

Single = NDArray[np.float32]

AGREEMENT_V: Final = 1e-5  # of an output with the float64 solver's
U: Final = 2.0**-24  # unit roundoff of float32
SUM: Final = 64  # products are summed so many at a time, which bounds their rounding
ROUNDINGS: Final = 10  # of an output, relative to it: see `device.rectify`
SETTLED_V: Final = 1e-7  # 2-norm over a layer of what its outputs may still move by


@dataclass(frozen=True, eq=False)
class Anchors:
    """The nominal board at the operating points of N images, what others are differences from.

    inputs: a of every layer (N, n_in) float32; bases: A_0 a + c_0 of every layer (N, n) float32; matrices:
    A_0 (n_in, n) siemens over siemens; constants: c_0 (n,) volts; first_sums, first_reach: S+ of the first
    layer's first op-amps and the sum of its terms' magnitudes, (N, n) amperes.
    """

    equations: Equations
    inputs: tuple[Single, ...]
    bases: tuple[Single, ...]
    matrices: tuple[Array, ...]
    constants: tuple[Array, ...]
    first_sums: Array
    first_reach: Array

    @cached_property
    def norms(self) -> tuple[float, ...]:
        """The largest 2-norm of an image's a, in volts, for every layer."""
        return tuple(float(np.sqrt((a.astype(np.float64) ** 2).sum(axis=1).max())) for a in self.inputs)

    @cached_property
    def inverse_g_pos(self) -> Array:
        """(n, n_in + 1) ohms of the first layer's resistors at first op-amps; 0 where there is none."""
        g_pos = self.equations.layers[0].parts.g_pos
        return np.divide(1.0, g_pos, out=np.zeros_like(g_pos), where=g_pos > 0)

    @cached_property
    def magnitudes(self) -> tuple[Array, ...]:
        """(n,) the largest |a| |A_0| of any image, in volts, for every layer."""
        return tuple(
            (np.abs(a.astype(np.float64)) @ np.abs(m)).max(axis=0)
            for a, m in zip(self.inputs, self.matrices, strict=True)
        )

    @cached_property
    def largest(self) -> tuple[Array, ...]:
        """(n,) the largest magnitude of each sum A_0 a + c_0, for every layer."""
        return tuple(np.abs(base).max(axis=0).astype(np.float64) for base in self.bases)


def scale(layer: LayerEquations) -> Array:
    """(n,) volts per ampere that a layer's sums are taken in."""
    amp = layer.amp
    return 1.0 / amp.g_f if isinstance(amp, Rectifier) else amp.by_s


def matrix(layer: LayerEquations) -> Array:
    scaled: Array = layer.combined[:-1] * scale(layer)
    return scaled


def constant(layer: LayerEquations, reference: float) -> Array:
    """c (n,) volts: what no signal drives, the load's current apart."""
    q, amp = layer.parts, layer.amp
    own = -amp.op.i_n / amp.g_f if isinstance(amp, Rectifier) else amp.v_0
    sent: Array = (layer.combined[-1] * reference + q.g_link * layer.first.stage.v_0) * scale(layer)
    return sent + own


def bounds(found: Anchors, system: Equations, deltas: Sequence[Array]) -> tuple[float, list[float]]:
    """(volts by which rounding can move an output, and for each layer what that grows by per volt of reach).

    Layer by layer: err (n,) of a sum is what its inputs' errors make of it, and the rounding of its
    products. Each output's own rounding is relative to it, so its effect is that of the largest image's
    2-norm; a switched-off rectifier has none to speak of.
    """
    err: Array = np.zeros(0)
    slopes: list[Array] = []
    for i, (layer, delta) in enumerate(zip(system.layers, deltas, strict=True)):
        matrix, norm = found.matrices[i] + delta, found.norms[i]
        count = min(len(delta), SUM) + -(-len(delta) // SUM) + 4
        err = count * U * _columns(delta) * norm + (err @ np.abs(matrix) if i else 0.0)
        slopes = [w @ np.abs(matrix) for w in slopes]
        if i:
            long = _columns(matrix)
            # of the cells' outputs, by their magnitudes; of rectifiers and loads that still move
            err = (
                err + ROUNDINGS * U * (found.magnitudes[i] + _columns(delta) * norm) + 2.0 * SETTLED_V * long
            )
            slopes.append((count + ROUNDINGS) * U * long)
        else:
            slopes.append(np.zeros(delta.shape[1]))
        err = err + 4.0 * U * np.abs(constant(layer, system.board.reference) - found.constants[i])
        if layer.parts.source.activation.name in SATURATING:
            err = err + 4.0 * U * found.largest[i]  # of the sum, which its output is not proportional to
        steep = _steepness(layer)
        err, slopes = err * steep, [w * steep for w in slopes]
    err = err + ROUNDINGS * U * found.largest[-1] * _steepness(system.layers[-1])
    return float(err.max()), [float(w.max()) for w in slopes]


def _columns(matrix: Array) -> Array:
    """(n,) 2-norms of the columns of (n_in, n)."""
    norms: Array = np.sqrt((matrix * matrix).sum(axis=0))
    return norms


def _steepness(layer: LayerEquations) -> float:
    """The largest slope of a layer's output over its sum."""
    cell = layer.parts.cell
    if cell is None:
        return 1.0
    v, name = cell.params, layer.parts.source.activation.name
    if name in SATURATING:
        return v["s_out"] / v["s_in"] * (0.25 if name == "sigmoid" else 1.0)
    return max(1.0, abs(v.get("slope", 0.0)))
