"""What is fuzzed: each target takes bytes, and may only return or raise an `AnalogNetError`.

The first byte chooses the form in which the others reach a reader, so that mutation also gets
behind a length field or a checksum.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import struct
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from analognet import design as designs
from analognet import resources, storage
from analognet.analog import cells, ngspice, technology
from analognet.converters import load_converters
from analognet.data import load_data
from analognet.digital import netlist, vcd
from analognet.digital import simulate as ghdl
from analognet.digital.energy import load_constants
from analognet.digital.quantize import quantize
from analognet.loading import load
from analognet.names import disarmed
from analognet.network import Activation, Dense, Network
from analognet.prices import load_prices

ROOT = Path(__file__).parents[2]
# in memory where there is such a place: a file is written for every input
WORK = Path(tempfile.mkdtemp(prefix="analognet-fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))


def _file(name: str, data: bytes) -> Path:
    path = WORK / name
    path.write_bytes(data)
    return path


def _choice(data: bytes, n: int) -> tuple[int, bytes]:
    return (data[0] % n, data[1:]) if data else (0, b"")


def model(data: bytes) -> None:
    """A safetensors file; its header alone with the right length; a sidecar beside a sound model."""
    form, body = _choice(data, 3)
    sidecar = WORK / "m.json"
    sidecar.unlink(missing_ok=True)
    if form == 1:
        header, _, values = body.partition(b"\xff")
        body = struct.pack("<Q", len(header)) + header + values
    if form == 2:
        sidecar.write_bytes(body)
        body = _SOUND
    load(_file("m.safetensors", body), None if form == 2 else "relu,linear")


def onnx(data: bytes) -> None:
    """An ONNX file."""
    load(_file("m.onnx", data))


def parts(data: bytes) -> None:
    """A technology file; a cell; an op-amp with which a network is converted; tables of a user's own."""
    form, body = _choice(data, 6)
    if form in _TABLES:
        _TABLES[form](_file("t.toml", body))
        return
    text = body.decode("utf-8", errors="replace")
    cell = cells.parse_cell(text, "act_relu_fuzz" if form == 1 else "opamp_fuzz")
    library = {**cells.library(), cell.name: cell}
    for needed in cells.closure(library, [cell.name], "opamp_ideal"):
        cells.count(library, needed.name)
    assert cell.polarity in (1, -1)
    assert np.isfinite(list(cell.defaults.values())).all()
    if form == 2:
        overrides = {"opamp": "opamp_fuzz"}
        board = technology.load_technology("board")
        designs.convert(_NETWORK, technology=board.model_copy(update=overrides), input_range=(0.0, 1.0))


def data(data: bytes) -> None:
    """npz, a member of an npz, CSV, idx, gzipped idx."""
    form, body = _choice(data, 5)
    if form == 0:
        path = _file("d.npz", body)
    elif form == 1:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            x, _, y = body.partition(b"\xfe\xfe")
            archive.writestr("x.npy", x)
            if y:
                archive.writestr("y.npy", y)
        path = _file("d.npz", buffer.getvalue())
    elif form == 2:
        path = _file("d.csv", body)
    else:
        path = _file("d-idx3-ubyte", body if form == 3 else gzip.compress(body, 1))
    load_data(path, 4, 3)


def results(data: bytes) -> None:
    """What outside programs write: ngspice's raw file and log, GHDL's outputs, a dump, a netlist's outputs."""
    form, body = _choice(data, 5)
    if form == 0:
        for values in ngspice.parse_raw(body).values():
            assert values.ndim == 1
    elif form == 1:
        text = body.decode("utf-8", errors="replace")
        ngspice._report(text, lambda points: None)
        for words in (ngspice.fault_in(text), ngspice._words(text)):
            assert words is None or (disarmed(words) == words and len(words) < 2000)
    elif form == 2:
        ghdl._read_ints(_file("outputs.txt", body))
    elif form == 3:
        vcd.sample(_file("dump.vcd", body), "aclk", ["s_1_data", "s_1_valid"])
    else:
        netlist._outputs(_file("outputs.hex", body), _QUANTIZED)


def directory(data: bytes) -> None:
    """A build directory of a stranger: its manifest, or a sound manifest around other files."""
    form, body = _choice(data, 4)
    files = dict(_DESIGN)
    place = WORK / "design"
    if form:
        name = ("design.json", "names.json", "cells/opamp_ideal.cir")[form - 1]
        files[name] = body
    manifest = {"kind": designs.KIND, "files": {name: storage.digest(v) for name, v in files.items()}}
    (place / "cells").mkdir(parents=True, exist_ok=True)
    for name, value in files.items():
        (place / name).write_bytes(value)
    (place / storage.MANIFEST).write_bytes(json.dumps(manifest).encode() if form else body)
    designs.open_design(place)


TARGETS: dict[str, Callable[[bytes], None]] = {
    t.__name__: t for t in (model, onnx, parts, data, results, directory)
}


def _network() -> Network:
    rng = np.random.default_rng(0)
    hidden = Dense("l1", rng.normal(size=(3, 4)), rng.normal(size=3), Activation("relu"))
    return Network("fuzz", (hidden, Dense("l2", rng.normal(size=(3, 3)), np.zeros(3), Activation("linear"))))


def _written(network: Network) -> dict[str, bytes]:
    design = designs.convert(network, technology="ideal", input_range=(0.0, 1.0))
    designs.save(design, WORK / "sound")
    return storage.read_directory(WORK / "sound", designs.KIND)


