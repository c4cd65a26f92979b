"""A model's tensor graph, evaluated in numpy: no compiler, float64, from any node on.

tinygrad records what a model computes before it computes it. The graph is kept for a batch
of a few rows; its nodes are those that depend on the input, in topological order, and
everything else (weights, constants) is one array per node.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from tinygrad.dtype import dtypes
from tinygrad.helpers import Context
from tinygrad.tensor import Tensor
from tinygrad.uop import Ops
from tinygrad.uop.ops import UOp

from analognet.errors import InputError
from analognet.names import printable

Array = NDArray[Any]
INPUTS_LIMIT: Final = 1 << 20
VALUES_LIMIT: Final = 1 << 27  # values of one tensor of the model, 1 GiB of float64

_ELEMENTWISE: Final[dict[Ops, Callable[..., Any]]] = {
    Ops.ADD: np.add,
    Ops.SUB: np.subtract,
    Ops.MUL: np.multiply,
    Ops.FDIV: np.divide,
    Ops.MAX: np.maximum,
    Ops.POW: np.power,
    Ops.NEG: np.negative,
    Ops.RECIPROCAL: lambda a: 1.0 / a,
    Ops.EXP2: np.exp2,
    Ops.LOG2: np.log2,
    Ops.SQRT: np.sqrt,
    Ops.SIN: np.sin,
    Ops.TRUNC: np.trunc,
    Ops.CMPLT: np.less,
    Ops.CMPNE: np.not_equal,
    Ops.CMPEQ: np.equal,
    Ops.AND: np.bitwise_and,
    Ops.OR: np.bitwise_or,
    Ops.XOR: np.bitwise_xor,
    Ops.WHERE: np.where,
    Ops.MULACC: lambda a, b, c: a * b + c,
}
_SAME: Final = (Ops.CONTIGUOUS, Ops.CONTIGUOUS_BACKWARD, Ops.DETACH, Ops.COPY, Ops.NOOP)
_MOVES: Final = (Ops.RESHAPE, Ops.EXPAND, Ops.PERMUTE, Ops.PAD, Ops.SHRINK, Ops.FLIP)
_REDUCERS: Final[dict[Ops, Callable[..., Any]]] = {Ops.ADD: np.sum, Ops.MUL: np.prod, Ops.MAX: np.max}
_KNOWN: Final = frozenset({*_ELEMENTWISE, *_SAME, *_MOVES, Ops.REDUCE, Ops.CAST, Ops.STACK, Ops.CONST})


@dataclass(frozen=True, eq=False)
class Graph:
    """nodes[0] is the input buffer, (batch * n_in,); nodes[-1] the output.

    `constants` holds the value of every node that the nodes use and that the input does not
    change.
    """

    nodes: tuple[UOp, ...]
    constants: dict[UOp, Array]
    batch: int


def settings(**values: object) -> AbstractContextManager[object]:
    """tinygrad's own settings (DEV, TRAINING), changed within a `with`."""
    make: Callable[..., AbstractContextManager[object]] = Context
    return make(**values)


def record(
    call: Callable[[Tensor], Any],
    batch: int,
    shape: tuple[int, ...],
    device: str | None,
    dtype: Any = dtypes.float32,
) -> Graph:
    """The graph of `call` on an input (batch, *shape).

    Raises InputError when the output is not one tensor or the graph does not lead from the
    input to it; passes on what `call` itself raises.
    """
    if math.prod(shape) > INPUTS_LIMIT:
        raise InputError(f"the model has {math.prod(shape)} inputs; at most {INPUTS_LIMIT} are read")
    x = Tensor.empty(batch, *shape, dtype=dtype, device=device)
    leaf = x.uop.base
    with settings(TRAINING=0):
        out = call(x)
    if isinstance(out, list | tuple) and len(out) == 1:
        out = out[0]
    if not isinstance(out, Tensor):
        raise InputError(f"the model answers with {type(out).__name__}; one Tensor is needed")
    depends = {leaf}
    nodes = [leaf]
    for node in out.uop.toposort():
        if node is not leaf and any(source in depends for source in _operands(node)):
            depends.add(node)
            nodes.append(node)
            _check_size(node)
    if nodes[-1] is not out.uop or len(nodes) == 1:
        raise InputError(
            "the model's output cannot be followed back to its input; give the model without "
            "TinyJit, and without realize() or numpy() inside"
        )
    constants: dict[UOp, Array] = {}
    for node in nodes:
        for source in _operands(node):
            if source not in depends and source not in constants:
                constants[source] = _constant(source)
    return Graph(tuple(nodes), constants, batch)


