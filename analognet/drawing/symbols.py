"""What schematics are drawn with: op-amps with their feedback, resistors with values, ports."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final

import schemdraw
import schemdraw.elements as elm

UNIT: Final = 2.0  # length of a two-terminal part
FONT: Final = 10.0

Point = tuple[float, float]


def drawing() -> Any:
    """An empty drawing that becomes SVG."""
    schemdraw.use("svg")
    found = schemdraw.Drawing(show=False, margin=0.5)
    found.config(unit=UNIT, fontsize=FONT, lw=1.4, font="sans-serif")
    return found


def to_svg(drawn: Any) -> bytes:
    """The same drawing always gives the same bytes."""
    data: bytes = drawn.get_imagedata("svg")
    return data.replace(b"stroke-dasharray:-;", b"").rstrip() + b"\n"


def resistor(drawn: Any, a: Point, b: Point, label: str = "", side: str = "top") -> Any:
    """A resistor from a to b; its label may have two lines."""
    kind: Any = elm.Resistor  # untyped in schemdraw, as Diode is
    part = kind().endpoints(a, b)
    return drawn.add(
        part.label(label, loc=side, fontsize=FONT - 1, ofst=_below(a, b, side)) if label else part
    )


def capacitor(drawn: Any, a: Point, b: Point, label: str = "", side: str = "top") -> Any:
    return drawn.add(elm.Capacitor().endpoints(a, b).label(label, loc=side, fontsize=FONT - 1))


def diode(drawn: Any, a: Point, b: Point, label: str = "", side: str = "top") -> Any:
    """A diode that conducts from a to b."""
    kind: Any = elm.Diode
    ofst = _below(a, b, side)
    return drawn.add(kind(fill=True).endpoints(a, b).label(label, loc=side, fontsize=FONT - 1, ofst=ofst))


def _below(a: Point, b: Point, side: str) -> float | None:
    """A label's distance: schemdraw's own lets one below a level part touch it."""
    return 0.3 if side == "bottom" and a[1] == b[1] else None


def wire(drawn: Any, *points: Point) -> None:
    for a, b in pairwise(points):
        if a != b:
            drawn.add(elm.Line().endpoints(a, b))


def box(drawn: Any, a: Point, b: Point) -> None:
    """A rectangle with these two corners."""
    drawn.add(elm.Rect(lw=1.2, corner1=a, corner2=b).at((0, 0)).theta(0))


def dot(drawn: Any, at: Point) -> None:
    drawn.add(elm.Dot(radius=0.06).at(at))


def port(drawn: Any, at: Point, label: str, side: str = "left") -> None:
    """A named net that comes in or goes out."""
    drawn.add(elm.Dot(open=True, radius=0.08).at(at))
    text(
        drawn,
        (at[0] + (-0.3 if side == "left" else 0.3), at[1]),
        label,
        "right" if side == "left" else "left",
    )


def text(drawn: Any, at: Point, words: str, align: str = "center", size: float = FONT) -> None:
    part: Any = elm.Label().at(at)
    drawn.add(part.label(words, loc="center", halign=align, valign="center", fontsize=size, ofst=0))


def ground(drawn: Any, at: Point) -> None:
    drawn.add(elm.GroundSignal(lead=True).theta(0).at(at))


def rail(drawn: Any, at: Point, label: str, up: bool = True) -> None:
    """A supply rail at the end of a wire."""
    end = (at[0], at[1] + (0.3 if up else -0.3))
    wire(drawn, at, end)
    wire(drawn, (end[0] - 0.2, end[1]), (end[0] + 0.2, end[1]))
    text(drawn, (end[0], end[1] + (0.22 if up else -0.36)), label, size=FONT - 1)


class OpAmp:
    """An op-amp whose output is at `out`; minus above plus unless flipped."""

    def __init__(self, drawn: Any, out: Point, label: str = "", flipped: bool = False) -> None:
        part = elm.Opamp(leads=False).theta(0)
        if flipped:
            part = part.flip()
        self.part = drawn.add(part.anchor("out").at(out))
        self.out = out
        self.minus: Point = (self.part.in1.x, self.part.in1.y)
        self.plus: Point = (self.part.in2.x, self.part.in2.y)
        if label:
            text(drawn, (out[0] - 1.05, out[1]), label, size=FONT - 1)


def inverting(
    drawn: Any, out: Point, label: str, feedback: str, rise: float = 1.3, grounded: bool = True
) -> tuple[OpAmp, Point]:
    """A summing op-amp with its feedback resistor; answers it and its summing node."""
    amp = OpAmp(drawn, out, label)
    node = (amp.minus[0] - 0.5, amp.minus[1])
    wire(drawn, node, amp.minus)
    top = node[1] + rise
    wire(drawn, node, (node[0], top))
    resistor(drawn, (node[0], top), (out[0] + 0.4, top), feedback)
    wire(drawn, (out[0] + 0.4, top), (out[0] + 0.4, out[1]), out)
    dot(drawn, node)
    dot(drawn, (out[0] + 0.4, out[1]))
    if grounded:
        wire(drawn, amp.plus, (amp.plus[0] - 0.3, amp.plus[1]))
        ground(drawn, (amp.plus[0] - 0.3, amp.plus[1]))
    return amp, node
