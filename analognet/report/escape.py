"""Foreign text in each form: as text and nothing else."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any, Final

from analognet.bom import safe_cell
from analognet.names import printable

_LATEX: Final = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    "-": r"{-}",  # no ligature, and no dash of two
    "[": r"{[}",  # after \\ it would begin an option
    "]": r"{]}",
    "µ": r"\textmu{}",
    "°": r"\textdegree{}",
}
# marks of Markdown and of its dialects: anywhere, or before a word, where a link or an emoji may begin; and what a
# line may begin with
_MARKDOWN: Final = re.compile(r"([\\`*_{}\[\]#!|~$@^]|(?<=\])[(:]|[.:](?=[^\W\d]))")
_MARKDOWN_START: Final = re.compile(r"^(\s*\d*)([-+=:.)])(?!\d)")
_LONG: Final = 2000
_LABEL: Final = 48  # characters


def to_html(text: object) -> str:
    """For element content and for attribute values in double quotes."""
    return html.escape(printable(text, _LONG), quote=True)


def to_latex(text: object) -> str:
    """For running text and table cells; what is beyond ASCII becomes its code point, but for µ."""
    return "".join(_LATEX.get(c, c if c.isascii() else f"[U+{ord(c):04X}]") for c in printable(text, _LONG))


def to_markdown(text: object) -> str:
    """For running text and table cells, HTML included: every mark that could mean something is escaped."""
    safe = html.escape(printable(text, _LONG), quote=False)
    marked = _MARKDOWN_START.sub(r"\1\\\2", _MARKDOWN.sub(r"\\\1", safe))
    return re.sub(r"(?i)\b(www|https?|ftp)(?=\\?[.:])", r"\1&#8203;", marked)


def to_csv(text: object) -> str:
    """A cell that no spreadsheet takes for a formula; quoting is the writer's."""
    return safe_cell(printable(text, _LONG))


def to_figure(text: object) -> str:
    """For matplotlib, which reads dollar signs as mathematics; cut to what a figure has room for."""
    safe = printable(text, _LONG)
    return (safe if len(safe) <= _LABEL else f"{safe[: _LABEL - 3]}...").replace("$", r"\$")


def plain(value: Any) -> Any:
    """Plain values with every text in them disarmed, keys included: no control character is left."""
    if isinstance(value, str):
        return printable(value, _LONG)
    if isinstance(value, Mapping):
        return {plain(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value
