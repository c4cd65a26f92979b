"""Dense layers and activations recovered from a tensor graph by asking it for values.

Matching the operations that a relu or a sigmoid is made of would break with every rewrite of
them. Here the graph is cut at the nodes that every path from input to output crosses. The
map from one cut to another is affine, or it is not: that, and which activation a map is, can
be found by evaluating it. Scaling, batch normalisation, inactive dropout and linear layers in
a row are all affine, so they fold into one weight and one bias without being recognised.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tinygrad.dtype import dtypes
from tinygrad.uop import Ops

from analognet.errors import InputError
from analognet.loading.graph import VALUES_LIMIT, Graph, run
from analognet.network import Activation, Dense

Array = NDArray[np.float64]
SCALES: Final = (0.3, 30.0, 3000.0)  # of test points: near the kinks, and far beyond any bias
AFFINE_TOLERANCE: Final = 1e-9  # of the largest value; evaluation is in float64
MATCH_TOLERANCE: Final = 1e-6  # constants of an activation may have been rounded to float32
FIXED: Final = tuple(Activation(name) for name in ("relu", "sigmoid", "tanh"))


@dataclass(frozen=True, eq=False)
class Traced:
    """Layers from input to output, and what the user must be told about them."""

    layers: tuple[Dense, ...]
    notes: tuple[str, ...]


def trace(graph: Graph) -> Traced:
    """Recover the layers of a graph.

    Raises InputError when some part of it is neither affine nor a known activation, when the
    rows of a batch influence one another, and when the layers found do not give what the
    graph gives.
    """
    cuts = _cuts(graph)
    end = cuts[-1]
    layers: list[Dense] = []
    notes: list[str] = []
    at = cuts[0]
    while at != end:
        name = f"l{len(layers) + 1}"
        affine = _affine_prefix(graph, cuts, at)
        if affine[-1] == end:
            layers.append(_dense(graph, at, end, name, Activation("linear")))
            notes += _fold_notes(graph, at, end, layers[-1])
            break
        found = _activation(graph, cuts, affine)
        if found is None:
            dropped = _softmax(graph, affine, end)
            if dropped is None:
                raise InputError(_unknown(graph, cuts, affine, len(layers) + 1))
            kind, end = dropped
            notes.append(f"{kind} at the output was dropped: the largest output stays the largest")
            if at != end or not layers:
                layers.append(_dense(graph, at, end, name, Activation("linear")))
                notes += _fold_notes(graph, at, end, layers[-1])
            break
        before, after, activation = found
        layers.append(_dense(graph, at, before, name, activation))
        notes += _fold_notes(graph, at, before, layers[-1])
        at = after
    _check(graph, end, layers)
    return Traced(tuple(layers), tuple(notes))


def _cuts(graph: Graph) -> list[int]:
    """Indices of the nodes that all paths cross and whose rows belong to the batch's rows."""
    index = {node: i for i, node in enumerate(graph.nodes)}
    reach = [i for i, _ in enumerate(graph.nodes)]  # the last node that uses node i
    for i, node in enumerate(graph.nodes):
        for source in node.src:
            if source in index:
                reach[index[source]] = i
    crossed: list[int] = []
    farthest = 0
    for i in range(len(graph.nodes)):
        if farthest <= i:
            crossed.append(i)
        farthest = max(farthest, reach[i])
    rng = np.random.default_rng(1)
    x = rng.uniform(-1, 1, (graph.batch, _width(graph, 0)))
    other = x.copy()
    other[graph.batch // 2] = rng.uniform(-1, 1, x.shape[1])
    last = len(graph.nodes) - 1
    a, b = run(graph, 0, x, last), run(graph, 0, other, last)
    kept = [i for i in crossed if _by_rows(graph, i, a[i], b[i])]
    if not kept or kept[-1] != last:
        raise InputError(
            "the model's output does not belong to its inputs row by row; is it in training mode "
            "(batch statistics), or does it reduce over the batch?"
        )
    return kept


def _by_rows(graph: Graph, i: int, a: NDArray[np.float64], b: NDArray[np.float64]) -> bool:
    node = graph.nodes[i]
    if not dtypes.is_float(node.dtype) or a.size % graph.batch:
        return False
    if i and (not node.shape or node.shape[0] != graph.batch):
        return False
    rows = np.arange(graph.batch) != graph.batch // 2
    return np.array_equal(a.reshape(graph.batch, -1)[rows], b.reshape(graph.batch, -1)[rows], equal_nan=True)


def _width(graph: Graph, i: int) -> int:
    return math.prod(int(n) for n in graph.nodes[i].shape) // graph.batch


def _evaluate(graph: Graph, start: int, points: Array, stops: list[int]) -> dict[int, Array]:
    """Values (N, width) at the cuts `stops` for values `points` (N, width) at the cut `start`."""
    chunks: dict[int, list[Array]] = {stop: [] for stop in stops}
    for first in range(0, len(points), graph.batch):
        rows = points[first : first + graph.batch]
        padded = np.concatenate([rows, np.zeros((graph.batch - len(rows), points.shape[1]))])
        values = run(graph, start, padded, max(stops))
        for stop in stops:
            chunks[stop].append(values[stop].reshape(graph.batch, -1)[: len(rows)])
    return {stop: np.concatenate(parts) for stop, parts in chunks.items()}


def _affine_prefix(graph: Graph, cuts: list[int], at: int) -> list[int]:
    """The cuts from `at` on whose values are affine in the values at `at`."""
    later = [i for i in cuts if i >= at]
    rng = np.random.default_rng(2)
    n = _width(graph, at)
    still = later
    for scale in SCALES:
        a, b = rng.standard_normal((2, 8, n)) * scale
        values = _evaluate(graph, at, np.concatenate([a, b, a + b, np.zeros((1, n))]), still)
        prefix = []
        for i in still:
            v = values[i]
            error = v[16:24] + v[24] - v[:8] - v[8:16]
            if not (np.isfinite(v).all() and np.abs(error).max() <= AFFINE_TOLERANCE * np.abs(v).max()):
                break
            prefix.append(i)
        still = prefix
    return still


def _dense(graph: Graph, start: int, stop: int, name: str, activation: Activation) -> Dense:
    """Weight and bias of an affine map, from its values at zero and at the unit vectors."""
    n_in, n_out = _width(graph, start), _width(graph, stop)
    if n_in * n_out > VALUES_LIMIT:
        raise InputError(
            f"layer {name} of the model has {n_in} x {n_out} weights; at most {VALUES_LIMIT} are read"
        )
    bias = _evaluate(graph, start, np.zeros((1, n_in)), [stop])[stop][0]
    weight = np.empty((n_out, n_in))
    for first in range(0, n_in, graph.batch):  # block by block: all unit vectors at once are n_in^2 values
        units = np.eye(min(graph.batch, n_in - first), n_in, first)
        weight[:, first : first + len(units)] = (_evaluate(graph, start, units, [stop])[stop] - bias).T
    if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
        raise InputError(f"layer {name} of the model has weights that are not finite")
    # (w + b) - b loses the last bits of w; most weights were float32, and get them back
    rounded = weight.astype(np.float32).astype(np.float64)
    close = np.abs(rounded - weight) <= 1e-14 * (np.abs(weight) + np.abs(bias)[:, None])
    return Dense(name, np.where(close, rounded, weight), bias, activation)


def _activation(graph: Graph, cuts: list[int], affine: list[int]) -> tuple[int, int, Activation] | None:
    """The first cut before, and the last behind, a known activation that follows the affine part.

    The scaling inside an activation (tanh is 2 sigmoid(2 z) - 1) is affine too, so it may begin
    anywhere in the affine part.
    """
    stop = next(
        (i for i in range(affine[-1] + 1, len(graph.nodes)) if graph.nodes[i].op is Ops.REDUCE),
        len(graph.nodes),
    )
    for before in affine:
        n = _width(graph, before)
        behind = [i for i in cuts if affine[-1] < i < stop and _width(graph, i) == n]
        if not behind:
            continue
        points = _points(n)
        values = _evaluate(graph, before, points, behind)
        for after in reversed(behind):
            activation = _classify(points, values[after])
            if activation is not None:
                return before, after, activation
    return None


def _points(n: int) -> Array:
    """Test points (N, n): a grid over the bend of an activation, shuffled within each row."""
    rng = np.random.default_rng(3)
    grid = np.array([-1.0, -40.0, -6.0, -3.3, -2.1, -0.7, -0.1, 0.0, 0.2, 0.9, 1.6, 2.7, 5.0, 7.0, 40.0])
    rows = [np.full(n, v) for v in grid]
    return np.stack(rows + [rng.choice(grid, n) + rng.uniform(-0.05, 0.05, n) for _ in range(15)])


def _classify(z: Array, y: Array) -> Activation | None:
    slope = float(-y[0, 0])  # z[0] is -1 throughout
    tried = list(FIXED)
    if 0 < slope < 1:
        tried.append(
            Activation("leaky_relu", round(slope, 7) if abs(round(slope, 7) - slope) < 1e-8 else slope)
        )
    return next((a for a in tried if _same(a(z), y)), None)


def _same(a: Array, b: Array) -> bool:
    return bool(np.isfinite(b).all() and np.abs(a - b).max() <= MATCH_TOLERANCE * max(1.0, np.abs(a).max()))


def _softmax(graph: Graph, affine: list[int], end: int) -> tuple[str, int] | None:
    """Which softmax leads from a cut of the affine part to the end, and that cut."""
    for before in affine:
        n = _width(graph, before)
        if n != _width(graph, end):
            continue
        z = np.random.default_rng(4).uniform(-3, 3, (8, n))
        y = _evaluate(graph, before, z, [end])[end]
        log = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        if _same(np.exp(log), y):
            return "softmax", before
        if _same(log, y):
            return "log_softmax", before
    return None


_OTHERS: Final[dict[str, Callable[[Array], Array]]] = {
    "relu6": lambda z: np.clip(z, 0, 6),
    "silu": lambda z: z / (1 + np.exp(-z)),
    "gelu": lambda z: z * 0.5 * (1 + np.tanh(0.7978845608 * (z + 0.044715 * z**3))),
    "quick_gelu": lambda z: z / (1 + np.exp(-1.702 * z)),
    "elu": lambda z: np.where(z > 0, z, np.expm1(z)),
    "softplus": lambda z: np.log1p(np.exp(z)),
    "softsign": lambda z: z / (1 + np.abs(z)),
    "hardtanh": lambda z: np.clip(z, -1, 1),
    "hardsigmoid": lambda z: np.clip(z / 6 + 0.5, 0, 1),
    "abs": np.abs,
    "square": np.square,
}


def _unknown(graph: Graph, cuts: list[int], affine: list[int], layer: int) -> str:
    """The message for what follows layer `layer`, with its name where it is a common one."""
    known = "relu, leaky_relu with a slope between 0 and 1, sigmoid, tanh, and softmax at the end"
    for before in affine:
        n = _width(graph, before)
        behind = [i for i in cuts if i > affine[-1] and _width(graph, i) == n]
        points = _points(n)
        values = _evaluate(graph, before, points, behind) if behind else {}
        for after in reversed(behind):
            for name, function in _OTHERS.items():
                if np.allclose(function(points), values[after], atol=2e-3, rtol=2e-3):
                    return (
                        f"dense layer {layer} is followed by {name}, which has no analog cell; "
                        f"known are {known}"
                    )
    return f"what follows dense layer {layer} of the model is not an activation that is known: {known}"


def _fold_notes(graph: Graph, start: int, stop: int, layer: Dense) -> list[str]:
    """What a user who knows the model's own weights would wonder about in this layer's."""
    nodes = graph.nodes[start + 1 : stop + 1]
    products = sum(node.op is Ops.REDUCE for node in nodes)
    if not products and layer.n_in > 1:
        return [f"layer {layer.name}: the model has no weights here; its weight is diagonal"]
    if products > 1:
        return [f"layer {layer.name}: {products} linear layers in a row were folded into one"]
    own = [graph.constants[s] for node in nodes for s in node.src if s in graph.constants]
    values = np.sort(layer.weight, axis=None)
    if any(w.size == values.size and np.allclose(np.sort(w, axis=None), values, rtol=1e-6) for w in own):
        return []
    return [f"layer {layer.name}: linear operations beside it, such as scaling, were folded into its weights"]


def _check(graph: Graph, end: int, layers: list[Dense]) -> None:
    """The layers must give what the graph gives, on inputs that were not used to find them."""
    rng = np.random.default_rng(5)
    x = rng.uniform(-2, 2, (4 * graph.batch, _width(graph, 0)))
    want = _evaluate(graph, 0, x, [end])[end]
    got = x
    for layer in layers:
        got = layer.activation(layer.preactivation(got))
    error = float(np.abs(got - want).max())
    if not error <= MATCH_TOLERANCE * max(1.0, float(np.abs(want).max())):
        raise InputError(f"the layers recovered from the model differ from it by {error:.3g}")
