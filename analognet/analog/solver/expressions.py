"""Arithmetic of cell files: what stands between braces and in `.param` lines.

A small part of ngspice's expressions, evaluated without `eval`: + - * / unary minus, parentheses,
numbers, parameter names, and sqrt, exp, log, max, min, abs.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Mapping
from typing import Final

from analognet.errors import InputError
from analognet.names import printable

_FUNCTIONS: Final[dict[str, Callable[..., float]]] = {
    "sqrt": math.sqrt,
    "exp": math.exp,
    "log": math.log,
    "max": max,
    "min": min,
    "abs": abs,
}
_OPERATORS: Final[dict[type[ast.operator], Callable[[float, float], float]]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.Pow: lambda a, b: a**b,
}


def evaluate(text: str, values: Mapping[str, float]) -> float:
    """The value of `{...}`, of a plain number, or of a bare expression.

    Raises InputError for what is none of them or names an unknown parameter.
    """
    inner = text.strip()
    if inner.startswith("{") and inner.endswith("}"):
        inner = inner[1:-1]
    try:
        return float(inner)
    except ValueError:
        pass
    try:
        # `in` is a parameter of the op-amps and a keyword of Python
        tree = ast.parse(re.sub(r"\bin\b", "in_", inner), mode="eval")
        return float(_value(tree.body, values))
    except (SyntaxError, KeyError, ZeroDivisionError, TypeError, ValueError) as e:
        raise InputError(f"the solver cannot evaluate '{printable(text)}' ({printable(repr(e))})") from None


def _value(node: ast.expr, values: Mapping[str, float]) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value)
    if isinstance(node, ast.Name):
        return values["in" if node.id == "in_" else node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        inner = _value(node.operand, values)
        return -inner if isinstance(node.op, ast.USub) else inner
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_value(node.left, values), _value(node.right, values))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS:
        return float(_FUNCTIONS[node.func.id](*(_value(arg, values) for arg in node.args)))
    raise TypeError(ast.dump(node)[:40])
