"""The behavioural twins of the activation cells: sources without load or input current."""

from __future__ import annotations

from typing import Final

import numpy as np

from analognet.analog.solver.hardware import CellRow
from analognet.errors import InputError
from analognet.network import Array

_STEP_V: Final = 1e-6


def behaviour(cell: CellRow, activation: str, z: Array) -> Array:
    """What a twin's source puts out, volts of any shape. Raises InputError for an unknown activation."""
    v = cell.params
    if activation == "relu" or (activation == "leaky_relu" and "slope" not in v):
        return np.maximum(z, 0.0)
    if activation == "leaky_relu":
        leaky: Array = np.maximum(z, 0.0) + v["slope"] * np.minimum(z, 0.0)
        return leaky
    if activation == "sigmoid":
        sigmoid: Array = v["s_out"] / 2.0 * (1.0 + np.tanh(z / (2.0 * v["s_in"])))
        return sigmoid
    if activation == "tanh":
        tanh: Array = v["s_out"] * np.tanh(z / v["s_in"])
        return tanh
    raise InputError(f"cell '{cell.name}': the solver has no equation for activation {activation}")


def behaviour_slope(cell: CellRow, activation: str, z: Array) -> Array:
    """dy/dz; at a corner, that of the side above."""
    ahead = behaviour(cell, activation, z + _STEP_V)
    if activation in ("relu", "leaky_relu"):
        one_sided: Array = (ahead - behaviour(cell, activation, z)) / _STEP_V
        return one_sided
    slope: Array = (ahead - behaviour(cell, activation, z - _STEP_V)) / (2.0 * _STEP_V)
    return slope
