"""A design for LTspice: the same netlist in its dialect, with a bench of its own.

What LTspice takes as ngspice does: `.subckt` with `params:`, `.param`, braces, B sources with
tanh, max, min and v(a,b), `.model`, PWL sources, plain numbers. What differs, and is translated:

    noisy=0 on a resistor         -> noiseless
    name=value after an X's cell  -> params: name=value
    µ and other letters           -> none are written; both read ASCII

What has no place in LTspice, and is refused: `.control` blocks, `a ? b : c`, `^` and `pwl(...)` in a
B source, XSPICE's A elements, ngspice's `.options` by other names. Nothing that AnalogNet writes
into `network.cir` but the bench holds these.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from analognet.analog.cells import logical_lines
from analognet.analog.netlist import supplies, wrap
from analognet.analog.transitions import Transition
from analognet.errors import InputError
from analognet.names import printable
from analognet.network import Array

if TYPE_CHECKING:
    from analognet.design import Design

_CARDS: Final = (".subckt", ".ends", ".param", ".model", ".op", ".tran", ".options", ".temp", ".save", ".end")
_FOREIGN: Final = (
    (re.compile(r"\bnoisy\s*="), "noisy="),
    (re.compile(r"\?"), "a ? b : c"),
    (re.compile(r"\^"), "^, which is exclusive or in LTspice"),
    (re.compile(r"\bpwl\s*\(\s*v\(", re.IGNORECASE), "pwl() of a voltage; LTspice has table()"),
    (re.compile(r"\*\*"), "**"),
)


def ltspice_netlist(
    design: Design, x: Array | None = None, transition: Transition | None = None, length_s: float = 0.0
) -> str:
    """A deck for LTspice: the operating point of input x (n_in,) in units, or a transition of length_s.

    Without either, the operating point of the design's example input. Raises InputError for a cell
    that LTspice cannot take.
    """
    lines = [_translate(line) for line in design.netlist.splitlines()]
    technology, scale = design.technology, design.analog.scale_in
    lines += ["", "* bench", *supplies(design.circuit, technology.vdd, technology.vss, technology.reference)]
    if transition is not None:
        for j, (a, b) in enumerate(
            zip((transition.start * scale).tolist(), (transition.end * scale).tolist(), strict=True)
        ):
            lines.append(f"Vx{j} x{j} 0 PWL(0 {a:.9g} 1e-9 {b:.9g})")
        lines.append(f".tran {length_s:.9g}")
    else:
        volts = (design.example_input() if x is None else x) * scale
        lines += [f"Vx{j} x{j} 0 {v:.9g}" for j, v in enumerate(volts.tolist())]
        lines.append(".op")
    outputs = [f"V({n})" for n, role in design.circuit.top.pins if role == "out"]
    lines += [*wrap([".save", *outputs, "I(Vdd)", "I(Vss)", "I(Vref)"]), ".end"]
    text = "\n".join(lines) + "\n"
    if found := ltspice_violations(text):
        raise InputError(f"LTspice cannot take this design: {found[0]}")
    return text


def _translate(line: str) -> str:
    if line.startswith("*"):
        return line
    line = re.sub(r"\bnoisy\s*=\s*0\b", "noiseless", line)
    if line[:1] in "xX" and "=" in line and "params:" not in line.lower():
        head, first, rest = re.split(r"(\s+)(?=\w+=)", line, maxsplit=1)
        return f"{head} params:{first}{rest}"
    return line


def ltspice_violations(text: str) -> list[str]:
    """What in a netlist LTspice would read otherwise than ngspice, or not at all; a sentence each."""
    found = []
    for line in logical_lines("*\n" + text):
        card = line.split()[0].lower()
        if card.startswith(".") and card not in _CARDS:
            found.append(f"{printable(card)} is no card that both know")
        if card[0] == "a":
            found.append(f"{printable(line)}: an XSPICE element")
        found += [f"{printable(line)}: {words}" for pattern, words in _FOREIGN if pattern.search(line)]
    return found
