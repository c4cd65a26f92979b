"""A circuit as SPICE text: deterministic, readable, and complete by itself."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from analognet.analog.cells import Cell
from analognet.analog.circuit import Circuit, Element, Instance, Shunt, Star, Subcircuit
from analognet.analog.technology import Strip
from analognet.network import Array

WIDTH = 100
PIN_LIMIT = 1000  # ngspice 39 ends with "N_GLOBAL_NODES overflow" at an instance of 1005
INSTANCE = "Xnet"  # the network under test, in every bench
KIT_RESISTOR = "sky130_fd_pr__res_xhigh_po"
MODELS = "models.spice"  # a process's device models, beside the deck


def render(circuit: Circuit) -> str:
    """The circuit's subcircuits, cells first; ends with the subcircuit `network`.

    The first line is the title, as SPICE wants it. No analysis and no `.end`: a bench follows.
    A network with more nets than an instance can have pins is written flat.
    """
    return "".join(pieces(circuit))


def pieces(circuit: Circuit) -> Iterator[str]:
    """The same text in pieces of whole lines, none longer than a neuron's: for what memory must not hold."""
    lines = [f"* {circuit.title}"]
    lines += [f"* {note}" for note in circuit.notes]
    if circuit.process:
        lines.append(f".include {MODELS}")
    for cell in circuit.cells:
        lines += ["", *cell.text.strip().splitlines()]
        if cell.name == circuit.opamp:
            lines += ["", *opamp_role(cell)]
    yield _text(lines)
    if is_flat(circuit):
        outer = {n: "0" if n == "com" else n for n in circuit.top.pin_names}
        yield "\n"
        yield from _flat(circuit, circuit.top, INSTANCE.lower(), outer)
    else:
        for sub in circuit.subcircuits:
            yield "\n"
            yield from _subcircuit(sub)


def _text(lines: Iterable[str]) -> str:
    return "".join([f"{line}\n" for line in lines])


def is_flat(circuit: Circuit) -> bool:
    """Whether some subcircuit has more pins than ngspice takes, so that none can be used."""
    return any(len(sub.pins) > PIN_LIMIT for sub in circuit.subcircuits)


def _flat(circuit: Circuit, sub: Subcircuit, path: str, outer: dict[str, str]) -> Iterator[str]:
    """The elements without subcircuits around them, under the names ngspice would have given them.

    So a node is found by the same name in both forms: `xnet.xlayer0.n3`.
    """
    inner = {s.name: s for s in circuit.subcircuits}
    net = _Paths(outer, path)
    yield f"* {sub.title}\n"
    for group in sub.groups:
        lines = [f"* {group.title}"] if group.elements else []
        for element in group.elements:
            name = f"{path}.{element.name.lower()}" if isinstance(element, Instance) else ""
            if isinstance(element, Shunt):
                lines.append(f"C.{path}.{element.name} {net[element.net]} vss {element.farads:.9g}")
            elif isinstance(element, Star):
                nets = tuple(map(net.__getitem__, element.nets))
                prefix = f"R.{path}.{element.prefix}"
                lines += _star(replace(element, prefix=prefix, hub=net[element.hub], nets=nets))
            elif element.of in inner:
                child = inner[element.of]
                pins = {p: net[n] for p, n in zip(child.pin_names, element.nets, strict=True)}
                yield _text(lines)
                lines = []
                yield from _flat(circuit, child, name, pins)
            else:
                nets = tuple(net[n] for n in element.nets)
                lines += _instance(Instance(name, element.of, nets, element.params))
        yield _text(lines)


class _Paths(dict[str, str]):
    """Net as a subcircuit calls it -> as the flat netlist does; its own ones stand under its path."""

    def __init__(self, outer: dict[str, str], path: str) -> None:
        super().__init__(outer)
        self._path = path

    def __missing__(self, name: str) -> str:
        full = self[name] = f"{self._path}.{name}"
        return full


def opamp_role(part: Cell) -> Iterator[str]:
    """The subcircuit `opamp`, which cells ask for, around the part that a technology has for it."""
    pins = " ".join(part.pin_names)
    yield f"* the op-amp that every cell of this design uses: {part.title}"
    yield f".subckt opamp {pins}"
    yield f"Xpart {pins} {part.name}"
    yield ".ends"


def _subcircuit(sub: Subcircuit) -> Iterator[str]:
    yield _text([f"* {sub.title}", *wrap([f".subckt {sub.name}", *sub.pin_names])])
    for group in sub.groups:
        if group.elements:
            yield _text([f"* {group.title}", *(line for e in group.elements for line in _element(e))])
    yield ".ends\n"


