"""Fuzz for a number of seconds: `python tests/fuzz/run.py SECONDS [TARGET ...] [--out DIR]`.

Each target runs in a process of its own with bounded memory and time an input; one that dies is a
finding and is started again for what is left of its time. Prints executions and findings as
JSON; ends in code 1 where there are findings.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
import time
import traceback
from pathlib import Path

HERE = Path(__file__).parent
NAMES = ("model", "onnx", "parts", "data", "results", "directory")
INPUT_S = 20  # one input may take
MEMORY_MB = 3072
LENGTH = 8192  # bytes of an input


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seconds", type=float)
    parser.add_argument("targets", nargs="*", metavar="target", help=f"default: {' '.join(NAMES)}")
    parser.add_argument("--out", type=Path, default=Path("fuzz"))
    parser.add_argument("--child", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        fuzz(chosen.child, chosen.out, chosen.seconds)
        return 0
    names = chosen.targets or list(NAMES)
    if unknown := sorted(set(names) - set(NAMES)):
        parser.error(f"unknown targets: {', '.join(unknown)}; there are {', '.join(NAMES)}")
    report = {name: campaign(name, chosen.out / name, chosen.seconds / len(names)) for name in names}
    print(json.dumps(report, indent=1))
    return 1 if any(r["findings"] for r in report.values()) else 0


def campaign(name: str, out: Path, seconds: float) -> dict[str, object]:
    """Run one target for so long; restart it where it dies."""
    out = out.resolve()
    (out / "findings").mkdir(parents=True, exist_ok=True)
    end, executions, starts = time.monotonic() + seconds, 0, 0
    while (left := end - time.monotonic()) > 1 or not starts:
        starts += 1
        argv = [sys.executable, __file__, str(max(1, left)), "--child", name, "--out", str(out)]
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=out)
        text = done.stdout.decode("utf-8", errors="replace")
        counts = [int(n) for n in re.findall(r"^#(\d+)\s", text, re.MULTILINE)]
        counts += [int(n) for n in re.findall(r"number_of_executed_units: (\d+)", text)]
        executions += max(counts, default=0)
        if done.returncode != 0:  # a time-out, too much memory, or a crash: libFuzzer kept the input
            if "INITED" not in text:
                raise SystemExit(f"target {name} did not start:\n{text[-2000:]}")
            words = re.findall(r"SUMMARY: (.*)|ERROR: (.*)", text)
            said = " ".join(w for pair in words for w in pair if w)[:200] or text[-400:]
            place = out / "findings" / f"died-{hashlib.sha256(said.encode()).hexdigest()[:8]}.txt"
            place.write_text(text[-4000:])
    found = sorted(p.name for p in (out / "findings").glob("*.txt"))
    return {"seconds": round(seconds), "executions": executions, "starts": starts, "findings": found}


def fuzz(name: str, out: Path, seconds: float) -> None:
    """In the child: libFuzzer's loop. Does not come back."""
    import atheris

    with atheris.instrument_imports(include=["analognet", "tomllib"]):
        sys.path.insert(0, str(HERE))
        import targets

        from analognet.errors import AnalogNetError
    target = targets.TARGETS[name]
    corpus = out / "corpus"
    corpus.mkdir(exist_ok=True)
    for i, seed in enumerate(targets.seeds(name)):
        (corpus / f"seed{i}").write_bytes(seed)
    seen: set[str] = set()

    def one(data: bytes) -> None:
        try:
            target(data)
        except AnalogNetError as e:
            if "\x1b" in str(e) or len(str(e)) > 4000:
                _keep(out, seen, data, f"message not fit to print: {ascii(str(e))[:300]}", "message")
        except Exception as e:
            frames = [f for f in traceback.extract_tb(e.__traceback__) if "/analognet/" in f.filename]
            where = (
                f"{type(e).__name__} {Path(frames[-1].filename).name}:{frames[-1].lineno}"
                if frames
                else repr(e)
            )
            _keep(out, seen, data, traceback.format_exc(), where)

    flags = [f"-max_total_time={int(seconds)}", f"-timeout={INPUT_S}", f"-rss_limit_mb={MEMORY_MB}"]
    flags += [f"-max_len={LENGTH}", f"-artifact_prefix={out}/findings/", "-print_final_stats=1", "-seed=1"]
    atheris.Setup([sys.argv[0], *flags, str(corpus)], one)
    try:
        atheris.Fuzz()
    finally:
        targets.clean_up()


def _keep(out: Path, seen: set[str], data: bytes, text: str, where: str) -> None:
    """Keep the first input for each place that failed."""
    if where in seen:
        return
    seen.add(where)
    stem = out / "findings" / re.sub(r"[^A-Za-z0-9_.]+", "-", where)[:80]
    stem.with_name(stem.name + ".bin").write_bytes(data)
    stem.with_name(stem.name + ".txt").write_text(f"{where}\n\n{text}")


if __name__ == "__main__":
    sys.exit(main())
