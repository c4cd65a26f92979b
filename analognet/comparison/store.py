"""Results of stages by content: what was measured once under the same inputs is not measured again.

An entry is one file: the SHA-256 of the rest in hex, a newline, and an npz of plain arrays, the first of
which holds JSON. It is written whole or not at all, and one that is damaged is no entry.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from analognet import storage
from analognet.errors import InputError
from analognet.names import printable
from analognet.program import program_digest

_VALUE: Final = "value_json"


@dataclass(frozen=True, eq=False)
class Result:
    """What a stage found. value: plain JSON values; arrays: by name."""

    value: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Store:
    """A directory of entries. Nothing in it is ever run or unpickled."""

    directory: Path

    def place(self, key: str) -> Path:
        return self.directory / f"{key}.entry"

    def checkpoints(self) -> Path:
        """Where long stages keep what they have of themselves."""
        return self.directory / "checkpoints"

    def prepare(self) -> None:
        """Make the directory. Raises InputError where the file system refuses."""
        try:
            self.checkpoints().mkdir(parents=True, exist_ok=True)
        except OSError as e:
            raise InputError(f"cache {printable(self.directory)} cannot be made: {e.strerror}") from e

    def get(self, key: str) -> Result | None:
        """The entry, or None where there is none that is whole."""
        try:
            mark, _, body = self.place(key).read_bytes().partition(b"\n")
            if mark.decode("ascii") != storage.digest(body):
                return None
            with np.load(io.BytesIO(body), allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            value = json.loads(arrays.pop(_VALUE).tobytes())
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            return None
        return Result(value, arrays)

    def put(self, key: str, result: Result) -> Result:
        """Keep a result; answers it as `get` will. Raises InputError where the file system refuses."""
        text = json.dumps(result.value, sort_keys=True, allow_nan=False).encode()
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **{_VALUE: np.frombuffer(text, dtype=np.uint8)}, **result.arrays)  # type: ignore[arg-type]
        body = buffer.getvalue()
        storage.write_file(self.place(key), storage.digest(body).encode() + b"\n" + body)
        return Result(json.loads(text), result.arrays)


def key_of(name: str, inputs: Mapping[str, Any]) -> str:
    """The digest of all that decides a stage's result, this program's own text included."""
    text = json.dumps([name, inputs, program_digest()], sort_keys=True, allow_nan=False)
    return storage.digest(text.encode())