def _element(element: Element) -> list[str]:
    if isinstance(element, Instance):
        return _instance(element)
    if isinstance(element, Shunt):
        return [f"{element.name} {element.net} vss {element.farads:.9g}"]
    return _star(element)


def _star(element: Star) -> list[str]:
    if element.middle_f is not None:
        return list(_strips(element.names, element.nets, element.hub, element))
    hub = element.hub
    if len(element.labels) == 1:
        values = zip(element.names, element.nets, element.ohms.tolist(), strict=True)
        return [f"{name} {net} {hub} {ohms:.9g}" for name, net, ohms in values]
    # the inner loop of every conversion: one string per resistor, made at once
    start = f"{element.prefix}_"
    values = zip(element.labels, element.nets, element.ohms.tolist(), strict=True)
    return [f"{start}{label} {net} {hub} {ohms:.9g}" for label, net, ohms in values]


def _instance(element: Instance) -> list[str]:
    params = [f"{k}={v:.9g}" for k, v in element.params]
    return wrap([element.name, *element.nets, element.of, *params])


def _strips(names: Sequence[str], nets: Sequence[str], hub: str, star: Star) -> Iterator[str]:
    """Resistors of which the long ones are two halves with their capacitance in the middle."""
    assert star.middle_f is not None
    values = zip(names, nets, star.ohms.tolist(), star.middle_f.tolist(), strict=True)
    for name, net, ohms, farads in values:
        if farads == 0:
            yield f"{name} {net} {hub} {ohms:.9g}"
            continue
        middle = f"{name}.m".lower()
        yield f"{name}.a {net} {middle} {ohms / 2:.9g}"
        yield f"{name}.b {middle} {hub} {ohms / 2:.9g}"
        yield f"C{name[1:]}.m {middle} vss {farads:.9g}"


def with_kit_resistors(text: str, strip: Strip) -> str:
    """The network's strips as the design kit's own resistor, voltage coefficient and all: for a check.

    ngspice takes several times longer over them, and finds no operating point now and then, so they
    are not what is simulated. Cells keep what they have.
    """
    cells, marker, network = text.partition("\n* layer 0: ")

    def strip_of(match: re.Match[str]) -> str:
        name, a, b, ohms = match.groups()
        length = float(strip.length_um(np.array(float(ohms))))
        return f"X{name} {a} {b} vss {KIT_RESISTOR} w={strip.width_um:g} l={length:.9g} mult=1"

    return (
        cells + marker + re.sub(r"^(R\S+) (\S+) (\S+) ([0-9.e+-]+)$", strip_of, network, flags=re.MULTILINE)
    )


def wrap(words: Sequence[str]) -> list[str]:
    """One SPICE line from words, continued with `+` where it gets long."""
    text = " ".join(words)
    if len(text) <= WIDTH:
        return [text]
    return textwrap.wrap(text, WIDTH, subsequent_indent="+ ", break_long_words=False, break_on_hyphens=False)


def supplies(circuit: Circuit, vdd: float, vss: float, reference: float) -> list[str]:
    """Supply and reference sources of a bench, and the instance of the network under test.

    A flat netlist is that network already.
    """
    nets = ["0" if n == "com" else n for n in circuit.top.pin_names]
    instance = [] if is_flat(circuit) else wrap([INSTANCE, *nets, circuit.top.name])
    return [
        f"Vdd vdd 0 {vdd:.9g}",
        f"Vss vss 0 {vss:.9g}",
        f"Vref ref 0 {reference:.9g}",
        *instance,
    ]


def standalone_bench(
    circuit: Circuit, rails: tuple[float, float, float], inputs_v: Array, expected_v: Array
) -> str:
    """A bench for `ngspice -b`: one input vector (n_in,) in volts, its operating point, the outputs.

    rails: vdd, vss and reference in volts. expected_v: (n_out,) what the float network says.
    """
    outputs = [n for n, role in circuit.top.pins if role == "out"]
    lines = ["* bench: the operating point of one input, by `ngspice -b network.cir`"]
    lines += supplies(circuit, *rails)
    lines += [f"Vx{j} x{j} 0 {v:.9g}" for j, v in enumerate(inputs_v.tolist())]
    lines += ["* the float network says:"]
    lines += [f"* {n} = {v:.9g} V" for n, v in zip(outputs, expected_v.tolist(), strict=True)]
    lines += [".options reltol=1e-6 vntol=1e-9 abstol=1e-15", ".control", "op"]
    lines += [f"print v({n})" for n in outputs]
    lines += ["print i(vdd) i(vss) i(vref)", "quit 0", ".endc", ".end"]
    return "\n".join(lines) + "\n"
