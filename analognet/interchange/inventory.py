"""Every element of a design's flat circuit, cells opened up: what a parts list counts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analognet.analog.cells import OPAMP_ROLE
from analognet.analog.circuit import Instance, Shunt
from analognet.analog.resistors import pot_bits
from analognet.errors import UsageError
from analognet.interchange.elements import cell_elements

if TYPE_CHECKING:
    from analognet.design import Design

_WEIGHT = re.compile(r"R[pn]\d+_")  # the names that `build` gives to weights


@dataclass(frozen=True)
class Item:
    """path: in the netlist, below the top; letter: of its designator; kind: what prices call it;
    value: ohms or farads as text, empty where it has none.
    """

    path: str
    letter: str
    kind: str
    value: str


def inventory(design: Design) -> Iterator[Item]:
    """Every element of the flat circuit, in the order of the netlist. Raises UsageError for a cell that
    is a formula.
    """
    bits = pot_bits(design.technology.resistor.series)
    inner = {s.name: s for s in design.circuit.subcircuits}

    def inside(of: str, path: str, params: Mapping[str, float]) -> Iterator[Item]:
        if of == OPAMP_ROLE:
            yield Item(path, "U", "op-amp", "")
            return
        cell = design.cells[of]
        if cell.behavioural:
            raise UsageError(f"cell {cell.name} is a formula and no circuit: it cannot be bought")
        pair: list[str] = []
        for e in cell_elements(cell, params):
            place = f"{path}.{e.name}"
            if e.kind == "x":
                yield from inside(e.of, place, {})
            elif e.kind in "rc":
                assert e.value is not None
                yield Item(
                    place, e.kind.upper(), {"r": "resistor", "c": "capacitor"}[e.kind], f"{e.value:.9g}"
                )
            elif e.kind == "d":
                yield Item(place, "D", "diode", "")
            elif e.kind == "q" and e.name in ("Q1", "Q2"):
                pair.append(place)
            elif e.kind == "q":
                yield Item(place, "Q", "transistor", "")
        if pair:
            yield Item(" and ".join(pair), "Q", "transistor_pair", "")

    def expand(of: str, path: str) -> Iterator[Item]:
        for e in inner[of].elements():
            if isinstance(e, Instance):
                place = f"{path}{e.name}"
                if e.of in inner:
                    yield from expand(e.of, f"{place}.")
                else:
                    yield from inside(e.of, place, dict(e.params))
                continue
            if isinstance(e, Shunt):  # a parasitic is no part
                continue
            for name, ohms in zip(e.names, e.ohms.tolist(), strict=True):
                pot = bits is not None and _WEIGHT.match(name)
                kind, value = ("potentiometer", "") if pot else ("resistor", f"{ohms:.9g}")
                yield Item(f"{path}{name}", "R", kind, value)

    yield from expand(design.circuit.top.name, "")
