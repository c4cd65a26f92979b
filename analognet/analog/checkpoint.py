"""Right answers of boards, in memory and in a file that a killed run goes on from."""

from __future__ import annotations

import io
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from analognet.errors import InputError
from analognet.network import Array

_log = logging.getLogger("analognet.checkpoint")


@dataclass(frozen=True)
class Job:
    """Boards first, first + 1, ... of a run in which `source` alone varies, or all of them."""

    source: str
    first: int
    count: int


class Counts:
    """Right answers by source and board, in memory and, whole after every chunk, in a file."""

    def __init__(self, path: Path | None, key: str) -> None:
        self.path = path
        self.key = key
        self.found: dict[str, dict[int, int]] = {}
        if path is not None and path.exists():
            self._read(path)

    def has(self, job: Job) -> bool:
        known = self.found.get(job.source, {})
        return all(job.first + i in known for i in range(job.count))

    def of(self, source: str, count: int) -> Array:
        return np.array([self.found[source][k] for k in range(count)], dtype=np.float64)

    def put(self, job: Job, right: NDArray[np.int64]) -> None:
        known = self.found.setdefault(job.source, {})
        known.update({job.first + i: int(r) for i, r in enumerate(right)})
        if self.path is not None:
            self._write(self.path)

    def _write(self, path: Path) -> None:
        arrays = {"key": np.array(self.key)}
        for source in sorted(self.found):
            boards = sorted(self.found[source])
            arrays[f"{source}_board"] = np.array(boards, dtype=np.int64)
            arrays[f"{source}_right"] = np.array([self.found[source][k] for k in boards], dtype=np.int64)
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # type: ignore[arg-type]
        fresh = path.with_name(path.name + ".part")
        path.parent.mkdir(parents=True, exist_ok=True)
        with fresh.open("wb") as file:
            file.write(buffer.getvalue())
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)

    def _read(self, path: Path) -> None:
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            key = str(arrays.pop("key"))
            for name in arrays:
                source, _, part = name.rpartition("_")
                if part == "board":
                    boards, right = arrays[name].tolist(), arrays[f"{source}_right"].tolist()
                    self.found[source] = dict(zip(boards, right, strict=True))
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as e:
            _log.info("checkpoint %s is damaged and begun again: %r", path.name, e)
            self.found = {}
            return
        if key != self.key:
            raise InputError(
                f"checkpoint '{path.name}' is of another design, data, seed or spread; remove it to start again"
            )
