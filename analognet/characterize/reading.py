"""Figures out of waveforms: where a curve crosses, how far it keeps a bound, when it settles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analognet.network import Array


def crossing(x: Array, y: Array, level: float) -> float | None:
    """The first x, interpolated, at which y (N,) passes a level; None where it never does."""
    above = y > level
    changed = np.flatnonzero(above[1:] != above[:-1])
    if not len(changed):
        return None
    k = int(changed[0])
    return float(x[k] + (level - y[k]) * (x[k + 1] - x[k]) / (y[k + 1] - y[k]))


def crossing_log(f: Array, y: Array, level: float) -> float | None:
    """`crossing` on a logarithmic axis of frequency."""
    found = crossing(np.log(f), y, level)
    return None if found is None else float(np.exp(found))


def within(x: Array, error: Array, bound: float, start: float) -> tuple[float, float] | None:
    """The interval of x around `start`, ends interpolated, in which |error| keeps a bound.

    None where it does not even at `start`. An end of x is an end of the interval.
    """
    size = np.abs(error)
    k = int(np.argmin(np.abs(x - start)))
    if size[k] > bound:
        return None
    low = crossing(x[k::-1], size[k::-1], bound)
    high = crossing(x[k:], size[k:], bound)
    return (float(x[0]) if low is None else low, float(x[-1]) if high is None else high)


def settled(t: Array, error: Array, bound: float, start: float, end: float) -> float | None:
    """Seconds from `start` until |error| (N,) keeps a bound until `end`; None where it does not.

    The last quarter of the time must be quiet, or nothing is said to have settled.
    """
    inside = (t >= start) & (t <= end)
    time, size = t[inside], np.abs(error[inside])
    outside = np.flatnonzero(size > bound)
    if not len(outside):
        return 0.0
    k = int(outside[-1])
    if k + 1 >= len(time) or time[k] > end - 0.25 * (end - start):
        return None
    share = (size[k] - bound) / (size[k] - size[k + 1])
    return float(time[k] + share * (time[k + 1] - time[k]) - start)


def slope_between(t: Array, y: Array, low: float, high: float) -> float | None:
    """Volts per second while y (N,) goes from one level to another for the first time."""
    a, b = crossing(t, y, low), crossing(t, y, high)
    if a is None or b is None or a == b:
        return None
    return (high - low) / (b - a)


def at_frequency(f: Array, y: Array, wanted: float) -> float:
    """y (N,) interpolated on a logarithmic axis of frequency."""
    return float(np.interp(np.log(wanted), np.log(f), y))


def integrated(f: Array, density: Array) -> float:
    """V rms over f (N,) in Hz of an amplitude density (N,) in V / sqrt(Hz), trapezoidal."""
    return float(np.sqrt(np.trapezoid(density**2, f)))


def decibels(ratio: Array | float) -> NDArray[np.float64]:
    return np.asarray(20 * np.log10(np.abs(ratio)), dtype=np.float64)
