"""The proof: GHDL and netlist simulators run the design, and every output is compared.

The integer network says what must come out; nothing here trusts the testbench's own verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from analognet import process
from analognet.digital import tools, vcd, vhdl
from analognet.digital.fixedpoint import Ints
from analognet.digital.quantized import QuantizedNetwork
from analognet.digital.schedule import Plan
from analognet.errors import SimulatorError
from analognet.names import printable

STALLS = 30  # percent of cycles in which source or sink pause
CYCLE_VECTORS = 4  # vectors of the run that measures cycles
IEEE_QUIET = "--ieee-asserts=disable"  # numeric_std warns of values undefined before the first vector


@dataclass(frozen=True)
class Mismatch:
    """The first place where hardware and reference part. `layer` is an index, or `argmax`."""

    vector: int
    layer: int | str
    neuron: int
    bit: int
    got: int
    expected: int

    def __str__(self) -> str:
        where = self.layer if isinstance(self.layer, str) else f"layer {self.layer}"
        return (
            f"vector {self.vector}: {where}, neuron {self.neuron}, bit {self.bit}: "
            f"{self.got} in the hardware, {self.expected} in the integer reference"
        )


@dataclass(frozen=True)
class Verification:
    """What a run proved: `mismatches` of `outputs`, and the cycles of an undisturbed run."""

    vectors: int
    outputs: int
    mismatches: int
    first: Mismatch | None
    cycles: int
    interval: int | None  # None with a single vector
    wall_s: float


@dataclass(frozen=True, eq=False)
class Run:
    """Outputs (N, n_out) and classes (N,) of one simulation; cycles (N, 2) of first and last beat."""

    outputs: Ints
    classes: Ints
    cycles: Ints
    wall_s: float


def expected(network: QuantizedNetwork, x: Ints) -> Ints:
    """(N, n_out + 1): the outputs of the integer reference, then the class."""
    return np.column_stack([network(x), network.classes(x)])


def write_vectors(directory: Path, network: QuantizedNetwork, x: Ints) -> None:
    """inputs.txt and expected.txt for the VHDL testbench."""
    (directory / "inputs.txt").write_text(vhdl.vectors(x))
    (directory / "expected.txt").write_text(vhdl.vectors(expected(network, x)))


class GhdlBench:
    """A design analysed and elaborated once, to be run several times, in a temporary directory.

    files: the design as `vhdl.render` gives it. Use as a context manager.
    """

    def __init__(self, files: Mapping[str, str], network: QuantizedNetwork, plan: Plan) -> None:
        self.network, self.plan = network, plan
        self.ghdl = process.find_tool("ghdl")
        self._temporary = TemporaryDirectory(prefix="analognet-ghdl-")
        self.directory = Path(self._temporary.name)
        bench = vhdl.render_testbench(network, plan, 1)
        for name, text in {**files, "an_tb.vhd": bench["an_tb.vhd"]}.items():
            (self.directory / name).write_text(text)
        (self.directory / "work").mkdir()
        order = [*vhdl.render_order(len(network.layers)), "an_tb.vhd"]
        self._call("-a", *order)
        self._call("-e", vhdl.TESTBENCH)

    def __enter__(self) -> GhdlBench:
        return self

    def __exit__(self, *_: object) -> None:
        self._temporary.cleanup()

    def _call(self, verb: str, *arguments: str) -> process.Finished:
        argv: list[str | Path] = [self.ghdl, verb, "--std=08", "--workdir=work", *arguments]
        return tools.call(argv, self.directory, tools.SIMULATION_S)

    def run(self, x: Ints, stalls: int, seed: int, dump: str | None = None) -> Run:
        """Simulate the vectors x (N, n_in), integers of the input format.

        Raises SimulatorError where the simulation itself fails; wrong outputs are an answer.
        """
        write_vectors(self.directory, self.network, x)
        for old in ("outputs.txt", "cycles.txt"):
            (self.directory / old).unlink(missing_ok=True)
        argv: list[str | Path] = [self.ghdl, "-r", "--std=08", "--workdir=work", vhdl.TESTBENCH, IEEE_QUIET]
        argv += [f"-gG_VECTORS={len(x)}", f"-gG_STALLS={stalls}", f"-gG_SEED={seed}"]
        if dump:
            argv.append(f"--vcd={dump}")
        done = process.run(argv, cwd=self.directory, timeout_s=tools.SIMULATION_S)
        tools.check_end(done, "ghdl", tools.SIMULATION_S, self.directory)
        try:
            rows = _read_ints(self.directory / "outputs.txt")
            cycles = _read_ints(self.directory / "cycles.txt")
        except SimulatorError as e:
            raise tools.failure(str(e), "ghdl", self.directory) from None
        if rows.shape != (len(x), self.network.n_out + 1) or cycles.shape != (len(x), 2):
            words = [w for w in (done.stdout + done.stderr).splitlines() if "error" in w or "failure" in w]
            told = printable(" / ".join(words[:2]), 400)
            fault = f"ghdl stopped after {len(rows)} of {len(x)} vectors: {told}"
            raise tools.failure(fault, "ghdl", self.directory)
        return Run(rows[:, :-1], rows[:, -1], cycles, done.wall_s)

    def synthesised(self) -> str:
        """The Verilog netlist that GHDL makes of the design."""
        done = self._call("--synth", "--out=verilog", vhdl.TOP)
        if "module an_top" not in done.stdout:
            raise tools.failure("ghdl --synth wrote no module an_top", "ghdl", self.directory)
        return done.stdout


def verify(bench: GhdlBench, x: Ints, *, stalls: int = STALLS, seed: int = 1) -> Verification:
    """Simulate x (N, n_in) with random back-pressure and compare every output and class.

    A first run of a few vectors without pauses gives cycles and interval. Raises
    SimulatorError where the simulation does not end.
    """
    free = bench.run(x[:CYCLE_VECTORS], 0, seed)
    run = bench.run(x, stalls, seed)
    wanted = expected(bench.network, x)
    got = np.column_stack([run.outputs, run.classes])
    wrong = got != wanted
    free_wrong = np.column_stack([free.outputs, free.classes]) != wanted[: len(free.outputs)]
    wrong[: len(free_wrong)] |= free_wrong
    first = None
    if wrong.any():
        first = locate(bench, x, int(np.argmax(wrong.any(axis=1))), stalls, seed)
    ends = free.cycles[:, 1]
    return Verification(
        vectors=len(x),
        outputs=int(wrong.size),
        mismatches=int(wrong.sum()),
        first=first,
        cycles=int(free.cycles[0, 1] - free.cycles[0, 0] + 1),
        interval=int(ends[-1] - ends[-2]) if len(ends) > 1 else None,
        wall_s=free.wall_s + run.wall_s,
    )


def locate(bench: GhdlBench, x: Ints, vector: int, stalls: int, seed: int) -> Mismatch | None:
    """The first layer, neuron and bit that differ for a vector that comes out wrong.

    The vector is simulated alone, and where it then comes out right, all that led up to it.
    Answers None where no stream between the layers differs.
    """
    for start in (vector, 0):
        some = x[start : vector + 1]
        bench.run(some, stalls, seed, dump="trace.vcd")
        streams = _streams(bench, bench.directory / "trace.vcd")
        for layer, reference in enumerate(bench.network.trace(some)):
            got = streams[layer]
            for at, (g, e) in enumerate(zip(got, reference.reshape(-1).tolist(), strict=False)):
                if g != e:
                    differ = (g ^ e) & ((1 << bench.network.layers[layer].y.bits) - 1)
                    row, neuron = divmod(at, bench.network.layers[layer].n_out)
                    return Mismatch(start + row, layer, neuron, (differ & -differ).bit_length() - 1, g, e)
        run = _read_ints(bench.directory / "outputs.txt")[:, -1]
        for row, (g, e) in enumerate(zip(run.tolist(), bench.network.classes(some).tolist(), strict=True)):
            if g != e:
                differ = g ^ e
                return Mismatch(start + row, "argmax", 0, (differ & -differ).bit_length() - 1, g, e)
    return None


def _streams(bench: GhdlBench, dump: Path) -> list[list[int]]:
    """What passed out of each layer, value by value, in one simulation."""
    count = len(bench.network.layers)
    names = [f"s_{k}_{part}" for k in range(1, count + 1) for part in ("data", "valid", "ready")]
    rows = vcd.sample(dump, "aclk", names)
    out: list[list[int]] = []
    for k, (layer, shape) in enumerate(zip(bench.network.layers, bench.plan.layers, strict=True), start=1):
        values: list[int] = []
        for row in rows:
            if row[f"s_{k}_valid"] == "1" and row[f"s_{k}_ready"] == "1":
                word = row[f"s_{k}_data"].rjust(shape.emit * layer.y.bits, "0")
                for e in range(shape.emit):
                    stop = len(word) - e * layer.y.bits
                    values.append(_signed(word[stop - layer.y.bits : stop]))
        out.append(values)
    return out


def _signed(digits: str) -> int:
    """A two's complement number; undefined digits count as 0, which differs somewhere at once."""
    clean = "".join(d if d in "01" else "0" for d in digits)
    return int(clean, 2) - (int(clean[0]) << len(clean))


def _read_ints(path: Path) -> Ints:
    if not path.exists() or not path.stat().st_size:
        return np.zeros((0, 0), dtype=np.int64)
    rows = [line.split() for line in path.read_text(encoding="ascii", errors="replace").splitlines()]
    width = max(map(len, rows), default=0)
    try:
        return np.array([row for row in rows if len(row) == width], dtype=np.int64)
    except (ValueError, OverflowError) as e:
        raise SimulatorError(f"ghdl's {path.name} is no table of integers: {printable(e)}") from None
