"""Long runs, killed with SIGKILL at random moments and gone on with: the end must be that of a run left alone.

`python tests/killing.py WORK KILLS SEED` prints what it found as JSON. A run is a child of this process,
forked after all is imported, so that a kill meets the work and not Python's start.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import corpus
import numpy as np
from conftest import EXAMPLES

from analognet import locks, storage
from analognet.analog.montecarlo import monte_carlo
from analognet.analog.variation import default_spread
from analognet.cli import app
from analognet.data import load_data
from analognet.design import open_design

IRIS = str(EXAMPLES / "iris" / "iris.safetensors")
SWEEP = "opamp=opa4192,tlv9154;r_f=10e3,20e3"
COMMON = ("--data", "data.npz", "--jobs", "2", "--seed", "1")


@dataclass(frozen=True)
class Work:
    """argv: the command, run in a directory that holds data.npz and the design `d`; kept: where its
    pieces are; ends: what it leaves, compared byte by byte.
    """

    argv: tuple[str, ...]
    kept: str
    ends: tuple[str, ...]


WORKS = {
    "boards": Work(
        ("simulate", "d", *COMMON, "--engine", "solver", "--monte-carlo", "24"),
        "d/monte_carlo/*.piece",
        ("d/simulate.json", "d/monte_carlo/*.piece", "d/monte_carlo.png"),
    ),
    "few boards": Work(  # by the library, without the command line and its figures
        ("study",),
        "d/monte_carlo/*.piece",
        ("d/study.json", "d/monte_carlo/*.piece"),
    ),
    "sweep": Work(
        ("simulate", "d", *COMMON, "--sweep", SWEEP, "--images", "5"),
        "d/sweep/*.piece",
        ("d/sweep/*.piece", "d/sweep.png"),
    ),
    "transitions": Work(
        ("simulate", "d", *COMMON, "--images", "5", "--transient", "30"),
        "d/transient/*.piece",
        ("d/simulate.json",),
    ),
    "vhdl-sweep": Work(
        ("vhdl-sweep", IRIS, "--data", "data.npz", "--bits", "4,6", "--lanes", "1", "--clock", "50"),
        "cache/analognet/synthesis/*.json",
        ("sweep.svg",),
    ),
}


def arrange(place: Path, model: Path) -> None:
    """The directory of one run."""
    place.mkdir()
    shutil.copytree(model, place / "d")
    rng = np.random.default_rng(0)
    np.savez(place / "data.npz", x=rng.uniform(0, 1, (40, 4)), y=rng.integers(0, 3, 40))


def start(place: Path, work: Work) -> int:
    """Fork a child that does the work in its directory; its process id."""
    child = os.fork()
    if child:
        return child
    code = 99
    try:
        os.setsid()
        os.chdir(place)
        tempfile.tempdir = str(place / "tmp")
        (place / "tmp").mkdir(exist_ok=True)
        os.environ["XDG_CACHE_HOME"] = str(place / "cache")
        with (
            (place / "log").open("w") as log,
            contextlib.redirect_stderr(log),
            contextlib.redirect_stdout(log),
        ):
            code = study() if work.argv == ("study",) else app.run(list(work.argv))
    finally:
        os._exit(code)


def study() -> int:
    """Monte Carlo on few boards by the library."""
    with locks.locked(Path("d")):
        design = open_design(Path("d"))
        locks.clear(Path("d"))
        data = load_data("data.npz", 4, 3)
        assert data.y is not None
        found = monte_carlo(
            design,
            data.x,
            data.y,
            48,
            1,
            default_spread(design),
            sensitivity_boards=0,
            checkpoint=Path("d/monte_carlo"),
        )
        storage.write_file(Path("d/study.json"), storage.to_json(found.accuracy.tolist()).encode())
    return 0


def finish(place: Path, work: Work) -> float:
    """Do the work to its end; seconds it took. Raises AssertionError where it fails."""
    began = time.monotonic()
    code = os.waitstatus_to_exitcode(os.waitpid(start(place, work), 0)[1])
    assert code == 0, (code, (place / "log").read_text()[-500:])
    return time.monotonic() - began


def result(place: Path, work: Work) -> dict[str, str]:
    """Digests of what the work leaves; times that were measured on the processor left out."""
    found = {}
    for pattern in work.ends:
        for path in sorted(place.glob(pattern)):
            data = path.read_bytes()
            if path.suffix == ".json":
                data = re.sub(rb'"cpu_s[a-z_]*": [0-9.e-]+', b"", data)
            found[str(path.relative_to(place))] = hashlib.sha256(data).hexdigest()
    assert len(found) >= len(work.ends), found
    return found


def orphans(place: Path, session: int) -> list[str]:
    """Processes that a killed run left: of its session, or with its directory in their environment."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            mine = int(fields[3]) == session or os.fsencode(place) in (entry / "environ").read_bytes()
            if mine and fields[0] != "Z" and int(entry.name) != os.getpid():
                found.append(f"{entry.name} {(entry / 'cmdline').read_bytes()[:80]!r}")
    return found


def _ended(child: int) -> bool:
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def kill(name: str, kills: int, seed: int, root: Path) -> dict[str, object]:
    """Kill so many runs, each in a directory of its own, go on with each, and compare."""
    work, rng = WORKS[name], random.Random(seed)
    with corpus.quietly():
        assert app.run(["convert", IRIS, f"--out={root / 'model'}"]) == 0
    whole = root / "whole"
    arrange(whole, root / "model")
    seconds = finish(whole, work)
    wanted = result(whole, work)
    same = partial = late = left = 0
    moments = []
    while same < kills and late < 10 * kills:
        place = root / f"run{same + late}"
        arrange(place, root / "model")
        child, began = start(place, work), time.monotonic()
        if same % 2:  # with work half done for certain, however fast the machine is at the time
            while not list(place.glob(work.kept)) and not _ended(child):
                time.sleep(0.01)
            time.sleep(rng.uniform(0.0, 0.05) * seconds)
        else:  # at random within as many equal parts of the run
            time.sleep((same + rng.uniform(0.02, 0.98)) / kills * seconds)
        moment = time.monotonic() - began
        os.kill(child, signal.SIGKILL)
        if os.WIFEXITED(os.waitpid(child, 0)[1]):  # it was done before
            late += 1
            seconds *= 0.9  # the machine is faster now than it was at first
            shutil.rmtree(place)
            continue
        moments.append(round(moment, 2))
        partial += bool(list(place.glob(work.kept)))
        for _ in range(100):
            if not (alive := orphans(place, child)):
                break
            time.sleep(0.05)
        left += bool(alive)
        finish(place, work)
        assert result(place, work) == wanted, (name, moment, place)
        assert not list((place / "d").rglob(".*.part")), "half a file is left"
        same += 1
        shutil.rmtree(place)
    return {
        "work": name,
        "kills": len(moments),
        "identical": same,
        "with pieces on disk": partial,
        "left processes running": left,
        "seconds undisturbed": round(seconds, 2),
        "moments": moments,
    }


def main() -> int:
    name, kills, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    with tempfile.TemporaryDirectory(prefix="analognet-kills-") as place:
        print(json.dumps(kill(name, kills, seed, Path(place))))
    return 0


if __name__ == "__main__":
    # threads do not survive a fork; and what is imported late would be imported in every child
    if sys.argv[1] != "few boards":
        import analognet.plots
        import analognet.plots_choice
        import analognet.plots_time  # noqa: F401

    sys.exit(main())
