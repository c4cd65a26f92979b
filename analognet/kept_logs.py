"""What failed programs printed, kept where a person can read it when their directory is gone."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from analognet.names import file_stem, printable

KEPT: Final = 20  # failures; the oldest goes
TAIL: Final = 256 << 10  # bytes of a log that are kept, from its end
GIVEN_LIMIT: Final = 4 << 20  # bytes of a file the program was given, such as a deck


def cache_directory() -> Path:
    """Where results and compiled tools are kept: `$XDG_CACHE_HOME/analognet` or `~/.cache/analognet`."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "analognet"


def keep_logs(cwd: Path, program: str, given: Sequence[str] = ()) -> str:
    """Keep the logs of a program that failed in `cwd`, and the named files it was given.

    They go to `logs/` in the cache directory, readable by their owner alone, under a name made of
    their content, so that the same failure is kept once. Answers words for the end of a message:
    where they are, or why they could not be kept. Never raises.
    """
    try:
        files = {name: _tail(cwd / name, TAIL) for name in ("stdout.log", "stderr.log")}
        for name in given:
            if (cwd / name).is_file() and (cwd / name).stat().st_size <= GIVEN_LIMIT:
                files[name] = (cwd / name).read_bytes()
        digest = hashlib.sha256(b"\0".join(files.values())).hexdigest()[:12]
        root = cache_directory() / "logs"
        place = root / f"{file_stem(program, 'program')}-{digest}"
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name, data in files.items():
            (place / name).write_bytes(data)
        os.utime(place)
        for old in sorted(root.iterdir(), key=lambda p: p.stat().st_mtime)[:-KEPT]:
            shutil.rmtree(old, ignore_errors=True)
    except (OSError, RuntimeError) as e:  # the latter from a user without a home
        return f"; its log could not be kept: {printable(e)}"
    return f"; its log is kept in {printable(place, 1000)}"


def _tail(path: Path, limit: int) -> bytes:
    if not path.is_file():
        return b""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - limit))
        return file.read(limit)
