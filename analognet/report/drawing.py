"""What the figures of a report share: one drawing, as SVG for a page, SVG for a file and PDF; colours.

The ink is a colour that no figure uses otherwise: on a page it becomes the page's own text colour, so
that a figure is readable on light and on dark.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from analognet.report.value import Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK: Final = "#010203"
BLUE, RED, GREEN, AMBER, VIOLET, GREY = "#3a86c8", "#d1495b", "#5a9a4f", "#d98c1f", "#8e6bbf", "#8d99ae"
CYCLE: Final = (BLUE, AMBER, GREEN, VIOLET, RED, GREY)
# of a column, by its kind
KINDS: Final = {"float": GREY, "integer": VIOLET, "fpga": AMBER, "analog": BLUE}
WIDTH: Final = 7.2  # inches
_NUMBER: Final = re.compile(r"-?\d+\.\d{3,}")
_PATH: Final = re.compile(r' d="[^"]*"')
_STYLE: Final = {
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.labelcolor": INK,
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "font.family": "DejaVu Sans",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
    "image.interpolation": "nearest",
}


@dataclass(frozen=True)
class Drawn:
    """One figure. name: of its files; question: what it answers; caption: what is seen; svg: for
    a file; inline: for a page; pdf.
    """

    name: str
    question: str
    caption: str
    svg: bytes
    inline: str
    pdf: bytes


def canvas(width: float, height: float) -> Figure:
    """An empty figure, in inches."""
    from matplotlib.figure import Figure  # imported here: it takes half a second

    return Figure(figsize=(width, height), layout="constrained")


def rendered(
    name: str, question: str, caption: str, draw: Callable[[Report], Figure | None], report: Report
) -> Drawn | None:
    """Draw one figure; None where the report has nothing for it. The same report gives the same bytes."""
    import matplotlib as mpl

    style: Any = {**_STYLE, "svg.hashsalt": name}
    with mpl.rc_context(style):
        made = draw(report)
        if made is None:
            return None
        svg, pdf = io.BytesIO(), io.BytesIO()
        made.savefig(svg, format="svg", metadata={"Date": None, "Creator": None}, dpi=150)
        nameless = {"CreationDate": None, "Creator": None, "Producer": None}
        made.savefig(pdf, format="pdf", metadata=nameless, dpi=150)
    text = _PATH.sub(_shorter, svg.getvalue().decode())
    # a file is black on white wherever it is shown, on a dark page too
    file = text.replace(INK, "#000000").replace("<svg ", '<svg style="background: #ffffff" ', 1).encode()
    return Drawn(name, question, caption, file, inline(text, name, question), pdf.getvalue())


def _shorter(path: re.Match[str]) -> str:
    """A path's coordinates to a hundredth of a point."""
    return _NUMBER.sub(lambda number: f"{float(number.group()):.2f}", path.group())


def inline(svg: str, name: str, label: str) -> str:
    """An SVG as an element of a page: no prologue, ids of its own, the page's ink, a name for who cannot see it.

    label is one of ours, never foreign text.
    """
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    seen: set[str] = set()

    def own(found: re.Match[str]) -> str:
        if found[1] in seen:  # matplotlib names an image by what it shows: the same image has no second name
            return ""
        seen.add(found[1])
        return f' id="{name}-{found[1]}"'

    body = re.sub(r'\s\bid="([^"]+)"', own, body)
    body = re.sub(r'(xlink:href="#|url\(#)', rf"\1{name}-", body)
    head, end, rest = body.partition(">")
    head = re.sub(r' (width|height)="[^"]*"', "", head)
    return f'{head} role="img" aria-label="{label}"{end}{rest}'.replace(INK, "currentColor")


def plain_log(axis: Any) -> None:
    """A logarithmic axis with SI prefixes at the decades."""
    from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(numticks=8))
    axis.set_major_formatter(EngFormatter(sep=" "))
    axis.set_minor_formatter(NullFormatter())
