"""A cell's SPICE file as a list of elements with their values: for other formats, parts lists, drawings."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from analognet.analog.cells import Cell, logical_lines
from analognet.errors import InputError
from analognet.names import printable

_NODES: Final = {"r": 2, "c": 2, "l": 2, "d": 2, "v": 2, "i": 2, "q": 3, "m": 4, "g": 4, "e": 4, "b": 2}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_SUFFIXES: Final = {
    "t": 1e12,
    "g": 1e9,
    "meg": 1e6,
    "k": 1e3,
    "m": 1e-3,
    "u": 1e-6,
    "n": 1e-9,
    "p": 1e-12,
    "f": 1e-15,
}
_OPERATORS: Final[dict[type, Callable[[float, float], float]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}


@dataclass(frozen=True)
class Element:
    """One line of a cell. kind: its first letter, lower case; nodes: its nets; value: ohms of R,
    farads of C and so on, None where the line has no single number; of: the model, the cell of an X,
    or the text of a source.
    """

    name: str
    kind: str
    nodes: tuple[str, ...]
    value: float | None
    of: str


def cell_elements(cell: Cell, params: Mapping[str, float] | None = None) -> tuple[Element, ...]:
    """The elements of a cell's body with parameters put in. Raises InputError for a line it cannot read."""
    known = {**cell.defaults, **(params or {})}
    found = []
    for line in logical_lines(cell.text):
        card, _, rest = line.partition(" ")
        if card.lower() == ".param":
            name, _, text = rest.partition("=")
            known[name.strip().lower()] = evaluate(text, known, f"cell '{cell.name}'")
        elif card[0] != ".":
            found.append(_element(line, known, cell.name))
    return tuple(found)


def _element(line: str, known: Mapping[str, float], cell: str) -> Element:
    words = re.sub(r"\s*params:", " ", line).split()
    name, kind = words[0], words[0][0].lower()
    if kind == "x":
        positional = [w for w in words[1:] if "=" not in w]
        return Element(name, kind, tuple(positional[:-1]), None, positional[-1])
    count = _NODES.get(kind)
    if count is None or len(words) < count + 2:
        raise InputError(f"cell '{cell}': {printable(line)}: no element that AnalogNet can read")
    nodes, rest = tuple(words[1 : 1 + count]), " ".join(words[1 + count :])
    if kind in "rclvi":
        first = rest.split("}")[0] + "}" if rest.startswith("{") else rest.split()[0]
        return Element(name, kind, nodes, evaluate(first, known, f"cell '{cell}', {name}"), rest)
    return Element(name, kind, nodes, None, rest)


def evaluate(text: str, known: Mapping[str, float], where: str) -> float:
    """A number, or arithmetic in braces over known names. Raises InputError."""
    text = text.strip()
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1]
    if (number := _suffixed(text)) is not None:
        return number
    try:
        return _value(ast.parse(text.strip(), mode="eval").body, known)
    except (SyntaxError, KeyError, TypeError, ValueError, ZeroDivisionError, OverflowError):
        raise InputError(f"{where}: {printable(text)} is no arithmetic over its parameters") from None


def _suffixed(text: str) -> float | None:
    found = _NUMBER.match(text)
    if not found:
        return None
    tail = text[found.end() :].strip().lower()
    if tail and not tail.isalpha():
        return None
    suffix = next((s for s in ("meg", *_SUFFIXES) if tail.startswith(s)), "")
    return float(found.group()) * _SUFFIXES.get(suffix, 1.0)


def _value(node: ast.expr, known: Mapping[str, float]) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value)
    if isinstance(node, ast.Name):
        return float(known[node.id.lower()])
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand, known)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_value(node.left, known), _value(node.right, known))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "sqrt":
        return math.sqrt(_value(node.args[0], known))
    raise ValueError(ast.dump(node))
