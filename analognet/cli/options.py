"""Options that more than one command takes, and the text forms of their values."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from analognet.errors import UsageError
from analognet.names import printable

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
Activations = Annotated[
    str | None,
    typer.Option(
        help="One per layer, e.g. relu,linear or leaky_relu:0.1,linear. Default: what the model says."
    ),
]
Directory = Annotated[
    Path | None, typer.Argument(help="A directory that convert wrote. Default: the one built last.")
]
Data = Annotated[
    str | None,
    typer.Option(
        help="An .npz with x and y, a .csv, idx files (images,labels), "
        "or digits, iris, mnist, fashion-mnist (their test split)."
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
