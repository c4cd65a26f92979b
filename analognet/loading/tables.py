"""Arrays of samples and labels from files: npz, CSV and idx.

Every reader answers with x (N, n_in) float64 and y (N,) float64 or None, not yet checked
against a network, and raises InputError for a file that is not what its name says. Sizes
are checked from the headers, before anything is allocated.
"""

from __future__ import annotations

import gzip
import io
import os
import struct
import tokenize
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from analognet.errors import InputError
from analognet.loading.files import open_regular, size_text
from analognet.names import printable

FILE_LIMIT: Final = 8 << 30  # bytes on disk
ARRAY_LIMIT: Final = 8 << 30  # bytes of one float64 array in memory
CSV_LIMIT: Final = 2 << 30  # bytes; "0," per value makes at most 8 GiB of float64
LABEL_COLUMNS: Final = ("y", "label", "labels", "class", "target")

Array = NDArray[np.float64]
Table = tuple[Array, Array | None]


def read_npz(path: Path) -> Table:
    """Arrays `x` (N, ...), each sample made flat, and `y` (N,) or (N, 1), if there is one."""
    label = _label(path)
    with open_regular(path, "data", FILE_LIMIT) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                members = set(archive.namelist())
                if "x.npy" not in members:
                    raise InputError(f"{label}: has no array 'x'; expected x (N, n_in) and y (N,)")
                x = _npz_member(archive, "x", label)
                y = _npz_member(archive, "y", label) if "y.npy" in members else None
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            OSError,
            NotImplementedError,
            RuntimeError,
        ) as error:
            raise InputError(f"{label}: not a readable npz file: {printable(error)}") from None
    if x.ndim < 2:
        raise InputError(f"{label}: x has shape {x.shape}; expected (N, n_in)")
    flat = x.reshape(len(x), int(np.prod(x.shape[1:])))
    return flat.astype(np.float64), None if y is None else y.astype(np.float64)


def _npz_member(archive: zipfile.ZipFile, name: str, label: str) -> NDArray[Any]:
    where = f"{label}: array '{name}'"
    try:
        with archive.open(f"{name}.npy") as member, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numpy's of headers in an old form: they are read or refused
            version = npy.read_magic(member)
            read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, _, dtype = read_header(member)
        if dtype.kind not in "fiub":
            raise InputError(f"{where} has dtype {printable(dtype)}; numbers are needed")
        _check_size(shape, where)
        with archive.open(f"{name}.npy") as member, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.asarray(npy.read_array(member, allow_pickle=False))
    except (ValueError, SyntaxError, TypeError, OverflowError, tokenize.TokenError) as error:
        raise InputError(f"{where} cannot be read: {printable(error)}") from None
    except (MemoryError, RecursionError) as error:
        raise InputError(f"{where} cannot be read: {printable(error)}") from None


def _check_size(shape: tuple[int, ...], where: str) -> None:
    n_bytes = 8
    for n in shape:
        n_bytes *= max(n, 1)  # no values times 2^32 columns is no array either
    if n_bytes > ARRAY_LIMIT:
        shown = " x ".join(str(n) for n in shape)
        raise InputError(
            f"{where} has {shown} values, {size_text(n_bytes)} in memory; "
            f"at most {size_text(ARRAY_LIMIT)} are read"
        )


