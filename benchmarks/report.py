"""How long a report takes: from nothing, and again with nothing changed.

python benchmarks/report.py [--only digits-quick,digits,mnist] [--technology board]

Each is `analognet compare` in a process of its own, with an empty cache for results and synthesis; the
compiled tools of the digital flow are kept, as in an install that was used before. MNIST comes from
the directory that ANALOGNET_DATA names.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
# name -> model, data, further options, seconds that are allowed for the first run
RUNS = {
    "digits-quick": ("digits", "digits", ["--quick"], 120.0),
    "digits": ("digits", "digits", [], 900.0),
    "mnist": ("mnist", "mnist", [], 3600.0),
}
AGAIN_S = 5.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(RUNS))
    parser.add_argument("--technology", default="board")
    given = parser.parse_args()
    used = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "analognet" / "yowasp"
    print(f"{os.cpu_count()} cores\n")
    print(f"{'':14}{'first, s':>10}{'allowed':>9}{'load':>7}{'again, s':>10}{'HTML, kB':>10}{'gaps':>6}")
    for name in given.only.split(","):
        model, data, options, allowed = RUNS[name]
        with tempfile.TemporaryDirectory() as temporary:
            place = Path(temporary)
            (place / "analognet").mkdir()
            if used.is_dir():
                (place / "analognet" / "yowasp").symlink_to(used)
            path = ROOT / "examples" / model / f"{model}.safetensors"
            command = ["compare", str(path), "--data", data, "--technology", given.technology, *options]
            first, gaps = run([*command, "--out", str(place / "report")], place)
            load = os.getloadavg()[1] if hasattr(os, "getloadavg") else float("nan")
            page = (place / "report" / "report.html").read_bytes()
            again, _ = run([*command, "--out", str(place / "report")], place)
            same = page == (place / "report" / "report.html").read_bytes()
            told = "" if same else "  DIFFERENT BYTES"
            print(
                f"{name:14}{first:10.1f}{allowed:9.0f}{load:7.1f}{again:10.1f}{len(page) / 1e3:10.0f}{gaps:6}{told}"
            )


def run(words: list[str], cache: Path) -> tuple[float, int]:
    """(wall seconds, gaps) of one command."""
    code = "from analognet.cli import main; main()"
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, *words],
        env=os.environ | {"XDG_CACHE_HOME": str(cache)},
        capture_output=True,
        text=True,
        check=False,
    )
    took = time.monotonic() - began
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} ended with {done.returncode}: {done.stderr[-500:]}")
    return took, done.stderr.count("\ngap: ") + done.stderr.startswith("gap: ")


if __name__ == "__main__":
    main()
