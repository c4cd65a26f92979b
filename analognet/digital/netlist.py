"""Simulates Verilog netlists of the design: GHDL's, and what synthesis made of it.

Icarus Verilog compiles at once and runs slowly, Verilator the other way round.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np

from analognet import process
from analognet.digital import text, tools, vhdl
from analognet.digital.fixedpoint import Ints
from analognet.digital.quantized import QuantizedNetwork
from analognet.digital.schedule import Plan
from analognet.digital.simulate import STALLS, expected
from analognet.errors import SimulatorError
from analognet.names import printable

Engine = Literal["iverilog", "verilator"]
_IMPOSSIBLE = 1 << 40  # an output that no network has


@dataclass(frozen=True)
class Checked:
    """Mismatches of a netlist against the integer reference, over `outputs` values and classes."""

    engine: str
    vectors: int
    outputs: int
    mismatches: int
    wall_s: float


def check_netlist(
    sources: Mapping[str, str],
    network: QuantizedNetwork,
    plan: Plan,
    x: Ints,
    *,
    engine: Engine = "iverilog",
    stalls: int = STALLS,
    seed: int = 1,
    dump: Path | None = None,
) -> Checked:
    """Simulate a netlist `{file: text}` with top an_top on x (N, n_in) and compare every output.

    dump: where to keep a value change dump of the top's nets (iverilog alone).
    Raises SimulatorError where a tool fails or the design stops answering.
    """
    with TemporaryDirectory(prefix="analognet-verilog-") as temporary:
        directory = Path(temporary)
        bench = render_testbench(network, plan, dump is not None)
        for name, content in {**sources, "an_tb.sv": bench, "inputs.hex": _inputs(network, plan, x)}.items():
            (directory / name).write_text(content)
        names = [*sources, "an_tb.sv"]
        parameters = {"VECTORS": len(x), "STALLS": stalls, "SEED": seed}
        build, command = _commands(engine, names, parameters)
        wall = tools.call(build, directory, tools.SIMULATION_S).wall_s
        done = tools.call(
            [directory / command[0] if engine == "verilator" else command[0], *command[1:]],
            directory,
            tools.SIMULATION_S,
        )
        got = _outputs(directory / "outputs.hex", network)
        if got.shape != (len(x) * network.n_out, 3):
            told = printable(done.stdout.strip()[-200:])
            fault = f"{engine} gave {len(got)} of {len(x) * network.n_out} outputs: {told}"
            raise tools.failure(fault, engine, directory)
        if dump is not None:
            try:
                shutil.copyfile(directory / "dump.vcd", dump)
            except OSError:
                raise tools.failure(f"{engine} wrote no value change dump", engine, directory) from None
    wanted = expected(network, x)
    if "frame_error 0" not in done.stdout:
        raise SimulatorError(f"{engine}: the design reports a frame error although tlast was right")
    values = got[:, 0].reshape(len(x), -1)
    classes = got[network.n_out - 1 :: network.n_out, 1]
    last = np.tile(np.arange(network.n_out) == network.n_out - 1, len(x))
    wrong = (values != wanted[:, :-1]).sum() + (classes != wanted[:, -1]).sum() + (got[:, 2] != last).sum()
    return Checked(engine, len(x), int(wanted.size), int(wrong), wall + done.wall_s)


def render_testbench(network: QuantizedNetwork, plan: Plan, dump: bool = False) -> str:
    """an_tb in SystemVerilog."""
    first = plan.layers[0]
    return text.fill(
        "an_tb.sv",
        vectors=1,
        in_beats=first.beats,
        n_out=network.n_out,
        patience=10 * plan.cycles + 1000,
        s_high=first.inputs * text.lane_bits(network.layers[0].x.bits) - 1,
        m_high=text.lane_bits(network.layers[-1].y.bits) - 1,
        class_high=vhdl.class_bits(network) - 1,
        dump='    $dumpfile("dump.vcd");\n    $dumpvars(1, an_tb.dut);\n' if dump else "",
    )


def pick_engine(plan: Plan, vectors: int) -> Engine:
    """Icarus Verilog for short runs, Verilator for those that would take it minutes."""
    work = plan.cycles * vectors * sum(plan.lanes)
    return "iverilog" if work < 2_000_000 else "verilator"


def _commands(
    engine: Engine, names: list[str], parameters: dict[str, int]
) -> tuple[list[str | Path], list[str | Path]]:
    if engine == "iverilog":
        defines = [f"-P{vhdl.TESTBENCH}.{k}={v}" for k, v in parameters.items()]
        compiler = process.find_tool("iverilog")
        build: list[str | Path] = [compiler, "-g2012", "-s", vhdl.TESTBENCH, *defines, "-o", "an.vvp", *names]
        return build, [process.find_tool("vvp"), "-n", "an.vvp"]
    for needed in ("make", "g++"):
        process.find_tool(needed)
    generics = [f"-G{k}={v}" for k, v in parameters.items()]
    build = [
        process.find_tool("verilator"),
        "--binary",
        "--timing",
        "-Wno-fatal",
        "-Wno-lint",
        "-O3",
        "--top-module",
        vhdl.TESTBENCH,
        *generics,
        "-CFLAGS",
        "-O1",
        "--Mdir",
        "obj",
        *names,
    ]
    return build, [Path("obj") / f"V{vhdl.TESTBENCH}"]


def _inputs(network: QuantizedNetwork, plan: Plan, x: Ints) -> str:
    """One beat per line in hexadecimal, the first value in the low bits."""
    bits, per_beat = text.lane_bits(network.layers[0].x.bits), plan.layers[0].inputs
    digits, mask = per_beat * bits // 4, (1 << bits) - 1
    lines = []
    for beat in x.reshape(-1, per_beat).tolist():
        word = 0
        for v in reversed(beat):
            word = word << bits | (v & mask)
        lines.append(f"{word:0{digits}x}\n")
    return "".join(lines)


def _outputs(path: Path, network: QuantizedNetwork) -> Ints:
    """(N * n_out, 3): value, class, last; undefined digits make an impossible value."""
    bits = text.lane_bits(network.layers[-1].y.bits)
    rows = []
    written = path.read_text(encoding="ascii", errors="replace") if path.exists() else ""
    for line in written.splitlines():
        words = line.split()
        if len(words) != 3:  # cut short: what follows is missing too, and the count says so
            break
        rows.append((_hex(words[0], bits), _hex(words[1], 0), _hex(words[2], 0)))
    return np.array(rows, dtype=np.int64).reshape(-1, 3)


def _hex(text: str, bits: int) -> int:
    try:
        value = int(text, 16)
    except ValueError:
        return _IMPOSSIBLE
    if not 0 <= value < _IMPOSSIBLE:
        return _IMPOSSIBLE
    return value - (1 << bits) if bits and value >> (bits - 1) & 1 else value
