"""Silicon area of a chip: resistor strips by their length, cells by their devices.

A strip takes its length, contact heads included, times the pitch at which strips lie beside each
other; `cell_area` says what a cell takes. Routing between cells and the pads are not in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analognet.analog.cell_area import cell_area
from analognet.analog.cells import OPAMP_ROLE, Cell
from analognet.analog.circuit import Circuit, Instance, Star
from analognet.analog.layers import AnalogNetwork


@dataclass(frozen=True)
class ChipArea:
    """m^2: resistors, and everything made of transistors."""

    resistors: float
    cells: float

    @property
    def total(self) -> float:
        return self.resistors + self.cells


def chip_area(network: AnalogNetwork, circuit: Circuit, cells: Mapping[str, Cell]) -> ChipArea | None:
    """Area of a chip's circuit; None for a technology that is not one chip.

    Raises InputError for a cell with parts whose area is not known.
    """
    strip = network.technology.resistor.strip
    if strip is None:
        return None
    own = {s.name for s in circuit.subcircuits}
    resistors = total = 0.0
    known: dict[tuple[str, tuple[tuple[str, float], ...]], float] = {}
    for element in (e for s in circuit.subcircuits for e in s.elements()):
        if isinstance(element, Star):
            resistors += float(np.sum(strip.area(element.ohms)))
        elif isinstance(element, Instance) and element.of not in own:
            kind = (circuit.opamp if element.of == OPAMP_ROLE else element.of, element.params)
            if kind not in known:
                known[kind] = cell_area(cells[kind[0]], cells, network.technology, dict(kind[1]))
            total += known[kind]
    return ChipArea(resistors, total)
