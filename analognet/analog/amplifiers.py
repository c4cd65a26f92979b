"""Every op-amp of a circuit: where it is, what it does, and what ngspice calls its inner nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from analognet.analog import pdk
from analognet.analog.cells import OPAMP_ROLE, Cell
from analognet.analog.circuit import Circuit, Instance


@dataclass(frozen=True)
class Amplifier:
    """One op-amp. path: below `xnet`, `xlayer0.xamp3.xamp`; layer: its index, that of the layer
    behind it for an inverter between layers; role: `sum` for a summing amplifier, `cell` inside an
    activation cell, `inverter`; out: the net its output is on, by path; in_macro: whether it
    holds the macromodel whose nodes x and c tell how it moves.
    """

    path: str
    layer: int
    role: str
    out: str
    in_macro: bool

    @property
    def x(self) -> str:
        return f"v(xnet.{self.path}.xpart.xcore.x)"

    @property
    def c(self) -> str:
        return f"v(xnet.{self.path}.xpart.xcore.c)"

    @property
    def output(self) -> str:
        """ngspice's name of the output voltage."""
        return f"v({self.out})"

    @property
    def probes(self) -> tuple[str, ...]:
        return (self.x, self.c, self.output) if self.in_macro else (self.output,)


def amplifiers(circuit: Circuit, cells: Mapping[str, Cell]) -> tuple[Amplifier, ...]:
    """All op-amps of a circuit, layer by layer, in the order of the netlist."""
    inner = {s.name: s for s in circuit.subcircuits}
    outer_pins = {n: n for n in circuit.top.pin_names}
    macro = "opamp_macro" in cells[circuit.opamp].uses

    def expand(of: str, path: str, nets: tuple[str, ...], layer: int, role: str) -> Iterator[Amplifier]:
        if of == OPAMP_ROLE:
            yield Amplifier(path, layer, role, nets[2], macro)
            return
        cell = cells[of]
        if cell.family == "amplifier" and cell.devices:  # an op-amp of transistors, and not around one
            yield Amplifier(path, layer, role, nets[2], False)
            return
        known = dict(zip(cell.pin_names, nets, strict=True))
        for line in cell.text.splitlines():
            words = line.split("params:")[0].split()
            positional = [w for w in words[1:] if "=" not in w]
            if words and words[0][0] in "xX" and not positional[-1].startswith(pdk.PREFIX):
                child = tuple(known.get(n, f"xnet.{path}.{n}") for n in positional[:-1])
                yield from expand(positional[-1], f"{path}.{words[0].lower()}", child, layer, role)

    def inside(element: Instance, path: str, named: Mapping[str, str], layer: int) -> Iterator[Amplifier]:
        prefix = f"{path}." if path else ""
        nets = tuple(named.get(n, f"xnet.{prefix}{n}") for n in element.nets)
        place = f"{prefix}{element.name.lower()}"
        if element.of not in inner:
            kind = "opamp" if element.of == OPAMP_ROLE else cells[element.of].family
            role = {"opamp": "sum", "amplifier": "sum", "inverter": "inverter"}.get(kind, "cell")
            yield from expand(element.of, place, nets, layer, role)
            return
        child = inner[element.of]
        for part in child.elements():
            if isinstance(part, Instance):
                yield from inside(part, place, dict(zip(child.pin_names, nets, strict=True)), layer)

    found: list[Amplifier] = []
    layer = 0
    for element in circuit.top.elements():
        if isinstance(element, Instance):
            found += inside(element, "", outer_pins, layer)
            layer += element.of in inner
    return tuple(found)
