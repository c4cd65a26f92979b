"""How long a report takes: from nothing, and again with nothing changed.

python benchmarks/report.py [--only digits-quick,digits,mnist]

Each is `analognet compare` in a process of its own, with an empty cache for results, syntheses and tables of
a chip's cells; the compiled tools of the digital flow are kept, as in an install that was used before. Wall
time is that of a machine that does nothing else; processor time, of all programs together, says what it would
be. MNIST comes from the directory that ANALOGNET_DATA names.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Report:
    """What is compared; allowed_s: wall seconds on two cores."""

    model: str
    technologies: str
    options: tuple[str, ...]
    allowed_s: float


RUNS = {
    "digits-quick": Report("digits", "board,sky130", ("--quick",), 120.0),
    "digits": Report("digits", "board,sky130", (), 900.0),
    "mnist": Report("mnist", "board", (), 3600.0),
}
AGAIN_S = 5.0
HTML_BYTES = 2_000_000


@dataclass(frozen=True)
class Took:
    """One command: wall and processor seconds, and gaps that it told of."""

    wall_s: float
    cpu_s: float
    gaps: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(RUNS))
    given = parser.parse_args()
    print(f"{os.cpu_count()} cores; load: of the last 5 minutes\n")
    print(
        "| report | wall, s | allowed | processor, s | load | again, wall, s | processor, s | HTML, kB | gaps |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for name in given.only.split(","):
        with tempfile.TemporaryDirectory() as temporary:
            measure(name, Path(temporary))


def measure(name: str, place: Path) -> None:
    """Print a line of the table. Ends the program where two runs give different bytes."""
    run = RUNS[name]
    used = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "analognet" / "yowasp"
    (place / "analognet").mkdir()
    if used.is_dir():
        (place / "analognet" / "yowasp").symlink_to(used)
    model = f"examples/{run.model}/{run.model}.safetensors"
    command = ["compare", model, "--data", run.model, "--technology", run.technologies, *run.options]
    first = take([*command, "--out", str(place / "one")], place)
    load = os.getloadavg()[1] if hasattr(os, "getloadavg") else float("nan")
    again = take([*command, "--out", str(place / "two")], place)
    one, two = (contents(place / which) for which in ("one", "two"))
    if one != two:
        raise SystemExit(f"{name}: two runs differ in {[n for n in one if one.get(n) != two.get(n)]}")
    page = len(one["report.html"])
    late = [
        words
        for words, over in (
            (f"over {run.allowed_s:g} s", first.wall_s > run.allowed_s),
            (f"again over {AGAIN_S:g} s", again.wall_s > AGAIN_S),
            (f"page over {HTML_BYTES / 1e6:g} MB", page > HTML_BYTES),
        )
        if over
    ]
    figures = (f"{first.wall_s:.0f}", f"{run.allowed_s:.0f}", f"{first.cpu_s:.0f}", f"{load:.1f}")
    more = (f"{again.wall_s:.1f}", f"{again.cpu_s:.1f}", f"{page / 1e3:.0f}", str(first.gaps))
    print(f"| {name} | {' | '.join((*figures, *more))} | {', '.join(late)}".rstrip(" |") + " |", flush=True)


def take(words: list[str], cache: Path) -> Took:
    """Run one command with its own cache. Ends the program where it fails."""
    code = "from analognet.cli import main; main()"
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, *words],
        env=os.environ | {"XDG_CACHE_HOME": str(cache)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    took, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} ended with {done.returncode}: {done.stderr[-500:]}")
    spent = (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)
    return Took(took, spent, sum(line.startswith("gap: ") for line in done.stderr.splitlines()))


def contents(directory: Path) -> dict[str, bytes]:
    return {p.relative_to(directory).as_posix(): p.read_bytes() for p in directory.rglob("*") if p.is_file()}


if __name__ == "__main__":
    main()
