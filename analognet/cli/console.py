"""What the commands share: where they print, how they show progress, tables and errors."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from analognet.design import Design, open_design
from analognet.errors import InputError, UsageError
from analognet.locks import clear, locked
from analognet.metrics import FIGURES, Metrics, Value
from analognet.names import disarmed, printable
from analognet.storage import write_file
from analognet.units import engineering

BUILD = Path("build")
LOG_PERIOD_S = 15.0
_LATEST = ".latest"  # a file in BUILD that names the design built last; no design's name has a dot


class _Plain(Console):
    """Prints text as it is: no markup, and any control character that foreign text smuggled in escaped."""

    def __init__(self, stderr: bool) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False, highlight=False, soft_wrap=True)

    def print(self, *objects: Any, **options: Any) -> None:
        # a message that cannot be written is no reason to fail; a result that cannot be is
        with contextlib.suppress(*([OSError] if self.stderr else [])):
            super().print(*(disarmed(o) if isinstance(o, str) else o for o in objects), **options)


# stdout is for results alone
out = _Plain(stderr=False)
err = _Plain(stderr=True)
_volume = {"quiet": False, "verbose": False}
_holding = ExitStack()
Held = TypeVar("Held")


def set_volume(quiet: bool, verbose: bool) -> None:
    """quiet: errors and results alone. verbose: also each program that is run, and progress in log files."""
    if quiet and verbose:
        raise UsageError("--quiet and --verbose: choose one")
    _volume.update(quiet=quiet, verbose=verbose)
    log = logging.getLogger("analognet")
    log.handlers = [_Said()] if verbose else []
    log.setLevel(logging.DEBUG if verbose else logging.WARNING)


class _Said(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        err.print(record.getMessage())


def hold(resource: AbstractContextManager[Held]) -> Held:
    """Enter a context that is left when the command ends, however it ends."""
    return _holding.enter_context(resource)


def release() -> None:
    """Give up what this command held, directories above all, and its volume."""
    _holding.close()
    set_volume(quiet=False, verbose=False)


def say(message: str) -> None:
    """A message to the user, on stderr."""
    if not _volume["quiet"]:
        err.print(message)


def notes(lines: Sequence[str]) -> None:
    for line in lines:
        say(f"note: {line}")


@contextmanager
def progress(title: str, enabled: bool = True) -> Iterator[Callable[[int, int], None]]:
    """A progress bar with the time left, on stderr, that is gone when it ends.

    Where that is no terminal there is none; --verbose then says a line now and then.
    """
    if not enabled or _volume["quiet"] or not err.is_terminal or err.is_dumb_terminal:
        yield _lines(title) if enabled and _volume["verbose"] else lambda done, total: None
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
    grid = Table(
        title=disarmed(title), title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 0)
    )
    grid.add_column(no_wrap=True)
    grid.add_column()
    for name, value in rows:
        grid.add_row(disarmed(name), disarmed(value))
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


def find_design(directory: Path | None, *, to_read: bool = False) -> tuple[Design, Path]:
    """The design in a directory, or the one built last, held for this command alone unless it only reads.

    Raises UsageError; InputError, also where another run holds it.
    """
    if directory is None:
        try:
            directory = Path(os.fsdecode((BUILD / _LATEST).read_bytes().removesuffix(b"\n")))
        except OSError:
            raise UsageError("nothing was built here yet; run: analognet convert MODEL") from None
    if not directory.is_dir():
        raise InputError(
            f"build directory '{printable(directory)}' is not there; make it with: analognet convert MODEL"
        )
    if to_read:
        return open_design(directory), directory
    hold(locked(directory))
    design = open_design(directory)
    clear(directory)
    return design, directory
