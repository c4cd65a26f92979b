"""Bad input, made by a script: models, names, data, parts, technologies, settings, build directories
and command lines, each with the exit code and the words it must be answered with.

`python tests/corpus.py` runs all of it through the command line in one process whose memory is
bounded, and says what went wrong. `tests/test_corpus.py` runs the same cases one by one.

What holds for every case: the documented exit code; on failure one message that begins with
`analognet: `, without control characters or a traceback; nothing written outside the output
directory, and nothing at all on failure; no command that stood in the input was run.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import pickle
import resource
import shutil
import signal
import struct
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import test_onnx as onnx
from conftest import ROOT
from reports import report as sound_report

from analognet import resources, storage
from analognet.cli.app import run
from analognet.design import KIND

MEMORY = 6 << 30  # bytes of address space for the whole corpus
CASE_S = 60  # seconds for one case
CANARY = "CANARY"
OUTPUT = "build"  # where every command writes by default
MODEL = "good.safetensors"
DESIGN = "design"  # the build directory that cases on simulate, bom and draw find

Make = Callable[[Path], None]


@dataclass(frozen=True)
class Case:
    """files: name -> bytes, or a function that makes something else there; code: the exit code;
    words: what the message must hold; out: where it may write when it succeeds.
    """

    name: str
    argv: tuple[str, ...]
    code: int
    words: str = ""
    files: Mapping[str, bytes | Make] = field(default_factory=dict)
    out: str = OUTPUT


# --- pieces of files


def packed(header: dict[str, Any] | bytes, data: bytes = b"") -> bytes:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw)) + raw + data


def entry(shape: list[Any], begin: int, end: int, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def tensors(**values: Any) -> bytes:
    """A sound safetensors file; `__` in a name stands for a dot."""
    return tensors_of({key.replace("__", "."): np.asarray(v, dtype="<f4") for key, v in values.items()})


def tensors_of(values: Mapping[str, Any], metadata: dict[str, str] | None = None) -> bytes:
    header: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    data = b""
    for key, v in values.items():
        raw = np.asarray(v, dtype="<f4").tobytes()
        header[key] = entry(list(np.shape(v)), len(data), len(data) + len(raw))
        data += raw
    return packed(header, data)


def sound(metadata: dict[str, str] | None = None) -> bytes:
    w1, w2 = np.array([[1, -0.5], [0.25, 1], [-1, 0.5]]), np.array([[1, -1, 0.5], [0.5, 0.25, -1]])
    parts = {"l1.weight": w1, "l1.bias": [0.1, -0.1, 0.2], "l2.weight": w2, "l2.bias": [0.0, 0.1]}
    return tensors_of(parts, metadata)


def npz(**arrays: Any) -> bytes:
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def npy(header: bytes, data: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name + ".npy", data)
    return out.getvalue()


def idx(*shape: int, data: bytes | None = None, kind: int = 8) -> bytes:
    body = bytes(int(np.prod(shape))) if data is None else data
    return bytes([0, 0, kind, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + body


def fifo(path: Path) -> None:
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.mkdir()


def link_to(target: str) -> Make:
    return lambda path: path.symlink_to(target)


def sparse(size: int) -> Make:
    def make(path: Path) -> None:
        with path.open("wb") as file:
            file.truncate(size)

    return make


def unreadable(path: Path) -> None:
    path.write_bytes(b"x")
    path.chmod(0)


# --- hostile text: what a netlist, VHDL, a shell, HTML, LaTeX, CSV or a terminal would act on

RUN = f"touch {CANARY}"
NAMES: dict[str, str] = {
    "line feed": f"a\n.control\nshell {RUN}\n.endc",
    "carriage return": f"a\r.control\rshell {RUN}\r.endc",
    "interactive comment": f"*#shell {RUN}",
    "control": f".control\nsystem('{RUN}')\n.endc\n",
    "semicolon": f"a;{RUN}",
    "dollar": f"$({RUN})",
    "backticks": f"`{RUN}`",
    "pipe": f"| {RUN}",
    "ampersand": f"& {RUN} &",
    "index": "a[0,1]",
    "equals": "a=b",
    "formula": "=cmd|' /C calc'!A0",
    "at": "@SUM(1)",
    "nul": "a\0b",
    "unicode": "gewicht-ü-漢-🜂",
    "right to left": "a\u202eb",
    "long": "a" * 100_000,
    "ground": "gnd",
    "zero": "0",
    "temper": "temper",
    "vhdl keyword": "entity",
    "vhdl comment": "a -- b",
    "vhdl string": 'a" & "b',
    "up": "../../x",
    "absolute": "/etc/passwd",
    "markup": "[red]x[/red]",
    "ansi": "\x1b[31mred\x1b]0;title\x07",
    "script": "<script>alert(1)</script>",
    "svg": "]]></text><script/>",
    "latex": r"\input{/etc/passwd}_%#&~^",
    "mathtext": r"$\frac{$",
    "percent": "%s%n%x",
    "quote": "a'b\"c",
    "backslash": "a\\",
    "template": "{{7*7}}",
    "number": "1e400",
    "spaces": "  a  b  ",
    "empty": "",
    "surrogate": "\udcff",
    "dash": "--help",
    "include": ".include /etc/passwd",
    "line separators": "a\x0b\x0c\x1c\x85\u2028\u2029.control",
}
FILE_NAMES = {k: v for k, v in NAMES.items() if v and "\0" not in v and "/" not in v and len(v) < 200}


def cases() -> list[Case]:
    """All of them, in a fixed order, with names that differ."""
    found = [case for group in GROUPS for case in group()]
    names = [case.name for case in found]
    assert len(set(names)) == len(names), sorted({n for n in names if names.count(n) > 1})
    return found


# --- model files


def model_files() -> Iterator[Case]:
    one = entry([1, 1], 0, 4)
    deep = 100_000
    files: dict[str, tuple[bytes | Make, str]] = {
        "empty": (b"", "has 0 bytes"),
        "two bytes": (b"ab", "has 2 bytes"),
        "seven bytes": (b"abcdefg", "has 7 bytes"),
        "only a length": (struct.pack("<Q", 0), "header: not JSON"),
        "pickle": (pickle.dumps({"l1.weight": [1.0]}), "at most 16777216 are read"),
        "header of 2^62": (struct.pack("<Q", 1 << 62) + b"{}", "at most 16777216 are read"),
        "header of 2^64 - 1": (b"\xff" * 8 + b"{}", "at most 16777216 are read"),
        "header of 100 MB": (struct.pack("<Q", 100 << 20) + b"{}", "at most 16777216 are read"),
        "header really over the limit": (packed(b" " * (17 << 20) + b"{}"), "at most 16777216 are read"),
        "header cut short": (struct.pack("<Q", 100) + b"{}", "cut short"),
        "header no JSON": (packed(b"{nonsense"), "header: not JSON"),
        "header a list": (packed(b"[]"), "header is not a JSON object"),
        "header a number": (packed(b"7"), "header is not a JSON object"),
        "header null": (packed(b"null"), "header is not a JSON object"),
        "header no UTF-8": (packed(b"\xff\xfe{}"), "not JSON"),
        "header deep lists": (packed(b"[" * deep), "nested too deeply"),
        "header deep objects": (packed(b'{"a":' * deep), "nested too deeply"),
        "header with NaN": (packed(b'{"a": NaN}'), "NaN is not a number that JSON has"),
        "header with a long integer": (packed(b'{"a": ' + b"9" * 5000 + b"}"), "not JSON"),
        "no tensors": (packed({}), "has no tensors"),
        "300,000 tensors": (packed({f"t{i}": one for i in range(300_000)}), "at most"),
        "2,000 tensors": (packed({f"t{i}": entry([1], 0, 4) for i in range(2000)}), "at most 1024"),
        "a key twice": (
            packed(b'{"l.weight":%b,"l.weight":%b}' % ((json.dumps(one).encode(),) * 2), bytes(4)),
            "key 'l.weight' is given twice",
        ),
        "overlap": (packed({"a": one, "b": entry([1, 1], 2, 6)}, bytes(6)), "not a valid"),
        "hole": (packed({"a": one, "b": entry([1, 1], 8, 12)}, bytes(12)), "not a valid"),
        "trailing bytes": (packed({"a.weight": one}, bytes(9)), "not a valid"),
        "short data": (packed({"a.weight": entry([2, 2], 0, 16)}, bytes(8)), "not a valid"),
        "no data": (packed({"a.weight": entry([2, 2], 0, 16)}), "not a valid"),
        "offsets backwards": (packed({"a.weight": entry([1, 1], 4, 0)}, bytes(4)), "not a valid"),
        "negative offsets": (packed({"a.weight": entry([1, 1], -4, 0)}, bytes(4)), "not a valid"),
        "offsets of 2^63": (packed({"a.weight": entry([1, 1], 1 << 63, (1 << 63) + 4)}), "not a valid"),
        "offsets text": (packed({"a.weight": {**one, "data_offsets": "0,4"}}, bytes(4)), "not a valid"),
        "no offsets": (packed({"a.weight": {"dtype": "F32", "shape": [1, 1]}}, bytes(4)), "not a valid"),
        "entry a number": (packed({"a.weight": 7}, bytes(4)), "not a valid"),
        "shape overflow": (packed({"a.weight": entry([1 << 40, 1 << 40], 0, 4)}, bytes(4)), "not a valid"),
        "shape of 2^64": (packed({"a.weight": entry([1 << 64, 1], 0, 4)}, bytes(4)), "not a valid"),
        "negative shape": (packed({"a.weight": entry([-1, 1], 0, 4)}, bytes(4)), "not a valid"),
        "fractional shape": (packed({"a.weight": entry([1.5, 1], 0, 4)}, bytes(4)), "not a valid"),
        "shape of rank 100": (
            packed({"a.weight": entry([1] * 100, 0, 4)}, bytes(4)),
            "has 100 dimensions; at most 8 are read",
        ),
        "unknown format": (packed({"a.weight": entry([1, 1], 0, 4, "Q9")}, bytes(4)), "not a valid"),
        "metadata a list": (packed({"__metadata__": [], "a.weight": one}, bytes(4)), "must be strings"),
        "metadata numbers": (
            packed({"__metadata__": {"a": 1}, "a.weight": one}, bytes(4)),
            "must be strings",
        ),
        "zero rows": (packed({"l.weight": entry([0, 4], 0, 0)}), "holds no values"),
        "zero columns": (packed({"l.weight": entry([4, 0], 0, 0)}), "holds no values"),
        "scalar": (packed({"l.weight": entry([], 0, 4)}, bytes(4)), "neither '<layer>.weight'"),
        "vector": (tensors(l__weight=[1, 2]), "neither '<layer>.weight'"),
        "convolution": (tensors(l__weight=np.ones((2, 1, 3, 3))), "a convolution; only dense layers"),
        "bias alone": (tensors(l__bias=[1.0]), "neither '<layer>.weight'"),
        "bias of another length": (tensors(l__weight=np.ones((2, 2)), l__bias=[1.0]), "bias has shape (1,)"),
        "bias a matrix": (tensors(l__weight=np.ones((2, 2)), l__bias=np.ones((2, 1))), "neither '<layer>"),
        "other names": (tensors(w1=np.ones((2, 2))), "neither '<layer>.weight'"),
        "no chain": (tensors(a__weight=np.ones((2, 3)), b__weight=np.ones((2, 3))), "one chain"),
        "two chains": (tensors(a__weight=np.ones((2, 3)), b__weight=np.ones((5, 7))), "2 separate chains"),
        "several orders": (tensors(a__weight=np.ones((2, 2)), b__weight=np.ones((2, 2))), "several orders"),
        "NaN": (tensors(l__weight=[[1, np.nan]]), "weight[0, 1] is nan; every value must be finite"),
        "infinity": (tensors(l__weight=[[np.inf, 1]]), "weight[0, 0] is inf; every value must be finite"),
        "NaN bias": (tensors(l__weight=[[1, 1]], l__bias=[np.nan]), "bias[0] is nan"),
        "huge weights": (
            packed({"l.weight": entry([1, 1], 0, 8, "F64")}, struct.pack("<d", 1e300)),
            "pre-activations reach 1e+300",
        ),
        "a named pipe": (fifo, "is a named pipe"),
        "a directory": (folder, "is a directory"),
        "a link to a device": (link_to("/dev/zero"), "is a device"),
        "a link to itself": (link_to("m.safetensors"), "cannot be opened: Too many levels"),
        "a link to nothing": (link_to("nowhere"), "no such file"),
        "3 GB": (sparse(3 << 30), "at most 2 GiB are read"),
    }
    for dtype, size in {
        **dict.fromkeys(("I8", "U8", "BOOL", "F8_E4M3", "F8_E5M2"), 1),
        **dict.fromkeys(("I16", "U16"), 2),
        **dict.fromkeys(("I32", "U32"), 4),
        **dict.fromkeys(("I64", "U64", "C64"), 8),
    }.items():
        data = packed({"l.weight": entry([1, 1], 0, size, dtype)}, bytes(size))
        files[f"format {dtype}"] = (data, f"has format {dtype}")
    for what, (data, words) in files.items():
        argv = ("convert", "m.safetensors", "--activations", "linear")
        yield Case(f"model: {what}", argv, 3, words, {"m.safetensors": data})
    for what, data in {
        "all zero": tensors(l__weight=np.zeros((2, 2))),
        "tiny weights": tensors(l__weight=[[1e-30, -1e-30]]),
        "smallest weights": tensors(l__weight=[[1e-45, 0]]),
        "no bias": tensors(l__weight=[[1, 1]]),
        "half precision": packed({"l.weight": entry([1, 1], 0, 2, "F16")}, b"\0\x3c"),
        "brain floats": packed({"l.weight": entry([1, 1], 0, 2, "BF16")}, b"\x80\x3f"),
        "foreign metadata": tensors_of({"l.weight": [[1.0]]}, {"<script>": "\x1b[31m"}),
    }.items():
        argv = ("convert", "m.safetensors", "--activations", "linear")
        yield Case(f"model: {what}", argv, 0, "", {"m.safetensors": data})
    for what, data in {"text": b"x", "a pickle": pickle.dumps({})}.items():
        for suffix in ("pt", "pkl", "bin"):
            yield Case(
                f"model: {what} as .{suffix}",
                ("convert", f"m.{suffix}"),
                3,
                "a pickle can run any program",
                {f"m.{suffix}": data},
            )
    evil = b"cos\nsystem\n(S'" + RUN.encode() + b"'\ntR."  # a pickle that runs a command when it is read
    for suffix in ("safetensors", "npz", "onnx", "pt"):
        argv = ("convert", MODEL, "--calibrate", "m.npz") if suffix == "npz" else ("convert", f"m.{suffix}")
        yield Case(f"model: a pickle that runs a command, as .{suffix}", argv, 3, "", {f"m.{suffix}": evil})


def sidecars() -> Iterator[Case]:
    files: dict[str, tuple[bytes | Make, str]] = {
        "empty": (b"", "not JSON"),
        "a list": (b"[]", "holds no JSON object"),
        "deep": (b"[" * 100_000, "nested too deeply"),
        "NaN": (b'{"ranges": NaN}', "NaN is not a number"),
        "a key twice": (b'{"dataset": "iris", "dataset": "mnist"}', "is given twice"),
        "no UTF-8": (b"\xff\xff", "not JSON"),
        "2 MB": (b" " * (2 << 20), "at most 1 MiB are read"),
        "activations text": (b'{"activations": "relu"}', "must be a list of names"),
        "activations empty": (b'{"activations": []}', "must be a list of names"),
        "activations numbers": (b'{"activations": [1, 2]}', "must be a list of names"),
        "activations too few": (b'{"activations": ["relu"]}', "2 activations are needed; 1 given"),
        "activation unknown": (b'{"activations": ["gelu", "linear"]}', "activation 'gelu' is not known"),
        "activation close": (b'{"activations": ["rulu", "linear"]}', "did you mean 'relu'?"),
        "activation with escapes": (b'{"activations": ["\\u001b[31m", "linear"]}', r"\x1b"),
        "activation 100,000 long": (
            json.dumps({"activations": ["a" * 100_000, "linear"]}).encode(),
            "(100000 characters)",
        ),
        "softmax in the middle": (b'{"activations": ["softmax", "linear"]}', "only allowed at the end"),
        "slope text": (b'{"activations": ["leaky_relu:x", "linear"]}', "slope is not a number"),
        "slope infinite": (b'{"activations": ["leaky_relu:1e999", "linear"]}', "is not finite"),
        "slope NaN": (b'{"activations": ["leaky_relu:nan", "linear"]}', "is not finite"),
        "slope on relu": (b'{"activations": ["relu:2", "linear"]}', "only leaky_relu takes a slope"),
        "input range text": (b'{"input_range": "0,1"}', "must be [lowest, highest]"),
        "input range of three": (b'{"input_range": [0, 1, 2]}', "must be [lowest, highest]"),
        "input range reversed": (b'{"input_range": [1, 0]}', "must be below highest"),
        "input range infinite": (b'{"input_range": [0, 1e999]}', "is not a finite number"),
        "input range true": (b'{"input_range": [0, true]}', "is not a finite number"),
        "input range too long a number": (b'{"input_range": [0, 1%s]}' % (b"0" * 400), "not a finite number"),
        "ranges text": (b'{"ranges": "x"}', "must be a list"),
        "ranges too few": (
            b'{"activations": ["relu", "linear"], "ranges": [[0, 1]]}',
            "'ranges' has 1 entries for 2",
        ),
        "ranges nested": (b'{"ranges": [[[0], 1]]}', "is not a finite number"),
        "data set unknown": (b'{"dataset": "../../etc/passwd"}', "a model can name digits, iris"),
        "data set a number": (b'{"dataset": 7}', "a model can name digits, iris"),
        "a link to a device": (link_to("/dev/zero"), "does not say which"),
        "a named pipe": (fifo, "does not say which"),
    }
    for what, (data, words) in files.items():
        yield Case(
            f"sidecar: {what}",
            ("convert", "m.safetensors"),
            3,
            words,
            {"m.safetensors": sound(), "m.json": data},
        )
    for key, text, words in (
        ("activations", "relu,linear", "metadata 'activations': not JSON"),
        ("activations", '["relu"', "not JSON"),
        ("input_range", "[0]", "must be [lowest, highest]"),
        ("ranges", "[" * 100_000, "nested too deeply"),
        ("dataset", '"mnist.npz"', "a model can name"),
        ("dataset", "\x1b[31m", "not JSON"),
    ):
        yield Case(
            f"metadata: {key} {text[:12]!r}",
            ("convert", "m.safetensors"),
            3,
            words,
            {"m.safetensors": sound({key: text})},
        )


def onnx_files() -> Iterator[Case]:
    huge = onnx.gemms(onnx.node("Relu", "h", "a"), batch=10**9)
    wide = onnx.model(
        onnx.value(11, "x", "N", 10**9), onnx.node("Relu", "x", "y"), onnx.value(12, "y", "N", 10**9)
    )
    claims = onnx.model(
        onnx.message(5, onnx.number(1, 1 << 40) + onnx.number(2, 1) + onnx.message(8, "w")),
        onnx.value(11, "x", "N", 2),
        onnx.node("Mul", "x w", "y"),
        onnx.value(12, "y", "N", 2),
    )
    reshaped = onnx.gemms(
        onnx.node("Reshape", "h s", "a"), onnx.initializer("s", np.array([1 << 40, -1], dtype="<i8"))
    )
    files = {name: data for name, (data, _) in onnx.BAD.items()}
    files |= {
        "a batch of 10^9": huge,
        "10^9 inputs": wide,
        "weights of 2^40 without data": claims,
        "reshape to 2^40": reshaped,
        "a cycle": onnx.gemms(onnx.node("Relu", "a", "a")),
        "NaN weights": onnx.model(
            onnx.initializer("w", np.full((2, 2), np.nan, dtype="<f4")),
            onnx.value(11, "x", "N", 2),
            onnx.node("MatMul", "x w", "y"),
            onnx.value(12, "y", "N", 2),
        ),
        "text": b"this is no protobuf at all",
        "a thousand open fields": b"\x0a" * 1000,
        "a length of 2^63": b"\x3a" + b"\xff" * 8 + b"\x7f",
    }
    for what, data in files.items():
        yield Case(f"onnx: {what}", ("convert", "m.onnx"), 3, "model 'm.onnx'", {"m.onnx": data})
    yield Case("onnx: a named pipe", ("convert", "m.onnx"), 3, "is a named pipe", {"m.onnx": fifo})


def mutations() -> Iterator[Case]:
    """Sound files, damaged at fixed places: read, or refused, and never anything else (code -1: 0 or 3)."""
    rng = np.random.default_rng(7)
    whole = sound({"activations": '["relu", "linear"]'})
    relu = onnx.gemms(onnx.node("Relu", "h", "a"))
    data = npz(x=np.linspace(0, 1, 8).reshape(4, 2), y=np.array([0, 1, 0, 1]))
    for suffix, text, argv in (
        ("safetensors", whole, ("convert", "m.safetensors")),
        ("onnx", relu, ("convert", "m.onnx")),
        ("npz", data, ("convert", MODEL, "--calibrate", "m.npz")),
    ):
        for k in range(20):
            raw = bytearray(text)
            if k % 4 == 0:
                raw = raw[: int(rng.integers(len(raw)))]
            elif k % 4 == 1:
                at = int(rng.integers(len(raw)))
                raw[at:at] = rng.bytes(int(rng.integers(1, 9)))
            else:
                for at in rng.integers(len(raw), size=k):
                    raw[int(at)] ^= 1 << int(rng.integers(8))
            yield Case(f"mutation: {suffix} {k}", argv, -1, "", {f"m.{suffix}": bytes(raw)})


# --- names


def names() -> Iterator[Case]:
    for what, text in NAMES.items():
        data = tensors_of({f"{text}.weight": np.ones((2, 2)), f"{text}.bias": [0.0, 0.1]})
        argv = ("convert", "m.safetensors", "--activations", "linear")
        # JSON may say a surrogate, UTF-8 cannot, and so no such file is valid; a layer has a name
        code = 3 if what in ("surrogate", "empty") else 0
        yield Case(f"tensor name: {what}", argv, code, "", {"m.safetensors": data})
    twins = tensors_of({"a.weight": np.ones((3, 2)), "A.weight": np.ones((1, 3))})
    argv = ("convert", "m.safetensors", "--activations", "relu,linear")
    yield Case("tensor name: twins by case", argv, 0, "", {"m.safetensors": twins})
    for what, text in FILE_NAMES.items():
        name = f"{text}.safetensors"
        argv = ("convert", f"./{name}", "--activations", "relu,linear")
        yield Case(f"model file name: {what}", argv, 0, "", {name: sound()})
        yield Case(f"output directory: {what}", ("convert", MODEL, f"--out={text}"), 0, "", out=text)
    for what in ("line feed", "ansi", "mathtext", "at", "surrogate", "unicode"):
        name = f"{FILE_NAMES[what]}.npz"
        data = npz(x=np.full((3, 2), 0.5), y=np.zeros(3))
        argv = ("simulate", DESIGN, f"--data=./{name}", "--images", "2")
        yield Case(f"data file name: {what}", argv, 0, "", {name: data}, out=DESIGN)
    yield Case("model name: NUL", ("convert", "a\0b.safetensors"), 3, "not a file name that can exist")
    yield Case("model name: too long", ("convert", "a" * 5000 + ".safetensors"), 3, "File name too long")
    yield Case("output directory: NUL", ("convert", MODEL, "--out=a\0b"), 2, "null byte")
    yield Case(
        "output directory: too long", ("convert", MODEL, "--out=" + "a" * 5000), 3, "File name too long"
    )


# --- data files


def data_files() -> Iterator[Case]:
    x = np.full((3, 2), 0.5)
    bad: dict[str, tuple[str, bytes | Make, str]] = {
        "npz empty": ("d.npz", b"", "not a readable npz"),
        "npz text": ("d.npz", b"hello", "not a readable npz"),
        "npz cut": ("d.npz", npz(x=x)[:-30], "not a readable npz"),
        "npz without x": ("d.npz", npz(z=x), "has no array 'x'"),
        "npz wrong width": ("d.npz", npz(x=np.ones((3, 5))), "x has 5 columns; the network takes 2"),
        "npz no rows": ("d.npz", npz(x=np.ones((0, 2))), "x has no rows"),
        "npz no columns": ("d.npz", npz(x=np.ones((3, 0))), "columns"),
        "npz scalar": ("d.npz", npz(x=np.float64(3)), "x has shape ()"),
        "npz vector": ("d.npz", npz(x=np.ones(4)), "x has shape (4,)"),
        "npz NaN": ("d.npz", npz(x=np.full((3, 2), np.nan)), "x[0, 0] is nan; every value must be finite"),
        "npz infinity": ("d.npz", npz(x=np.full((3, 2), -np.inf)), "x[0, 0] is -inf"),
        "npz beyond the rails": ("d.npz", npz(x=np.full((3, 2), 1e6)), "beyond the supplies"),
        "npz text array": ("d.npz", npz(x=np.full((3, 2), "a")), "numbers are needed"),
        "npz complex": ("d.npz", npz(x=np.full((3, 2), 1j)), "numbers are needed"),
        "npz dates": ("d.npz", npz(x=np.zeros((3, 2), dtype="M8[s]")), "numbers are needed"),
        "npz structured": ("d.npz", npz(x=np.zeros(3, dtype=[("a", "f8")])), "numbers are needed"),
        "npz labels too few": ("d.npz", npz(x=x, y=[0, 1]), "y has shape (2,); expected (3,)"),
        "npz labels beyond the classes": ("d.npz", npz(x=x, y=[0, 1, 2]), "y[2] is 2; classes are"),
        "npz labels negative": ("d.npz", npz(x=x, y=[0, -1, 0]), "y[1] is -1"),
        "npz labels halves": ("d.npz", npz(x=x, y=[0, 0.5, 0]), "y[1] is 0.5"),
        "npz labels NaN": ("d.npz", npz(x=x, y=[0, np.nan, 0]), "y[1] is nan"),
        "npz labels a cube": ("d.npz", npz(x=x, y=np.zeros((3, 1, 1))), "y has shape (3, 1, 1)"),
        "npz an object array": (
            "d.npz",
            zipped(x=npy(b"{'descr': '|O', 'fortran_order': False, 'shape': (1,)}\n", pickle.dumps([1]))),
            "numbers are needed",
        ),
        "npz claims 2^60 values": (
            "d.npz",
            zipped(x=npy(b"{'descr': '<f8', 'fortran_order': False, 'shape': (1152921504606846976,)}\n")),
            "at most 8 GiB are read",
        ),
        "npz claims more than it holds": (
            "d.npz",
            zipped(x=npy(b"{'descr': '<f8', 'fortran_order': False, 'shape': (9, 2)}\n", bytes(16))),
            "cannot be read",
        ),
        "npz negative shape": (
            "d.npz",
            zipped(x=npy(b"{'descr': '<f8', 'fortran_order': False, 'shape': (-9, 2)}\n", bytes(16))),
            "cannot be read",
        ),
        "npz header is code": (
            "d.npz",
            zipped(x=npy(b"__import__('os').system('" + RUN.encode() + b"')\n")),
            "cannot be read",
        ),
        "npz header unfinished": ("d.npz", zipped(x=npy(b"{'descr': (\n")), "cannot be read"),
        "npz header deep": ("d.npz", zipped(x=npy(b"(" * 9000 + b"\n")), "cannot be read"),
        "npz header no dictionary": ("d.npz", zipped(x=npy(b"[]\n")), "cannot be read"),
        "npz no magic": ("d.npz", zipped(x=b"nothing of the kind"), "cannot be read"),
        "npz format 9": ("d.npz", zipped(x=b"\x93NUMPY\x09\x00\x00\x00"), "cannot be read"),
        "npz a named pipe": ("d.npz", fifo, "is a named pipe"),
        "npz a directory": ("d.npz", folder, "is a directory"),
        "npz a device": ("d.npz", link_to("/dev/zero"), "is a device"),
        "npz missing": ("e.npz", b"", "no such file"),
        "csv empty": ("d.csv", b"", "has no rows"),
        "csv only a header": ("d.csv", b"a,b\n", "has no rows"),
        "csv text": ("d.csv", b"a,b\n1,x\n", "could not convert"),
        "csv ragged": ("d.csv", b"1,2\n3\n", "d.csv"),
        "csv no text": ("d.csv", b"\xff\xfe\x00", "not a text file"),
        "csv NUL": ("d.csv", b"1,2\n\0,3\n", "d.csv"),
        "csv NaN": ("d.csv", b"nan,1\n", "x[0, 0] is nan"),
        "csv infinity": ("d.csv", b"1,1e999\n", "x[0, 1] is inf"),
        "csv wrong width": ("d.csv", b"1,2,3,4\n", "x has 4 columns; the network takes 2"),
        "csv header too short": ("d.csv", b"a\n1,2\n", "the header names 1 columns, the rows have 2"),
        "csv two labels": ("d.csv", b"a,y,label\n1,2,3\n", "2 columns could be the label"),
        "csv label out of range": ("d.csv", b"a,b,y\n1,2,9\n", "y[0] is 9"),
        "csv formula": ("d.csv", b"=cmd,@x\n=1+1,2\n", "could not convert"),
        "csv escapes": ("d.csv", b"\x1b[31m,1\n\x1b[31m,2\n", r"\x1b"),
        "csv a line of 1 MB": ("d.csv", b"1" * 1_000_000 + b",2\n", "d.csv"),
        "csv a named pipe": ("d.csv", fifo, "is a named pipe"),
        "idx empty": ("d-idx3-ubyte", b"", "not an idx file"),
        "idx wrong magic": ("d-idx3-ubyte", b"\1\2\3\4", "not an idx file"),
        "idx of floats": ("d-idx3-ubyte", idx(1, 2, kind=13), "not an idx file of bytes"),
        "idx rank 0": ("d-idx3-ubyte", b"\0\0\x08\0", "not an idx file"),
        "idx rank 200": ("d-idx3-ubyte", b"\0\0\x08\xc8" + bytes(800), "not an idx file"),
        "idx header cut": ("d-idx3-ubyte", b"\0\0\x08\3\0\0", "cut short within its header"),
        "idx cut": ("d-idx3-ubyte", idx(3, 1, 2, data=b"abc"), "cut short; its header says 6 values"),
        "idx too long": ("d-idx3-ubyte", idx(1, 1, 2, data=b"abc"), "has bytes after its end"),
        "idx claims 2^96": ("d-idx3-ubyte", idx(*[2**32 - 1] * 3, data=b""), "at most 8 GiB"),
        "idx zero times 2^32": ("d-idx3-ubyte", idx(0, 2**32 - 1, 2**32 - 1, data=b""), "at most 8 GiB"),
        "idx only labels": ("d-idx3-ubyte", idx(3), "holds labels, not images"),
        "idx wrong width": ("d-idx3-ubyte", idx(2, 2, 2), "x has 4 columns; the network takes 2"),
        "idx damaged gzip": ("d-idx3-ubyte.gz", gzip.compress(idx(2, 1, 2), mtime=0)[:-9], "damaged gzip"),
        "idx gzip bomb": (
            "d-idx3-ubyte.gz",
            gzip.compress(idx(1, 1, 2, data=bytes(50 << 20)), mtime=0),
            "has bytes after its end",
        ),
        "a file of no kind": ("d.txt", b"hello", "of no kind that is known"),
        "a pickle": ("d.pkl", pickle.dumps([1]), "of no kind that is known"),
        "an empty directory": ("d", folder, "idx"),
    }
    for what, (name, content, words) in bad.items():
        at = "d.npz" if name == "e.npz" else name
        yield Case(f"data: {what}", ("simulate", DESIGN, "--data", name), 3, words, {at: content})
        if what.startswith("npz l") or what in ("npz wrong width", "npz NaN", "csv ragged", "idx cut"):
            yield Case(
                f"calibration: {what}", ("convert", MODEL, "--calibrate", name), 3, words, {at: content}
            )
    for text, words in (
        ("nosuch", "is not known"),
        ("digit", "did you mean 'digits'?"),
        ("MNIST", "did you mean 'mnist'?"),
        ("", "is not known"),
        ("\x1b[31m", r"\x1b[31m"),
        ("a\0b", r"a\x00b"),
        (f"$({RUN})", "is not known"),
        ("http://example.com/x.zip", "is not known"),
    ):
        yield Case(f"data name: {text!r}", ("simulate", DESIGN, f"--data={text}"), 2, words)


# --- technologies, cells and tables


@cache
def _board() -> str:
    return (resources.cells() / "board.toml").read_text()


@cache
def _part() -> str:
    return (resources.cells() / "opamp_lm358.cir").read_text().replace("opamp_lm358", "opamp_mine")


def technologies() -> Iterator[Case]:
    board = _board()
    files: dict[str, tuple[bytes | Make, str]] = {
        "empty": (b"", "name: Field required"),
        "no TOML": (b"name = ", "cannot be read"),
        "no text": (b"\xff\xfe", "cannot be read"),
        "deep": (b"x = " + b"[" * 60_000, "nested too deeply"),
        "deep tables": (b"[" + b"a." * 30_000 + b"a]", "t.toml"),
        "a key twice": (board.replace("vdd = 5.0", "vdd = 5.0\nvdd = 6.0").encode(), "cannot be read"),
        "an unknown key": (b"evil = 1\n" + board.encode(), "evil: Extra inputs are not permitted"),
        "a hostile key": (b'"\\u001b[31m" = 1\n' + board.encode(), r"\x1b[31m: Extra inputs"),
        "100 kB": (b"#" * 100_000, "at most 64 KiB are read"),
        "a named pipe": (fifo, "is a named pipe"),
        "a directory": (folder, "is a directory"),
        "a device": (link_to("/dev/zero"), "is a device"),
        "JSON": (b'{"name": "x"}', "cannot be read"),
    }
    for what, (data, words) in files.items():
        yield Case(
            f"technology: {what}", ("convert", MODEL, "--technology", "t.toml"), 3, words, {"t.toml": data}
        )
    for old, new, words in (
        ('name = "board"', 'name = "../x"', "name: String should match"),
        ('name = "board"', 'name = "a\\n.control"', "name: String should match"),
        ('name = "board"', "name = 7", "name: Input should be a valid string"),
        ("vdd = 5.0", "vdd = nan", "vdd: Input should be a finite number"),
        ("vdd = 5.0", "vdd = inf", "vdd: Input should be a finite number"),
        ("vdd = 5.0", "vdd = -5.0", "vdd must be above 0"),
        ("vdd = 5.0", 'vdd = "5"', ""),
        ("vdd = 5.0", "vdd = 1e300", "works on"),
        ("vss = -5.0", "vss = 1.0", "vss at or below it"),
        ("vdd = 5.0", "vdd = [5.0]", "vdd: Input should be a valid number"),
        ("reference = 2.5", "reference = 0.0", "reference: Input should be greater than 0"),
        ("full_scale = 2.5", "full_scale = 1e-9", "full_scale: Input should be greater than or equal"),
        ("full_scale = 2.5", "full_scale = 100.0", "full scale"),
        ("opamp_opa4192", "../../etc/passwd", "opamp: String should match"),
        ("opamp_opa4192", "opamp_nosuch", "is not among the cells"),
        ("opamp_opa4192", "act_relu_diode", "is not among the cells"),
        ("min_ohm = 1e3", "min_ohm = 0.0", "resistor.min_ohm: Input should be greater than 0"),
        ("min_ohm = 1e3", "min_ohm = 1e9", "feedback_ohm must lie in"),
        ("max_ohm = 10e6", "max_ohm = -1.0", "resistor.max_ohm: Input should be greater than 0"),
        ("feedback_ohm = 10e3", "feedback_ohm = 1.0", "feedback_ohm must lie in"),
        ("tolerance = 0.001", "tolerance = 1.5", "resistor.tolerance: Input should be less than 1"),
        ("tolerance = 0.001", "tolerance = -0.1", "resistor.tolerance: Input should be greater"),
        ("tempco = 25e-6", "tempco = nan", "resistor.tempco: Input should be a finite number"),
        ("tempco = 25e-6", 'tempco = 0.0\nseries = "E13"', "resistor series 'E13' is unknown"),
        ("tempco = 25e-6", 'tempco = 0.0\nseries = "pot99"', "resistor series 'pot99' is unknown"),
        ('relu = "act_relu_diode"', 'relu = "act_nosuch"', ""),
        ('relu = "act_relu_diode"', 'relu = "act_tanh_bjt"', ""),
        ('relu = "act_relu_diode"', 'relu = "x\\n.control"', "activations.relu: String should match"),
        ('relu = "rectifier_diode"', 'relu = "opamp_ideal"', ""),
        ("[activations]", "[activations2]", "activations: Field required"),
        ("temperature = [-40.0, 125.0]", "temperature = [1.0]", "temperature"),
    ):
        text = board.replace(old, new)
        assert text != board
        yield Case(
            f"technology: {new[:40]!r}",
            ("convert", MODEL, "--technology", "t.toml"),
            3 if words else -1,
            words,
            {"t.toml": text.encode()},
        )
    for text, words in (
        ("bord", "did you mean 'board'?"),
        ("\x1b[31m", r"\x1b[31m"),
        ("../board", "is unknown"),
        ("", "is unknown"),
        ("a" * 10_000, "(10000 characters)"),
    ):
        yield Case(f"technology name: {text[:12]!r}", ("convert", MODEL, f"--technology={text}"), 2, words)
    yield Case("technology name: not there", ("convert", MODEL, "--technology=x.toml"), 3, "no such file")
    yield Case("technology name: NUL", ("convert", MODEL, "--technology=a\0.toml"), 3, "can exist")


def cells() -> Iterator[Case]:
    part = _part()
    head, _, body = part.partition(".subckt")
    inside = part.replace(".ends", "{}\n.ends")
    lines = {
        "control": f".control\nshell {RUN}\n.endc",
        "include": ".include /etc/passwd",
        "library": ".lib /etc/passwd x",
        "interactive comment": f"*#shell {RUN}",
        "global": ".global inp",
        "options": ".options savecurrents",
        "analysis": ".tran 1n 1",
        "code model": "Aevil [a] [b] evil",
        "file source": '.model evil filesource (file="/etc/passwd")\nAevil %v([a]) evil',
        "python end of line": f"* harmless \x0b.control\x0bshell {RUN}",
        "next line": "* harmless \x85.control",
        "carriage return": "* harmless \r.control\rR9 inp inn 1",
        "escapes": "* \x1b[31m",
        "NUL": "R9 inp\0 inn 1",
        "tab": "R9\tinp inn 1",
        "UTF-8": "* gewöhnlich",
        "second subcircuit": ".subckt evil a b\nR1 a b 1\n.ends",
        "indented control": f" .control\n shell {RUN}\n .endc",
        "braces in a B source": "B9 inp 0 V={2*a0}",
        "half an instance": "X9",
        "half a diode": "D9 inp inn",
        "half a transistor": "Q9 inp inn out",
        "an unknown cell": "X9 inp inn nosuchcell",
        "itself": "X9 inp inn out vdd vss opamp_mine",
    }
    files: dict[str, tuple[bytes | Make, str]] = {
        what: (inside.replace("{}", line, 1).encode(), "cell") for what, line in lines.items()
    }
    files |= {
        "after the end": ((part + f"\nR9 y0 0 1\n* {RUN}\n").encode(), "all of it stands between"),
        "before the beginning": ((head + "R9 y0 0 1\n.subckt" + body).encode(), "all of it stands between"),
        "no end": (part.replace(".ends", "*").encode(), "all of it stands between"),
        "no subcircuit": (b"* nothing\n*@ family opamp\n", "has 0 .subckt lines"),
        "an empty subcircuit": (b"* x\n*@ family opamp\n.subckt\n.ends\n", "cell"),
        "another name": (part.replace("subckt opamp_mine", "subckt opamp_yours").encode(), "share one name"),
        "another family": (part.replace("family opamp", "family evil").encode(), "family 'evil' is unknown"),
        "missing pin": (part.replace("*@ pin out", "*@ nip out").encode(), "no '*@ pin' line for out"),
        "unknown role": (part.replace("pin inp in ", "pin inp evil ").encode(), "has no role"),
        "pins in another order": (part.replace("inp inn out", "inn inp out").encode(), "pins are"),
        "suffix": (part.replace("gbw=0.7e6", "gbw=0.7Meg").encode(), "is no plain number"),
        "NaN": (part.replace("gbw=0.7e6", "gbw=nan").encode(), "is no plain number"),
        "infinity": (part.replace("gbw=0.7e6", "gbw=1e999").encode(), "is no plain number"),
        "underscore": (part.replace("gbw=0.7e6", "gbw=7_0").encode(), "is no plain number"),
        "expression": (part.replace("gbw=0.7e6", "gbw={1/0}").encode(), "is no plain number"),
        "no gain": (part.replace("a0=1e5", "a0=0").encode(), "a0 must be above 0"),
        "negative gain": (part.replace("a0=1e5", "a0=-1").encode(), "a0 must be above 0"),
        "supply of one number": (part.replace("supply 3 30", "supply 3 V").encode(), "supply needs two"),
        "supply reversed": (part.replace("supply 3 30", "supply 30 3").encode(), "supply needs two"),
        "polarity": (part.replace("*@ units 2", "*@ polarity nan").encode(), "polarity is 1 or -1"),
        "units": (part.replace("*@ units 2", "*@ units 0").encode(), "units is the number"),
        "a declared name": (resources.cells().joinpath("opamp_lm358.cir").read_bytes(), "share one name"),
        "300 kB": (b"*@ family\n" + b"*" * 300_000, "at most 256 KiB are read"),
        "a named pipe": (fifo, "is a named pipe"),
        "a device": (link_to("/dev/zero"), "is a device"),
        "a directory": (folder, "is a directory"),
    }
    for what, (data, words) in files.items():
        argv = ("convert", MODEL, "--technology", "t.toml", "--opamp", "mine")
        own = {"t.toml": _board().encode(), "opamp_mine.cir": data}
        yield Case(f"cell: {what}", argv, 3, words, own)
    argv = ("convert", MODEL, "--technology", "t.toml")
    own = {"t.toml": _board().encode(), "notes.cir": f".control\nshell {RUN}\n.endc\n".encode()}
    yield Case("cell: somebody's netlist beside the technology", argv, 0, "", own)
    own = {"t.toml": _board().encode(), "opamp_LM358;x.cir": _part().encode()}
    yield Case("cell: a file name that is no cell name", argv, 3, "use a-z, 0-9 and _", own)


def settings() -> Iterator[Case]:
    prices = resources.data("prices.toml").read_text()
    energy = (resources.digital() / "energy.toml").read_text()
    common: dict[str, bytes | Make] = {
        "empty": b"",
        "no TOML": b"[",
        "no text": b"\xff",
        "deep": b"x = " + b"[" * 100_000,
        "sections are numbers": b"board = 1\nfpga = 2\noperations = 3\ntoggle = 4\n",
        "100 kB": b"#" * 100_000,
        "a named pipe": fifo,
        "a directory": folder,
        "a device": link_to("/dev/zero"),
        "a long integer": b"x = " + b"9" * 5000,
    }
    for what, data in common.items():
        yield Case(
            f"prices: {what}", ("bom", DESIGN, "--prices", "p.toml"), 3, "price file", {"p.toml": data}
        )
        argv = ("vhdl", MODEL, "--verify", "0", "--energy", "e.toml")
        yield Case(f"energy: {what}", argv, 3, "energy constants", {"e.toml": data})
    for old, new, words in (
        ("price = ", "price = -", "Input should be greater than or equal to 0"),
        ("price = ", "price = nan #", "Input should be a finite number"),
        ("[board]", "[board]\nevil = 1", "board.evil: Extra inputs"),
    ):
        text = prices.replace(old, new, 1)
        yield Case(
            f"prices: {new!r}", ("bom", DESIGN, "--prices", "p.toml"), 3, words, {"p.toml": text.encode()}
        )
    for new in ("factor = 0", "factor = 1e9", 'factor = "x"', "factor = nan", "factor = true"):
        text = energy.replace("factor = 14.0", new)
        argv = ("vhdl", MODEL, "--verify", "0", "--energy", "e.toml")
        words = "[fpga] factor must be a number above 0"
        yield Case(f"energy: {new}", argv, 3, words, {"e.toml": text.encode()})
    results: dict[str, bytes | Make] = {
        "empty": b"",
        "a list": b"[]",
        "no metrics": b"{}",
        "metrics a list": b'{"metrics": []}',
        "deep": b"[" * 100_000,
        "no text": b"\xff\xfe",
        "a named pipe": fifo,
        "a device": link_to("/dev/zero"),
        "metrics text": b'{"metrics": {"accuracy": "x", "power_w": []}}',
    }
    for what, data in results.items():
        argv = ("vhdl-sweep", MODEL, "--data", "d.npz", "--analog", "a.json", "--bits", "4", "--lanes", "1")
        own = {"d.npz": npz(x=np.full((4, 2), 0.5), y=np.zeros(4)), "a.json": data}
        yield Case(f"analog result: {what}", (*argv, "--clock", "100"), 3, "analog result 'a.json'", own)


# --- build directories


def directories() -> Iterator[Case]:
    def changed(name: str, content: bytes | Make, digests: bool = True) -> Make:
        def make(path: Path) -> None:
            shutil.copytree(path.parent / DESIGN, path)
            place = path / name
            place.unlink()
            if callable(content):
                content(place)
            else:
                place.write_bytes(content)
                if digests:
                    manifest = json.loads((path / "manifest.json").read_bytes())
                    manifest["files"][name] = storage.digest(content)
                    (path / "manifest.json").write_text(json.dumps(manifest))

        return make

    def described(**values: Any) -> Make:
        def make(path: Path) -> None:
            description = json.loads((path.parent / DESIGN / "design.json").read_bytes())
            changed("design.json", json.dumps({**description, **values}).encode())(path)

        return make

    def manifest(value: Any) -> Make:
        text = value if isinstance(value, bytes) else json.dumps(value).encode()
        return changed("manifest.json", text, digests=False)

    def nothing(path: Path) -> None:
        path.mkdir()

    made: dict[str, tuple[Make, str]] = {
        "empty": (nothing, "has no readable manifest.json"),
        "manifest empty": (manifest(b""), "has no readable manifest.json"),
        "manifest deep": (manifest(b"[" * 100_000), "has no readable manifest.json"),
        "manifest a pipe": (changed("manifest.json", fifo), "has no readable manifest.json"),
        "manifest a device": (changed("manifest.json", link_to("/dev/zero")), "has no readable manifest"),
        "manifest a list": (manifest([]), "is not a analognet-design directory"),
        "manifest of another kind": (manifest({"kind": "x", "files": {}}), "is not a analognet-design"),
        "manifest files a list": (manifest({"kind": KIND, "files": []}), "is not a analognet-design"),
        "manifest names a file above": (manifest({"kind": KIND, "files": {"../x": "0"}}), "is missing"),
        "manifest names a system file": (
            manifest({"kind": KIND, "files": {"/etc/passwd": "0"}}),
            "is missing",
        ),
        "manifest names escapes": (
            manifest({"kind": KIND, "files": {"\x1b[31m": "0"}}),
            r"\x1b[31m is missing",
        ),
        "manifest without files": (manifest({"kind": KIND, "files": {}}), "is missing"),
        "netlist changed": (changed("network.cir", b"* mine\n", digests=False), "was changed after convert"),
        "netlist foreign": (
            changed("network.cir", f"* x\n.control\nshell {RUN}\n.endc\n".encode()),
            "is not what this AnalogNet builds",
        ),
        "netlist a pipe": (changed("network.cir", fifo), "network.cir is missing"),
        "netlist a device": (changed("network.cir", link_to("/dev/zero")), "network.cir is missing"),
        "weights damaged": (changed("weights.safetensors", b"x"), "cannot be read"),
        "weights a pickle": (changed("weights.safetensors", pickle.dumps(1)), "cannot be read"),
        "weights NaN": (
            changed(
                "weights.safetensors",
                tensors_of({"0.weight": np.full((3, 2), np.nan), "0.bias": np.zeros(3)}),
            ),
            "weight",
        ),
        "names a list": (changed("names.json", b"[]"), "cannot be read"),
        "names deep": (changed("names.json", b"[" * 100_000), "cannot be read"),
        "design empty": (changed("design.json", b"{}"), "cannot be read"),
        "design deep": (changed("design.json", b"[" * 100_000), "cannot be read"),
        "design topology": (described(topology="\x1b[31m"), r"\x1b[31m"),
        "design activations": (described(activations=[{"name": "evil"}] * 2), "is not known"),
        "design activations a number": (described(activations=7), "cannot be read"),
        "design range": (described(input_range=["a", "b"]), "cannot be read"),
        "design range reversed": (described(input_range=[1, 0]), "run analognet convert again"),
        "design range NaN": (described(input_range=[float("nan"), 1]), "run analognet convert again"),
        "design ranges": (described(ranges=[]), "run analognet convert again"),
        "design ranges huge": (
            described(ranges=[{"z": [-1e300, 1e300], "partial": [-1e300, 1e300]}] * 2),
            "pre-activations reach 1e+300",
        ),
        "design technology": (described(technology={}), "Field required"),
        "cell with a command": (
            changed("cells/opamp_opa4192.cir", f"* x\n*@ family opamp\n.control\nshell {RUN}\n".encode()),
            "a cell holds comments, elements",
        ),
        "cell no text": (changed("cells/opamp_opa4192.cir", b"\xff"), "cannot be read"),
    }
    for what, (make, words) in made.items():
        for command in ("simulate", "bom") if what.startswith("manifest") else ("simulate",):
            yield Case(f"build directory: {what}, {command}", (command, "d"), 3, words, {"d": make})
    yield Case("build directory: not there", ("simulate", "nosuch"), 3, "is not there; make it with")
    yield Case("build directory: a file", ("simulate", MODEL), 3, "is not there")
    yield Case("build directory: none yet", ("simulate",), 2, "nothing was built here yet")
    for what, text in {"up": b"../../..", "NUL": b"\0", "escapes": b"\x1b[31m", "empty": b""}.items():

        def latest(path: Path, text: bytes = text) -> None:
            path.mkdir()
            (path / ".latest").write_bytes(text)

        yield Case(
            f"build directory: latest is {what}", ("simulate",), 3, "build directory", {OUTPUT: latest}
        )


# --- command lines


def command_lines() -> Iterator[Case]:
    for argv, words in (
        (("convrt",), "Did you mean 'convert'?"),
        (("\x1b[31m",), r"\x1b[31m"),
        (("convert",), "Missing argument"),
        (("convert", MODEL, "extra"), "unexpected extra argument"),
        (("convert", MODEL, "--topolgy=split"), "--topology"),
        (("convert", MODEL, "--nonsense\x1b[31m"), r"\x1b[31m"),
        (("convert", "nosuch"), "is not known; give a .safetensors"),
        (("convert", ""), "is not known; give a .safetensors"),
        (("convert", "a:b:c"), "is not known"),
        (("convert", f"$({RUN})"), "is not known"),
        (("convert", MODEL, "--topology=ring"), "there are split, signed, dual_rail"),
        (("convert", MODEL, "--topology=splt"), "did you mean 'split'?"),
        (("convert", MODEL, "--topology=\x1b[31m"), r"\x1b[31m"),
        (("convert", MODEL, "--opamp=opa4193"), "did you mean 'opa4192'?"),
        (("convert", MODEL, "--opamp=../../etc/passwd"), "is not among the cells"),
        (("convert", MODEL, f"--opamp=x\n.control\nshell {RUN}"), r"x\x0a.control"),
        (("convert", MODEL, "--opamp="), "is not among the cells"),
        (("convert", MODEL, "--resistors=E13"), "resistor series 'E13' is unknown"),
        (("convert", MODEL, "--resistors=pot999999999"), "is unknown"),
        (("convert", MODEL, "--resistors=\x1b"), r"\x1b"),
        (("convert", MODEL, "--cell=nonsense"), "write NAME=VALUE"),
        (("convert", MODEL, "--cell=relu=x\n.control"), r"x\x0a.control"),
        (("convert", MODEL, "--cell=relu=act_relu_dide"), "did you mean 'act_relu_diode'?"),
        (("convert", MODEL, "--cell=\x1b=act_relu_diode"), r"\x1b"),
        (("convert", MODEL, "--input-range=1,0"), "the lower one first"),
        (("convert", MODEL, "--input-range=nan,1"), "write two numbers"),
        (("convert", MODEL, "--input-range=0,inf"), "write two numbers"),
        (("convert", MODEL, "--input-range=0,1,2"), "write two numbers"),
        (("convert", MODEL, "--input-range=" + "9" * 10_000 + ",1"), "write two numbers"),
        (("convert", MODEL, "--full-scale=nan"), "finite number"),
        (("convert", MODEL, "--full-scale=-1"), "greater than or equal"),
        (("convert", MODEL, "--feedback=0"), "feedback_ohm"),
        (("convert", MODEL, "--feedback=inf"), "finite number"),
        (("convert", MODEL, "--activations="), "2 activations are needed"),
        (("convert", MODEL, "--activations=relu"), "2 activations are needed; 1 given"),
        (("convert", MODEL, "--activations=relu,liner"), "did you mean 'linear'?"),
        (("convert", MODEL, "--activations=relu,\x1b[31m"), r"\x1b"),
        (("convert", MODEL, "--activations=" + "," * 100_000), "100001 given"),
        (("convert", MODEL, "--activations=leaky_relu:1e999,linear"), "is not finite"),
        (("convert", MODEL, "--quiet", "--verbose"), "choose one"),
        (("simulate", DESIGN, "--images=0"), "at least 1 input is needed"),
        (("simulate", DESIGN, "--images=1000000000000"), "at most 1000000"),
        (("simulate", DESIGN, "--images=1e3"), "valid integer"),
        (("simulate", DESIGN, "--engine=spice"), "choose from auto, ngspice, solver"),
        (("simulate", DESIGN, "--engine=ngspic"), "did you mean 'ngspice'?"),
        (("simulate", DESIGN, "--temperature=nan"), "--temperature nan"),
        (("simulate", DESIGN, "--temperature=1e6"), "holds from"),
        (("simulate", DESIGN, "--seed=-1"), "a seed is a whole number"),
        (("simulate", DESIGN, "--seed=" + "9" * 5000), "--seed"),
        (("simulate", DESIGN, "--jobs=0"), "at least 1 is needed"),
        (("simulate", DESIGN, "--jobs=1000000000"), "at most 1024"),
        (("simulate", DESIGN, "--monte-carlo=0"), "at least 1 board"),
        (("simulate", DESIGN, "--transient=0"), "at least 1 transition"),
        (("simulate", DESIGN, "--yield-limit=nan"), "an accuracy from 0 to 1"),
        (("simulate", DESIGN, "--yield-limit=2"), "an accuracy from 0 to 1"),
        (("simulate", DESIGN, "--sweep="), "is empty"),
        (("simulate", DESIGN, "--sweep=opmp=a"), "did you mean 'opamp'?"),
        (("simulate", DESIGN, "--sweep=r_f=nan"), "needs one or more values above 0"),
        (("simulate", DESIGN, "--sweep=r_f=x"), "takes numbers"),
        (("simulate", DESIGN, "--sweep=\x1b[31m=1"), r"\x1b[31m"),
        (
            ("simulate", DESIGN, "--sweep=" + "r_f=" + ",".join(map(str, range(1, 20_000)))),
            "more than 10000 combinations",
        ),
        (("simulate", DESIGN, "--sweep=r_f=1e3", "--sweep-latency=guess"), "choose from estimate, ngspice"),
        (("bom", DESIGN, "--out=x.exe"), "write to a .csv or a .json file"),
        (("bom", DESIGN, "--outputs=evil"), "choose from comparators, adc"),
        (("draw", DESIGN, "--waveforms"), "--waveforms needs --image"),
        (("draw", DESIGN, "--image=-1"), "has inputs 0 to"),
        (("draw", DESIGN, "--image=100000000"), "has inputs 0 to"),
        (("vhdl", MODEL, "--bits=1"), "allowed are 2 to 16"),
        (("vhdl", MODEL, "--bits=1000000"), "allowed are 2 to 16"),
        (("vhdl", MODEL, "--lanes=x"), "--lanes"),
        (("vhdl", MODEL, "--lanes=0"), "--lanes"),
        (("vhdl", MODEL, "--lanes=" + "9" * 5000), "--lanes"),
        (("vhdl", MODEL, "--verify=-1"), "at least 0"),
        (("vhdl", MODEL, "--synth=ecp6"), "did you mean 'ecp5'?"),
        (("vhdl", MODEL, "--synth=\x1b"), r"\x1b"),
        (("vhdl", MODEL, "--seed=0"), "--seed"),
        (("vhdl", MODEL, "--seed=99999999999999999999"), "--seed"),
        (("vhdl", MODEL, "--finetune=-1"), "--finetune"),
        (("vhdl-sweep", MODEL, "--bits=x"), "--bits"),
        (("vhdl-sweep", MODEL, "--clock=nan"), "--clock"),
        (("vhdl-sweep", MODEL, "--clock=0"), "--clock"),
        (("vhdl-sweep", MODEL, "--clock=-1"), "--clock"),
        (("doctor", "--nonsense"), "No such option"),
        (("characterize", "sky13"), "did you mean 'sky130'?"),
        (("characterize", "\x1b[31m"), r"\x1b[31m"),
        (("characterize", "sky130", "--samples=-1"), "0, or from 2 to 10000"),
        (("characterize", "sky130", "--jobs=1000000"), "from 1 to 64"),
    ):
        yield Case(f"command line: {' '.join(argv)[:60]!r}", argv, 2, words)
    yield Case("command line: a module that is not there", ("convert", "no_such_module:f"), 3, "imported")
    yield Case(
        "command line: output under a file", ("convert", MODEL, f"--out={MODEL}/x"), 3, "cannot be written"
    )
    yield Case(
        "command line: output is a file", ("convert", MODEL, f"--out={MODEL}"), 2, "no directory of its own"
    )
    yield Case("command line: output is foreign", ("convert", MODEL, "--out=."), 2, "holds something else")
    yield Case("command line: output is a device", ("convert", MODEL, "--out=/dev/full"), 2, "no directory")
    yield Case("command line: parts to a full disk", ("bom", DESIGN, "--out=/dev/full/x.csv"), 3, "cannot be")
    yield Case(
        "command line: results under nothing",
        ("simulate", DESIGN, "--images", "2", "--save", "nosuch/x.npz"),
        3,
        "cannot be written: No such file",
        out=DESIGN,
    )


def reports() -> Iterator[Case]:
    """What reproduce is given: a report decides what is measured, and must not decide what is run."""
    name = "report.json"

    def hostile(
        kind: str, content: bytes | Make, words: str, code: int = 3, *options: str, **more: Any
    ) -> Case:
        files = {name: content, **more}
        return Case(f"report: {kind}", ("reproduce", name, *options), code, words, files)

    def changed(
        kind: str, words: str, change: Callable[[dict[str, Any]], None], code: int = 3, **more: Any
    ) -> Case:
        value = sound_report("plain")
        change(value)
        return hostile(kind, json.dumps(value).encode(), words, code, *more.pop("options", ()), **more)

    def request(kind: str, words: str, code: int = 3, **entries: Any) -> Case:
        return changed(kind, words, lambda value: value["request"].update(entries), code)

    whole = json.dumps(sound_report("plain")).encode()
    yield hostile("empty", b"", "is not JSON")
    yield hostile("cut off", whole[:-100], "is not JSON")
    yield hostile("deep", b"[" * 200_000, "is not JSON")
    yield hostile("no JSON constant", whole.replace(b"0.98", b"NaN", 1), "NaN is not a number that JSON has")
    yield hostile("infinite", whole.replace(b"0.98", b"-Infinity", 1), "is not a number that JSON has")
    yield hostile("not UTF-8", b'{"kind": "\xff\xfe"}', "is not JSON")
    yield hostile("a list", b"[]", "is not what analognet compare writes")
    yield hostile("another kind", b'{"kind": "\\u001b[31m"}', "is not what analognet compare writes")
    yield hostile("5000 digits", whole.replace(b"0.98", b"9" * 5000, 1), "is not JSON")
    yield hostile("400 digits", whole.replace(b"0.98", b"9" * 400, 1), "is damaged")
    yield hostile("over 64 MiB", sparse(65 << 20), "at most 64 MiB are read")
    yield hostile("a named pipe", fifo, "is a named pipe")
    yield hostile("a directory", folder, "is a directory")
    yield hostile("a link to a device", link_to("/dev/zero"), "is a device")
    yield Case("report: missing", ("reproduce", "nosuch.json"), 3, "no such file")
    yield Case("report: a name that cannot be", ("reproduce", "\x1b[31m"), 3, r"\x1b[31m")
    yield changed("a schema to come", "has schema 99", lambda v: v.update(schema=99))
    yield changed("a schema with escapes", r"has schema \x1b[31m", lambda v: v.update(schema="\x1b[31m"))
    for key in ("network", "data", "request", "columns", "series", "stages", "provenance"):
        yield changed(f"without {key}", f"'{key}'", lambda v, key=key: v.pop(key))
        yield changed(f"{key} is a number", "is damaged", lambda v, key=key: v.update({key: 7}))
    yield changed("no columns", "columns must have names", lambda v: v.update(columns=[]))
    yield changed("a column twice", "columns must have names", lambda v: v["columns"].append(v["columns"][0]))
    yield changed(
        "a row with escapes",
        "unknown row",
        lambda v: v["columns"][0]["cells"].update({"\x1b[31m": {}}),
    )
    for kind, wrong in {"text": "1", "true": True, "a list": [1.0]}.items():
        yield changed(
            f"a value is {kind}",
            "accuracy: value is no number",
            lambda v, wrong=wrong: v["columns"][0]["cells"]["accuracy"].update(value=wrong),
        )
    yield changed("a cell is text", "is damaged", lambda v: v["columns"][0]["cells"].update(accuracy="1"))
    yield changed(
        "a digest is a number", "a digest is no text", lambda v: v["network"].update(model_sha256=1)
    )
    yield changed("a stage without a name", "name: Field required", lambda v: v["stages"].append({}))
    yield changed(
        "a stage's value is a list",
        "value: Input should be a valid dictionary",
        lambda v: v["stages"].append({"name": "a", "title": "", "value": [], "arrays_sha256": {}}),
    )
    yield request("model is a number", "model: Input should be a valid string", model=7)
    yield request("technologies are none", "technologies: List should have at least 1 item", technologies=[])
    yield request(
        "technologies are numbers", "technologies.0: Input should be a valid string", technologies=[1]
    )
    yield request("images are text", "images: Input should be a valid integer", images="10")
    yield request("images are few", "images: Input should be greater than", images=1)
    yield request("quick is text", "quick: Input should be a valid boolean", quick="yes")
    yield request("fpgas are text", "fpgas: Input should be a valid list", fpgas="ecp5")
    yield request("a seed below 0", "seed", seed=-1)
    yield request("a seed of 2^70", "seed", seed=1 << 70)
    yield request("a model that is missing", "no such file", model="nosuch.safetensors")
    yield request("a model above", "no such file", model="../../../nosuch.safetensors")
    yield request("a pickle", "which is no file", 2, model="evil.pkl")
    yield request("a model with escapes", r"\x1b[31m", 2, model="\x1b[31m")
    yield request("a model of the system", "is no file", 2, model="/etc/passwd")
    yield request("no data", "give --data", 2, data=None)
    planted = f"import os\nos.system('{RUN}')\ndef f(x):\n    return x\n".encode()
    module = sound_report("plain")
    module["request"]["model"] = "planted:f"
    yield hostile(
        "a module beside it",
        json.dumps(module).encode(),
        "to load a Python module runs it; give --model MODULE:CALLABLE if you trust it",
        2,
        **{"planted.py": planted},
    )
    yield request("a module of Python's", "to load a Python module runs it", 2, model="os:abort")
    yield hostile("stage and figure", whole, "give one of them", 2, "--stage=a", "--figure=boards")
    yield hostile("no such stage", whole, r"--stage '\x1b[31m' is not in the report", 2, "--stage=\x1b[31m")
    yield hostile("no such figure", whole, r"--figure '\x1b' is unknown", 2, "--figure=\x1b")


def studies() -> Iterator[Case]:
    """compare and finetune: models, data, options and output directories that they cannot use."""
    labelled = npz(x=np.linspace(0, 1, 8).reshape(4, 2), y=np.array([0, 1, 0, 1]))
    files = {"d.npz": labelled, "one.npz": npz(x=np.zeros((1, 2)), y=np.array([0]))}
    files |= {
        "bare.npz": npz(x=np.zeros((4, 2))),
        "wide.npz": npz(x=np.zeros((4, 9)), y=np.zeros(4, dtype=int)),
    }
    files |= {"bad.npz": b"PK\3\4 no", "evil.pkl": pickle.dumps(0), "bad.safetensors": b"\xff" * 64}
    for model, options, code, words in (
        ("nosuch.safetensors", ("--data=d.npz",), 3, "no such file"),
        ("bad.safetensors", ("--data=d.npz",), 3, "bad.safetensors"),
        ("evil.pkl", ("--data=d.npz",), 3, "a pickle can run any program"),
        ("\x1b[31m", ("--data=d.npz",), 2, r"\x1b[31m"),
        (MODEL, (), 2, "--data"),
        (MODEL, ("--data=d.npz", "--activations=relu"), 2, "2 activations are needed"),
        (MODEL, ("--data=d.npz", "--images=1"), 2, "at least 2 inputs"),
        (MODEL, ("--data=d.npz", "--images=x"), 2, "valid integer"),
        (MODEL, ("--data=d.npz", "--seed=-1"), 2, "a seed is a whole number"),
        (MODEL, ("--data=d.npz", "--jobs=0"), 2, "at least 1 is needed"),
        (MODEL, ("--data=d.npz", "--technology=board,board"), 2, "each once"),
        (MODEL, ("--data=d.npz", "--technology=a/x.toml,b/x.toml"), 2, "two are called 'x'"),
        (MODEL, ("--data=d.npz", "--fpga=ecp6"), 2, "ecp6"),
        (MODEL, ("--data=d.npz", "--fpga=\x1b[31m"), 2, r"\x1b[31m"),
        (MODEL, ("--data=d.npz", "--out=."), 2, "holds something else"),
        (MODEL, ("--data=d.npz", f"--out={MODEL}"), 2, "no directory of its own"),
        (MODEL, ("--data=d.npz", f"--out={DESIGN}"), 2, "holds something else"),
        (MODEL, ("--data=d.npz", "--out=/dev/full"), 2, "no directory"),
        (MODEL, ("--data=d.npz", f"--cache={MODEL}"), 3, "cannot be made"),
        (MODEL, ("--data=nosuch.npz", "--cache=cache"), 3, "no such file"),
        (MODEL, ("--data=wide.npz", "--cache=cache"), 3, "9"),
        (MODEL, ("--data=one.npz", "--cache=cache"), 2, "at least 2 inputs"),
    ):
        told = " ".join((model, *options))
        yield Case(f"compare: {told[:60]!r}", ("compare", model, *options), code, words, files, out="cache")
    for directory, options, code, words in (
        (DESIGN, (), 3, "has no training data at hand"),
        ("nosuch", (), 3, "is not there"),
        ("\x1b[31m", (), 3, r"\x1b[31m"),
        (".", ("--data=d.npz",), 3, "manifest.json"),
        (MODEL, ("--data=d.npz",), 3, "is not there"),
        (DESIGN, ("--data=nosuch.npz",), 3, "no such file"),
        (DESIGN, ("--data=bare.npz",), 3, "needs labels"),
        (DESIGN, ("--data=wide.npz",), 3, "9"),
        (DESIGN, ("--data=bad.npz",), 3, "bad.npz"),
        (DESIGN, ("--data=digit",), 2, "did you mean 'digits'?"),
        (DESIGN, ("--data=d.npz", "--epochs=0"), 2, "allowed is 1 to 10000 epochs"),
        (DESIGN, ("--data=d.npz", "--epochs=1e3"), 2, "valid integer"),
        (DESIGN, ("--data=d.npz", "--epochs=1000000000000"), 2, "allowed is 1 to 10000 epochs"),
        (DESIGN, ("--data=d.npz", "--rate=0"), 2, "allowed is above 0"),
        (DESIGN, ("--data=d.npz", "--rate=nan"), 2, "allowed is above 0"),
        (DESIGN, ("--data=d.npz", "--rate=inf"), 2, "allowed is above 0"),
        (DESIGN, ("--data=d.npz", "--seed=-1"), 2, "a seed is a whole number"),
        (DESIGN, ("--data=d.npz", "--seed=" + "9" * 30), 2, "a seed is a whole number"),
        (DESIGN, ("--data=d.npz", "--out=."), 2, "holds something else"),
        (DESIGN, ("--data=d.npz", f"--out={MODEL}"), 2, "no directory of its own"),
        (DESIGN, ("--data=d.npz", "--out=/dev/full"), 2, "no directory"),
    ):
        told = " ".join((directory, *options))
        yield Case(f"finetune: {told[:60]!r}", ("finetune", directory, *options), code, words, files)
    for options, words in (
        (("--monte-carlo=2", "--scheduler=\x1b[31m"), r"\x1b[31m"),
        (("--monte-carlo=2", "--scheduler=file:///etc/passwd"), "write tcp://HOST:PORT"),
        (("--monte-carlo=2", f"--scheduler=tcp://$({RUN}):1"), "write tcp://HOST:PORT"),
        (("--monte-carlo=2", "--scheduler=tcp://h:" + "9" * 5000), "write tcp://HOST:PORT"),
        (("--scheduler=local",), "add one of them"),
    ):
        yield Case(f"scheduler: {' '.join(options)[:60]!r}", ("simulate", DESIGN, *options), 2, words)


GROUPS = (
    model_files,
    sidecars,
    onnx_files,
    mutations,
    names,
    data_files,
    technologies,
    cells,
    settings,
    directories,
    command_lines,
    reports,
    studies,
)


# --- running a case


def prepare(place: Path) -> None:
    """What every case finds: a sound model and a design made of it."""
    (place / MODEL).write_bytes(sound({"activations": '["relu", "linear"]', "input_range": "[0, 1]"}))
    with quietly():
        assert run(["convert", str(place / MODEL), f"--out={place / DESIGN}"]) == 0
    shutil.rmtree(place / OUTPUT, ignore_errors=True)


@contextlib.contextmanager
def quietly() -> Iterator[tuple[io.StringIO, io.StringIO]]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        yield out, err


def tree(place: Path) -> dict[str, tuple[int, int]]:
    """Every file and directory below, with size and time of change."""
    found = {}
    for path in place.rglob("*"):
        status = path.lstat()
        found[str(path.relative_to(place))] = (status.st_size, status.st_mtime_ns)
    return found


def arrange(case: Case, place: Path, prepared: Path) -> None:
    """Make a directory with what the case needs."""
    shutil.copyfile(prepared / MODEL, place / MODEL)
    shutil.copytree(prepared / DESIGN, place / DESIGN)
    for name, content in case.files.items():
        if callable(content):
            content(place / name)
        else:
            (place / name).write_bytes(content)


def faults(case: Case, place: Path, outside: Path) -> list[str]:
    """Run a case in a directory that holds its files, below `outside`; what was wrong with its answer."""
    before, around = tree(place), {p.name for p in outside.iterdir()}
    here = Path.cwd()
    os.chdir(place)
    start = time.monotonic()
    try:
        with quietly() as (out, err):
            code = run(list(case.argv))
    except Exception as e:
        frames = traceback.extract_tb(e.__traceback__)
        ours = [f"{Path(f.filename).name}:{f.lineno}" for f in frames if "/analognet/" in f.filename]
        return [f"traceback: {e!r:.200} at {' '.join(ours[-3:])}"]
    finally:
        os.chdir(here)
    text = err.getvalue()
    found = []
    allowed = {0, 3} if case.code == -1 else {case.code}
    if code not in allowed:
        found.append(f"code {code}, not {case.code}: {text[:300]!r}")
    messages = [line for line in text.splitlines() if line.startswith("analognet: ")]
    if len(messages) != bool(code):  # what a command said while it worked may stand before it
        found.append(f"{len(messages)} messages: {text[:300]!r}")
    if code and out.getvalue():
        found.append(f"output although it failed: {out.getvalue()[:200]!r}")
    if code in allowed and code and case.words not in text:
        found.append(f"{case.words!r} is not in {text[:400]!r}")
    if len(text) > 4000:
        found.append(f"{len(text)} characters of message")
    if "Traceback" in text or [c for c in text + out.getvalue() if ord(c) < 32 and c != "\n"]:
        found.append(f"not fit for a terminal: {text[:300]!r}")
    after = tree(place)
    top = case.out.split("/")[0]
    for name in after:
        new = name not in before or (after[name] != before[name] and not (place / name).is_dir())
        if new and code and case.out == OUTPUT and not name.startswith(f"{DESIGN}/"):
            found.append(f"wrote {name!r} although it failed")
        elif new and not code and name.split("/")[0] not in (OUTPUT, top, DESIGN):
            found.append(f"wrote {name!r} outside its output directory")
    if stray := {p.name for p in outside.iterdir()} - around:
        found.append(f"wrote beside its directory: {sorted(stray)}")
    if (
        any(Path(name).name == CANARY for name in after)
        or (outside / CANARY).exists()
        or (ROOT / CANARY).exists()
    ):
        found.append("A COMMAND WAS RUN")
    if time.monotonic() - start > CASE_S:
        found.append(f"took {time.monotonic() - start:.0f} s")
    return found


def main() -> int:
    """All cases in this process, its memory bounded."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    wrong, every = 0, cases()
    slowest: list[tuple[float, str]] = []
    with tempfile.TemporaryDirectory(prefix="analognet-corpus-") as name:
        prepared = Path(name) / "prepared"
        prepared.mkdir()
        prepare(prepared)
        for k, case in enumerate(every):
            place = Path(name) / "cases" / str(k)
            place.mkdir(parents=True)
            arrange(case, place, prepared)
            start = time.monotonic()
            signal.alarm(2 * CASE_S)
            for fault in faults(case, place, place.parent):
                wrong += 1
                print(f"{case.name}: {fault}", flush=True)
            signal.alarm(0)
            slowest.append((time.monotonic() - start, case.name))
            shutil.rmtree(place, ignore_errors=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told = ", ".join(f"{n} {t:.1f} s" for t, n in sorted(slowest, reverse=True)[:3])
    print(f"{len(every)} cases, {wrong} faults, {peak:.0f} MiB at most, slowest: {told}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
