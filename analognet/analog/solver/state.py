"""What passes between layers: the voltages of one, and what the next one sends back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analognet.network import Array


@dataclass(frozen=True, eq=False)
class Loads:
    """What b the next layer sends into: y (N, n) the layer's outputs, z (N, n) its summing op-amps'
    outputs where a cell follows, b (N, n_in + 1) its inverters' outputs. None where it is 0.
    """

    y: Array | None = None
    z: Array | None = None
    inverted: Array | None = None


@dataclass(frozen=True, eq=False)
class State:
    """A layer's voltages: y (N, n) outputs; p, n (N, n) summing nodes (p None where it is common);
    z_load (N, n) amperes that the cell sends back into z; inverted (N, n_in + 1) inverters' outputs and
    m their summing nodes; clipped (N,): some clamp conducts; failed (N, n).
    """

    y: Array
    p: Array | None
    n: Array
    z_load: Array | None
    inverted: Array | None
    m: Array | None
    clipped: NDArray[np.bool_]
    failed: NDArray[np.bool_]
