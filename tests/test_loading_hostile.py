"""Files that are damaged, hostile, or no dense network: each is an InputError that says why."""

from __future__ import annotations

import json
import os
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analognet.errors import InputError
from analognet.loading import load, weights
from analognet.loading.files import open_regular, read_regular, size_text


def packed(header: dict[str, Any] | str | bytes, data: bytes = b"") -> bytes:
    if isinstance(header, dict):
        header = json.dumps(header)
    raw = header.encode() if isinstance(header, str) else header
    return struct.pack("<Q", len(raw)) + raw + data


def entry(shape: list[int], begin: int, end: int, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def one(shape: list[int], dtype: str = "F32", name: str = "l1.weight", size: int | None = None) -> bytes:
    n = int(np.prod(shape, dtype=object)) * {"F64": 8, "I64": 8, "F32": 4, "C64": 8}.get(dtype, 2)
    n = n if size is None else size
    return packed({name: entry(shape, 0, n, dtype)}, bytes(n))


def refused(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(data)
    with pytest.raises(InputError, match=message) as caught:
        load(path, "linear")
    assert str(caught.value).startswith(f"model '{path}'")
    assert str(caught.value).isprintable()


TWICE = b'{"l1.weight":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]},' * 2
HOSTILE = {
    "empty": (b"", "has 0 bytes; a safetensors file has at least 8"),
    "two bytes": (b"ab", "has 2 bytes"),
    "pickle": (pickle.dumps({"a": 1}), "at most 16777216 are read"),
    "header of 2^62": (struct.pack("<Q", 1 << 62) + b"{}", "at most 16777216 are read"),
    "header over the limit": (struct.pack("<Q", 100 << 20) + b"{}", "at most 16777216 are read"),
    "header cut short": (struct.pack("<Q", 100) + b"{}", "cut short"),
    "no JSON": (packed("{nonsense"), "header: not JSON"),
    "no object": (packed("[]"), "header is not a JSON object"),
    "not UTF-8": (packed(b"\xff\xfe{}"), "not JSON"),
    "deep": (packed('{"a":' * 100_000), "nested too deeply|not JSON"),
    "no tensors": (packed({}), "has no tensors"),
    "many tensors": (packed({str(i): entry([1], 0, 4) for i in range(2000)}), "at most 1024 are read"),
    "key twice": (packed(TWICE[:-1] + b"}"), "key '(l1.weight|shape|dtype)' is given twice|not JSON"),
    "overlap": (packed({"a": entry([1, 1], 0, 4), "b": entry([1, 1], 2, 6)}, bytes(6)), "not a valid"),
    "hole": (packed({"a": entry([1, 1], 0, 4), "b": entry([1, 1], 8, 12)}, bytes(12)), "not a valid"),
    "trailing": (packed({"a.weight": entry([1, 1], 0, 4)}, bytes(9)), "not a valid"),
    "short data": (packed({"a.weight": entry([2, 2], 0, 16)}, bytes(8)), "not a valid"),
    "shape overflow": (one([1 << 40, 1 << 40], size=4), "not a valid"),
    "negative shape": (packed({"a.weight": entry([-1, 1], 0, 4)}, bytes(4)), "not a valid"),
    "unknown format": (one([1, 1], dtype="Q9", size=4), "not a valid"),
    "metadata no strings": (packed({"__metadata__": {"a": [1]}, "b": entry([1], 0, 4)}), "must be strings"),
    "zero size": (one([0, 4]), r"has shape \(0, 4\), which holds no values"),
    "scalar": (one([]), "is neither '<layer>.weight'"),
    "integers": (one([1, 1], "I64"), "has format I64; read are F16, F32, F64, BF16"),
    "complex": (one([1, 1], "C64"), "format C64|not a valid"),
    "float8": (one([2, 1], "F8_E4M3", size=2), "has format F8_E4M3"),
    "convolution": (one([2, 1, 3, 3]), r"\(2, 1, 3, 3\): a convolution; only dense layers"),
    "transposed name": (one([4, 3], name="w1"), "neither '<layer>.weight' .* give the model itself"),
    "bias alone": (one([3], name="l1.bias"), "neither"),
    "hostile name": (one([3], name="\x1b[31m\n<script>"), r"\\x1b\[31m\\x0a<script>"),
    "long name": (one([3], name="a" * 100_000), r"\(100000 characters\)"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_file(tmp_path: Path, case: str) -> None:
    refused(tmp_path, *HOSTILE[case])


def test_key_given_twice(tmp_path: Path) -> None:
    header = b'{"l.weight":%b,"l.weight":%b}' % ((json.dumps(entry([1, 1], 0, 4)).encode(),) * 2)
    refused(tmp_path, packed(header, bytes(4)), "key 'l.weight' is given twice")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite(tmp_path: Path, value: float) -> None:
    data = np.array([[1, 2], [3, value]], dtype="<f4").tobytes()
    path = tmp_path / "m.safetensors"
    path.write_bytes(packed({"l1.weight": entry([2, 2], 0, 16)}, data))
    with pytest.raises(
        InputError, match=r"layer 'l1': weight\[1, 1\] is -?(nan|inf); every value must be finite"
    ):
        load(path, "linear")


def test_bias_of_another_length(tmp_path: Path) -> None:
    header = {"l1.weight": entry([2, 1], 0, 8), "l1.bias": entry([3], 8, 20)}
    path = tmp_path / "m.safetensors"
    path.write_bytes(packed(header, bytes(20)))
    with pytest.raises(InputError, match=r"layer 'l1': bias has shape \(3,\); expected \(2,\)"):
        load(path, "linear")


@pytest.mark.parametrize("dtype", ["F16", "BF16", "F32", "F64"])
def test_float_formats(tmp_path: Path, dtype: str) -> None:
    values = np.array([[1.5, -2.0, 0.0078125]])
    if dtype == "BF16":
        data = (values.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()
    else:
        data = values.astype({"F16": "<f2", "F32": "<f4", "F64": "<f8"}[dtype]).tobytes()
    path = tmp_path / "m.safetensors"
    path.write_bytes(packed({"l1.weight": entry([1, 3], 0, len(data), dtype)}, data))
    assert np.array_equal(load(path, "linear").network.layers[0].weight, values)


def test_named_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    os.mkfifo(path)
    with pytest.raises(InputError, match="is a named pipe; a regular file is needed"):
        load(path, "linear")


def test_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a directory"):
        read_regular(tmp_path, "model", 10)


def test_device_is_refused() -> None:
    with pytest.raises(InputError, match="'/dev/zero' is a device"):
        read_regular("/dev/zero", "model", 10)


def test_symlink_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(one([1, 1]))
    (tmp_path / "m.safetensors").symlink_to(tmp_path / "real")
    assert load(tmp_path / "m.safetensors", "linear").network.shape == (1, 1)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        load(tmp_path / "m.safetensors")


def test_name_that_cannot_be_a_file() -> None:
    with pytest.raises(InputError, match=r"'a\\x00b.safetensors': not a file name"):
        load("a\0b.safetensors")


def test_name_that_is_too_long() -> None:
    with pytest.raises(InputError, match="cannot be opened: File name too long"):
        load("a" * 5000 + ".safetensors")


def test_file_over_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m.safetensors").write_bytes(one([1, 1]))
    monkeypatch.setattr(weights, "FILE_LIMIT", 16)
    with pytest.raises(InputError, match="at most 16 B are read"):
        load(tmp_path / "m.safetensors", "linear")


def test_file_that_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"abc")
    real = os.fstat

    def shrunk(fd: int) -> os.stat_result:
        status = list(real(fd))
        status[6] = 1  # st_size
        return os.stat_result(status)

    monkeypatch.setattr(os, "fstat", shrunk)
    with pytest.raises(InputError, match="grew while it was read"):
        read_regular(path, "data", 2)


def test_open_regular_gives_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abc")
    with open_regular(tmp_path / "f", "data", 3) as file:
        assert file.read() == b"abc"


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (1536, "1.5 KiB"), (8 << 30, "8 GiB"), (1 << 50, "1.02e+03 TiB")]
)
def test_size_text(size: int, text: str) -> None:
    assert size_text(size) == text
