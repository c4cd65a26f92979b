"""Files for a processor beside the design: AXI4-Lite wrapper, Python driver, overlay script."""

from __future__ import annotations

from analognet.digital import text, vhdl
from analognet.digital.quantized import QuantizedNetwork
from analognet.digital.schedule import Plan

WRAPPER = "an_pynq"


def render(network: QuantizedNetwork, plan: Plan) -> dict[str, str]:
    """{file name: text}: the wrapper `an_pynq`, its driver with PYNQ's calls, and a Tcl script."""
    first, x, y = plan.layers[0], network.layers[0].x, network.layers[-1].y
    s_bits, m_bits = first.inputs * text.lane_bits(x.bits), text.lane_bits(y.bits)
    shape = network.n_out << 16 | network.n_in & 0xFFFF
    form = (y.frac & 0xFF) << 24 | y.bits << 16 | (x.frac & 0xFF) << 8 | x.bits
    wrapper = text.fill(
        "an_pynq.vhd",
        s_high=s_bits - 1,
        m_high=m_bits - 1,
        class_high=vhdl.class_bits(network) - 1,
        frame_high=max(1, (first.beats - 1).bit_length()) - 1,
        frame_last=first.beats - 1,
        shape=f"{shape & 0xFFFFFFFF:08x}",
        format=f"{form:08x}",
    )
    tcl = text.fill(
        "build_overlay.tcl",
        sources=" ".join(vhdl.render_order(len(network.layers))),
        s_bits=s_bits,
        m_bits=m_bits,
    )
    return {
        "an_pynq.vhd": wrapper,
        "analognet_pynq.py": text.template("analognet_pynq.py"),
        "build_overlay.tcl": tcl,
    }
