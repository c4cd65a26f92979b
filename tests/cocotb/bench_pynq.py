"""Runs inside the simulator: the PYNQ driver against an_pynq, its MMIO and DMA made of bus models.

The driver is synchronous, as on the board; `bridge` gives it a thread and `resume` brings
each of its calls back to the simulation.
"""

import itertools
import os
import sys
from types import SimpleNamespace

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.task import bridge, resume
from cocotb.triggers import ClockCycles
from cocotbext.axi import (
    AxiLiteBus,
    AxiLiteMaster,
    AxiStreamBus,
    AxiStreamFrame,
    AxiStreamSink,
    AxiStreamSource,
)

sys.path.insert(0, os.environ["AN_DRIVER"])
from analognet_pynq import Accelerator

VECTORS = np.load(os.environ["AN_VECTORS"])
QUIET = ("s_axis_tvalid", "s_axis_tlast", "m_axis_tready", "s_axi_awvalid", "s_axi_wvalid", "s_axi_arvalid")


class Mmio:
    """`read` and `write` of pynq's DefaultIP, over AXI4-Lite."""

    def __init__(self, master):
        self.read = resume(self._read)
        self.write = resume(self._write)
        self._master = master

    async def _read(self, offset):
        return await self._master.read_dword(offset)

    async def _write(self, offset, value):
        await self._master.write_dword(offset, value)


class Channel:
    """`transfer` and `wait` of one channel of pynq's DMA, over AXI4-Stream."""

    def __init__(self, stream, receives):
        self._stream, self._receives, self._buffer = stream, receives, None
        self.wait = resume(self._wait)

    def transfer(self, buffer):
        self._buffer = buffer
        if not self._receives:
            self._send = resume(self._start)
            self._send()

    async def _start(self):
        values = np.asarray(self._buffer).reshape(-1)
        await self._stream.send(AxiStreamFrame([int(v) & 0xFF for v in values]))

    async def _wait(self):
        if not self._receives:
            await self._stream.wait()
            return
        frame = await self._stream.recv()  # one frame: tlast must come at the end of the transfer alone
        values = np.array(frame.tdata, dtype=np.uint16).astype(np.int16)
        self._buffer[:] = values.reshape(self._buffer.shape)


def allocate(shape, dtype):
    return np.zeros(shape, dtype)


async def quiet(dut):
    """Hold the reset with defined inputs: the bus models cannot read undefined outputs."""
    for name in QUIET:
        getattr(dut, name).value = 0
    await ClockCycles(dut.aclk, 5)


async def start(dut):
    cocotb.start_soon(Clock(dut.aclk, 10, "ns").start())
    dut.aresetn.value = 0
    await quiet(dut)
    low = {"clock": dut.aclk, "reset": dut.aresetn, "reset_active_level": False}
    master = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi"), **low)
    source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), **low, byte_size=8)
    sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), **low, byte_size=16)
    await ClockCycles(dut.aclk, 5)
    dut.aresetn.value = 1
    await ClockCycles(dut.aclk, 2)
    dma = SimpleNamespace(sendchannel=Channel(source, False), recvchannel=Channel(sink, True))
    return SimpleNamespace(an_pynq_0=Mmio(master), axi_dma_0=dma), source, sink


@cocotb.test()
async def driver_reads_shape_and_predicts(dut):
    overlay, source, sink = await start(dut)
    rng = np.random.default_rng(3)
    source.set_pause_generator(itertools.cycle((rng.random(997) < 0.2).tolist()))
    sink.set_pause_generator(itertools.cycle((rng.random(991) < 0.3).tolist()))

    def session():
        network = Accelerator(overlay, allocate=allocate)
        assert (network.n_in, network.n_out) == (VECTORS["x"].shape[1], VECTORS["y"].shape[1])
        for turn in (1, 2):  # a second transfer finds the pipeline in order
            outputs, classes = network.predict(VECTORS["reals"])
            assert (outputs == VECTORS["y"] * 2.0**-network.out_frac).all()
            assert (classes == VECTORS["classes"]).all()
            assert network.done == turn * len(VECTORS["x"])
        assert network.last_class == VECTORS["classes"][-1]
        assert network.cycles > VECTORS["cycles"]
        network.reset()
        assert network.done == 0

    await bridge(session)()


@cocotb.test()
async def one_vector_takes_the_closed_form(dut):
    overlay, _, _ = await start(dut)

    def session():
        network = Accelerator(overlay, allocate=allocate)
        network.run(VECTORS["x"][:1])
        return network.cycles

    cycles = await bridge(session)()
    assert cycles == int(VECTORS["cycles"])


@cocotb.test()
async def transfer_that_ends_within_a_vector_is_reported(dut):
    overlay, source, _ = await start(dut)

    def begin():
        return Accelerator(overlay, allocate=allocate)

    await bridge(begin)()
    await source.send(AxiStreamFrame([1, 2]))
    await source.wait()

    def status():
        return overlay.an_pynq_0.read(0x08)

    assert await bridge(status)() & 1
