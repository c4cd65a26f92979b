"""The VHDL of a quantised network: pure text, `{file name: content}`, the same bytes every time.

Nothing of the model but its numbers reaches the text: every identifier is generated here and
starts with a prefix, so that no name can be a keyword of VHDL or of Verilog.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from analognet.digital.quantized import QuantizedNetwork
from analognet.digital.schedule import Plan
from analognet.digital.text import fill, index_bits, lane_bits, template
from analognet.digital.vhdl_layer import render_data, render_layer

TOP = "an_top"
TESTBENCH = "an_tb"


def render(network: QuantizedNetwork, plan: Plan) -> dict[str, str]:
    """The design: package, two files per layer, argmax and top, in the order of analysis."""
    files = {"an_pkg.vhd": template("an_pkg.vhd")}
    for k, (layer, shape) in enumerate(zip(network.layers, plan.layers, strict=True)):
        files[f"an_layer{k}_data.vhd"] = render_data(k, layer, shape)
        files[f"an_layer{k}.vhd"] = render_layer(k, layer, shape)
    files["an_argmax.vhd"] = _argmax(network)
    files["an_top.vhd"] = _top(network, plan)
    return files


def render_testbench(network: QuantizedNetwork, plan: Plan, vectors: int) -> dict[str, str]:
    """The self-checking testbench and the script that runs it without AnalogNet."""
    first = plan.layers[0]
    bench = fill(
        "an_tb.vhd",
        vectors=vectors,
        in_beats=first.beats,
        inputs=first.inputs,
        lane_bits=lane_bits(network.layers[0].x.bits),
        n_out=network.n_out,
        patience=10 * plan.cycles + 1000,
        m_high=lane_bits(network.layers[-1].y.bits) - 1,
        class_high=class_bits(network) - 1,
    )
    sources = " ".join(render_order(len(network.layers)))
    return {"an_tb.vhd": bench, "run.sh": fill("run.sh", sources=sources)}


def render_order(layers: int) -> list[str]:
    """The design's files in the order in which a compiler needs them."""
    names = ["an_pkg.vhd"]
    for k in range(layers):
        names += [f"an_layer{k}_data.vhd", f"an_layer{k}.vhd"]
    return [*names, "an_argmax.vhd", "an_top.vhd"]


def vectors(values: ArrayLike) -> str:
    """Integers (N, n) as text, one row per line."""
    return "".join(" ".join(str(int(v)) for v in row) + "\n" for row in np.asarray(values))


def class_bits(network: QuantizedNetwork) -> int:
    """Width of the class index."""
    return index_bits(max(network.n_out, 2))


def binary_threshold(network: QuantizedNetwork) -> int:
    """The integer above which a single output means class 1: one half in the last format."""
    frac = network.layers[-1].y.frac
    return 1 << (frac - 1) if frac >= 1 else 0


def _argmax(network: QuantizedNetwork) -> str:
    if network.n_out == 1:
        threshold = binary_threshold(network)
        what = f"class 1 where the single output is above one half, that is above {threshold}"
        choice = [
            "        s_class <= (others => '0');",
            f"        if to_integer(signed(x_data_i)) > {threshold} then",
            "          s_class(0) <= '1';",
            "        end if;",
        ]
    else:
        what = "the index of the largest output, the first of equals"
        choice = [
            "        if s_index = 0 or signed(x_data_i) > s_best then",
            "          s_best <= signed(x_data_i);",
            "          s_class <= s_index;",
            "        end if;",
        ]
    return fill(
        "argmax.vhd",
        header=f"-- an_argmax: output register, sign extension to whole bytes, and {what}.\n",
        x_high=network.layers[-1].y.bits - 1,
        y_high=lane_bits(network.layers[-1].y.bits) - 1,
        class_high=class_bits(network) - 1,
        last=network.n_out - 1,
        choice="\n".join(choice),
    )


def _top(network: QuantizedNetwork, plan: Plan) -> str:
    first, x_bits = plan.layers[0], network.layers[0].x.bits
    lane = lane_bits(x_bits)
    n = len(network.layers)
    widths = [first.inputs * x_bits] + [
        shape.emit * layer.y.bits for layer, shape in zip(network.layers, plan.layers, strict=True)
    ]
    streams = "".join(
        f"  signal s_{k}_data : std_logic_vector({w - 1} downto 0);\n"
        f"  signal s_{k}_valid, s_{k}_ready : std_logic;\n"
        for k, w in enumerate(widths)
    )
    input_map = "\n".join(
        f"  s_0_data({(i + 1) * x_bits - 1} downto {i * x_bits}) <= "
        f"s_axis_tdata({i * lane + x_bits - 1} downto {i * lane});"
        for i in range(first.inputs)
    )
    instances = "\n".join(fill("instance.vhd", k=k, next=k + 1) for k in range(n))
    last = network.layers[-1]
    header = [
        f"an_top: {' -> '.join(map(str, network.shape))}, "
        f"{', '.join(str(layer.activation) for layer in network.layers)}. Written by AnalogNet.",
        "",
        f"Inputs {network.layers[0].x} in {lane} bits of tdata each, outputs {last.y} in "
        f"{lane_bits(last.y.bits)} bits; sB.F has B bits, of them F a fraction.",
        f"Lanes {', '.join(map(str, plan.lanes))}: {plan.cycles} cycles from the first input beat to the last "
        "output beat,",
        f"a vector every {plan.interval} cycles.",
    ]
    return fill(
        "top.vhd",
        header="".join(f"-- {line}".rstrip() + "\n" for line in header),
        in_beats=first.beats,
        in_values="1 value" if first.inputs == 1 else f"{first.inputs} values, the first in the low bytes",
        n_out=network.n_out,
        s_high=first.inputs * lane - 1,
        m_high=lane_bits(last.y.bits) - 1,
        class_high=class_bits(network) - 1,
        frame_high=index_bits(max(first.beats, 2)) - 1,
        frame_last=first.beats - 1,
        streams=streams,
        input_map=input_map,
        instances=instances,
        n_layers=n,
    )
