"""Cells opened up: the resistors, capacitors, diodes, transistors and op-amps that one instance holds.

A cell is read from its `.subckt` text, with parameters put in and inner cells opened in turn;
an op-amp stays one part, described by its parameters. Names are paths: `xrect.dp`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from analognet.analog.cells import OPAMP_ROLE, Cell
from analognet.analog.solver.devices import ZERO_C, parse_model
from analognet.analog.solver.expressions import evaluate
from analognet.errors import InputError

CORE: Final = "opamp_macro"
IDEAL_BODY: Final = ("eout out 0 inp inn {a0}",)
# What the solver's op-amp equations stand for, line by line; see `opamps`. The clamps' model card
# and their temperature are read from the file.
CORE_BODY: Final = (
    "ibp inp 0 {ib+ios/2}",
    "ibn inn 0 {ib-ios/2}",
    "cin inp inn {cin}",
    "gin 0 x inp inn {gm}",
    "gcp 0 x inp 0 {gm/cmrr/2}",
    "gcn 0 x inn 0 {gm/cmrr/2}",
    "ios 0 x {gm*vos}",
    "rx x 0 {a0/gm}",
    "cx x 0 {cc/100}",
    "vhi vdd hi {drop_hi+0.05}",
    "vlo lo vss {drop_lo+0.05}",
    "dhi x hi opamp_clamp",
    "dlo lo x opamp_clamp",
    "bsl x c i={imax}*tanh((v(x)-v(c))/0.01)",
    "bex x 0 i={gm}*(v(x)-v(c)-0.05*tanh((v(x)-v(c))/0.05))",
    "cc c 0 {cc}",
    "gout 0 out c 0 {1/rout}",
    "rout out 0 {rout} noisy=0",
    "iq vdd vss {iq}",
    "bhi vdd 0 i=max((v(c)-v(out))/{rout},0)",
    "blo 0 vss i=max((v(out)-v(c))/{rout},0)",
    "ren en 0 {en*en/kt4}",
    "gen 0 x en 0 {gm}",
    "rinp np 0 1k",
    "ginp 0 inp np 0 {in/sqrt(kt4*1k)}",
    "rinn nn 0 1k",
    "ginn 0 inn nn 0 {in/sqrt(kt4*1k)}",
)
CORE_PARAMS: Final = (
    ".param gm=1e-3",
    ".param cc={gm/(6.283185307179586*gbw)}",
    ".param imax={slew*cc}",
    ".param kt4={4*1.380649e-23*300.15}",
)


@dataclass(frozen=True)
class Part:
    """One element. kind: r c d q opamp; nodes: r, c (a, b), d (anode, cathode), q (c, b, e),
    opamp (inp, inn, out); value: ohms or farads; model: of a diode or transistor; kelvin: the
    temperature that its line fixes, None where it follows the circuit's.
    """

    name: str
    kind: str
    nodes: tuple[str, ...]
    value: float = 0.0
    model: str = ""
    kelvin: float | None = None


@dataclass(frozen=True, eq=False)
class Opened:
    """A cell's parts, and the model cards they name: name -> (kind, parameters)."""

    parts: tuple[Part, ...]
    models: Mapping[str, tuple[str, Mapping[str, float]]]


@dataclass(frozen=True)
class OpampPart:
    """An op-amp's parameters in SI units by name; clamp: the clamps' model and fixed temperature in K.

    ideal: a controlled source of gain a0 and nothing else.
    """

    name: str
    ideal: bool
    values: Mapping[str, float]
    clamp: Mapping[str, float]
    clamp_kelvin: float | None


def lines_of(cell: Cell) -> list[str]:
    """The logical lines of a cell's body in lower case, continuations joined, comments left out."""
    joined: list[str] = []
    for line in cell.text.splitlines():
        if not line.strip() or line.startswith("*"):
            continue
        if line.startswith("+") and joined:
            joined[-1] += " " + line[1:].strip()
        else:
            joined.append(line.strip())
    return [" ".join(line.lower().split()) for line in joined]


def open_cell(cells: Mapping[str, Cell], name: str, params: Mapping[str, float] | None = None) -> Opened:
    """Open a cell up with these parameters. Pins keep their names; inner nets get their path.

    Raises InputError naming the cell and the line that the solver has no equation for.
    """
    parts: list[Part] = []
    models: dict[str, tuple[str, Mapping[str, float]]] = {}
    _open(cells, name, dict(params or {}), "", {}, parts, models)
    return Opened(tuple(parts), models)


