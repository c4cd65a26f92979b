"""A linear circuit put together entry by entry: conductances, capacitances, sources, noise currents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from analognet.analog.solver.devices import BOLTZMANN
from analognet.network import Array

GROUND: Final = -1  # the index of common, the supplies and ideal sources, which small signals do not move
Ids = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class NoiseSources:
    """White noise currents from node a to node b: a, b (m,) indices (-1 ground), density (m,) A^2/Hz;
    label: (m,) indices into labels, which name part and kind.
    """

    a: Ids
    b: Ids
    density: Array
    label: Ids
    labels: tuple[tuple[str, str], ...]


@dataclass(frozen=True, eq=False)
class SmallSignal:
    """G and C (k, k) in siemens and farads, the outputs' nodes (n_out,), and the noise sources."""

    g: sparse.csc_matrix
    c: sparse.csc_matrix
    outputs: Ids
    sources: NoiseSources


class Stamps:
    """Collects a circuit's entries; nodes are indices, many at a time, `GROUND` what does not move."""

    def __init__(self, kelvin: float) -> None:
        self.kelvin = kelvin
        self.count = 0
        self._g: list[tuple[Ids, Ids, Array]] = []
        self._c: list[tuple[Ids, Ids, Array]] = []
        self._forced: list[Ids] = []
        self._forced_g: list[tuple[Ids, Ids, Array]] = []
        self._noise: list[tuple[Ids, Ids, Array, Ids]] = []
        self.labels: list[tuple[str, str]] = []

    def new(self, n: int) -> Ids:
        ids = np.arange(self.count, self.count + n)
        self.count += n
        return ids

    def entry(self, row: Ids, column: Ids, siemens: ArrayLike) -> None:
        self._g.append(_flat(row, column, siemens))

    def two_pole(self, a: Ids, b: Ids, value: ArrayLike, capacitor: bool = False) -> None:
        into = self._c if capacitor else self._g
        negative = -np.asarray(value)
        into += [_flat(a, a, value), _flat(b, b, value), _flat(a, b, negative), _flat(b, a, negative)]

    def force(self, row: Ids, terms: list[tuple[Ids, ArrayLike]]) -> None:
        """A voltage source at node `row`: v(row) = sum of factor v(node) instead of its current law."""
        self._forced.append(row)
        self._forced_g.append(_flat(row, row, 1.0))
        for node, factor in terms:
            self._forced_g.append(_flat(row, node, -np.asarray(factor)))

    def noise(self, a: Ids, b: Ids, density: ArrayLike, names: list[str], kind: str) -> None:
        a, b, d = _flat(a, b, density)
        first = len(self.labels)
        self.labels += [(name, kind) for name in names]
        label = np.arange(first, first + len(names))
        self._noise.append((a, b, d, np.repeat(label, len(d) // len(names))))

    def resistor(self, a: Ids, b: Ids, siemens: ArrayLike, names: list[str]) -> None:
        self.two_pole(a, b, siemens)
        self.noise(a, b, 4.0 * BOLTZMANN * self.kelvin * np.asarray(siemens), names, "resistor")

    def finish(self, outputs: Ids) -> SmallSignal:
        forced = np.zeros(self.count, dtype=bool)
        for rows in self._forced:
            forced[rows] = True

        def matrix(
            entries: list[tuple[Ids, Ids, Array]], extra: list[tuple[Ids, Ids, Array]]
        ) -> sparse.csc_matrix:
            row, column, value = (np.concatenate(part) for part in zip(*entries, strict=True))
            kept = (row >= 0) & (column >= 0) & ~forced[np.maximum(row, 0)]
            row, column, value = row[kept], column[kept], value[kept]
            for r, c, v in extra:
                inside = c >= 0
                row, column = np.concatenate([row, r[inside]]), np.concatenate([column, c[inside]])
                value = np.concatenate([value, v[inside]])
            return sparse.csc_matrix((value, (row, column)), shape=(self.count, self.count))

        a, b, density, label = (np.concatenate(part) for part in zip(*self._noise, strict=True))
        sources = NoiseSources(a, b, density, label, tuple(self.labels))
        nothing = _flat(np.array([0]), np.array([0]), 0.0)
        return SmallSignal(matrix(self._g, self._forced_g), matrix([*self._c, nothing], []), outputs, sources)


def _flat(row: Ids, column: Ids, value: ArrayLike) -> tuple[Ids, Ids, Array]:
    r, c, v = np.broadcast_arrays(row, column, np.asarray(value, dtype=np.float64))
    return r.ravel().astype(np.int64), c.ravel().astype(np.int64), v.ravel().astype(np.float64)
