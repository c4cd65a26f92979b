"""What range of values each layer must hold: from data, or from interval arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analognet.network import Array, Network

Range = tuple[float, float]


@dataclass(frozen=True)
class LayerRange:
    """What a layer must be able to hold, in the network's units; both ranges include 0.

    z: its pre-activations. partial: its sums over positive weights alone and, negated, over
    negative weights alone, whichever reaches further; the split topology has them on a node.
    """

    z: Range
    partial: Range


# sums may leave what a float holds: that makes ranges infinite or NaN, which `map_network` refuses
@np.errstate(over="ignore", invalid="ignore")
def data_ranges(network: Network, x: Array, margin: float = 1.1) -> tuple[LayerRange, ...]:
    """Each layer's ranges over data x (N, n_in), widened by `margin`."""
    ranges, y = [], np.asarray(x, dtype=np.float64)
    for layer in network.layers:
        positive = y @ np.maximum(layer.weight, 0).T + np.maximum(layer.bias, 0)
        negative = y @ np.maximum(-layer.weight, 0).T + np.maximum(-layer.bias, 0)
        z = positive - negative
        ranges.append(LayerRange(_with_zero(z, margin), _with_zero(np.stack([positive, negative]), margin)))
        y = layer.activation(z)
    return tuple(ranges)


@np.errstate(over="ignore", invalid="ignore")
def interval_ranges(
    network: Network, input_range: Range, z_ranges: Sequence[Range] | None = None
) -> tuple[LayerRange, ...]:
    """Bounds of each layer's ranges for any input in the range: interval arithmetic.

    z_ranges: each layer's pre-activations where they are known; they take the bounds' place.
    """
    low = np.full(network.n_in, input_range[0])
    high = np.full(network.n_in, input_range[1])
    ranges = []
    for i, layer in enumerate(network.layers):
        up, down = np.maximum(layer.weight, 0), np.maximum(-layer.weight, 0)
        bias_up, bias_down = np.maximum(layer.bias, 0), np.maximum(-layer.bias, 0)
        z_low = up @ low - down @ high + layer.bias
        z_high = up @ high - down @ low + layer.bias
        if z_ranges is not None:
            z_low, z_high = np.maximum(z_low, z_ranges[i][0]), np.minimum(z_high, z_ranges[i][1])
            z_low = np.minimum(z_low, z_high)
        sums = np.stack(
            [up @ low + bias_up, up @ high + bias_up, down @ low + bias_down, down @ high + bias_down]
        )
        ranges.append(LayerRange(_with_zero(np.stack([z_low, z_high])), _with_zero(sums)))
        ends = [layer.activation(z_low), layer.activation(z_high)]
        if layer.activation.slope < 0:  # not monotonic: its extreme may lie at 0
            ends.append(layer.activation(np.clip(0.0, z_low, z_high)))
        low, high = np.min(ends, axis=0), np.max(ends, axis=0)
    return tuple(ranges)


def _with_zero(values: Array, margin: float = 1.0) -> Range:
    return min(float(values.min()), 0.0) * margin, max(float(values.max()), 0.0) * margin