def _open(
    cells: Mapping[str, Cell],
    name: str,
    given: Mapping[str, float],
    path: str,
    outer: Mapping[str, str],
    parts: list[Part],
    models: dict[str, tuple[str, Mapping[str, float]]],
) -> None:
    cell = cells[name]
    values: dict[str, float] = {**cell.defaults, **given}

    def net(node: str) -> str:
        return outer.get(node) or (node if not path and node in cell.pin_names else path + node)

    for line in lines_of(cell):
        kind, words = line[0], line.split()
        if line.startswith((".subckt", ".ends")):
            continue
        if line.startswith(".param"):
            key, _, text = line.removeprefix(".param").strip().partition("=")
            values[key.strip()] = evaluate(text, values)
        elif line.startswith(".model"):
            models[words[1]] = parse_model(line)
        elif kind in "rc" and len(words) == 4:
            nodes = (net(words[1]), net(words[2]))
            parts.append(Part(path + words[0], kind, nodes, evaluate(words[3], values)))
        elif kind == "d" and len(words) in (4, 5):
            parts.append(
                _device(
                    cells, models, path + words[0], "d", [net(w) for w in words[1:3]], words[3], words[4:]
                )
            )
        elif kind == "q" and len(words) == 5:
            parts.append(
                _device(cells, models, path + words[0], "q", [net(w) for w in words[1:4]], words[4], [])
            )
        elif kind == "x":
            positional = [w for w in words[1:] if "=" not in w]
            inner, pins = positional[-1], [net(w) for w in positional[:-1]]
            if inner == OPAMP_ROLE:
                parts.append(Part(path + words[0], "opamp", tuple(pins[:3])))
                continue
            if inner not in cells:
                raise InputError(f"cell '{name}' uses '{inner}', which is not among the cells")
            inner_given = {
                w.partition("=")[0]: evaluate(w.partition("=")[2], values) for w in words if "=" in w
            }
            nets = dict(zip(cells[inner].pin_names, pins, strict=True))
            _open(cells, inner, inner_given, f"{path}{words[0]}.", nets, parts, models)
        else:
            raise InputError(f"cell '{name}': the solver has no equation for '{line[:60]}'; use ngspice")


def _device(
    cells: Mapping[str, Cell],
    models: dict[str, tuple[str, Mapping[str, float]]],
    name: str,
    kind: str,
    nodes: list[str],
    model: str,
    options: list[str],
) -> Part:
    """A diode or transistor; reads its model's card where that is a cell of its own."""
    kelvin = None
    for option in options:
        key, _, value = option.partition("=")
        if key != "temp":
            raise InputError(f"the solver knows no option {key} of {name}")
        kelvin = float(value) + ZERO_C
    if model not in models:
        if model not in cells:
            raise InputError(f"'{name}' names the model '{model}', which is not among the cells")
        card = next(line for line in lines_of(cells[model]) if line.startswith(".model"))
        models[model] = parse_model(card)
    return Part(name, kind, tuple(nodes), model=model, kelvin=kelvin)


def read_opamp(cells: Mapping[str, Cell], name: str) -> OpampPart:
    """The parameters of the op-amp cell `name`: of opamp_macro's equations, or an ideal source.

    Raises InputError where the cell is neither, or opamp_macro is not what the equations stand for.
    """
    cell = cells[name]
    body = [line for line in lines_of(cell) if not line.startswith((".subckt", ".ends"))]
    if tuple(body) == IDEAL_BODY:
        return OpampPart(name, True, dict(cell.defaults), {}, None)
    words = body[0].split() if len(body) == 1 else []
    if len(words) < 7 or words[6] != CORE:
        raise InputError(f"op-amp '{name}' is not built on {CORE}: the solver has no equations for it")
    core = cells[CORE]
    values = dict(core.defaults)
    for word in words[7:]:
        key, _, text = word.partition("=")
        values[key] = evaluate(text, cell.defaults)
    clamp: Mapping[str, float] = {}
    kelvin: float | None = None
    found: list[str] = []
    for line in lines_of(core):
        if line.startswith((".subckt", ".ends")) or line in CORE_PARAMS:
            continue
        if line.startswith(".model opamp_clamp"):
            clamp = parse_model(line)[1]
            continue
        if line.startswith("d") and "temp=" in line:
            line, _, celsius = line.rpartition(" temp=")
            kelvin = float(celsius) + ZERO_C
        found.append(line)
    if tuple(found) != CORE_BODY or not clamp:
        odd = sorted(set(found) ^ set(CORE_BODY))
        raise InputError(
            f"{CORE} is not the circuit that the solver's equations stand for: {'; '.join(odd)[:200]}"
        )
    return OpampPart(name, False, values, clamp, kelvin)
