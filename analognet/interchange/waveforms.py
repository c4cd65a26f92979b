"""Waveforms as files: `.raw` for ngspice's and LTspice's viewers, npz, and CSV."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from analognet.analog.transient import Waveforms
from analognet.errors import UsageError
from analognet.names import printable
from analognet.network import Array
from analognet.storage import write_file

FORMATS: Final = ("raw", "ltspice", "npz", "csv")


def named(waves: Waveforms, everything: bool = False) -> dict[str, Array]:
    """Vectors by name, `time` first: inputs, every layer's outputs, supply currents; or all saved ones."""
    found: dict[str, Array] = {"time": waves.time}
    found |= {f"v(x{j})": waves.inputs_v[:, j] for j in range(waves.inputs_v.shape[1])}
    last = len(waves.layers_v) - 1
    for i, layer in enumerate(waves.layers_v):
        names = [f"v(y{k})" if i == last else f"v(l{i}_y{k})" for k in range(layer.shape[1])]
        found |= {name: layer[:, k] for k, name in enumerate(names)}
    found |= {name: waves.vectors[name] for name in ("i(vdd)", "i(vss)", "i(vref)") if name in waves.vectors}
    if everything:
        found |= {name: v for name, v in waves.vectors.items() if name not in found}
    return found


def save_waveforms(
    path: Path, waves: Waveforms, title: str, *, everything: bool = False, ltspice: bool = False
) -> None:
    """Write by the file's suffix: .raw, .npz or .csv. ltspice: a .raw in LTspice's own encoding.

    Raises UsageError for another suffix, InputError where the file cannot be written.
    """
    vectors = named(waves, everything)
    suffix = path.suffix.lower()
    if suffix == ".raw":
        data = ltspice_raw(vectors, title) if ltspice else ngspice_raw(vectors, title)
    elif suffix == ".npz":
        buffer = io.BytesIO()
        arrays: dict[str, Array] = dict(vectors)
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        data = buffer.getvalue()
    elif suffix == ".csv":
        data = to_csv(vectors).encode("ascii")
    else:
        raise UsageError(f"waveforms '{printable(path)}': write to .raw, .npz or .csv")
    write_file(path, data)


def to_csv(vectors: Mapping[str, Array]) -> str:
    """A column a vector, its name and unit on top."""
    out = io.StringIO()
    out.write(",".join(f"{name} {_unit(name)}" for name in vectors) + "\n")
    table = np.stack(list(vectors.values()), axis=1)
    np.savetxt(out, table, fmt="%.9g", delimiter=",")
    return out.getvalue()


def _unit(name: str) -> str:
    return "s" if name == "time" else "A" if name.startswith("i(") else "V"


def _header(vectors: Mapping[str, Array], title: str, flags: str, rows: list[str]) -> str:
    points = len(next(iter(vectors.values())))
    lines = [
        f"Title: {title}",
        "Date: ",
        "Plotname: Transient Analysis",
        f"Flags: {flags}",
        f"No. Variables: {len(vectors)}",
        f"No. Points: {points}",
        *rows,
        "Variables:",
    ]
    kinds = {"s": "time", "A": "current", "V": "voltage"}
    lines += [f"\t{k}\t{name}\t{kinds[_unit(name)]}" for k, name in enumerate(vectors)]
    return "\n".join([*lines, "Binary:"]) + "\n"


def ngspice_raw(vectors: Mapping[str, Array], title: str) -> bytes:
    """ngspice's binary format: an ASCII header, then points of doubles. gwave, gaw and ngspice load it."""
    table = np.stack(list(vectors.values()), axis=1).astype("<f8")
    rows = ["Command: AnalogNet, as ngspice writes it"]
    return _header(vectors, title, "real", rows).encode("ascii", "replace") + table.tobytes()


def ltspice_raw(vectors: Mapping[str, Array], title: str) -> bytes:
    """LTspice's binary format: a UTF-16 header, time in doubles and the rest in single precision."""
    names = list(vectors)
    kinds = [(f"f{k}", "<f8" if k == 0 else "<f4") for k in range(len(names))]
    table = np.zeros(len(vectors[names[0]]), dtype=kinds)
    for k, name in enumerate(names):
        table[f"f{k}"] = vectors[name]
    upper = {name if name == "time" else name[0].upper() + name[1:]: v for name, v in vectors.items()}
    rows = ["Offset: 0.0000000000000000e+000", "Command: AnalogNet, as LTspice writes it"]
    return _header(upper, title, "real forward", rows).encode("utf-16-le", "replace") + table.tobytes()
