"""A board written out: the design's netlist with every part's own value in it.

Cells are opened up, so that each resistor, diode, transistor and op-amp of each neuron is a line of
its own. Nets of the network, `l0_y3` or `xlayer0.n3`, keep their names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analognet.analog.cells import OPAMP_ROLE
from analognet.analog.circuit import Instance, Star, Subcircuit
from analognet.analog.netlist import INSTANCE, is_flat, wrap
from analognet.analog.solver.devices import ZERO_C
from analognet.analog.solver.parts import open_cell
from analognet.analog.variation import Board
from analognet.network import Array

if TYPE_CHECKING:
    from analognet.design import Design


def board_netlist(design: Design, board: Board) -> str:
    """The subcircuits of one board, as `Design.netlist` is of the nominal one; ends with `network`.

    The bench that runs it must stand on the board's rails and at its temperature.
    """
    lines = [
        f"* {design.circuit.title}, board {board.k} of seed {board.seed}",
        f"* temperature {board.temperature:.9g} C, vdd {board.rails[0]:.9g} V, vss {board.rails[1]:.9g} V, "
        f"reference {board.rails[2]:.9g} V",
    ]
    for cell in design.circuit.cells:
        if cell.family in ("core", "opamp", "model") or cell.behavioural:
            lines += ["", *cell.text.strip().splitlines()]
    *layers, top = design.circuit.subcircuits
    if is_flat(design.circuit):
        path = INSTANCE.lower()
        writer = _Writer(design, board, path, {n: n for n in top.pin_names})
        lines += writer.top(top)
        for i, sub in enumerate(layers):
            instance = next(e for e in top.elements() if isinstance(e, Instance) and e.of == sub.name)
            nets = [writer.net(n) for n in instance.nets]
            outer = dict(zip(sub.pin_names, nets, strict=True))
            lines += _Writer(design, board, f"{path}.{instance.name.lower()}", outer).layer(sub, i)
        return "\n".join(lines) + "\n"
    writer = _Writer(design, board, "", {})
    for i, sub in enumerate(layers):
        lines += ["", *wrap([f".subckt {sub.name}", *sub.pin_names]), *writer.layer(sub, i), ".ends"]
    lines += ["", *wrap([f".subckt {top.name}", *top.pin_names])]
    lines += [line for e in top.elements() if isinstance(e, Instance) and e.of in _names(layers)
              for line in wrap([e.name, *e.nets, e.of])]  # fmt: skip
    lines += [*writer.top(top), ".ends"]
    return "\n".join(lines) + "\n"


def _names(layers: list[Subcircuit]) -> set[str]:
    return {sub.name for sub in layers}


@dataclass(frozen=True, eq=False)
class _Writer:
    """Writes elements with a board's values. path, outer: of a flat netlist, where names are whole paths
    and a subcircuit's pins stand for the nets outside; empty where subcircuits are written.
    """

    design: Design
    board: Board
    path: str
    outer: Mapping[str, str]

    @property
    def factors(self) -> Mapping[str, Array]:
        return self.board.factors

    def net(self, name: str) -> str:
        if not self.path:
            return name
        return "0" if name == "com" else self.outer.get(name) or f"{self.path}.{name}"

    def name(self, kind: str, name: str) -> str:
        return f"{kind}.{self.path}.{name}" if self.path else f"{kind}{name}"

    def layer(self, sub: Subcircuit, index: int) -> Iterator[str]:
        n_in = self.design.analog.layers[index].n_in
        for neuron, group in enumerate(sub.groups):
            for element in group.elements:
                if isinstance(element, Star):
                    yield from self.star(element, index, neuron, n_in)
                elif isinstance(element, Instance):
                    kind = element.name.lower().rstrip("0123456789")
                    yield from self.instance(element, f"layer{index}.{kind}", neuron)

    def top(self, sub: Subcircuit) -> Iterator[str]:
        """The inverters between the layers."""
        for group in sub.groups:
            for element in group.elements:
                assert isinstance(element, Instance)
                if not element.name.startswith("Xinv_"):
                    continue
                layer = int(group.title.split()[-2])  # "inverted copies of what layer 1 takes"
                net = element.nets[0]
                column = self.design.analog.layers[layer].n_in
                if net != "ref":
                    column = int(net.rpartition("x" if layer == 0 else "y")[2])
                yield from self.instance(element, f"layer{layer}.xinv", column)

    def star(self, star: Star, index: int, neuron: int, n_in: int) -> Iterator[str]:
        kind = star.prefix.lower().rstrip("0123456789")
        factor = self.factors.get(f"layer{index}.{kind}")
        ohms = np.array([float(f"{r:.9g}") for r in star.ohms])
        if factor is not None:
            if factor.ndim == 2:
                ohms = ohms * factor[neuron, [n_in if c == "b" else int(c) for c in star.labels]]
            else:
                ohms = ohms * factor[neuron]
        for name, net, r in zip(star.names, star.nets, ohms.tolist(), strict=True):
            yield f"{self.name('R', name)} {self.net(net)} {self.net(star.hub)} {r:.17g}"

    def opamp(self, name: str, nets: tuple[str, ...], path: str, at: int) -> list[str]:
        part = self.design.cells[self.design.technology.opamp]
        given = [
            f"{key}={part.defaults[key] * self.factors[f'{path}.{key}'][at]:.17g}"
            for key in ("a0", "gbw")
            if f"{path}.{key}" in self.factors and key in part.defaults
        ]
        if f"{path}.vos" in self.factors and "vos" in part.defaults:
            given.append(f"vos={self.factors[f'{path}.vos'][at]:.17g}")
        return wrap([self.name("X", name), *nets, part.name, *given])

    def instance(self, element: Instance, path: str, at: int) -> Iterator[str]:
        nets = tuple(self.net(n) for n in element.nets)
        name = element.name.lower()
        if element.of == OPAMP_ROLE:
            yield from self.opamp(name, nets, path, at)
            return
        cell = self.design.cells[element.of]
        params = {k: float(f"{v:.9g}") for k, v in element.params}
        if cell.behavioural:
            given = [f"{k}={v:.9g}" for k, v in params.items()]
            yield from wrap([self.name("X", name), *nets, element.of, *given])
            return
        pins = dict(zip(cell.pin_names, nets, strict=True))
        opened = open_cell(self.design.cells, element.of, params)
        for part in opened.parts:
            inner = [pins.get(n) or self.net(f"{name}_{n.replace('.', '_')}") for n in part.nodes]
            own = f"{name}_{part.name.replace('.', '_')}"
            where = f"{path}.{part.name}"
            factor = float(self.factors[where][at]) if where in self.factors else 1.0
            if part.kind == "r":
                yield f"{self.name('R', own)} {' '.join(inner)} {part.value * factor:.17g}"
            elif part.kind == "c":
                yield f"{self.name('C', own)} {' '.join(inner)} {part.value:.17g}"
            elif part.kind == "opamp":
                yield from self.opamp(own, (*inner, "vdd", "vss"), where, at)
            elif part.kind == "d":
                fixed = "" if part.kelvin is None else f" temp={part.kelvin - ZERO_C:.9g}"
                yield f"{self.name('D', own)} {' '.join(inner)} {part.model} area={factor:.17g}{fixed}"
            else:
                model = dict(opened.models[part.model][1])
                beta = float(self.factors[f"{where}.beta"][at]) if f"{where}.beta" in self.factors else 1.0
                model |= {"is": model["is"] * factor, "bf": model["bf"] * beta, "br": model["br"] * beta}
                card = " ".join(f"{k}={v:.17g}" for k, v in model.items() if np.isfinite(v))
                yield from wrap([f".model m_{path.replace('.', '_')}_{own} NPN({card})"])
                yield f"{self.name('Q', own)} {' '.join(inner)} m_{path.replace('.', '_')}_{own}"