_TABLES: dict[int, Callable[[Path], object]] = {
    0: technology.read_technology,
    3: load_prices,
    4: load_converters,
    5: load_constants,
}
_NETWORK = _network()
_QUANTIZED = quantize(_NETWORK, np.random.default_rng(1).uniform(size=(20, 4)))
_DESIGN = _written(_NETWORK)
_SOUND = _DESIGN["weights.safetensors"]


def seeds(target: str) -> list[bytes]:
    """Sound inputs to begin with."""
    if target == "model":
        length = struct.unpack("<Q", _SOUND[:8])[0]
        header, values = _SOUND[8 : 8 + length], _SOUND[8 + length :]
        sidecar = b'{"activations": ["relu", "linear"], "ranges": [[0, 1], [0, 1]], "dataset": "iris"}'
        return [b"\0" + _SOUND, b"\1" + header + b"\xff" + values, b"\2" + sidecar]
    if target == "onnx":
        return [_onnx()]
    if target == "parts":
        found = [b"\0" + p.read_bytes() for p in sorted(resources.cells().glob("*.toml"))]
        texts = {p.stem: p.read_bytes() for p in sorted(resources.cells().glob("*.cir"))}
        found += [b"\1" + t.replace(n.encode(), b"act_relu_fuzz") for n, t in texts.items() if "relu" in n]
        found += [b"\2" + t.replace(n.encode(), b"opamp_fuzz") for n, t in texts.items() if "opamp" in n]
        tables = ("prices.toml", "converters.toml")
        found += [bytes([3 + i]) + resources.data(name).read_bytes() for i, name in enumerate(tables)]
        return [*found, b"\5" + (resources.digital() / "energy.toml").read_bytes()]
    if target == "data":
        x, y = io.BytesIO(), io.BytesIO()
        np.save(x, np.arange(12.0).reshape(3, 4))
        np.save(y, np.arange(3))
        whole = io.BytesIO()
        np.savez_compressed(whole, x=np.ones((2, 4)), y=np.zeros(2))
        idx = b"\0\0\x08\x03" + struct.pack(">III", 2, 2, 2) + bytes(8)
        csv = b"a,b,c,d,y\n1,2,3,4,0\n5,6,7,8,1\n"
        member = b"\1" + x.getvalue() + b"\xfe\xfe" + y.getvalue()
        return [b"\0" + whole.getvalue(), member, b"\2" + csv, b"\3" + idx, b"\4" + idx]
    if target == "results":
        head = "Title: t\nPlotname: DC\nFlags: real\nNo. Variables: 2\nNo. Points: 1\nVariables:\n"
        raw = (head + "\t0\tv(a)\tvoltage\n\t1\tv(b)\tvoltage\nBinary:\n").encode() + bytes(16)
        log = b"\1Warning: singular matrix: check nodes a and b\nReference value : 1.04e+02\r\n"
        dump = (
            b"\3$timescale 1 fs $end\n$scope module an_tb $end\n$var reg 1 ! aclk $end\n"
            b'$var reg 8 " s_1_data [7:0] $end\n$var reg 1 # s_1_valid $end\n$upscope $end\n'
            b'$enddefinitions $end\n#0\n0!\nb00000000 "\n0#\n#5\n1!\n#6\n1#\nb00000001 "\n#7\n0!\n#10\n1!\n'
        )
        return [b"\0" + raw, b"\0" + 2 * raw, log, b"\0021 2 3 0\n4 5 6 1\n", dump, b"\0040f 1 0\nxx 0 1\n"]
    sound = _DESIGN
    manifest = {"kind": designs.KIND, "files": {name: storage.digest(v) for name, v in sound.items()}}
    return [
        b"\0" + json.dumps(manifest).encode(),
        b"\1" + sound["design.json"],
        b"\2" + sound["names.json"],
        b"\3" + sound["cells/opamp_ideal.cir"],
    ]


def _onnx() -> bytes:
    """A dense layer and a ReLU, written field by field: the protobuf of ONNX without its package."""

    def field(number: int, value: bytes | int | str) -> bytes:
        if isinstance(value, int):
            return _varint(number << 3) + _varint(value)
        value = value.encode() if isinstance(value, str) else value
        return _varint(number << 3 | 2) + _varint(len(value)) + value

    def tensor(name: str, *shape: int) -> bytes:
        values = np.linspace(-1, 1, int(np.prod(shape)), dtype="<f4").tobytes()
        return b"".join(field(1, n) for n in shape) + field(2, 1) + field(8, name) + field(9, values)

    def place(name: str, *shape: int) -> bytes:
        dims = b"".join(field(1, field(1, n)) for n in shape)
        return field(1, name) + field(2, field(1, field(1, 1) + field(2, dims)))

    def node(op: str, inputs: list[str], output: str) -> bytes:
        return b"".join(field(1, i) for i in inputs) + field(2, output) + field(3, output) + field(4, op)

    graph = field(1, node("Gemm", ["x", "w", "b"], "h")) + field(1, node("Relu", ["h"], "y"))
    graph += field(2, "g") + field(5, tensor("w", 4, 3)) + field(5, tensor("b", 3))
    graph += field(11, place("x", 1, 4)) + field(12, place("y", 1, 3))
    return field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 13))


def _varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def clean_up() -> None:
    """Remove the directory the targets write to."""
    shutil.rmtree(WORK, ignore_errors=True)


os.environ.setdefault("DEV", "PYTHON")  # tinygrad without a compiler
