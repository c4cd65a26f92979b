"""Chips whose devices differ: chip k of a seed, and how well it classifies by the compact model.

Resistor strips differ as their areas say; every amplifier has an input offset of its own, of the
sigma that its cell is rated at (`*@ vos_sigma`, measured by mismatch Monte Carlo in ngspice,
docs/sky130.md). Corners are not mixed in: they are conditions, stated with a result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analognet.analog import conditions
from analognet.analog.cells import OPAMP_ROLE, Cell
from analognet.analog.compact.solve import solve
from analognet.analog.compact.tables import Conditions
from analognet.analog.layers import AnalogLayer, AnalogNetwork
from analognet.analog.variation import Spread
from analognet.network import Array, classify

if TYPE_CHECKING:
    from analognet.design import Design

_STREAM = 0x05  # keeps these draws apart from others made from the same seed


@dataclass(frozen=True, eq=False)
class Chip:
    """network: with the chip's own resistors; offsets: (n,) V of each layer's amplifiers."""

    network: AnalogNetwork
    offsets: tuple[Array, ...]


def chip(design: Design, spread: Spread, seed: int, k: int) -> Chip:
    """Chip k of a seed, the same for any number of chips, workers or other sources of spread."""
    network = design.analog
    strip = design.technology.resistor.strip
    if spread.strip_mismatch > 0 and strip is not None:
        network = conditions.mismatched(network, strip, [seed, k], spread.strip_mismatch)
    offsets = []
    for index, layer in enumerate(network.layers):
        rng = np.random.default_rng([_STREAM, seed, k, index])
        sigma = _offset_sigma(layer, design.technology.opamp, design.cells)
        offsets.append(spread.transistor_mismatch * sigma * rng.standard_normal(layer.n_out))
    return Chip(network, tuple(offsets))


def _offset_sigma(layer: AnalogLayer, opamp: str, cells: Mapping[str, Cell]) -> float:
    """V between the inputs of a neuron's amplifier, its activation cell's centre included."""
    name = opamp if layer.amplifier == OPAMP_ROLE else layer.amplifier
    own = cells[name].rating("vos_sigma", 0.0)
    if layer.cell is None:
        return own
    behind = cells[layer.cell].rating("vos_sigma", 0.0) / float(layer.noise_gain.mean())
    return float(np.hypot(own, behind))


def right_answers(
    design: Design, x: Array, y: NDArray[np.int64], drawn: Chip | None, conditions_: Conditions
) -> int:
    """How many of inputs x (N, n_in) with classes y (N,) a chip answers rightly; the nominal one for None."""
    made = (
        Chip(design.analog, tuple(np.zeros(n.n_out) for n in design.analog.layers))
        if drawn is None
        else drawn
    )
    found = solve(made.network, design.cells, x, conditions_, offsets=made.offsets)
    return int((classify(found.outputs_v / design.analog.scale_out) == y).sum())
