"""Pieces of VHDL text: templates, literals, memories, and the widths they need."""

from __future__ import annotations

from functools import cache
from string import Template

from analognet import resources
from analognet.digital.fixedpoint import Ints

_TEMPLATES = resources.digital() / "templates"


@cache
def template(name: str) -> str:
    """The text of a file in `templates/`."""
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def fill(name: str, /, **values: object) -> str:
    """A template with every `$name` replaced; a missing value is an error."""
    return Template(template(name)).substitute({k: str(v) for k, v in values.items()})


def lane_bits(bits: int) -> int:
    """Bits of AXI4-Stream data that one value takes: whole bytes."""
    return (bits + 7) // 8 * 8


def index_bits(count: int) -> int:
    """Bits of a counter of `count` values, at least 1."""
    return max(1, (count - 1).bit_length())


def literal(value: int, bits: int) -> str:
    """A two's complement VHDL literal."""
    digits = (bits + 3) // 4
    return f'{bits}x"{value & ((1 << bits) - 1):0{digits}x}"'


def pack(values: Ints, bits: int) -> int:
    """Values, the first in the low bits, as one integer."""
    word = 0
    for v in reversed(values.tolist()):
        word = word << bits | (v & ((1 << bits) - 1))
    return word


def rom(name: str, comment: str, words: list[int], bits: int, notes: dict[int, str]) -> str:
    """A constant array; its depth is a power of two, which costs no multiplexer."""
    depth = 1 << index_bits(max(len(words), 2))
    lines = [
        f"  -- {comment}",
        f"  type t_{name} is array (natural range <>) of std_logic_vector({bits - 1} downto 0);",
        f"  constant C_{name.upper()} : t_{name}({depth - 1} downto 0) := (",
    ]
    for at, word in enumerate(words):
        if at in notes:
            lines.append(f"    -- {notes[at]}")
        comma = "," if at < len(words) - 1 or depth > len(words) else ""
        lines.append(f"    {at} => {literal(word, bits)}{comma}")
    if depth > len(words):
        lines.append("    others => (others => '0')")
    lines.append("  );\n")
    return "\n".join(lines)


def count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"
