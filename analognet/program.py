"""What this program is: a digest of all in it that decides a figure, so that figures of another one are known."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from analognet import resources, storage

# what no measurement depends on: how results are shown
_NOT_MEASURING: Final = ("report", "cli", "drawing")
_NOT_MEASURING_EITHER: Final = (
    "assemble",
    "clock",
    "columns",
    "series",
    "compare",
    "reproduce",
    "plan",
    "stages",
    "store",
)


@cache
def program_digest() -> str:
    """SHA-256 of the parts of AnalogNet that measure, cells and constants included."""
    parts = [f"{name} {storage.digest(path.read_bytes())}" for name, path in sorted(_program())]
    return storage.digest("\n".join(parts).encode())


def _program() -> Iterator[tuple[str, Path]]:
    root = resources.data("")
    for suffix in ("*.py", "*.toml", "*.v", "*.vhd"):
        for path in root.rglob(suffix):
            name = path.relative_to(root)
            shows = name.parts[0] == "comparison" and name.stem in _NOT_MEASURING_EITHER
            if name.parts[0] not in _NOT_MEASURING and not shows:
                yield name.as_posix(), path
    for room, directory in (("cells", resources.cells()), ("sky130", resources.sky130())):
        for path in directory.iterdir():
            if path.suffix in (".cir", ".toml", ".json", ".npz"):
                yield f"{room}/{path.name}", path
