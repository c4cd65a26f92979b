"""What ngspice's operating points of a network will take, before they are started.

Measured with ngspice 39 on one core, `board` parts, CPU s an image in a sweep: 64-32-10 0.005, 64-128-10
0.09, 784-128-10 0.4; with several rectifying layers 64-32-32-32-10 0.12, 100-100-50-10 0.6, 200-100-50-10
1.8. Each kind follows resistors times rectifiers within a factor of 2. In a large network of several
rectifying layers it is more: 54 s for an image of 300-200-100-50-10.

Before the first image ngspice reads the deck, orders the matrix and finds an operating point from nothing.
A layer's block of n_out rows and n_in columns fills in: that grows as its resistors times the square of the
smaller side (docs/scale.md), and decides what ngspice can take at all.
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
_FIRST_S: Final = (
    3e-9  # the first operating point, of each resistor times min(n_in, n_out) squared; 1.9 to 6.8
)
_RESISTOR_BYTES: Final = 1.1e3  # of ngspice's memory, with its part of the matrix
MEMORY_LIMIT: Final = 8 << 30  # bytes, what `process.run` allows a program
_DOUBT: Final = 3.0  # an estimate may be off by so much


def image_seconds(network: AnalogNetwork) -> float:
    """Processor seconds of one operating point in ngspice, to an order of magnitude."""
    rectifying = [layer for layer in network.layers if _rectifies(layer)]
    work = float(_resistors(network) * sum(layer.n_out for layer in rectifying))
    if len(rectifying) < 2:
        return _ALONE_S * work
    return _SEVERAL_S * work * (_BEYOND if work > _LARGE else 1.0)


def point_seconds(network: AnalogNetwork) -> float:
    """Processor seconds of the first operating point in ngspice, to an order of magnitude."""
    return _FIRST_S * sum(float(_of_layer(la)) * min(la.n_in, la.n_out) ** 2 for la in network.layers)


def point_bytes(network: AnalogNetwork) -> float:
    """Memory that ngspice takes for a network, at least: filling in of the matrix comes on top."""
    return _RESISTOR_BYTES * _resistors(network)


def refusal(network: AnalogNetwork, timeout_s: float, memory_bytes: int = MEMORY_LIMIT) -> str | None:
    """Why ngspice cannot take a network within limits of time and memory, else None; nothing of chips.

    An estimate that is off by no more than a factor of three does not refuse what would have worked.
    """
    if network.technology.process:
        return None
    seconds, size = point_seconds(network), point_bytes(network)
    if seconds <= _DOUBT * timeout_s and size <= memory_bytes:
        return None
    return (
        f"ngspice cannot take a network of {_resistors(network):,} resistors: its first operating point alone would "
        f"need about {_told(seconds)} and {size / 1e9:.2g} GB, and its limits are {_told(timeout_s)} and "
        f"{memory_bytes / 1e9:.2g} GB; the solver gives the same voltages: --engine solver"
    )


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


def _resistors(network: AnalogNetwork) -> int:
    return sum(_of_layer(layer) for layer in network.layers)


def _of_layer(layer: AnalogLayer) -> int:
    return int(np.count_nonzero(layer.g_pos) + np.count_nonzero(layer.g_neg))


def _rectifies(layer: AnalogLayer) -> bool:
    return layer.amplifier != OPAMP_ROLE or "_diode" in (layer.cell or "")


def _told(seconds: float) -> str:
    for unit, name in ((3600.0, "hours"), (60.0, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.2g} {name}"
    return f"{seconds:.2g} s"
