"""What ngspice's operating points of a network will take, before they are started.

Measured with ngspice 39 on one core, `board` parts, CPU s an image in a sweep: 64-32-10 0.005, 64-128-10
0.09, 784-128-10 0.4; with several rectifying layers 64-32-32-32-10 0.12, 100-100-50-10 0.6, 200-100-50-10
1.8. Each kind follows resistors times rectifiers within a factor of 2. In a large network of several
rectifying layers it is more: 54 s for an image of 300-200-100-50-10.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from analognet.analog.cells import OPAMP_ROLE
from analognet.analog.layers import AnalogLayer, AnalogNetwork

_ALONE_S: Final = 6e-8  # an image, of each resistor times each rectifier, these in one layer
_SEVERAL_S: Final = 3e-7  # the same, in several layers
_LARGE: Final = 1e7  # resistors times rectifiers, from which on several layers take longer still
_BEYOND: Final = 6.0  # times longer, measured once
NOTABLE_S: Final = 120.0


def image_seconds(network: AnalogNetwork) -> float:
    """Processor seconds of one operating point in ngspice, to an order of magnitude."""
    resistors = sum(int(np.count_nonzero(la.g_pos) + np.count_nonzero(la.g_neg)) for la in network.layers)
    rectifying = [layer for layer in network.layers if _rectifies(layer)]
    work = float(resistors * sum(layer.n_out for layer in rectifying))
    if len(rectifying) < 2:
        return _ALONE_S * work
    return _SEVERAL_S * work * (_BEYOND if work > _LARGE else 1.0)


def effort_warning(network: AnalogNetwork, images: int, jobs: int) -> str | None:
    """A line for the user where ngspice would take long on so many images, else None; nothing of chips,
    whose transistors are another matter.
    """
    if network.technology.process:
        return None
    seconds = image_seconds(network)
    total = seconds * images / max(1, min(jobs, images))
    if total < NOTABLE_S:
        return None
    return (
        f"ngspice will take about {_told(seconds)} an image and {_told(total)} in all, to an order of magnitude; "
        "the solver gives the same voltages in seconds: --engine solver"
    )


def _rectifies(layer: AnalogLayer) -> bool:
    return layer.amplifier != OPAMP_ROLE or "_diode" in (layer.cell or "")


def _told(seconds: float) -> str:
    for unit, name in ((3600.0, "hours"), (60.0, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.2g} {name}"
    return f"{seconds:.2g} s"