def read_csv(path: Path, n_in: int | None) -> Table:
    """One sample per line, comma-separated, with or without a header line.

    The label column is the one the header calls y, label, class or target; else the last,
    where there is one column more than `n_in` (or where `n_in` is None); else there is none.
    """
    label = _label(path)
    with open_regular(path, "data", CSV_LIMIT) as file:
        text = io.TextIOWrapper(file, encoding="utf-8-sig", newline=None)
        try:
            first = [cell.strip().strip('"') for cell in text.readline().split(",")]
            header = [] if all(_is_number(cell) for cell in first) else first
            text.seek(0)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # numpy's for no rows; ours is an error
                values = np.loadtxt(text, delimiter=",", comments=None, skiprows=int(bool(header)), ndmin=2)
        except UnicodeDecodeError:
            raise InputError(f"{label}: not a text file") from None
        except (ValueError, MemoryError) as error:
            raise InputError(f"{label}: {printable(error, 200)}") from None
    if not values.size:
        raise InputError(f"{label}: has no rows")
    if header and len(header) != values.shape[1]:
        raise InputError(f"{label}: the header names {len(header)} columns, the rows have {values.shape[1]}")
    named = [i for i, cell in enumerate(header) if cell.lower() in LABEL_COLUMNS]
    if len(named) > 1:
        raise InputError(
            f"{label}: {len(named)} columns could be the label; one of {', '.join(LABEL_COLUMNS)}"
        )
    if not named and n_in is not None and values.shape[1] != n_in + 1:
        return values, None
    at = named[0] if named else values.shape[1] - 1
    return np.delete(values, at, axis=1), values[:, at]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def read_idx_pair(images: Path, labels: Path | None) -> Table:
    """idx files of bytes, gzipped or not: images (N, ...), divided by 255 and made flat; labels (N,)."""
    x = _read_idx(images)
    if x.ndim < 2:
        raise InputError(f"{_label(images)}: holds labels, not images; the order is images,labels")
    flat = x.reshape(len(x), int(np.prod(x.shape[1:]))) / 255.0
    if labels is None:
        return flat, None
    y = _read_idx(labels)
    if y.ndim != 1:
        raise InputError(
            f"{_label(labels)}: has shape {y.shape}, labels have (N,); the order is images,labels"
        )
    return flat, y.astype(np.float64)


def read_idx_directory(path: Path, split: str) -> Table:
    """The idx files of one split, as MNIST names them: t10k-* for "test", train-* for "train"."""
    prefix = "t10k" if split == "test" else "train"
    images, labels = (_find_idx(path, prefix, kind) for kind in ("images-idx3-ubyte", "labels-idx1-ubyte"))
    return read_idx_pair(images, labels)


def _find_idx(path: Path, prefix: str, kind: str) -> Path:
    for name in (f"{prefix}-{kind}", f"{prefix}-{kind.replace('-idx', '.idx')}"):
        for suffix in ("", ".gz"):
            if (found := path / (name + suffix)).exists():
                return found
    raise InputError(f"{_label(path)}: has no file {prefix}-{kind} or {prefix}-{kind}.gz")


def is_idx(path: Path) -> bool:
    """Whether a name looks like an idx file's."""
    return "idx" in path.name.lower() or path.name.lower().endswith("ubyte")


def _read_idx(path: Path) -> NDArray[np.uint8]:
    """An idx file: two zero bytes, 8 for bytes, the rank, big-endian sizes, then the values."""
    label = _label(path)
    with open_regular(path, "data", FILE_LIMIT) as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        try:
            if not packed:
                return _idx_array(raw, label)
            with gzip.GzipFile(fileobj=raw) as file:
                return _idx_array(file, label)
        except (EOFError, OSError, zlib.error) as error:
            raise InputError(f"{label}: damaged gzip file: {printable(error)}") from None


def _idx_array(file: BinaryIO | gzip.GzipFile, label: str) -> NDArray[np.uint8]:
    magic = file.read(4)
    if len(magic) < 4 or magic[:3] != b"\0\0\x08" or not 1 <= magic[3] <= 4:
        raise InputError(f"{label}: not an idx file of bytes (it begins with {magic.hex() or 'nothing'})")
    sizes = file.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise InputError(f"{label}: cut short within its header")
    shape = struct.unpack(f">{magic[3]}I", sizes)
    _check_size(shape, label)
    count = int(np.prod(shape, dtype=np.int64))
    if isinstance(file, gzip.GzipFile):
        data = file.read(count + 1)  # one more than there may be
    else:  # as much is set aside before the first byte is read, whatever the header says
        data = file.read(min(count, os.fstat(file.fileno()).st_size) + 1)
    if len(data) != count:
        fault = "cut short" if len(data) < count else "has bytes after its end"
        raise InputError(f"{label}: {fault}; its header says {count} values")
    return np.frombuffer(data, dtype=np.uint8).reshape(shape)


def _label(path: Path) -> str:
    return f"data '{printable(path)}'"
