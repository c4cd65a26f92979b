"""Which steps from one input to the next are simulated: random ones, and those that should be worst."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analognet.analog.layers import AnalogNetwork
from analognet.errors import UsageError
from analognet.network import Array

RANDOM: Final = "random"
RISE_S: Final = 1e-9  # in which the inputs ramp from their old to their new values
MOST: Final = 100_000
_POOL: Final = 400  # inputs that the constructed cases are looked for in


@dataclass(frozen=True, eq=False)
class Transition:
    """From input `start` to input `end`, (n_in,) in units. kind: why it was chosen; rows: their
    places in the data, None for the zero input.
    """

    kind: str
    start: Array
    end: Array
    rows: tuple[int | None, int | None]


def choose_transitions(network: AnalogNetwork, x: Array, n: int, seed: int = 0) -> tuple[Transition, ...]:
    """n transitions over inputs x (N, n_in) in units: half of them random pairs, half constructed.

    Constructed, in turn: the largest input swing; from the zero input to the input farthest from
    it, and back; and, over and over, onto inputs for which a hidden neuron ends nearest zero,
    from one at which it stood on the other side. Where there is no hidden layer all others are
    random. Raises UsageError.
    """
    if not 1 <= n <= MOST:
        raise UsageError(f"--transient {n}: at least 1 transition is needed, and at most {MOST}")
    if len(x) < 2:
        raise UsageError("--transient needs data with at least 2 inputs")
    rng = np.random.default_rng(seed)
    pool = np.sort(rng.permutation(len(x))[:_POOL]).astype(np.int64)
    built = _constructed(network, x, pool, n // 2)
    pairs = [_random_pair(rng, len(x)) for _ in range(n - len(built))]
    return tuple([Transition(RANDOM, x[a], x[b], (a, b)) for a, b in pairs] + built)


def _random_pair(rng: np.random.Generator, n: int) -> tuple[int, int]:
    a, b = rng.choice(n, 2, replace=False)
    return int(a), int(b)


def _constructed(network: AnalogNetwork, x: Array, pool: NDArray[np.int64], wanted: int) -> list[Transition]:
    points = x[pool]
    low, high = network.input_range
    zero = np.full(x.shape[1], min(max(0.0, low), high))
    swing = np.array([np.abs(points - p).sum(axis=1) for p in points])
    a, b = (int(i) for i in np.unravel_index(np.argmax(swing), swing.shape))
    far = int(np.argmax(np.abs(points - zero).sum(axis=1)))
    found = [
        Transition("largest input swing", points[a], points[b], (int(pool[a]), int(pool[b]))),
        Transition("from zero", zero, points[far], (None, int(pool[far]))),
        Transition("to zero", points[far], zero, (int(pool[far]), None)),
    ]
    return (found + _near_zero(network, points, pool, wanted - len(found)))[:wanted]


def _near_zero(
    network: AnalogNetwork, points: Array, pool: NDArray[np.int64], wanted: int
) -> list[Transition]:
    """Onto inputs that leave one hidden neuron nearest zero, a neuron each, from its other side."""
    found: list[Transition] = []
    taken: set[int] = set()
    hidden = [v_sum for v_sum, _ in network.voltages(points)[:-1]]
    if not hidden or wanted <= 0:
        return found
    sums = np.hstack(hidden)
    neurons = np.argsort(np.abs(sums).min(axis=0))
    for neuron in neurons.tolist():
        order = [int(i) for i in np.argsort(np.abs(sums[:, neuron])) if int(i) not in taken]
        other = [i for i in range(len(pool)) if sums[i, neuron] * sums[order[0], neuron] < 0] if order else []
        if not other:
            continue
        end = order[0]
        start = max(other, key=lambda i: abs(float(sums[i, neuron])))
        taken.add(end)
        found.append(
            Transition(
                "hidden neuron nearest zero", points[start], points[end], (int(pool[start]), int(pool[end]))
            )
        )
        if len(found) == wanted:
            break
    return found
