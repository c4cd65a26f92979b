"""The flat circuit as numbers: what `Circuit.graph` holds, small enough for ten million resistors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from analognet.analog.circuit import Circuit, Shunt, Star, Subcircuit

Numbers = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Wiring:
    """nets: names by path, in order of appearance. roles: of the top's pins, by number.

    ends: (2, R) the nets of each resistor. cells: (name, ((pin, role, net number), ...)) each.
    """

    nets: tuple[str, ...]
    roles: dict[int, str]
    ends: Numbers
    cells: tuple[tuple[str, tuple[tuple[str, str, int], ...]], ...]

    def neighbours(self) -> Numbers:
        """(nets,) with how many other nets resistors connect each; two in parallel count once."""
        between = self._between
        counts: Numbers = np.bincount(between.indices, minlength=len(self.nets)).astype(np.int32)
        counts += np.diff(between.indptr)
        return counts

    def components(self) -> tuple[int, Numbers]:
        """How many parts the nets fall into that resistors hold together, and (nets,) each one's."""
        n, labels = connected_components(self._between, directed=False)
        return int(n), labels

    @cached_property
    def _between(self) -> csr_array:
        """Upper triangle: which two nets some resistor connects."""
        low, high = self.ends.min(axis=0, initial=2**31 - 1), self.ends.max(axis=0, initial=-1)
        n = len(self.nets)
        once = coo_array((np.ones(len(low), np.int32), (low, high)), shape=(n, n)).tocsr()
        once.sum_duplicates()
        return once


class _Numbering(dict[str, int]):
    """Net as a subcircuit calls it -> number; one met for the first time is asked for."""

    def __init__(self, known: dict[str, int], number: Callable[[str], int]) -> None:
        super().__init__(known)
        self._number = number

    def __missing__(self, name: str) -> int:
        number = self[name] = self._number(name)
        return number


def wiring(circuit: Circuit) -> Wiring:
    """Every net and connection of a circuit, its subcircuits opened up."""
    names: list[str] = []

    def numbered(name: str) -> int:
        names.append(name)
        return len(names) - 1

    top = {net: numbered(net) for net, _ in circuit.top.pins}
    inner = {s.name: s for s in circuit.subcircuits}
    ends: list[Numbers] = []
    cells: list[tuple[str, tuple[tuple[str, str, int], ...]]] = []

    def expand(sub: Subcircuit, path: str, outer: dict[str, int]) -> None:
        number = _Numbering(outer, lambda name: numbered(path + name))
        for element in sub.elements():
            if isinstance(element, Shunt):  # no path for a current that stays
                continue
            if isinstance(element, Star):
                pair = np.empty((2, len(element.nets)), np.int32)
                pair[0] = np.fromiter(map(number.__getitem__, element.nets), np.int32, len(element.nets))
                pair[1] = number[element.hub]
                ends.append(pair)
            elif element.of in inner:
                child = inner[element.of]
                pins = zip(child.pin_names, element.nets, strict=True)
                expand(child, f"{path}{element.name}.", {pin: number[net] for pin, net in pins})
            else:
                placed = zip(circuit.roles[element.of], element.nets, strict=True)
                cells.append(
                    (path + element.name, tuple((pin, role, number[net]) for (pin, role), net in placed))
                )

    expand(circuit.top, "", top)
    flat = np.concatenate(ends, axis=1) if ends else np.empty((2, 0), np.int32)
    roles = {top[net]: role for net, role in circuit.top.pins}
    return Wiring(tuple(names), roles, flat, tuple(cells))