def run(graph: Graph, start: int, value: Array, stop: int) -> dict[int, Array]:
    """The values of nodes start..stop, by index, when node `start` has `value`.

    Only right where every path from the input to nodes start+1..stop leads through `start`.
    Raises InputError for an operation that is not known here.
    """
    first = graph.nodes[start]
    values = {first: value.reshape(first.shape)}
    out = {start: values[first]}
    with np.errstate(all="ignore"):
        for index in range(start + 1, stop + 1):
            node = graph.nodes[index]
            sources = [values[s] if s in values else graph.constants[s] for s in _operands(node)]
            out[index] = values[node] = _compute(node, sources)
    return out


def _operands(node: UOp) -> tuple[UOp, ...]:
    """Sources that carry values; movements have their sizes in further ones."""
    return node.src[:1] if node.op in _MOVES else node.src


def _compute(node: UOp, sources: list[Array]) -> Array:
    if node.op in _ELEMENTWISE:
        return np.asarray(_ELEMENTWISE[node.op](*sources))
    if node.op in _SAME:
        return sources[0]
    if node.op is Ops.CAST:
        return _cast(sources[0], node.dtype)
    if node.op is Ops.STACK:
        return np.stack(np.broadcast_arrays(*sources)) if sources else np.zeros(0)
    if node.op is Ops.REDUCE:
        return np.asarray(_REDUCERS[node.arg[0]](sources[0], axis=tuple(range(node.arg[1]))))
    if node.op in _MOVES:
        return _move(node, sources[0])
    raise InputError(
        f"the model uses the tensor operation {printable(node.op)}, which AnalogNet cannot trace"
    )


def _move(node: UOp, a: Array) -> Array:
    arg = node.marg
    match node.op:
        case Ops.RESHAPE:
            return a.reshape(arg)
        case Ops.EXPAND:
            return np.broadcast_to(a, tuple(arg) + a.shape)
        case Ops.PERMUTE:
            return a.transpose(arg)
        case Ops.FLIP:
            return a[tuple(slice(None, None, -1 if flipped else 1) for flipped in arg)]
        case Ops.SHRINK:
            return a[tuple(slice(offset, offset + size) for offset, size in arg)]
    out = np.zeros([size for _, size in arg], dtype=a.dtype)
    out[tuple(slice(offset, offset + n) for (offset, _), n in zip(arg, a.shape, strict=True))] = a
    return out


def _cast(a: Array, dtype: Any) -> Array:
    """Every float format counts as float64: what is wanted is the network, not its rounding."""
    if dtypes.is_float(dtype):
        return a.astype(np.float64)
    return a.astype(np.bool_ if dtype == dtypes.bool else np.int64)


def _constant(node: UOp) -> Array:
    """The value of a node that the input does not change: in numpy where possible, else by tinygrad."""
    order = list(node.toposort())
    leaves = [n for n in order if n.op is Ops.BUFFER]
    if any(n.op not in _KNOWN and n.op is not Ops.BUFFER for n in order):
        return _realized(node)
    values: dict[UOp, Array] = {leaf: _realized(leaf) for leaf in leaves}
    with np.errstate(all="ignore"):
        for n in order:
            if n.op is Ops.CONST:
                values[n] = _number(n)
            elif n not in values:
                values[n] = _compute(n, [values[s] for s in _operands(n)])
    return values[node]


def _number(node: UOp) -> Array:
    value = node.arg
    if dtypes.is_float(node.dtype):
        return np.asarray(float(value))
    return np.asarray(bool(value) if node.dtype == dtypes.bool else int(value))


def _check_size(node: UOp) -> None:
    count = math.prod(int(n) for n in node.shape)
    if count > VALUES_LIMIT:
        raise InputError(f"the model has a tensor of {count} values; at most {VALUES_LIMIT} are read")


def _realized(node: UOp) -> Array:
    _check_size(node)
    tensor = Tensor(node)
    # the format numpy lacks
    values = (tensor.cast(dtypes.float32) if tensor.dtype == dtypes.bfloat16 else tensor).numpy()
    with np.errstate(invalid="ignore"):  # a NaN of the file is reported by the layer that holds it
        return values.astype(np.float64) if values.dtype.kind == "f" else values
