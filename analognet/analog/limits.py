"""What a technology's op-amp reaches, delivers and stays stable with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from analognet.analog.cells import Cell
from analognet.analog.layers import AnalogLayer
from analognet.analog.ranges import LayerRange, Range
from analognet.analog.resistors import pot_bits, realise
from analognet.analog.technology import Technology
from analognet.errors import InputError
from analognet.names import printable

CLIP_KNEE_V: Final = 0.04  # the macromodel's clamps conduct as much before the swing's end
LOAD_SHARE: Final = 0.5  # of a part's design output current that the weights behind it may draw


def swing(technology: Technology, cells: Mapping[str, Cell], opamp: str | None = None) -> Range:
    """(lowest, highest) output voltage of the technology's op-amp against common."""
    part = cells[opamp or technology.opamp]
    return (
        technology.vss + part.figures.get("drop_lo", 0.0),
        technology.vdd - part.figures.get("drop_hi", 0.0),
    )


def usable_swing(technology: Technology, cells: Mapping[str, Cell]) -> Range:
    """The part of the swing in which an op-amp does not yet begin to clip."""
    low, high = swing(technology, cells)
    return low + CLIP_KNEE_V, high - CLIP_KNEE_V


def working_ohm(technology: Technology, cells: Mapping[str, Cell]) -> float:
    """The resistor that circuits around the op-amp are made of: the preferred feedback resistor,
    less where the op-amp's input capacitance would leave it too little phase margin.
    """
    kind = technology.resistor
    stable = cells[technology.opamp].rating("r_max", np.inf)
    return fixed_ohm(min(kind.feedback_ohm, stable), technology)


def first_stage_gain(
    z_range: LayerRange, scale_z: float, technology: Technology, cells: Mapping[str, Cell]
) -> float:
    """Gain of the first op-amp of a split neuron against the whole: less than 1 where its sum would clip.

    It drives R_f and, through the link of gain x R_f, a virtual ground; that current drops over its
    output resistance and takes from its swing.
    """
    low, high = usable_swing(technology, cells)
    largest = max(abs(z_range.partial[0]), abs(z_range.partial[1])) * scale_z
    if largest <= 0:
        return 1.0
    reach = min(high, -low) / largest
    rout = cells[technology.opamp].figures.get("rout", 0.0)
    own = rout / working_ohm(technology, cells)
    # either the link is as small as a resistor can be, or R_f is the preferred one
    smallest_link = reach / (1.0 + own + rout / technology.resistor.min_ohm)
    return min(1.0, max(smallest_link, (reach - own) / (1.0 + own)))


def drive_current(technology: Technology, cells: Mapping[str, Cell], driver: AnalogLayer | None) -> float:
    """Amperes that a layer may draw from each of its inputs at full scale.

    What an op-amp delivers drops over its output resistance, and must leave it inside its swing.
    The network's own inputs (driver None) are sources. Raises InputError where nothing is left.
    """
    part = cells[technology.opamp]
    rating = part.rating("i_out", np.inf) * LOAD_SHARE
    rout = part.figures.get("rout", 0.0)
    if driver is None or rout <= 0:
        return rating
    low, high = usable_swing(technology, cells)
    stage = cells.get(driver.cell or driver.amplifier)
    spare = min(high, -low) - technology.full_scale - (stage.rating("headroom", 0.0) if stage else 0.0)
    left = spare / rout - technology.full_scale / working_ohm(technology, cells)  # its own feedback
    if left <= 0:
        raise InputError(
            f"full scale {technology.full_scale:g} V leaves {technology.opamp} {spare:.3g} V to drive the "
            f"layer behind '{printable(driver.name)}' through its {rout:g} Ohm; choose a smaller one"
        )
    return min(rating, left)


def fixed_ohm(ohms: float, technology: Technology) -> float:
    """A fixed resistor: of the series, or of E192 where the weights are potentiometers."""
    kind = technology.resistor
    series = "E192" if pot_bits(kind.series) is not None else kind.series
    return float(realise(np.array([max(ohms, kind.min_ohm)]), series, kind.min_ohm, kind.max_ohm)[0])
