"""A chip's resistors under other conditions than the nominal ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from analognet.analog.layers import AnalogLayer, AnalogNetwork
from analognet.analog.technology import Strip
from analognet.network import Array

_STREAM = 0x52  # keeps these draws apart from others made from the same seed
CONDUCTANCES = ("g_pos", "g_neg", "g_f", "g_f_pos", "g_link", "balance_pos", "balance_neg")


def scaled(network: AnalogNetwork, factor: float) -> AnalogNetwork:
    """Every resistance times a factor: resistors of one kind drift together."""
    return replace(network, layers=tuple(_changed(layer, lambda g: g / factor) for layer in network.layers))


def mismatched(
    network: AnalogNetwork, strip: Strip, seed: Sequence[int], amount: float = 1.0
) -> AnalogNetwork:
    """Every resistor with an error of its own, of `amount` times the sigma that its area gives it."""
    rng = np.random.default_rng([_STREAM, *seed])

    def drawn(g: Array) -> Array:
        with np.errstate(divide="ignore"):
            sigma = np.where(g > 0, strip.sigma(1.0 / np.where(g > 0, g, 1.0)), 0.0)
        changed: Array = g / (1 + amount * sigma * rng.standard_normal(g.shape))
        return changed

    return replace(network, layers=tuple(_changed(layer, drawn) for layer in network.layers))


def _changed(layer: AnalogLayer, change: Callable[[Array], Array]) -> AnalogLayer:
    changed: dict[str, Any] = {name: change(getattr(layer, name)) for name in CONDUCTANCES}
    return replace(layer, **changed)
