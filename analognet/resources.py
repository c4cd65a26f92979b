"""The one module that finds files shipped with the package."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def cells() -> Path:
    """Board-level SPICE cells and the technologies that use them."""
    return _directory("analognet.cells")


def sky130() -> Path:
    """Transistor-level cells in the SkyWater sky130 process, and its technology."""
    return _directory("analognet.sky130")


def digital() -> Path:
    """VHDL templates, in `templates/`, and the constants of the FPGA energy model."""
    return _directory("analognet.digital")


def data(name: str) -> Path:
    """A packaged table: prices, converters, published chips."""
    return _directory("analognet") / name


def _directory(package: str) -> Path:
    return Path(str(files(package)))
