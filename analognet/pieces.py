"""Pieces of a long run, each in a file of its own: whole and what was written, or not there.

A file is named by the digest of all that decides what it holds, so that a piece of another run
is never found, and begins with the digest of what it holds, so that a damaged one is not taken.
"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from analognet import storage
from analognet.errors import InputError
from analognet.loading.files import read_regular
from analognet.names import printable

LIMIT: Final = 1 << 30  # bytes of a piece
_log = logging.getLogger("analognet.pieces")

Arrays = Mapping[str, NDArray[Any]]


def name(*parts: object) -> str:
    """A file's stem for all that decides a piece: bytes, or anything with one text form."""
    return storage.digest(b"\0".join(p if isinstance(p, bytes) else repr(p).encode() for p in parts))[:24]


def put(path: Path, values: Mapping[str, Any], arrays: Arrays | None = None) -> None:
    """Write one piece: JSON values, and arrays beside them. Raises InputError where it cannot be written."""
    buffer = io.BytesIO()
    np.savez(buffer, **dict(arrays or {}))  # type: ignore[arg-type]
    body = storage.to_json(values).encode() + b"\0" + buffer.getvalue()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise InputError(f"{printable(path.parent)} cannot be made: {e.strerror}") from None
    storage.write_file(path, storage.digest(body).encode() + b"\n" + body)


def get(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]] | None:
    """A piece's values and arrays; None where there is none or it is damaged: it is to be made again."""
    if not path.exists():
        return None
    try:
        digest, _, body = read_regular(path, "piece", LIMIT).partition(b"\n")
        if digest != storage.digest(body).encode():
            raise ValueError("its digest is of something else")
        text, _, packed = body.partition(b"\0")
        values = json.loads(text)
        with np.load(io.BytesIO(packed), allow_pickle=False) as file:
            return dict(values), {key: file[key] for key in file.files}
    except (InputError, OSError, ValueError, TypeError, KeyError, EOFError, RecursionError, BadZipFile) as e:
        _log.info("piece %s is damaged and made again: %s", path.name, printable(e))
        return None
