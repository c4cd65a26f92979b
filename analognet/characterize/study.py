"""A study: one bench and how its waveforms become figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from analognet.characterize.fixture import Bench, Fixture, Plots
from analognet.characterize.points import Point
from analognet.network import Array

Value = float | None  # None: the cell never got there, as an output that did not settle


@dataclass(frozen=True, eq=False)
class Curve:
    """y (N,) over x (N,), both named with their units; a frequency is drawn on a logarithmic axis."""

    x: Array
    y: Array
    x_label: str


@dataclass(frozen=True, eq=False)
class Measured:
    """values: figure -> value in the unit of `figures.FIGURES`; curves: name of y -> curve, for plots."""

    values: Mapping[str, Value]
    curves: Mapping[str, Curve] = field(default_factory=dict)

    def merged(self, other: Measured) -> Measured:
        return Measured({**self.values, **other.values}, {**self.curves, **other.curves})


@dataclass(frozen=True)
class Study:
    """bench: what to run at a point; read: figures from what came back; mismatch: whether it is
    repeated for every sample of a mismatch run.
    """

    name: str
    bench: Callable[[Fixture, Point], Bench]
    read: Callable[[Fixture, Point, Plots], Measured]
    mismatch: bool = False
