"""The one module that finds files shipped with the package."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def _directory(package: str) -> Path:
    return Path(str(files(package)))


def cells() -> Path:
    """Board-level SPICE cells and the technologies that use them."""
    return _directory("analognet.cells")


def sky130() -> Path:
    """Transistor-level cells and the sky130 technology."""
    return _directory("analognet.sky130")
