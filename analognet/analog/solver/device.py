"""Many boards over many images on a tinygrad device, in float32, within 1e-5 V of the float64 solver.

The device computes what `differences` writes down: each board as differences from the nominal one, all
layers forward, the loads back, and forward again. With every answer comes whether it may be trusted:
an image is not, on a board, where some op-amp is near a clamp, a rectifier or a load has not settled,
it is farther from the nominal board than the rounding bound allows, or its two best classes are closer
than twice that bound. Those the caller solves in float64, so that no class ever rests on float32 alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from analognet import process
from analognet.analog.solver import device_equations
from analognet.analog.solver.device_equations import OPEN, UNTRUSTED
from analognet.analog.solver.differences import MATRICES, BoardDifferences
from analognet.analog.solver.rounding import Anchors
from analognet.errors import ToolMissing, UsageError
from analognet.names import printable
from analognet.network import Array

if TYPE_CHECKING:
    from tinygrad.tensor import Tensor

BOARDS: Final = 8  # at a time
ELEMENTS: Final = 2**24  # of the largest array: 64 MiB
Step = Callable[..., "tuple[Tensor, Tensor]"]


@dataclass(frozen=True, eq=False)
class DeviceRun:
    """Everything on the device that no board changes. device: tinygrad's name; pieces: for each piece of
    the images its tensors; size: images in a piece, the last one filled up; images: how many in all.
    """

    device: str
    anchors: Anchors
    pieces: tuple[tuple[Tensor, ...], ...]
    size: int
    images: int
    step: Step


def open_device(name: str) -> str:
    """tinygrad's own name of the device, after a sum on it has come out right.

    Raises UsageError for a name that is none, ToolMissing where the device or its compiler is not there.
    """
    if not name.isascii() or not name.replace(":", "").isalnum():
        raise UsageError(
            f"--device '{printable(name)}': a tinygrad device such as CPU, CUDA, AMD, METAL or CL"
        )
    if name.upper().partition(":")[0] == "CPU":
        process.find_tool("clang")  # tinygrad compiles with it
    from tinygrad.device import Device
    from tinygrad.tensor import Tensor

    try:
        canonical: str = Device.canonicalize(name)
        total = (Tensor([1.5, 2.0], device=canonical) + 1.0).sum().item()
    except Exception as e:  # every backend fails with exceptions of its own
        raise ToolMissing(
            f"--device {printable(name)}: tinygrad cannot compute there ({type(e).__name__}: "
            f"{printable(str(e))[:200]}); without --device the processor does, in float64"
        ) from None
    if total != 5.5:
        raise ToolMissing(f"--device {printable(name)}: it says that 2.5 + 3 is {total}")
    return canonical


def device_run(
    found: Anchors, classes: NDArray[np.int64], scale_out: float, device: str, boards: int = BOARDS
) -> DeviceRun:
    """Put the anchors and the images' classes (N,) onto a device that `open_device` has named."""
    from tinygrad.engine.jit import TinyJit
    from tinygrad.tensor import Tensor

    system = found.equations
    images = len(classes)
    width = max(max(layer.parts.n_out for layer in system.layers), found.inputs[0].shape[1] // boards)
    size = min(images, max(1, ELEMENTS // (boards * width)))
    n_out = system.layers[-1].parts.n_out
    wanted = classes.astype(np.float32) if n_out == 1 else np.eye(n_out, dtype=np.float32)[classes]
    pieces = []
    for at in range(0, images, size):
        rows = np.minimum(np.arange(at, at + size), images - 1)
        arrays = [*(a[rows] for a in found.inputs), *(base[rows] for base in found.bases)]
        arrays.append(wanted[rows].reshape(size, -1))
        pieces.append(tuple(Tensor(np.ascontiguousarray(a), device=device).realize() for a in arrays))
    threshold = 0.5 * scale_out
    compiled: Step = TinyJit(lambda *tensors: device_equations.step(system.layers, threshold, tensors))
    return DeviceRun(device, found, tuple(pieces), size, images, compiled)


def answers(run: DeviceRun, boards: Sequence[BoardDifferences], count: int = BOARDS) -> NDArray[np.uint8]:
    """(len(boards), N) WRONG, RIGHT or OPEN: what only the float64 solver can say. At most `count` boards."""
    return _run(run, boards, count)[0]


def outputs(
    run: DeviceRun, boards: Sequence[BoardDifferences], count: int = BOARDS
) -> tuple[Array, NDArray[np.bool_]]:
    """((len(boards), N, n_out) volts, (len(boards), N) whether they are within `AGREEMENT_V`)."""
    codes, volts = _run(run, boards, count, volts=True)
    assert volts is not None
    return volts, (codes & UNTRUSTED) == 0


def _run(
    run: DeviceRun, boards: Sequence[BoardDifferences], count: int, volts: bool = False
) -> tuple[NDArray[np.uint8], Array | None]:
    """Codes of `answers`, or, where volts are asked for, UNTRUSTED or 0."""
    from tinygrad.tensor import Tensor

    filled = [*boards, *[boards[-1]] * (count - len(boards))]
    arrays = [
        np.stack([np.array(b.reach, dtype=np.float32)[:, None, None] for b in filled])
    ]  # (boards, layers, 1, 1)
    for i in range(len(boards[0].layers)):
        layers = [b.layers[i] for b in filled]
        for name in MATRICES:
            if getattr(layers[0], name) is not None:
                arrays.append(np.stack([getattr(layer, name) for layer in layers]))
    constants = [Tensor(a, device=run.device).realize() for a in arrays]
    codes, values = [], []
    for piece in run.pieces:
        # a repeat's tensors are the jit's own: they are read before it runs again
        code, y = run.step(*piece, *constants)
        codes.append(code.numpy())
        if volts:
            values.append(y.numpy())
    joined = np.concatenate(codes, axis=1)[: len(boards), : run.images].copy()
    if volts:
        bad = joined >= UNTRUSTED
        for row, board in zip(bad, boards, strict=True):
            row[board.beyond] = True
        together = np.concatenate(values, axis=1)[: len(boards), : run.images]
        return np.where(bad, np.uint8(UNTRUSTED), np.uint8(0)), together.astype(np.float64)
    joined[joined >= OPEN] = OPEN
    for row, board in zip(joined, boards, strict=True):
        row[board.beyond] = OPEN
    return joined, None
