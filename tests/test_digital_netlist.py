"""Netlists against the integer reference: GHDL's Verilog, and what synthesis makes of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import EXAMPLES
from test_quantize import small_network

from analognet.data import load_data
from analognet.digital import cache, flow, netlist, synthesis, tools
from analognet.digital.cell_models import cell_models
from analognet.digital.dsp_registers import absorb_registers, copy_registers
from analognet.digital.energy import measure_activity
from analognet.digital.simulate import GhdlBench
from analognet.errors import SimulatorError, ToolMissing, UsageError
from analognet.loading import load

ECP5, ICE40, XC7 = (synthesis.TARGETS[name] for name in ("ecp5", "ice40", "xc7"))


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def verilog(made: flow.Design) -> str:
    with GhdlBench(made.files, made.quantized, made.plan) as bench:
        return bench.synthesised()


def make(
    shape: tuple[int, ...], names: tuple[str, ...], lanes: tuple[int, ...] | None = None, bits: int = 8
) -> tuple[flow.Design, np.ndarray]:
    network, x = small_network(shape, names)
    made = flow.design(network, x, lanes=lanes, weight_bits=bits, activation_bits=bits)
    return made, made.quantized.encode(x)


@pytest.mark.parametrize(
    ("shape", "names", "lanes", "bits"),
    [
        ((6, 4, 3), ("relu", "linear"), (4, 3), 8),
        ((6, 4, 3), ("leaky_relu:-0.25", "tanh"), (2, 1), 5),
        ((6, 4, 3), ("sigmoid", "leaky_relu:0.1"), (8, 12), 16),
        ((3, 1), ("sigmoid",), (1,), 8),
    ],
)
def test_verilog_of_ghdl_equals_the_reference(
    shape: tuple[int, ...], names: tuple[str, ...], lanes: tuple[int, ...], bits: int
) -> None:
    made, x = make(shape, names, lanes, bits)
    checked = netlist.check_netlist({"an_top.v": verilog(made)}, made.quantized, made.plan, x)
    assert (checked.mismatches, checked.vectors) == (0, len(x))


@pytest.mark.slow
def test_verilator_says_the_same() -> None:
    made, x = make((6, 4, 3), ("leaky_relu:0.1", "tanh"), (2, 1))
    checked = netlist.check_netlist(
        {"an_top.v": verilog(made)}, made.quantized, made.plan, x, engine="verilator"
    )
    assert (checked.mismatches, checked.engine) == (0, "verilator")


def test_a_sign_lost_in_the_netlist_is_seen() -> None:
    # what GHDL 2.0 does to shift_right of a signed value: zeros come in from the left
    made, x = make((6, 3), ("linear",))
    text = verilog(made)
    broken = re.sub(r"\{\{(\d+)\{\w+\[\d+\]\}\}, ", r"{{\1{1'b0}}, ", text)
    assert broken != text
    checked = netlist.check_netlist({"an_top.v": broken}, made.quantized, made.plan, x)
    assert checked.mismatches > 0


def test_a_netlist_that_never_answers_is_an_error() -> None:
    made, x = make((3, 2), ("linear",))
    text = verilog(made).replace("assign m_axis_tvalid =", "assign m_axis_tvalid = 1'b0 &", 1)
    with pytest.raises(SimulatorError, match=r"iverilog gave 0 of \d+ outputs: an_tb: no output"):
        netlist.check_netlist({"an_top.v": text}, made.quantized, made.plan, x)


def test_a_netlist_that_does_not_compile_is_an_error() -> None:
    made, x = make((3, 2), ("linear",))
    with pytest.raises(SimulatorError, match="iverilog failed"):
        netlist.check_netlist({"an_top.v": "module an_top(;"}, made.quantized, made.plan, x)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "shape", "names", "lanes"),
    [
        ("ecp5", (6, 4, 3), ("relu", "linear"), (4, 3)),
        ("ecp5", (40, 4, 3), ("tanh", "linear"), (2, 3)),  # weights in block RAM
        ("ice40", (6, 4, 3), ("leaky_relu:0.1", "tanh"), (2, 1)),
    ],
)
def test_netlist_after_synthesis_equals_the_reference(
    target: str, shape: tuple[int, ...], names: tuple[str, ...], lanes: tuple[int, ...]
) -> None:
    made, x = make(shape, names, lanes)
    mapped = synthesis.mapped_netlist(verilog(made), synthesis.TARGETS[target])
    activity = measure_activity(mapped, target, made.quantized, made.plan, x)
    assert activity.mismatches == 0
    assert activity.toggles > made.plan.cycles


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "lanes", "bits"),
    [
        ("ecp5", (32, 10), 8),
        ("ecp5", (32, 10), 4),
        ("ecp5", (4, 2), 8),
        ("ecp5", (1, 1), 6),
        ("ice40", (4, 2), 8),
    ],
)
def test_digits_after_synthesis(target: str, lanes: tuple[int, ...], bits: int) -> None:
    model = load(EXAMPLES / "digits" / "digits.safetensors")
    train = load_data("digits", split="train").x
    made = flow.design(model.network, train, lanes=lanes, weight_bits=bits, activation_bits=bits)
    x = made.quantized.encode(load_data("digits").x[:20])
    mapped = synthesis.mapped_netlist(verilog(made), synthesis.TARGETS[target])
    sources = {"an_top.v": mapped, **cell_models(target)}
    assert netlist.check_netlist(sources, made.quantized, made.plan, x).mismatches == 0


def flip_flop(d: int, q: int, **pins: list[Any]) -> dict[str, Any]:
    connections = {"CLK": [2], "DI": [d], "Q": [q], **pins}
    return {
        "type": "TRELLIS_FF",
        "parameters": {"CEMUX": "CE" if "CE" in pins else "1", "CLKMUX": "CLK"},
        "port_directions": {p: "output" if p == "Q" else "input" for p in connections},
        "connections": connections,
    }


def multiplier(a: list[Any], b: list[Any], p: list[int]) -> dict[str, Any]:
    connections: dict[str, Any] = {f"A{i}": [a[min(i, len(a) - 1)]] for i in range(18)}
    connections |= {f"B{i}": [b[min(i, len(b) - 1)]] for i in range(18)}
    connections |= {f"P{i}": [p[i] if i < len(p) else 900 + i] for i in range(36)}
    directions = {pin: "output" if pin[0] == "P" else "input" for pin in connections}
    return {"type": "MULT18X18D", "parameters": {}, "port_directions": directions, "connections": connections}


def module(cells: dict[str, Any], outputs: list[int]) -> dict[str, Any]:
    return {"cells": cells, "ports": {"y": {"direction": "output", "bits": outputs}}}


def test_registers_move_into_the_multiplier() -> None:
    cells = {
        "a": flip_flop(10, 11),
        "b": flip_flop(20, 21),
        "p": flip_flop(30, 31),
        "m": multiplier([11], [21], [30]),
    }
    m = module(cells, [31])
    assert absorb_registers(m) == 3
    pins, parameters = m["cells"]["m"]["connections"], m["cells"]["m"]["parameters"]
    assert set(m["cells"]) == {"m"}
    assert (pins["A0"], pins["B17"], pins["P0"], pins["CLK0"]) == ([10], [20], [31], [2])
    assert (
        parameters["REG_INPUTA_CLK"] == parameters["REG_INPUTB_CLK"] == parameters["REG_OUTPUT_CLK"] == "CLK0"
    )


def test_registers_with_an_enable_or_other_readers_stay() -> None:
    cells = {
        "a": flip_flop(10, 11, CE=[50]),
        "b": flip_flop(20, 21),
        "p": flip_flop(30, 31),
        "m": multiplier([11], [21], [30]),
    }
    m = module(cells, [31, 30])  # the product is read beside its register
    assert absorb_registers(m) == 0
    assert set(m["cells"]) == {"a", "b", "p", "m"}
    assert m["cells"]["m"]["parameters"] == {}


def test_a_register_that_is_read_elsewhere_is_kept_and_copied_into_the_multiplier() -> None:
    cells = {"a": flip_flop(10, 11), "b": flip_flop(20, 21), "m": multiplier([11], [21], [30])}
    m = module(cells, [11, 30])
    assert absorb_registers(m) == 1
    assert set(m["cells"]) == {"a", "m"}


def memory(outputs: list[int]) -> dict[str, Any]:
    connections: dict[str, Any] = {"CLKA": [2], "CLKB": ["0"]}
    connections |= {f"DOA{i}": [n] for i, n in enumerate(outputs)}
    return {
        "type": "DP16KD",
        "parameters": {"DATA_WIDTH_A": f"{18:032b}", "REGMODE_A": "NOREG"},
        "port_directions": {pin: "output" if pin[0] == "D" else "input" for pin in connections},
        "connections": connections,
    }


def test_a_register_after_a_block_ram_moves_into_it() -> None:
    m = module({"r": memory([10]), "a": flip_flop(10, 11), "keep": flip_flop(11, 12, CE=[50])}, [12])
    assert absorb_registers(m) == 1
    assert set(m["cells"]) == {"r", "keep"}
    assert m["cells"]["r"]["connections"]["DOA0"] == [11]
    assert m["cells"]["r"]["parameters"]["REGMODE_A"] == "OUTREG"


def test_a_register_between_block_ram_and_multiplier_moves_once() -> None:
    cells = {
        "r": memory([10]),
        "a": flip_flop(10, 11),
        "b": flip_flop(20, 21),
        "m": multiplier([11], [21], [30]),
    }
    m = module(cells, [30])
    assert absorb_registers(m) == 2
    assert m["cells"]["r"]["connections"]["DOA0"] == m["cells"]["m"]["connections"]["A0"] == [10]
    assert m["cells"]["r"]["parameters"]["REGMODE_A"] == "NOREG"


def test_a_register_that_feeds_many_multipliers_gets_copies() -> None:
    cells = {"x": flip_flop(10, 11)} | {f"m{i:02}": multiplier([11], [21], [100 + i]) for i in range(10)}
    m = module(cells, [100])
    assert copy_registers(m, fanout=4) == 2
    feeds = [m["cells"][f"m{i:02}"]["connections"]["A0"][0] for i in range(10)]
    assert [feeds.count(net) for net in dict.fromkeys(feeds)] == [4, 4, 2]
    for copy in ("x_copy1", "x_copy2"):
        assert m["cells"][copy]["connections"]["DI"] == [10]


@pytest.mark.slow
def test_counts_for_xc7_without_a_clock() -> None:
    made, _ = make((6, 4, 3), ("relu", "linear"), (4, 3))
    found = synthesis.synthesise(verilog(made), XC7)
    assert found.used["LUT"] > 0
    assert found.used["DSP"] == 7
    assert found.fmax_median_hz is None
    assert not found.cached
    again = synthesis.synthesise(verilog(made), XC7)
    assert again.cached
    assert again.used == found.used


def test_a_damaged_cache_entry_is_no_entry(tmp_path: Path) -> None:
    place = tmp_path / "entry.json"
    assert cache.load_cached(place) is None
    cache.store_cached(place, {"a": 1})
    assert cache.load_cached(place) == {"a": 1}
    entry = json.loads(place.read_text())
    entry["value"]["a"] = 2
    place.write_text(json.dumps(entry))
    assert cache.load_cached(place) is None
    place.write_bytes(b"\xff{")
    assert cache.load_cached(place) is None
    place.write_text("[]")
    assert cache.load_cached(place) is None


def test_a_network_too_large_is_refused_before_synthesis() -> None:
    made, _ = make((400, 800, 3), ("relu", "linear"), (1, 1))
    with pytest.raises(UsageError, match=r"does not fit Lattice iCE40 HX8K.*need 630 of 32 BRAM"):
        synthesis.check_room(made.quantized, ICE40)


def test_a_design_too_large_is_refused_before_place_and_route() -> None:
    with pytest.raises(
        UsageError, match=r"does not fit Lattice iCE40.*needs 9000 of 7680 LUT, 40 of 32 BRAM"
    ):
        synthesis.check_fit({"LUT": 9000, "FF": 10, "DSP": 0, "BRAM": 40}, ICE40)
    synthesis.check_fit({"LUT": 7680, "FF": 10, "DSP": 0, "BRAM": 32}, ICE40)


@pytest.mark.slow
def test_too_many_multipliers_are_refused_before_place_and_route() -> None:
    made, _ = make((16, 12, 3), ("relu", "linear"), (192, 3))
    with pytest.raises(UsageError, match=r"needs 195 of 156 DSP; fewer --lanes"):
        synthesis.synthesise(verilog(made), ECP5)


@pytest.mark.slow
def test_too_many_pins_are_refused_before_place_and_route() -> None:
    made, _ = make((60, 1), ("linear",), (60,), bits=2)
    with pytest.raises(UsageError, match=r"needs 5\d\d of 206 pins; fewer lanes in the first layer"):
        synthesis.synthesise(verilog(made), ICE40)


def test_unknown_target_is_refused() -> None:
    with pytest.raises(UsageError, match="allowed are ecp5, ice40, xc7"):
        synthesis.pick_target("virtex")
    with pytest.raises(UsageError, match="netlists of xc7 cannot be simulated"):
        cell_models("xc7")


@pytest.mark.slow
def test_a_tool_over_its_time_limit_leaves_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    code = "import time; print('half way', flush=True); time.sleep(30)"
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(
        SimulatorError, match=r"ran over its limit of 1 s and was ended; its log is"
    ) as caught:
        tools.call([sys.executable, "-c", code], work, 1)
    log = Path(str(caught.value).rpartition("its log is kept in ")[2])
    assert (log / "stdout.log").read_text() == "half way\n"


def test_a_missing_python_tool_says_how_to_install_it() -> None:
    with pytest.raises(ToolMissing, match=r"no-such-tool was not found.*pip install no-such-tool"):
        tools.python_tool("no_such_tool", "no-such-tool")
