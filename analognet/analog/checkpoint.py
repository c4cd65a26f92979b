"""Right answers of boards, in memory and, chunk by chunk, on disk, where a killed run goes on from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from analognet import pieces
from analognet.analog.solver.device import BOARDS
from analognet.network import Array

CHUNK: Final = BOARDS  # of a piece: as many as a device does at a time
VERSION: Final = 1  # of what is counted and how; another one is counted again


@dataclass(frozen=True)
class Job:
    """Boards first, first + 1, ... of a run in which `source` alone varies, or all of them."""

    source: str
    first: int
    count: int


def plan(boards: dict[str, int]) -> list[Job]:
    """The chunks of so many boards for each source. Where they begin does not depend on how many there are."""
    return [
        Job(source, first, min(CHUNK, count - first))
        for source, count in boards.items()
        for first in range(0, count, CHUNK)
    ]


class Counts:
    """Right answers by source and board: each chunk in a file of its own as soon as it is known.

    key: the digest of all that decides them, beside the board; a run of another one finds nothing.
    """

    def __init__(self, directory: Path | None, key: str) -> None:
        self.directory = directory
        self.key = pieces.name(VERSION, key)
        self.found: dict[tuple[str, int], NDArray[np.int64]] = {}

    def has(self, job: Job) -> bool:
        """Whether a chunk is known; one that was shorter in a smaller run is not."""
        at = (job.source, job.first)
        if at not in self.found and self.directory is not None:
            held = pieces.get(self._path(self.directory, job))
            if held is not None and _is_counts(right := held[0].get("right")):
                self.found[at] = np.array(right, dtype=np.int64)
        return len(self.found.get(at, ())) >= job.count

    def of(self, source: str, count: int) -> Array:
        """(count,) right answers of boards 0, 1, ..., all of which are known."""
        chunks = [self.found[source, first] for first in range(0, count, CHUNK)]
        return np.concatenate(chunks)[:count].astype(np.float64)

    def put(self, job: Job, right: NDArray[np.int64]) -> None:
        """Keep a chunk. Raises InputError where the file system refuses."""
        self.found[job.source, job.first] = right
        if self.directory is not None:
            pieces.put(self._path(self.directory, job), {"right": right.tolist()})

    def _path(self, directory: Path, job: Job) -> Path:
        return directory / f"{self.key}_{job.source}_{job.first}.piece"


def _is_counts(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= CHUNK
        and all(type(n) is int and 0 <= n < 2**63 for n in value)
    )
