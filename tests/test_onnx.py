"""ONNX files, written here as protobuf by hand: the onnx package is not needed."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from analognet.errors import InputError, UsageError
from analognet.loading import load

RNG = np.random.default_rng(0)
Array = NDArray[np.float32]


def varint(n: int) -> bytes:
    out = b""
    while n > 0x7F:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def number(field: int, n: int) -> bytes:
    return varint(field << 3) + varint(n)


def message(field: int, data: bytes | str) -> bytes:
    raw = data.encode() if isinstance(data, str) else data
    return varint(field << 3 | 2) + varint(len(raw)) + raw


def initializer(name: str, values: NDArray[np.generic]) -> bytes:
    kind = {"float32": 1, "int64": 7}[values.dtype.name]
    dims = b"".join(number(1, n) for n in values.shape)
    return message(5, dims + number(2, kind) + message(8, name) + message(9, values.tobytes()))


def external(name: str, location: str) -> bytes:
    where = message(13, message(1, "location") + message(2, location))
    return message(5, number(1, 1) + number(2, 1) + message(8, name) + where + number(14, 1))


def integer(name: str, value: int) -> bytes:
    return message(5, message(1, name) + number(3, value) + number(20, 2))


def real(name: str, value: float) -> bytes:
    return message(5, message(1, name) + varint(2 << 3 | 5) + struct.pack("<f", value) + number(20, 1))


def node(op: str, inputs: str, output: str, *attributes: bytes) -> bytes:
    names = b"".join(message(1, name) for name in inputs.split())
    return message(1, names + message(2, output) + message(4, op) + b"".join(attributes))


def value(field: int, name: str, *dims: int | str, kind: int = 1) -> bytes:
    shape = b"".join(message(1, number(1, d) if isinstance(d, int) else message(2, d)) for d in dims)
    return message(field, message(1, name) + message(2, message(1, number(1, kind) + message(2, shape))))


def model(*graph: bytes) -> bytes:
    return number(1, 8) + message(8, message(1, "") + number(2, 17)) + message(7, b"".join(graph))


W1, B1 = (RNG.standard_normal(s).astype(np.float32) for s in ((8, 4), (8,)))
W2, B2 = (RNG.standard_normal(s).astype(np.float32) for s in ((3, 8), (3,)))
WEIGHTS = (initializer("w1", W1), initializer("b1", B1), initializer("w2", W2), initializer("b2", B2))
TRANSPOSED = (initializer("w1", np.ascontiguousarray(W1.T)), *WEIGHTS[1:])


def gemms(*middle: bytes, batch: int | str = "N", end: tuple[bytes, ...] = (), out: str = "y") -> bytes:
    return model(
        *WEIGHTS,
        value(11, "x", batch, 4),
        node("Gemm", "x w1 b1", "h", integer("transB", 1)),
        *middle,
        node("Gemm", "a w2 b2", "y", integer("transB", 1)),
        *end,
        value(12, out, batch, 3),
    )


def expected(x: NDArray[np.float64], activation: str) -> NDArray[np.float64]:
    z = x @ W1.T.astype(np.float64) + B1
    a = {
        "relu": np.maximum(z, 0),
        "leaky_relu:0.2": np.where(z > 0, z, 0.2 * z),
        "sigmoid": 1 / (1 + np.exp(-z)),
        "tanh": np.tanh(z),
    }[activation]
    return np.asarray(a @ W2.T.astype(np.float64) + B2)


@pytest.mark.parametrize(
    ("activation", "middle"),
    [
        ("relu", node("Relu", "h", "a")),
        ("leaky_relu:0.2", node("LeakyRelu", "h", "a", real("alpha", 0.2))),
        ("sigmoid", node("Sigmoid", "h", "a")),
        ("tanh", node("Tanh", "h", "a")),
    ],
)
@pytest.mark.parametrize("batch", ["N", 1, 5])
def test_gemms(tmp_path: Path, activation: str, middle: bytes, batch: int | str) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(gemms(middle, batch=batch))
    loaded = load(path)
    assert loaded.network.name == "net"
    assert [str(layer.activation) for layer in loaded.network.layers] == [activation, "linear"]
    assert np.array_equal(loaded.network.layers[0].weight, W1)
    assert loaded.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    x = RNG.uniform(-1, 1, (6, 4))
    assert loaded.network(x) == pytest.approx(expected(x, activation), abs=1e-5)


def test_matmul_and_add_with_softmax_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(
        model(
            *TRANSPOSED,
            value(11, "x", "N", 4),
            node("MatMul", "x w1", "m"),
            node("Add", "m b1", "h"),
            node("Relu", "h", "a"),
            node("Gemm", "a w2 b2", "z", integer("transB", 1)),
            node("Softmax", "z", "y"),
            value(12, "y", "N", 3),
        )
    )
    loaded = load(path)
    x = RNG.uniform(-1, 1, (6, 4))
    assert loaded.network(x) == pytest.approx(expected(x, "relu"), abs=1e-5)
    assert loaded.notes == ("softmax at the output was dropped: the largest output stays the largest",)


def test_images_are_flattened(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(
        model(
            *WEIGHTS,
            value(11, "i", "N", 1, 2, 2),
            node("Flatten", "i", "x"),
            node("Gemm", "x w1 b1", "h", integer("transB", 1)),
            node("Relu", "h", "y"),
            value(12, "y", "N", 8),
        )
    )
    assert load(tmp_path / "net.onnx").network.shape == (4, 8)


def test_sidecar_and_argument(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(gemms(node("Relu", "h", "a")))
    said = {"input_range": [0, 1], "ranges": [[-1, 1], [-2, 2]], "dataset": "iris"}
    path.with_suffix(".json").write_text(json.dumps(said))
    loaded = load(path, "relu,linear")
    assert (loaded.input_range, loaded.dataset) == ((0.0, 1.0), "iris")
    assert loaded.ranges == ((-1.0, 1.0), (-2.0, 2.0))
    with pytest.raises(UsageError, match="computes the activations relu,linear, not tanh,linear"):
        load(path, "tanh,linear")
    path.with_suffix(".json").write_text(json.dumps({"activations": ["tanh", "linear"]}))
    with pytest.raises(InputError, match="not tanh,linear; leave it out"):
        load(path)


RELU = node("Relu", "h", "a")
BAD = {
    "empty": (b"", "not an ONNX file that can be read"),
    "no protobuf": (b"\xff" * 30, "not an ONNX file that can be read"),
    "cut short": (gemms(RELU)[:60], "not an ONNX file that can be read"),
    "no graph": (number(1, 8), "not an ONNX file that can be read"),
    "convolution": (
        gemms(node("Conv", "h", "a")),
        "operation 'Conv' is not part of a dense network; read are Add",
    ),
    "loop": (gemms(node("Loop", "h", "a")), "operation 'Loop'"),
    "hostile operation": (gemms(node("\x1b[31m", "h", "a")), r"operation '\\x1b\[31m'"),
    "external weights": (
        model(external("w", "../../secret"), value(11, "x", "N", 1), value(12, "x", "N", 1)),
        "external_data",
    ),
    "two inputs": (gemms(RELU, value(11, "z", "N", 4)), "has 2 inputs and 1 outputs; one of each"),
    "unknown width": (
        model(value(11, "x", "N", "M"), node("Relu", "x", "y"), value(12, "y", "N", "M")),
        r"input has shape \('N', 'M'\); \(N, n_in\) with a known n_in",
    ),
    "whole numbers": (
        model(value(11, "x", "N", 4, kind=7), node("Relu", "x", "y"), value(12, "y", "N", 4)),
        "its input has format long; a float format is needed",
    ),
    "missing weights": (gemms(node("Relu", "nowhere", "a")), "cannot be evaluated: KeyError"),
    "many nodes": (gemms(*[node("Relu", "h", "a")] * 1001), "has 1003 nodes; at most 1000"),
    "gelu by hand": (gemms(node("Sigmoid", "h", "s"), node("Mul", "h s", "a")), "followed by silu"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files(tmp_path: Path, case: str) -> None:
    data, text = BAD[case]
    path = tmp_path / "net.onnx"
    path.write_bytes(data)
    with pytest.raises(InputError, match=text) as caught:
        load(path)
    assert str(caught.value).startswith(f"model '{path}'")
    assert str(caught.value).isprintable()


def test_named_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "net.onnx")
    with pytest.raises(InputError, match="is a named pipe"):
        load(tmp_path / "net.onnx")
