"""Dense layers from a safetensors file: read, validated, and put in the order they compute in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import safetensors
from numpy.typing import NDArray

from analognet.errors import InputError
from analognet.loading.metadata import decode_json
from analognet.names import printable

FILE_LIMIT: Final = 2 << 30  # bytes; far above any network that fits a circuit board
HEADER_LIMIT: Final = 16 << 20  # bytes of JSON
TENSOR_LIMIT: Final = 1024
RANK_LIMIT: Final = 8
STEP_LIMIT: Final = 20_000  # of the search for an order, so that no file can make it run for ever

Array = NDArray[np.float64]
_FLOATS: Final = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "BF16": "<u2"}


@dataclass(frozen=True, eq=False)
class Weights:
    """One dense layer before its activation is known: weight (n_out, n_in), bias (n_out,)."""

    name: str
    weight: Array
    bias: Array

    @property
    def n_in(self) -> int:
        return int(self.weight.shape[1])

    @property
    def n_out(self) -> int:
        return int(self.weight.shape[0])


def read_safetensors(data: bytes, label: str) -> tuple[dict[str, Array], dict[str, str]]:
    """All tensors as float64, and the metadata, of a safetensors file's bytes.

    F16, BF16, F32 and F64 are read. Raises InputError, beginning with `label`, for a header
    that is too long, not JSON or has a key twice, for too many tensors, for offsets that
    overlap, leave holes or pass the end, and for other number formats.
    """
    header = _header(data, label)
    metadata = header.get("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise InputError(f"{label}: metadata values must be strings")
    deserialize: Callable[[bytes], list[tuple[str, dict[str, Any]]]] = safetensors.deserialize
    try:
        entries = deserialize(data)
    except safetensors.SafetensorError as error:
        raise InputError(f"{label}: not a valid safetensors file: {printable(error)}") from None
    return {name: _decode(name, entry, label) for name, entry in entries}, metadata


def _header(data: bytes, label: str) -> dict[str, Any]:
    """The JSON header, checked for what the safetensors package lets pass or takes long over."""
    if len(data) < 8:
        raise InputError(f"{label}: has {len(data)} bytes; a safetensors file has at least 8")
    length = int.from_bytes(data[:8], "little")
    if length > HEADER_LIMIT:
        raise InputError(
            f"{label}: says its header has {length} bytes; at most {HEADER_LIMIT} are read "
            "(is it a safetensors file?)"
        )
    if length > len(data) - 8:
        raise InputError(f"{label}: cut short: the header has {length} bytes, the file {len(data) - 8}")
    header = decode_json(data[8 : 8 + length], f"{label}: header")
    if not isinstance(header, dict):
        raise InputError(f"{label}: header is not a JSON object")
    count = len(header) - ("__metadata__" in header)
    if count > TENSOR_LIMIT:
        raise InputError(f"{label}: has {count} tensors; at most {TENSOR_LIMIT} are read")
    if not count:
        raise InputError(f"{label}: has no tensors")
    return header


def _decode(name: str, entry: dict[str, Any], label: str) -> Array:
    dtype, shape = str(entry["dtype"]), tuple(int(n) for n in entry["shape"])
    if dtype not in _FLOATS:
        raise InputError(
            f"{label}: tensor '{printable(name)}' has format {printable(dtype)}; "
            f"read are {', '.join(_FLOATS)}"
        )
    if len(shape) > RANK_LIMIT or 0 in shape:  # numpy would fail on 65 dimensions, and on 2^40 times none
        fault = (
            "holds no values" if 0 in shape else f"has {len(shape)} dimensions; at most {RANK_LIMIT} are read"
        )
        raise InputError(f"{label}: tensor '{printable(name)}' has shape {printable(shape)}, which {fault}")
    values = np.frombuffer(bytes(entry["data"]), dtype=_FLOATS[dtype])
    if dtype == "BF16":  # the upper half of a float32
        values = (values.astype("<u4") << 16).view("<f4")
    return values.astype(np.float64).reshape(shape)


def dense_layers(tensors: dict[str, Array], label: str) -> list[Weights]:
    """Pairs `<layer>.weight` (n_out, n_in) with `<layer>.bias` (n_out,); zeros where it is missing.

    Raises InputError for every tensor that is no part of a dense layer.
    """
    layers = []
    for key, values in tensors.items():
        prefix, _, kind = key.rpartition(".")
        where = f"{label}: tensor '{printable(key)}'"
        if values.ndim == 4 or values.ndim == 3:
            raise InputError(
                f"{where} has shape {values.shape}: a convolution; "
                f"only dense layers, (n_out, n_in), become circuits"
            )
        if kind == "weight" and values.ndim == 2:
            bias = tensors.get(f"{prefix}.bias" if prefix else "bias", np.zeros(values.shape[0]))
            layers.append(Weights(prefix or "weight", values, bias))
            continue
        weight = tensors.get(f"{prefix}.weight" if prefix else "weight")
        if kind == "bias" and values.ndim == 1 and weight is not None and weight.ndim == 2:
            continue
        raise InputError(
            f"{where} has shape {values.shape} and is neither '<layer>.weight' (n_out, n_in) nor "
            f"'<layer>.bias' (n_out,) beside it; give the model itself, as module:callable, "
            f"and AnalogNet traces what it computes"
        )
    return layers


def chain(layers: list[Weights], label: str) -> tuple[list[Weights], tuple[str, ...]]:
    """The layers in the order they compute in, and notes for the user.

    Each layer must take as many values as the one before it gives; the order in the file says
    nothing (it is alphabetical). Where several orders fit, layers that are numbered (l1, l2 or
    layers.0, layers.2) come in the order of their numbers. Raises InputError where the layers
    do not form one chain, and where the numbers do not decide either.
    """
    _check_one_chain(layers, label)
    by_shape = _orders(layers, numbered=False)
    if len(by_shape) == 1:
        return by_shape[0], ()
    by_number = _orders(layers, numbered=True)
    if len(by_number) != 1:
        raise InputError(
            f"{label}: the layers fit together in several orders: {_shapes(layers)}; number them in "
            f"the order they compute in (l1, l2, ...), or give the model itself, as module:callable"
        )
    names = ", ".join(printable(layer.name) for layer in by_number[0])
    return by_number[0], (f"the shapes allow several orders of the layers; their numbers gave {names}",)


def _check_one_chain(layers: list[Weights], label: str) -> None:
    """The condition for a path through all layers: widths are places, layers are roads."""
    parent: dict[int, int] = {}

    def root(width: int) -> int:
        while parent.setdefault(width, width) != width:
            width = parent[width]
        return width

    for layer in layers:
        parent[root(layer.n_in)] = root(layer.n_out)
    parts = len({root(width) for width in list(parent)})
    if parts > 1:
        raise InputError(
            f"{label}: the layers form {parts} separate chains: {_shapes(layers)}; a file holds one network"
        )
    surplus = Counter(layer.n_in for layer in layers)
    surplus.subtract(layer.n_out for layer in layers)
    if sorted(n for n in surplus.values() if n) not in ([], [-1, 1]):
        raise InputError(
            f"{label}: the layers do not form one chain, each taking what the one before it gives: "
            f"{_shapes(layers)}"
        )


def _shapes(layers: list[Weights]) -> str:
    shown = [f"'{printable(layer.name)}' takes {layer.n_in} and gives {layer.n_out}" for layer in layers[:8]]
    return ", ".join(shown) + (f" and {len(layers) - 8} more" if len(layers) > 8 else "")


def _orders(layers: list[Weights], numbered: bool) -> list[list[Weights]]:
    """Up to two orders in which the layers chain; with `numbered`, only those that keep the numbers."""
    number = [_number(layer.name) for layer in layers]
    # what must come first: layers whose names differ in their numbers alone, and have lower ones
    before: list[list[int]] = [
        [j for j, other in enumerate(number) if numbered and other[0] == mine[0] and other[1] < mine[1]]
        for mine in number
    ]
    found: list[list[Weights]] = []
    steps = 0
    path: list[int] = []

    def candidates() -> Iterator[int]:
        used = set(path)
        for i, layer in enumerate(layers):
            fits = not path or layers[path[-1]].n_out == layer.n_in
            if i not in used and fits and used.issuperset(before[i]):
                yield i

    stack = [candidates()]
    while stack and len(found) < 2:
        steps += 1
        if steps > STEP_LIMIT:
            return []  # not decided: the caller says so
        step = next(stack[-1], None)
        if step is None:
            stack.pop()
            if path:
                path.pop()
            continue
        path.append(step)
        if len(path) == len(layers):
            found.append([layers[i] for i in path])
            path.pop()
        else:
            stack.append(candidates())
    return found


def _number(name: str) -> tuple[str, list[tuple[int, str]]]:
    """A name with its numbers replaced, and the numbers in a form that sorts by value."""
    digits = [n.lstrip("0") for n in re.findall(r"[0-9]+", name)]
    return re.sub(r"[0-9]+", "#", name), [(len(n), n) for n in digits]
