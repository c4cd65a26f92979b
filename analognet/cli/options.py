"""Options that more than one command takes, and the text forms of their values."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated

import typer

from analognet.analog.cells import library
from analognet.analog.technology import available
from analognet.errors import UsageError
from analognet.loading.metadata import DATASETS
from analognet.names import printable
from analognet.network import ACTIVATIONS

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but results and errors.")]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Also say which programs are run, and progress in log files.")
]


def complete_activations(incomplete: str) -> list[str]:
    """The last of a comma-separated list, completed."""
    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in ACTIVATIONS if name.startswith(last)]


def complete_data(incomplete: str) -> list[str]:
    return [name for name in DATASETS if name.startswith(incomplete)]


def complete_technology(incomplete: str) -> list[str]:
    return [name for name in available() if name.startswith(incomplete)]


def complete_opamp(incomplete: str) -> list[str]:
    parts = (n.removeprefix("opamp_") for n, c in library().items() if c.family == "opamp")
    return [name for name in sorted(parts) if name.startswith(incomplete)]


def complete_from(names: Iterable[str]) -> Callable[[str], list[str]]:
    """Completion from a fixed list."""

    def complete(incomplete: str) -> list[str]:
        return [name for name in names if name.startswith(incomplete)]

    return complete


Scheduler = Annotated[
    str | None,
    typer.Option(
        help="tcp://HOST:PORT of a dask scheduler whose workers do the work, or local, for --jobs processes here. "
        "Default: threads and processes here, without dask.",
        autocompletion=complete_from(["local", "tcp://"]),
    ),
]
Activations = Annotated[
    str | None,
    typer.Option(
        help="One per layer, e.g. relu,linear or leaky_relu:0.1,linear. Default: what the model says.",
        autocompletion=complete_activations,
    ),
]
Directory = Annotated[
    Path | None, typer.Argument(help="A directory that convert wrote. Default: the one built last.")
]
Data = Annotated[
    str | None,
    typer.Option(
        help="An .npz with x and y, a .csv, idx files (images,labels), "
        "or digits, iris, mnist, fashion-mnist (their test split).",
        autocompletion=complete_data,
    ),
]


def parse_pairs(texts: list[str] | None, option: str) -> dict[str, str] | None:
    """`NAME=VALUE` texts as a dictionary. Raises UsageError."""
    pairs = {}
    for text in texts or []:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise UsageError(f"{option} '{printable(text)}': write NAME=VALUE")
        pairs[name.strip()] = value.strip()
    return pairs or None


def parse_range(text: str | None, option: str) -> tuple[float, float] | None:
    """`LOW,HIGH` as two numbers. Raises UsageError."""
    if text is None:
        return None
    try:
        low, high = (float(part) for part in text.split(","))
        if not (low < high and abs(low) < 1e30 and abs(high) < 1e30):
            raise ValueError
    except ValueError:
        raise UsageError(
            f"{option} '{printable(text)}': write two numbers, the lower one first, as in 0,1"
        ) from None
    return low, high
