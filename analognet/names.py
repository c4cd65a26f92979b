"""Names: the ones we generate, and safe forms of the ones we are given.

A netlist and a VHDL file are programs, so no text from a model, a data file or the
command line may become part of one. Identifiers are generated here; the originals live
in the name map (`names.json`) and in messages, where `printable` disarms them.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable

PRINTABLE_LIMIT = 160  # characters of foreign text that a message shows: most paths fit


def printable(text: object, limit: int = PRINTABLE_LIMIT) -> str:
    """Foreign text made safe for a terminal or a log: one line, no control characters.

    Control, format (bidi) and surrogate characters become escapes such as `\\x1b`; text
    over `limit` characters is cut and says how long it was.
    """
    raw = text if isinstance(text, str) else str(text)
    shown = "".join(_escape(c) for c in raw[:limit])
    return shown if len(raw) <= limit else f"{shown}... ({len(raw)} characters)"


def _escape(c: str) -> str:
    if c == "\\":
        return "\\\\"
    if unicodedata.category(c)[0] == "C" or c in "\u2028\u2029":
        code = ord(c)
        return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
    return c


def disarmed(text: str) -> str:
    """Text for a terminal whose parts should be printable already: any control character left is escaped.

    Line ends stay, and text that `printable` made comes out as it went in.
    """
    return "".join(c if c in "\n\\" else _escape(c) for c in text)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'relu'?` where a known name is close to the word, else nothing."""
    close = difflib.get_close_matches(word.strip().lower()[:80], sorted(known), n=1, cutoff=0.6)
    return f"; did you mean '{close[0]}'?" if close else ""


def file_stem(text: str, default: str = "network") -> str:
    """A lower-case directory or file name made from foreign text.

    Only `a-z 0-9 _ -` remain, at most 40 characters, never empty and never starting with a
    dash, so that the result is the same name on every file system.
    """
    stem = re.sub(r"[^a-z0-9_-]+", "_", text.lower()).strip("_-")[:40].strip("_-")
    return stem or default
