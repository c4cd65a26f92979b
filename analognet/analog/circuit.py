"""A circuit as a value: cells, subcircuits, and the elements inside them.

Nets are generated names (`x3`, `l0_y12`); nothing from a model stands in a circuit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import networkx as nx
import numpy as np

from analognet.analog.cells import Cell
from analognet.network import Array


@dataclass(frozen=True, eq=False)
class Star:
    """Resistors from several nets to one: a summing node's inputs, or a single resistor.

    The resistor to nets[k] is called `<prefix>_<labels[k]>` and has ohms[k]; all finite and > 0.
    middle_f: F to the substrate from each resistor's middle, 0 for one that is a single piece.
    """

    prefix: str
    hub: str
    nets: tuple[str, ...]
    labels: tuple[str, ...]
    ohms: Array
    middle_f: Array | None = None

    @staticmethod
    def single(name: str, a: str, b: str, ohms: float) -> Star:
        return Star(name, b, (a,), ("",), np.array([ohms]))

    @property
    def names(self) -> list[str]:
        return [f"{self.prefix}_{label}" if label else self.prefix for label in self.labels]


@dataclass(frozen=True)
class Instance:
    """A cell or subcircuit with its nets, in the order of its pins, and its parameters."""

    name: str
    of: str
    nets: tuple[str, ...]
    params: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Shunt:
    """A parasitic capacitance from a net to the substrate, which is at the lower rail."""

    name: str
    net: str
    farads: float


Element = Star | Instance | Shunt


@dataclass(frozen=True)
class Group:
    """Elements that belong together, one neuron for example; the title is a comment line."""

    title: str
    elements: tuple[Element, ...]


@dataclass(frozen=True)
class Subcircuit:
    """Pins are (net, role) with the roles of a cell's pins."""

    name: str
    title: str
    pins: tuple[tuple[str, str], ...]
    groups: tuple[Group, ...]

    @property
    def pin_names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.pins)

    def elements(self) -> Iterator[Element]:
        for group in self.groups:
            yield from group.elements


@dataclass(frozen=True)
class Circuit:
    """All of a design: cells in order of use, subcircuits with the top one last.

    opamp: the cell that stands for the role `opamp`; process: the design kit of its devices.
    """

    title: str
    notes: tuple[str, ...]
    cells: tuple[Cell, ...]
    opamp: str
    subcircuits: tuple[Subcircuit, ...]
    process: str = ""

    @property
    def common(self) -> str | None:
        """ngspice's name, in a bench, of a signal common that the circuit makes for itself; None
        where it is node 0.
        """
        return None if "com" in self.top.pin_names else "xnet.com"

    @property
    def devices(self) -> dict[str, frozenset[tuple[float, float]]]:
        """What the circuit uses of its process: device -> {(w, l) in um}."""
        found: dict[str, frozenset[tuple[float, float]]] = {}
        for cell in self.cells:
            for name, sizes in cell.devices.items():
                found[name] = found.get(name, frozenset()) | sizes
        return dict(sorted(found.items()))

    @property
    def top(self) -> Subcircuit:
        return self.subcircuits[-1]

    @cached_property
    def roles(self) -> dict[str, tuple[tuple[str, str], ...]]:
        """Pins of everything that can be instantiated."""
        found = {cell.name: cell.pins for cell in self.cells}
        found["opamp"] = found[self.opamp]
        found.update({s.name: s.pins for s in self.subcircuits})
        return found

    def graph(self) -> nx.Graph:
        """The flat circuit as a networkx graph.

        Nodes are nets (`kind="net"`, `role` for the top's pins) named by their path, and cell
        instances (`kind="cell"`, `of` the cell). An edge between two nets is a resistor, with its
        `name` and `ohms`; two resistors in parallel share an edge. An edge
        between a cell and a net holds `pins`, a tuple of (pin, role).
        """
        graph = nx.Graph()
        for net, role in self.top.pins:
            graph.add_node(net, kind="net", role=role)
        inner = {s.name: s for s in self.subcircuits}

        def expand(sub: Subcircuit, path: str, outer: dict[str, str]) -> None:
            for element in sub.elements():
                if isinstance(element, Shunt):  # no path for a current that stays
                    continue
                nets = [outer.get(n) or path + n for n in element.nets]
                if isinstance(element, Star):
                    hub = outer.get(element.hub) or path + element.hub
                    graph.add_edges_from(self._resistors(element, hub, nets, path))
                elif element.of in inner:
                    child = inner[element.of]
                    named = dict(zip(child.pin_names, nets, strict=True))
                    expand(child, f"{path}{element.name}.", named)
                else:
                    node = f"{path}{element.name}"
                    graph.add_node(node, kind="cell", of=element.of)
                    for pin, net in zip(self.roles[element.of], nets, strict=True):
                        earlier = graph.edges[node, net]["pins"] if graph.has_edge(node, net) else ()
                        graph.add_edge(node, net, pins=(*earlier, pin))

        expand(self.top, "", {name: name for name in self.top.pin_names})
        for data in graph.nodes.values():
            data.setdefault("kind", "net")
        return graph

    @staticmethod
    def _resistors(star: Star, hub: str, nets: list[str], path: str) -> list[tuple[Any, ...]]:
        named = zip(nets, star.names, star.ohms.tolist(), strict=True)
        return [(net, hub, {"name": path + name, "ohms": ohms}) for net, name, ohms in named]

    @property
    def resistors(self) -> int:
        """Resistors between nets; those inside cells are counted by `cells.count`."""
        return sum(len(e.ohms) for s in self.subcircuits for e in s.elements() if isinstance(e, Star))
