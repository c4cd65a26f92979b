"""Silicon area of a chip: resistor strips by their length, cells by their rated area.

A strip takes its length, contact heads included, times the pitch at which strips lie beside each
other. A cell's area is measured from its devices (`*@ area`, docs/sky130.md). Routing between cells
and the pads are not in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analognet.analog.build import support_params
from analognet.analog.cells import Cell
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
    """Area of a chip's circuit; None for a technology that is not one chip, or a cell of unknown area."""
    strip = network.technology.resistor.strip
    if strip is None:
        return None
    own = {s.name for s in circuit.subcircuits}
    resistors = total = 0.0
    for element in (e for s in circuit.subcircuits for e in s.elements()):
        if isinstance(element, Star):
            resistors += float(np.sum(strip.area(element.ohms)))
        elif isinstance(element, Instance) and element.of not in own:
            cell = cells[circuit.opamp if element.of == "opamp" else element.of]
            if "area" not in cell.ratings:
                return None
            units = dict(support_params(network, cells, cell.name)).get("stages", 1.0)
            total += cell.rating("area", 0.0) + (units - 1) * cell.rating("area_unit", 0.0)
    return ChipArea(resistors, total)
