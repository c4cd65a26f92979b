"""Running ngspice, and believing it only where it can be believed.

Its exit code is no verdict: it is 0 after a singular matrix or a truncated raw file. A run
counts as a success only if it ended by itself, its raw file is complete, every vector asked
for is there and finite, and no warning says that the matrix was singular.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from analognet import process
from analognet.errors import SimulatorError
from analognet.kept_logs import keep_logs
from analognet.names import printable
from analognet.network import Array

_FAULTS = re.compile(
    r"singular matrix|timestep too small|no convergence|iteration limit|fatal error|doanalyses:|aborted"
    r"|overflow|unknown subckt|incomplete or empty netlist|can't find model|undefined|not a valid|too few",
    re.IGNORECASE,
)
_STEPPING_FAILED = re.compile(r"(gmin|source) stepping failed", re.IGNORECASE)
_REACHED = re.compile(r"Reference value :\s*([0-9]{1,9}(?:\.[0-9]{1,9})?(?:e\+?[0-9]{1,2})?)[\r\n]")
# how a raw file names the analysis that a plot is of
OP, DC, AC, NOISE, TRAN = (
    "Operating Point",
    "DC transfer characteristic",
    "AC Analysis",
    "Noise Spectral Density Curves",
    "Transient Analysis",
)
_QUOTED = 600  # characters of ngspice's own words in an error
_RAW_LIMIT = 2 << 30  # bytes of a result
Found = TypeVar("Found")


@dataclass(frozen=True)
class SpiceRun:
    """vectors: name -> (points,) values; cpu_s: ngspice's processor time; log: what it printed."""

    vectors: dict[str, Array]
    cpu_s: float
    wall_s: float
    log: str


def run_deck(
    deck: str,
    wanted: Sequence[str],
    *,
    timeout_s: float = 600.0,
    points: int | None = None,
    files: Mapping[str, str] | None = None,
    everything: bool = False,
    on_point: Callable[[int], None] | None = None,
) -> SpiceRun:
    """Run one deck with one analysis in a fresh directory and read its raw file.

    wanted: the vectors that must be there (`v(y0)`, `i(vdd)`); points: how many values each
    must have, where that is known; files: what lies beside the deck, a `.spiceinit` among them or
    none is read; everything: answer all that the raw file holds, not just what is wanted;
    on_point: called now and then with the sweep value reached.
    Raises ToolMissing, or SimulatorError with ngspice's words.
    """

    def believe(raw: bytes, log: str) -> dict[str, Array]:
        vectors = parse_raw(raw)
        found = _checked(vectors, wanted, log, points)
        return vectors if everything else found

    vectors, done = _run(deck, timeout_s, files, on_point, believe)
    return SpiceRun(vectors, done.cpu_s, done.wall_s, done.stdout + done.stderr)


def run_analyses(
    deck: str,
    wanted: Mapping[str, Sequence[str]],
    *,
    timeout_s: float = 600.0,
    files: Mapping[str, str] | None = None,
) -> dict[str, dict[str, Array]]:
    """Run one deck with several analyses, at most one of each kind: plot -> vector -> values.

    wanted: the vectors that must be in each plot, by its name (`OP`, `DC`, ...); files as for
    `run_deck`. Raises what `run_deck` raises.
    """

    def believe(raw: bytes, log: str) -> dict[str, dict[str, Array]]:
        plots = dict(parse_plots(raw))
        missing = [name for name in wanted if name not in plots]
        if missing:
            raise SimulatorError(f"ngspice left out its {', '.join(missing)}: {_words(log)}")
        return {name: _checked(plots[name], vectors, log) for name, vectors in wanted.items()}

    return _run(deck, timeout_s, files, None, believe)[0]


def _run(
    deck: str,
    timeout_s: float,
    files: Mapping[str, str] | None,
    on_point: Callable[[int], None] | None,
    believe: Callable[[bytes, str], Found],
) -> tuple[Found, process.Finished]:
    """Run a deck; what `believe` makes of its raw file and its words. Where it cannot be believed the
    deck and what ngspice said are kept. Raises ToolMissing, SimulatorError.
    """
    program = process.find_tool("ngspice")
    with tempfile.TemporaryDirectory(prefix="analognet-") as name:
        directory = Path(name)
        (directory / "deck.cir").write_text(deck, encoding="ascii")
        for file, text in (files or {}).items():
            (directory / file).write_text(text, encoding="ascii")
        settings = [] if files and ".spiceinit" in files else ["-n"]
        done = process.run(
            [program, "-b", *settings, "-r", "out.raw", "deck.cir"],
            cwd=directory,
            timeout_s=timeout_s,
            file_bytes=_RAW_LIMIT,
            on_output=None if on_point is None else lambda tail: _report(tail, on_point),
        )
        try:
            return _trusted(done, directory / "out.raw", believe), done
        except SimulatorError as e:
            raise SimulatorError(f"{e}{keep_logs(directory, 'ngspice', ['deck.cir'])}") from None


