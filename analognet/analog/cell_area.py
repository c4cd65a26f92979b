"""Chip area, estimated from a cell's devices. No layout stands behind it.

A transistor of m fingers takes m W (L + 0.58 um): its gate, and 0.29 um of contacted diffusion on
either side (SkyWater's rules licon.1, licon.11 and licon.5c add up to it). Wells, guard rings and
wiring double the transistors' area (`LAYOUT_FACTOR`). A MIM capacitor takes its plate and half of the
0.84 um to the next one (capm.2a) all around; nothing is put under it. Polysilicon resistors take their
length with the contact heads, at the pitch of their width and 0.48 um of space (poly.9).
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping

import numpy as np

from analognet.analog.cells import OPAMP_ROLE, Cell, logical_lines
from analognet.analog.pdk import PREFIX
from analognet.analog.technology import Technology
from analognet.errors import InputError

DIFFUSION_UM = 0.58
LAYOUT_FACTOR = 2.0
MIM_SPACE_UM = 0.84
POLY_SPACE_UM, POLY_HEADS_UM = 0.48, 2.08
_OPERATIONS: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_VALUE = re.compile(r"\b(w|l|m|nf)\s*=\s*(\{[^{}]*\}|'[^']*'|\S+)", re.IGNORECASE)


def cell_area(
    cell: Cell, cells: Mapping[str, Cell], technology: Technology, given: Mapping[str, float] | None = None
) -> float:
    """m2 of one instance, cells inside it counted. given: its parameters where not the defaults.

    Raises InputError for a resistor or capacitor that is no device of the process.
    """
    known = {**cell.defaults, **(given or {})}
    total = 0.0
    for line in logical_lines(cell.text):
        words = line.split()
        kind = words[0][0].lower()
        if kind == "x":
            total += _instance(cell, line, cells, technology, known)
        elif kind == "r" and technology.resistor.strip is not None:
            ohms = _number(cell, words[3].partition("=")[2] or words[3], known)
            total += float(technology.resistor.strip.area(np.array([ohms]))[0])
        elif kind in "cdmq":
            raise InputError(
                f"cell '{cell.name}', {words[0]}: no area is known for what is no {PREFIX} device"
            )
    return total


def _instance(
    cell: Cell, line: str, cells: Mapping[str, Cell], technology: Technology, known: Mapping[str, float]
) -> float:
    values = {k.lower(): _number(cell, v, known) for k, v in _VALUE.findall(line)}
    used = [w for w in line.partition("params:")[0].split() if "=" not in w][-1]
    many = values.get("m", 1.0)
    if not used.startswith(PREFIX):
        inner = cells[technology.opamp if used == OPAMP_ROLE else used]
        given = {k: v for k, v in values.items() if k in inner.defaults}
        return (1.0 if "m" in given else many) * cell_area(inner, cells, technology, given)
    width, length = values["w"], values["l"]
    if "fet" in used:
        return LAYOUT_FACTOR * many * width * (length + DIFFUSION_UM) * 1e-12
    if "__cap" in used:
        return many * (width + MIM_SPACE_UM) * (length + MIM_SPACE_UM) * 1e-12
    return many * (width + POLY_SPACE_UM) * (length + POLY_HEADS_UM) * 1e-12


def _number(cell: Cell, text: str, known: Mapping[str, float]) -> float:
    """A number or an expression of numbers and parameters: `3`, `{m}`, `{r/(1-slope)}`."""
    try:
        return _evaluate(ast.parse(text.strip("{}' ").lower(), mode="eval").body, known)
    except (SyntaxError, ValueError, KeyError, ZeroDivisionError, RecursionError):
        raise InputError(
            f"cell '{cell.name}': {text} is no number or expression of parameters; its area is not known"
        ) from None


def _evaluate(node: ast.expr, known: Mapping[str, float]) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value)
    if isinstance(node, ast.Name):
        return known[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_evaluate(node.operand, known)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS:
        return _OPERATIONS[type(node.op)](_evaluate(node.left, known), _evaluate(node.right, known))
    raise ValueError("neither a number nor a sum or product")
