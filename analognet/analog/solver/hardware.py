"""Every value of one board: what the netlist says, times what its parts' spread makes of it.

A board without spread is the netlist itself: conductances are rounded to the nine digits it is
written with. `Factors` names each part by `layer0.rp`, `layer0.rp_...` rows, or the path of a part inside
a cell, `layer0.xamp.dp`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from analognet.analog.cells import OPAMP_ROLE, Cell
from analognet.analog.layers import AnalogLayer, AnalogNetwork
from analognet.analog.limits import working_ohm
from analognet.analog.solver.devices import ZERO_C, Diode, Transistor, diode, transistor
from analognet.analog.solver.opamps import Opamps, opamps
from analognet.analog.solver.parts import OpampPart, Part, open_cell, read_opamp
from analognet.network import Array

Factors = Mapping[str, Array]  # path -> factor (or, for `.vos`, volts), shape of what it multiplies
NONE: Factors = {}


@dataclass(frozen=True, eq=False)
class CellRow:
    """n instances of one cell, opened up: each part's values (n,) by its name."""

    name: str
    parts: tuple[Part, ...]
    siemens: Mapping[str, Array]
    farads: Mapping[str, Array]
    opamps: Mapping[str, Opamps]
    diodes: Mapping[str, Diode]
    transistors: Mapping[str, Transistor]
    params: Mapping[str, float] = field(default_factory=dict)

    @property
    def signature(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """(kind, nodes) of every part: by it the solver knows a cell that it has a closed form for."""
        return tuple((p.kind, p.nodes) for p in self.parts)

    @property
    def uniform(self) -> bool:
        """Whether all n instances are equal."""
        rows = [*self.siemens.values(), *(d.i_s for d in self.diodes.values())]
        rows += [a for op in self.opamps.values() for a in (op.a0, op.vos)]
        rows += [a for t in self.transistors.values() for a in (t.i_s, t.beta_f)]
        return all(bool((row == row[0]).all()) for row in rows)


@dataclass(frozen=True, eq=False)
class LayerParts:
    """One layer's values: conductances as in `AnalogLayer`; first, amp: the split topology's first
    op-amps and the last summing op-amps; amplifier: the rectifying amplifier around `amp`, cell: the
    activation cell (its parts empty where it is behavioural), inverters: n_in + 1 of them, used or not.
    """

    source: AnalogLayer
    g_pos: Array
    g_neg: Array
    g_f: Array
    g_f_pos: Array
    g_link: Array
    balance_pos: Array
    balance_neg: Array
    first: Opamps
    amp: Opamps
    amplifier: CellRow | None
    cell: CellRow | None
    inverters: CellRow | None

    @property
    def n_out(self) -> int:
        return int(self.g_f.size)


@dataclass(frozen=True, eq=False)
class Hardware:
    """One board at a temperature in kelvin, on its rails in volts."""

    kelvin: float
    vdd: float
    vss: float
    reference: float
    layers: tuple[LayerParts, ...]


def nine_digits(values: Array) -> Array:
    """Values as `%.9g` writes them, shape kept; 0 stays 0."""
    a = np.asarray(values, dtype=np.float64)
    with np.errstate(divide="ignore"):
        digits = np.where(a != 0, 8.0 - np.floor(np.log10(np.abs(a))), 0.0)
    up = 10.0 ** np.maximum(digits, 0.0)
    down = 10.0 ** np.maximum(-digits, 0.0)
    return np.round(a * up / down) / up * down


def written(conductance: Array) -> Array:
    """Conductances of the resistors that the netlist has in their place; 0 where there is none."""
    g = np.asarray(conductance, dtype=np.float64)
    with np.errstate(divide="ignore"):
        ohms = np.where(g > 0, 1.0 / g, 1.0)
    return np.where(g > 0, 1.0 / nine_digits(ohms), 0.0)


def hardware(
    network: AnalogNetwork,
    cells: Mapping[str, Cell],
    celsius: float,
    factors: Factors = NONE,
    rails: tuple[float, float, float] | None = None,
) -> Hardware:
    """The board that the netlist describes, or one whose parts deviate by `factors`.

    rails: vdd, vss and reference in volts where they are not the technology's. Raises InputError
    for a cell that the solver has no equations for.
    """
    technology = network.technology
    vdd, vss, reference = rails or (technology.vdd, technology.vss, technology.reference)
    kelvin = celsius + ZERO_C
    part = read_opamp(cells, technology.opamp)
    layers = []
    for i, layer in enumerate(network.layers):
        path = f"layer{i}"
        row = _RowMaker(cells, part, kelvin, vdd, vss, factors, layer.n_out)
        amplifier = None if layer.amplifier == OPAMP_ROLE else row.cell(layer.amplifier, {}, f"{path}.xamp")
        inverters = None
        if layer.topology == "dual_rail":
            wide = _RowMaker(cells, part, kelvin, vdd, vss, factors, layer.n_in + 1)
            inverters = wide.cell(technology.inverter, inverter_params(network, cells), f"{path}.xinv")
        g = {
            name: siemens / factors[f"{path}.{name}"] if f"{path}.{name}" in factors else siemens
            for name, siemens in _written_layer(layer).items()
        }
        params = {k: float(f"{v:.9g}") for k, v in layer.cell_params.items()}
        layers.append(
            LayerParts(
                source=layer,
                g_pos=g["rp"],
                g_neg=g["rn"],
                g_f=g["rf"],
                g_f_pos=g["ru"],
                g_link=g["rl"],
                balance_pos=g["rbp"],
                balance_neg=g["rbn"],
                first=row.opamps(f"{path}.xsum"),
                amp=row.opamps(f"{path}.xamp")
                if amplifier is None
                else next(iter(amplifier.opamps.values())),
                amplifier=amplifier,
                cell=None if layer.cell is None else row.cell(layer.cell, params, f"{path}.xact"),
                inverters=inverters,
            )
        )
    return Hardware(kelvin, vdd, vss, float(f"{reference:.9g}"), tuple(layers))


def inverter_params(network: AnalogNetwork, cells: Mapping[str, Cell]) -> Mapping[str, float]:
    """The parameters that `build` gives a dual-rail network's inverters."""
    ohms = float(f"{working_ohm(network.technology, cells):.9g}")
    return {"r": ohms} if "r" in cells[network.technology.inverter].defaults else {}


@lru_cache(maxsize=16)
def _written_layer(layer: AnalogLayer) -> Mapping[str, Array]:
    return {
        "rp": written(layer.g_pos),
        "rn": written(layer.g_neg),
        "rf": written(layer.g_f),
        "ru": written(layer.g_f_pos),
        "rl": written(layer.g_link),
        "rbp": written(layer.balance_pos),
        "rbn": written(layer.balance_neg),
    }


@dataclass(frozen=True, eq=False)
class _RowMaker:
    library: Mapping[str, Cell]
    part: OpampPart
    kelvin: float
    vdd: float
    vss: float
    factors: Factors
    n: int

    def opamps(self, path: str) -> Opamps:
        return opamps(
            self.part,
            self.n,
            self.kelvin,
            self.vdd,
            self.vss,
            self.factors.get(f"{path}.vos"),
            self.factors.get(f"{path}.a0", np.ones(1)),
            self.factors.get(f"{path}.gbw", np.ones(1)),
        )

    def cell(self, name: str, params: Mapping[str, float], path: str) -> CellRow:
        if self.library[name].behavioural:
            defaults = dict(self.library[name].defaults) | dict(params)
            return CellRow(name, (), {}, {}, {}, {}, {}, defaults)
        opened = open_cell(self.library, name, params)
        siemens, farads, amps, diodes, transistors = {}, {}, {}, {}, {}
        ones = np.ones(self.n)
        for p in opened.parts:
            at = f"{path}.{p.name}"
            kelvin = p.kelvin or self.kelvin
            if p.kind == "r":
                siemens[p.name] = 1.0 / (p.value * self.factors.get(at, ones))
            elif p.kind == "c":
                farads[p.name] = p.value * ones
            elif p.kind == "opamp":
                amps[p.name] = self.opamps(at)
            elif p.kind == "d":
                diodes[p.name] = diode(opened.models[p.model][1], kelvin, self.factors.get(at, ones))
            else:
                transistors[p.name] = transistor(
                    opened.models[p.model][1],
                    kelvin,
                    self.factors.get(at, ones),
                    self.factors.get(f"{at}.beta", ones),
                )
        return CellRow(name, opened.parts, siemens, farads, amps, diodes, transistors, dict(params))