def _trusted(done: process.Finished, raw: Path, believe: Callable[[bytes, str], Found]) -> Found:
    """What `believe` makes of a run that ended by itself and complained of nothing. Raises SimulatorError."""
    log = done.stdout + done.stderr
    if done.fault:
        raise SimulatorError(f"ngspice {done.fault}: {_words(log)}")
    if fault := fault_in(log):
        raise SimulatorError(f"ngspice: {fault}")
    if raw.is_symlink() or not raw.is_file():
        raise SimulatorError(f"ngspice ended with code {done.returncode} and wrote no result: {_words(log)}")
    return believe(raw.read_bytes(), log)


def _checked(
    vectors: Mapping[str, Array], wanted: Sequence[str], log: str, points: int | None = None
) -> dict[str, Array]:
    """The wanted vectors, all there and finite. Raises SimulatorError."""
    missing = [w for w in wanted if w.lower() not in vectors]
    if missing:
        raise SimulatorError(f"ngspice left out {', '.join(missing[:5])} of its result: {_words(log)}")
    found = {w: vectors[w.lower()] for w in wanted}
    for vector, values in found.items():
        if points is not None and len(values) != points:
            raise SimulatorError(f"ngspice gave {len(values)} of {points} points: {_words(log)}")
        if not np.isfinite(values).all():
            raise SimulatorError(f"ngspice gave values of {vector} that are not finite: {_words(log)}")
    return found


def _report(tail: str, on_point: Callable[[int], None]) -> None:
    """ngspice says ` Reference value :  1.04000e+02` a few times a second while it sweeps."""
    values = _REACHED.findall(tail)
    if values:
        on_point(int(float(values[-1])))


def fault_in(log: str) -> str | None:
    """The first line of ngspice's output that says the result is not to be trusted, if there is one."""
    # the title may hold any word: it names the technology
    lines = [line for line in log.splitlines() if not line.startswith("Circuit:")]
    last_chance_failed = any(_STEPPING_FAILED.search(line) for line in lines)
    for line in lines:
        if _FAULTS.search(line) and not _STEPPING_FAILED.search(line):
            # a singular matrix that a stepping method then overcame is named all the same
            return printable(line.strip(), _QUOTED)
    if last_chance_failed and "No. of Data Rows" not in log:
        return "no operating point: gmin and source stepping failed"
    return None


def _words(log: str) -> str:
    """The telling end of ngspice's output, safe to show."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    telling = [line for line in lines if re.search(r"error|warning|fail|can't|unknown", line, re.IGNORECASE)]
    return printable(" | ".join((telling or lines)[-6:]), _QUOTED) or "it printed nothing"


def parse_raw(data: bytes) -> dict[str, Array]:
    """Read ngspice's binary raw format: name (lower case) -> (points,) values.

    An analysis may write several plots one after another (`.noise`: spectra, then totals); their
    vectors come back together. Complex vectors come back complex. Raises SimulatorError for
    anything incomplete.
    """
    return {name: values for _, vectors in parse_plots(data) for name, values in vectors.items()}


def parse_plots(data: bytes) -> list[tuple[str, dict[str, Array]]]:
    """Read ngspice's binary raw format plot by plot: (the analysis it is of, its vectors)."""
    plots: list[tuple[str, dict[str, Array]]] = []
    while data or not plots:
        name, vectors, data = _parse_plot(data)
        plots.append((name, vectors))
    return plots


def _parse_plot(data: bytes) -> tuple[str, dict[str, Array], bytes]:
    """The first plot's name and vectors, and the bytes behind it."""
    head, marker, body = data.partition(b"Binary:\n")
    if not marker:
        raise SimulatorError("ngspice's raw file is incomplete: it has no 'Binary:' part")
    fields: dict[str, str] = {}
    names: list[str] = []
    in_variables = False
    for line in head.decode("utf-8", errors="replace").splitlines():
        if in_variables:
            words = line.split()
            if len(words) < 3:
                raise SimulatorError(f"ngspice's raw file has a broken variable line: {printable(line)}")
            names.append(words[1].lower())
        elif line.startswith("Variables:"):
            in_variables = True
        else:
            key, _, value = line.partition(":")
            fields[key.strip()] = value.strip()
    try:
        n_variables, n_points = int(fields["No. Variables"]), int(fields["No. Points"])
    except (KeyError, ValueError):
        raise SimulatorError("ngspice's raw file has no counts of variables and points") from None
    dtype = np.dtype(np.complex128 if "complex" in fields.get("Flags", "") else np.float64)
    if n_points <= 0 or len(names) != n_variables or len(set(names)) != len(names):
        raise SimulatorError(
            f"ngspice's raw file has {n_points} points and {len(names)} of {n_variables} variables"
        )
    size = n_points * n_variables * dtype.itemsize
    if len(body) < size or not (len(body) == size or body[size:].startswith(b"Title:")):
        raise SimulatorError(
            f"ngspice's raw file is truncated: {len(body)} bytes for {n_points} points of {n_variables} variables"
        )
    table = np.frombuffer(body[:size], dtype=dtype).reshape(n_points, n_variables)
    vectors: dict[str, Array] = {name: np.ascontiguousarray(table[:, k]) for k, name in enumerate(names)}
    if "frequency" in vectors:  # in a complex plot ngspice leaves its imaginary part to whatever memory held
        vectors["frequency"] = np.ascontiguousarray(vectors["frequency"].real)
    return fields.get("Plotname", ""), vectors, body[size:]
