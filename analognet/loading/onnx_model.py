"""ONNX files, read by tinygrad's own runner and traced like any other model."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from tinygrad.dtype import dtypes
from tinygrad.tensor import Tensor

from analognet.errors import AnalogNetError, InputError
from analognet.loading.graph import Graph, record, settings
from analognet.loading.trace import Traced, trace
from analognet.names import printable

FILE_LIMIT: Final = 1 << 30  # bytes
NODE_LIMIT: Final = 1000
# what a dense network is made of: no loops, no random numbers, nothing that grows its input
OPERATIONS: Final = (
    *("Add", "BatchNormalization", "Cast", "Constant", "Div", "Dropout", "Flatten", "Gemm", "Identity"),
    *("LeakyRelu", "LogSoftmax", "MatMul", "Mul", "Neg", "Relu", "Reshape", "Sigmoid", "Softmax"),
    *("Squeeze", "Sub", "Tanh", "Transpose", "Unsqueeze"),
)


def trace_onnx(data: bytes, label: str) -> Traced:
    """Layers of an ONNX model with one input (N, n_in) and one output, its weights in the file.

    Raises InputError, beginning with `label`, for a damaged file, another operation than
    `OPERATIONS`, external weights, and for what `trace` cannot recover.
    """
    # the PYTHON device needs no compiler; a tensor in place of a path keeps the runner from
    # following the file's references to other files
    with settings(DEV="PYTHON"):
        from tinygrad.nn.onnx import OnnxRunner  # here: importing it makes tensors, which need a device

        try:
            runner = OnnxRunner(Tensor(np.frombuffer(data, dtype=np.uint8)))
        except Exception as error:  # the parser has no errors of its own
            raise InputError(f"{label}: not an ONNX file that can be read: {_what(error)}") from None
        _check(runner, label)
        try:
            return trace(_record(runner))
        except AnalogNetError as error:
            raise InputError(f"{label}: {error}") from error
        except Exception as error:
            raise InputError(f"{label}: cannot be evaluated: {_what(error)}") from error


def _check(runner: Any, label: str) -> None:
    if len(runner.graph_nodes) > NODE_LIMIT:
        raise InputError(f"{label}: has {len(runner.graph_nodes)} nodes; at most {NODE_LIMIT} are read")
    for node in runner.graph_nodes:
        if node.op not in OPERATIONS:
            raise InputError(
                f"{label}: operation '{printable(node.op)}' is not part of a dense network; "
                f"read are {', '.join(OPERATIONS)}"
            )
    if len(runner.graph_inputs) != 1 or len(runner.graph_outputs) != 1:
        raise InputError(
            f"{label}: has {len(runner.graph_inputs)} inputs and {len(runner.graph_outputs)} outputs; "
            "one of each is needed"
        )
    spec = next(iter(runner.graph_inputs.values()))
    sizes = spec.shape[1:] if spec is not None else ()
    if not sizes or not all(isinstance(n, int) and n > 0 for n in sizes):
        shown = printable(spec.shape if spec is not None else "unknown")
        raise InputError(f"{label}: its input has shape {shown}; (N, n_in) with a known n_in is needed")
    if not dtypes.is_float(spec.dtype):
        raise InputError(f"{label}: its input has format {spec.dtype.name}; a float format is needed")


def _record(runner: Any) -> Graph:
    name, spec = next(iter(runner.graph_inputs.items()))
    batch = spec.shape[0] if isinstance(spec.shape[0], int) and spec.shape[0] > 0 else 7
    output = runner.graph_outputs[0]
    return record(lambda x: runner({name: x})[output], batch, tuple(spec.shape[1:]), "PYTHON", spec.dtype)


def _what(error: BaseException) -> str:
    return f"{type(error).__name__}: {printable(error, 200)}"
