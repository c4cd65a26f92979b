"""How much a comparison measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from analognet.errors import UsageError
from analognet.names import printable
from analognet.network import Network

LARGE_MACS: Final = 20_000  # a network beyond takes ngspice tens of milliseconds an image
FPGAS: Final = ("ecp5", "ice40", "xc7")
QUICK_FPGAS: Final = ("ecp5",)
# op-amps that a design space tries: precise, fast, frugal, cheap (docs/cells.md)
OPAMPS: Final = ("opa4192", "opa2810", "tlv9154", "tl074h", "opa4277", "lm358")
QUICK_OPAMPS: Final = ("opa4192", "opa2810", "tlv9154", "lm358")


@dataclass(frozen=True)
class Settings:
    """quick: a first page; ngspice_images, chip_images: inputs at most in ngspice, of a board and of a
    chip in transistors; solver_images: by the solver; boards: of Monte Carlo; corner_boards: at each end of
    the temperature range; corners: whether those of a process are tried; transitions, chip_transitions: of the
    transient; verify: inputs simulated in HDL; seeds: of place and route; fpgas, opamps, opamp_images: what the
    digital side and the design space try; batch: inferences at once on a processor, beside one; seed: of all
    draws.
    """

    quick: bool
    ngspice_images: int
    chip_images: int
    solver_images: int
    boards: int
    corner_boards: int
    corners: bool
    transitions: int
    chip_transitions: int
    verify: int
    seeds: tuple[int, ...]
    fpgas: tuple[str, ...]
    opamps: tuple[str, ...]
    opamp_images: int
    batch: int = 256
    seed: int = 0


def choose(network: Network, quick: bool, seed: int = 0, fpgas: Sequence[str] | None = None) -> Settings:
    """What a network of this size gets: all that fits in the time a person waits.

    fpgas: devices instead of those a comparison takes by itself. Raises UsageError for an unknown one.
    """
    chosen = _choose(network, quick, seed)
    if fpgas is None:
        return chosen
    unknown = [name for name in fpgas if name not in FPGAS]
    if unknown or len(set(fpgas)) != len(fpgas):
        raise UsageError(
            f"--fpga '{printable(','.join(fpgas))}': choose from {', '.join(FPGAS)}, each once, or none"
        )
    return replace(chosen, fpgas=tuple(fpgas))


def _choose(network: Network, quick: bool, seed: int) -> Settings:
    large = network.macs > LARGE_MACS
    if quick:
        return Settings(
            quick=True,
            ngspice_images=20 if large else 200,
            chip_images=50,
            solver_images=1000,
            boards=20 if large else 100,
            corner_boards=0,
            corners=False,
            transitions=2 if large else 4,
            chip_transitions=2,
            verify=20 if large else 100,
            seeds=(1, 2),
            fpgas=QUICK_FPGAS,
            opamps=QUICK_OPAMPS if not large else (),
            opamp_images=20,
            seed=seed,
        )
    return Settings(
        quick=False,
        ngspice_images=200 if large else 1000,
        chip_images=1000,
        solver_images=100_000,
        boards=1000,
        corner_boards=50 if large else 200,
        corners=True,
        transitions=6 if large else 20,
        chip_transitions=6 if large else 20,
        verify=1000,
        seeds=(1, 2) if large else (1, 2, 3),
        fpgas=FPGAS,
        opamps=OPAMPS,
        opamp_images=20 if large else 100,
        seed=seed,
    )
