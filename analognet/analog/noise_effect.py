"""What noise does to a network's answers: how likely it is that each comes out otherwise.

The outputs are jointly Gaussian about their quiet values, with the covariance that the adjoint method
gives (`noise`): two outputs share what the hidden layers' noise does to both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from analognet.analog import solver
from analognet.analog.bench import NOMINAL_C
from analognet.analog.noise import PER_DECADE, check_band, frequencies, integrate
from analognet.analog.solver.small_signal import linearise
from analognet.analog.variation import check_seed, check_temperature
from analognet.errors import UsageError
from analognet.network import Array, classify

if TYPE_CHECKING:
    from analognet.design import Design

DRAWS: Final = 1 << 14
DOUBTFUL: Final = 1e-5  # an answer less likely to flip than this is not drawn for
Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class NoiseEffect:
    """What noise does to the answers.

    flips: (N,) probability that an image's answer is another than without noise; accuracy: expected
    fraction of right answers with noise, None without labels; quiet_accuracy: without noise;
    simulated: operating points whose covariance was computed; the rest take that of the point whose
    rectifiers are switched most alike.
    """

    flips: Array
    accuracy: float | None
    quiet_accuracy: float | None
    simulated: int


def noise_effect(
    design: Design,
    x: Array,
    y: NDArray[np.int64] | None,
    *,
    temperature: float = NOMINAL_C,
    band: tuple[float, float] | None = None,
    points: int = 8,
    exact: int = 32,
    seed: int = 0,
    jobs: int = 2,
    progress: Progress | None = None,
) -> NoiseEffect:
    """Probability that noise flips each answer for inputs x (N, n_in) in units, classes y (N,) or None.

    The outputs are jointly Gaussian about their quiet values. points: operating points, spread over the
    images, whose covariance is computed first; exact: at most so many of the images that these say might
    flip then get their own. Raises UsageError, SimulatorError.
    """
    seed = check_seed(seed)
    check_temperature(design, temperature)
    if points < 1 or exact < 0:
        raise UsageError(f"noise points {points}, exact {exact}: at least 1 and 0 are needed")
    span = check_band(design, band)
    quiet = solver.solve(design.analog, design.cells, x, temperature=temperature, jobs=jobs, hidden=True)
    system = solver.equations(solver.hardware(design.analog, design.cells, temperature))
    f = frequencies(span, PER_DECADE // 2)
    chosen = np.unique(np.linspace(0, len(x) - 1, min(points, len(x))).astype(np.int64)).tolist()
    known: dict[int, Array] = {}

    def simulate(images: list[int], total: int) -> None:
        for image in images:
            circuit = linearise(system, np.asarray(x[image], dtype=np.float64) * design.analog.scale_in)
            known[image] = integrate(circuit, f, jobs).covariance
            if progress:
                progress(len(known), total)

    simulate(chosen, len(chosen) + exact)
    on = np.hstack([h > 0 for h in (*quiet.hidden_v, quiet.outputs_v)]).astype(np.float32)
    nearest = np.array(chosen)[_most_alike(on, on[chosen])]
    bound = _flip_bound(design, quiet.outputs_v, [known[int(i)] for i in nearest])
    doubtful = [int(i) for i in np.argsort(-bound) if bound[i] > DOUBTFUL and int(i) not in known][:exact]
    simulate(doubtful, len(chosen) + len(doubtful))
    covariance = [known.get(i, known[int(nearest[i])]) for i in range(len(x))]
    return effect_of(design, quiet.outputs_v, covariance, y, seed, len(known))


def effect_of(
    design: Design,
    outputs_v: Array,
    covariance: list[Array],
    y: NDArray[np.int64] | None,
    seed: int,
    simulated: int,
) -> NoiseEffect:
    """What noise of these covariances, (n_out, n_out) V^2 each, does to quiet outputs (N, n_out)."""
    right = classify(outputs_v / design.analog.scale_out)
    bound = _flip_bound(design, outputs_v, covariance)
    flips, correct = bound.copy(), np.zeros(len(outputs_v))
    if y is not None:
        correct = np.where(right == y, 1.0 - bound, 0.0)
    draws = np.random.default_rng(seed).standard_normal((DRAWS, outputs_v.shape[1]))
    for i in np.flatnonzero(bound > DOUBTFUL):
        values, vectors = np.linalg.eigh(covariance[i])
        outputs = outputs_v[i] + draws @ (vectors * np.sqrt(np.maximum(values, 0.0))).T
        answers = classify(outputs / design.analog.scale_out)
        flips[i] = float((answers != right[i]).mean())
        if y is not None:
            correct[i] = float((answers == y[i]).mean())
    return NoiseEffect(
        flips=flips,
        accuracy=None if y is None else float(correct.mean()),
        quiet_accuracy=None if y is None else float((right == y).mean()),
        simulated=simulated,
    )


def _most_alike(on: NDArray[np.float32], known: NDArray[np.float32]) -> NDArray[np.int64]:
    """(N,) index of the known pattern (k, m) that differs in fewest places from each of on (N, m)."""
    different = on.sum(axis=1)[:, None] + known.sum(axis=1)[None] - 2.0 * on @ known.T
    alike: NDArray[np.int64] = np.argmin(different, axis=1)
    return alike


def _flip_bound(design: Design, outputs_v: Array, covariance: list[Array]) -> Array:
    """(N,) sum over the other classes of the probability that they overtake: at least that of a flip."""
    sigma2 = np.stack(covariance)
    if outputs_v.shape[1] == 1:
        margin = np.abs(outputs_v[:, 0] - 0.5 * design.analog.scale_out)
        tail: Array = ndtr(-margin / np.sqrt(sigma2[:, 0, 0]))
        return tail
    rows = np.arange(len(outputs_v))
    best = outputs_v.argmax(axis=1)
    margin = outputs_v[rows, best][:, None] - outputs_v
    diagonal = np.einsum("nii->ni", sigma2)
    variance = diagonal[rows, best][:, None] + diagonal - 2.0 * sigma2[rows, best]
    variance[rows, best] = 1.0
    margin[rows, best] = np.inf
    bound: Array = np.minimum(ndtr(-margin / np.sqrt(np.maximum(variance, 1e-300))).sum(axis=1), 1.0)
    return bound
