"""What the commands share: where they print, how they show progress, tables and errors."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from analognet.design import Design, open_design
from analognet.errors import InputError, UsageError
from analognet.metrics import FIGURES, Metrics, Value
from analognet.names import printable
from analognet.storage import write_file
from analognet.units import engineering as engineering

BUILD = Path("build")
LOG_PERIOD_S = 15.0
_LATEST = ".latest"  # a file in BUILD that names the design built last; no design's name has a dot

# markup off: brackets in foreign text are text. stdout is for results alone.
out = Console(markup=False, emoji=False, highlight=False, soft_wrap=True)
err = Console(stderr=True, markup=False, emoji=False, highlight=False, soft_wrap=True)


def say(message: str) -> None:
    """A message to the user, on stderr."""
    err.print(message)


def notes(lines: Sequence[str]) -> None:
    for line in lines:
        err.print(f"note: {line}")


@contextmanager
def progress(title: str, enabled: bool = True) -> Iterator[Callable[[int, int], None]]:
    """A progress bar with the time left, on stderr; a line now and then where that is no terminal."""
    if not (enabled and sys.stderr.isatty()):
        yield _lines(title) if enabled else lambda done, total: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _lines(title: str) -> Callable[[int, int], None]:
    """Progress for a log file: one line every `LOG_PERIOD_S`, none for short work."""
    said = time.monotonic()

    def advance(done: int, total: int) -> None:
        nonlocal said
        if time.monotonic() - said >= LOG_PERIOD_S:
            said = time.monotonic()
            err.print(f"{title}: {done} of {total}")

    return advance


def table(title: str, rows: Sequence[tuple[str, str]]) -> None:
    """Two columns on stdout."""
    grid = Table(title=title, title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column()
    for name, value in rows:
        grid.add_row(name, value)
    out.print(grid)


def metric_rows(metrics: Metrics) -> list[tuple[str, str]]:
    """The measured figures as rows of text, in the order of `FIGURES`."""
    rows = []
    for key, (unit, meaning) in FIGURES.items():
        value = metrics[key]
        if value is not None:
            rows.append((meaning, show(value, unit)))
    return rows


def show(value: Value, unit: str) -> str:
    """A figure as a person reads it: `868 mW`, `97.6 %`, `2536`."""
    if isinstance(value, tuple):
        return " to ".join(show(v, unit) for v in value)
    if value is None:
        return "not measured"
    if isinstance(value, int):
        return f"{value}{' ' + unit if unit else ''}"
    if not unit:
        return f"{100 * value:.2f} %"
    if unit in ("dB", "USD", "m2"):
        return f"{value:.4g} {unit}"
    return engineering(value, unit)


def default_directory(stem: str) -> Path:
    return BUILD / stem


def remember(directory: Path) -> None:
    """Make a design the default of later commands."""
    try:
        BUILD.mkdir(exist_ok=True)
    except OSError as e:
        raise InputError(f"{BUILD} cannot be written: {e.strerror}") from e
    write_file(BUILD / _LATEST, os.fsencode(directory.resolve()) + b"\n")


def find_design(directory: Path | None) -> tuple[Design, Path]:
    """The design in a directory, or the one built last. Raises UsageError, InputError."""
    if directory is None:
        try:
            directory = Path(os.fsdecode((BUILD / _LATEST).read_bytes().removesuffix(b"\n")))
        except OSError:
            raise UsageError("nothing was built here yet; run: analognet convert MODEL") from None
    if not directory.is_dir():
        raise InputError(
            f"build directory '{printable(directory)}' is not there; make it with: analognet convert MODEL"
        )
    return open_design(directory), directory
