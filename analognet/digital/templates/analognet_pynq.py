"""Drives an AnalogNet overlay from Python on a PYNQ board; needs numpy and pynq alone.

from pynq import Overlay
from analognet_pynq import Accelerator

network = Accelerator(Overlay("analognet.bit"))
outputs, classes = network.predict(images)
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

ID = 0x414E4E31
REG_ID, REG_CONTROL, REG_STATUS, REG_SHAPE, REG_FORMAT = 0x00, 0x04, 0x08, 0x0C, 0x10
REG_DONE, REG_CLASS, REG_CYCLES = 0x14, 0x18, 0x1C
ENABLE, RESET = 1, 2
FRAME_ERROR = 1


class Accelerator:
    """The network in an overlay, with its control port and its DMA.

    overlay: pynq.Overlay; ip and dma name its blocks. allocate: pynq.allocate, which is the
    default, or another function of shape and dtype.
    """

    def __init__(
        self,
        overlay: Any,
        ip: str = "an_pynq_0",
        dma: str = "axi_dma_0",
        allocate: Callable[..., Any] | None = None,
    ) -> None:
        if allocate is None:
            allocate = importlib.import_module("pynq").allocate
        self._ip, self._dma = getattr(overlay, ip), getattr(overlay, dma)
        self._allocate: Callable[..., Any] = allocate
        found = self._ip.read(REG_ID)
        if found != ID:
            raise RuntimeError(f"{ip} answers {found:#010x}, not {ID:#010x}: another overlay is loaded")
        shape, form = self._ip.read(REG_SHAPE), self._ip.read(REG_FORMAT)
        self.n_in, self.n_out = shape & 0xFFFF, shape >> 16
        self.in_bits, self.in_frac = form & 0xFF, _signed(form >> 8)
        self.out_bits, self.out_frac = form >> 16 & 0xFF, _signed(form >> 24)
        self.reset()

    def reset(self) -> None:
        """Empty the pipeline, clear the counters, and let beats pass."""
        self._ip.write(REG_CONTROL, RESET)
        self._ip.write(REG_CONTROL, ENABLE)

    def encode(self, x: Any) -> Any:
        """Real inputs (N, n_in) as integers of the input format: rounded half up, saturated."""
        low, high = -(1 << (self.in_bits - 1)), (1 << (self.in_bits - 1)) - 1
        return np.clip(np.floor(np.asarray(x) * 2.0**self.in_frac + 0.5), low, high).astype(np.int64)

    def run(self, integers: Any) -> Any:
        """Integers (N, n_out) for integers (N, n_in), through the DMA in one transfer each way."""
        n = len(integers)
        source = self._allocate(shape=(n, self.n_in), dtype=_dtype(self.in_bits))
        sink = self._allocate(shape=(n, self.n_out), dtype=_dtype(self.out_bits))
        source[:] = integers
        self._dma.recvchannel.transfer(sink)
        self._dma.sendchannel.transfer(source)
        self._dma.sendchannel.wait()
        self._dma.recvchannel.wait()
        if self._ip.read(REG_STATUS) & FRAME_ERROR:
            raise RuntimeError("a transfer ended within a vector; call reset()")
        return np.array(sink, dtype=np.int64)

    def predict(self, x: Any) -> tuple[Any, Any]:
        """(outputs (N, n_out) in the network's units, classes (N,)) for real inputs x (N, n_in)."""
        outputs = self.run(self.encode(x)) * 2.0**-self.out_frac
        classes = outputs[:, 0] > 0.5 if self.n_out == 1 else np.argmax(outputs, axis=1)
        return outputs, classes.astype(np.int64)

    @property
    def done(self) -> int:
        """Vectors finished since the last reset."""
        return int(self._ip.read(REG_DONE))

    @property
    def last_class(self) -> int:
        return int(self._ip.read(REG_CLASS))

    @property
    def cycles(self) -> int:
        """Clock cycles of the last transfer, first beat in to last beat out."""
        return int(self._ip.read(REG_CYCLES))


def _signed(byte: int) -> int:
    byte &= 0xFF
    return byte - 256 if byte & 0x80 else byte


def _dtype(bits: int) -> Any:
    return np.int8 if bits <= 8 else np.int16
