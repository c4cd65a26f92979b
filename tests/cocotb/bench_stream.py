"""Runs inside the simulator: an_top as a user's system drives it, with AXI4-Stream bus models."""

import itertools
import os

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles
from cocotbext.axi import AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource

VECTORS = np.load(os.environ["AN_VECTORS"])
QUIET = ("s_axis_tvalid", "s_axis_tlast", "m_axis_tready")


async def quiet(dut):
    """Hold the reset with defined inputs: the bus models cannot read undefined outputs."""
    for name in QUIET:
        getattr(dut, name).value = 0
    await ClockCycles(dut.aclk, 5)


async def start(dut):
    cocotb.start_soon(Clock(dut.aclk, 10, "ns").start())
    dut.aresetn.value = 0
    await quiet(dut)
    source = AxiStreamSource(
        AxiStreamBus.from_prefix(dut, "s_axis"), dut.aclk, dut.aresetn, reset_active_level=False, byte_size=8
    )
    sink = AxiStreamSink(
        AxiStreamBus.from_prefix(dut, "m_axis"), dut.aclk, dut.aresetn, reset_active_level=False, byte_size=16
    )
    await ClockCycles(dut.aclk, 5)
    dut.aresetn.value = 1
    await ClockCycles(dut.aclk, 2)
    return source, sink


async def exchange(source, sink):
    """Send every vector as a frame, and compare what comes back, tlast and class included."""
    for row in VECTORS["x"]:
        await source.send(AxiStreamFrame([int(v) & 0xFF for v in row]))
    for want, index in zip(VECTORS["y"], VECTORS["classes"], strict=True):
        frame = await sink.recv()
        got = np.array(frame.tdata, dtype=np.uint16).astype(np.int16)
        assert got.tolist() == want.tolist()
        user = frame.tuser if isinstance(frame.tuser, int) else frame.tuser[-1]
        assert user == index


@cocotb.test()
async def runs_undisturbed(dut):
    await exchange(*await start(dut))
    assert dut.frame_error.value == 0


@cocotb.test()
async def survives_pauses_on_both_sides(dut):
    source, sink = await start(dut)
    rng = np.random.default_rng(7)
    source.set_pause_generator(itertools.cycle((rng.random(997) < 0.4).tolist()))
    sink.set_pause_generator(itertools.cycle((rng.random(991) < 0.6).tolist()))
    await exchange(source, sink)
    assert dut.frame_error.value == 0


@cocotb.test()
async def reports_a_frame_of_wrong_length(dut):
    source, _ = await start(dut)
    await source.send(AxiStreamFrame([1, 2]))
    await source.wait()
    await ClockCycles(dut.aclk, 5)
    assert dut.frame_error.value == 1
    dut.aresetn.value = 0
    await ClockCycles(dut.aclk, 3)
    assert dut.frame_error.value == 0
