"""Data sets to run a network on: a user's files, and the built-in ones with their fixed splits."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from analognet.errors import InputError, UsageError
from analognet.loading.metadata import DATASETS
from analognet.loading.tables import (
    Table,
    is_idx,
    read_csv,
    read_idx_directory,
    read_idx_pair,
    read_npz,
)
from analognet.names import did_you_mean, printable

Array = NDArray[np.float64]
Split = Literal["test", "train"]

DIRECTORY_VARIABLE: Final = "ANALOGNET_DATA"
FORMS: Final = (
    "an .npz with x (N, n_in) and y (N,), a .csv, idx files as images,labels, a directory of idx files, "
    f"or one of {', '.join(DATASETS)}"
)
_TEST_SIZE: Final = {"digits": 450, "iris": 50}
# an 8 cm iris petal or sepal and a pixel of 16 are full scale
_SCALE: Final = {"digits": 1 / 16, "iris": 1 / 8}
_SYSTEM_DIRECTORIES: Final = {"fashion-mnist": ("/usr/share/datasets/fashion-mnist",)}  # Debian's package


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples x (N, n_in) float64 and their classes y (N,) int64, or None where nobody knows them.

    `digest` is the SHA-256, in hex, of shape and values; `name` is what the caller asked for.
    """

    name: str
    x: Array
    y: NDArray[np.int64] | None
    digest: str

    def __len__(self) -> int:
        return len(self.x)

    @property
    def n_in(self) -> int:
        return int(self.x.shape[1])

    def first(self, n: int) -> Dataset:
        """The first n samples, under the same digest; all of them where there are no more."""
        if n >= len(self):
            return self
        return Dataset(self.name, self.x[:n], None if self.y is None else self.y[:n], self.digest)


def load_data(
    spec: str | Path, n_in: int | None = None, n_out: int | None = None, split: Split = "test"
) -> Dataset:
    """Load samples and check them against a network of n_in inputs and n_out outputs.

    `spec` is an `.npz` with x and optionally y, a `.csv`, `images,labels` idx files, a
    directory of idx files, or a built-in set. `split` chooses a part of the built-in sets and
    of a directory; the test part is fixed, and no training script of AnalogNet sees it.
    Raises UsageError for a name that is not known, InputError when the file cannot be read, x is
    not (N, n_in) of finite numbers, or y is not (N,) of whole numbers in 0..n_out-1 (0..1 where n_out is 1).
    """
    if split not in ("test", "train"):
        raise InputError(f"split '{printable(split)}' is not known; known are test, train")
    x, y = _read(spec, n_in, split)
    where = f"data '{printable(spec)}'"
    x = _checked_samples(x, n_in, where)
    labels = None if y is None else _checked_labels(y, len(x), n_out, where)
    digest = hashlib.sha256(repr((x.shape, labels is not None)).encode())
    digest.update(x.astype("<f8").tobytes())
    if labels is not None:
        digest.update(labels.astype("<i8").tobytes())
        labels.setflags(write=False)
    x.setflags(write=False)
    return Dataset(str(spec), x, labels, digest.hexdigest())


def _read(spec: str | Path, n_in: int | None, split: Split) -> Table:
    if isinstance(spec, str) and spec in DATASETS:
        return _built_in(spec, split)
    path = Path(spec)
    if not str(spec):
        raise UsageError(f"data '' is not known; give {FORMS}")
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return read_npz(path)
    if suffix == ".csv":
        return read_csv(path, n_in)
    if path.is_dir():
        return read_idx_directory(path, split)
    images, comma, labels = str(spec).partition(",")
    if comma and not path.exists():
        return read_idx_pair(Path(images.strip()), Path(labels.strip()))
    if is_idx(path):
        return read_idx_pair(path, None)
    if path.is_file():
        raise InputError(f"data '{printable(spec)}' is of no kind that is known; give {FORMS}")
    raise UsageError(
        f"data '{printable(spec)}' is not known; give {FORMS}{did_you_mean(str(spec), DATASETS)}"
    )


def _checked_samples(x: Array, n_in: int | None, where: str) -> Array:
    if not len(x):
        raise InputError(f"{where}: x has no rows")
    if x.shape[1] != (n_in or x.shape[1]) or not x.shape[1]:
        raise InputError(f"{where}: x has {x.shape[1]} columns; the network takes {n_in or 'at least 1'}")
    if not np.isfinite(x).all():
        row, column = (int(i) for i in np.argwhere(~np.isfinite(x))[0])
        raise InputError(f"{where}: x[{row}, {column}] is {x[row, column]}; every value must be finite")
    return np.array(x, dtype=np.float64)


def _checked_labels(y: Array, rows: int, n_out: int | None, where: str) -> NDArray[np.int64]:
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.shape != (rows,):
        raise InputError(f"{where}: y has shape {y.shape}; expected ({rows},), one class number per row of x")
    # a single output is a binary decision; without a network any class that int32 holds will do
    classes = 1 << 31 if n_out is None else max(2, n_out)
    bad = ~(np.isfinite(y) & (y == np.floor(y)) & (y >= 0) & (y < classes))
    if bad.any():
        row = int(np.argmax(bad))
        allowed = f"0..{classes - 1}" if n_out is not None else "0, 1, 2, ..."
        raise InputError(f"{where}: y[{row}] is {y[row]:.9g}; classes are whole numbers {allowed}")
    return y.astype(np.int64)


def _built_in(name: str, split: Split) -> Table:
    if name in _SCALE:
        return _scikit_learn(name, split)
    own = os.environ.get(DIRECTORY_VARIABLE)
    candidates = [Path(own) / name] if own else []
    candidates += [Path(p) for p in _SYSTEM_DIRECTORIES.get(name, ())]
    for directory in candidates:
        if directory.is_dir():
            return read_idx_directory(directory, split)
    return _download(name, split)


def _scikit_learn(name: str, split: Split) -> Table:
    # here because scikit-learn takes a second to import, and few commands need it
    from sklearn.datasets import load_digits, load_iris
    from sklearn.model_selection import train_test_split

    x, y = (load_digits if name == "digits" else load_iris)(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(
        x * _SCALE[name], y, test_size=_TEST_SIZE[name], random_state=0, stratify=y
    )
    chosen: Table = (x_test, y_test) if split == "test" else (x_train, y_train)
    return chosen


def _download(name: str, split: Split) -> Table:
    """(Fashion-)MNIST by way of tinygrad, which keeps what it downloaded in its cache."""
    from tinygrad.nn import datasets

    fetch: Callable[..., tuple[Any, ...]] = datasets.mnist
    try:
        # the PYTHON device needs no compiler; these tensors are only copied
        arrays = [t.numpy() for t in fetch(device="PYTHON", fashion=name == "fashion-mnist")]
    except Exception as error:  # urllib, http, gzip and tinygrad have nothing in common
        raise InputError(
            f"data '{name}' could not be downloaded ({printable(error)}); put its four idx files in a "
            f"directory and give that as the data, or set {DIRECTORY_VARIABLE} to a directory that "
            f"holds {name}/"
        ) from None
    images, labels = arrays[2:] if split == "test" else arrays[:2]
    return images.reshape(len(images), -1) / 255.0, labels.astype(np.float64)
