"""Fabricated boards: every resistor, op-amp, diode and transistor with a value of its own.

A board is drawn from a `Spread` by (seed, k) alone: each source of variation of each board has its
own stream of numpy's SeedSequence, so board k is the same whatever the number of boards, workers or
other sources. `board_netlist` writes it out for ngspice; `montecarlo` runs many.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from analognet.analog.bench import NOMINAL_C
from analognet.analog.cells import OPAMP_ROLE
from analognet.analog.solver.devices import NOMINAL_K, thermal_voltage
from analognet.analog.solver.hardware import inverter_params
from analognet.analog.solver.parts import open_cell, read_opamp
from analognet.errors import UsageError
from analognet.network import Array

if TYPE_CHECKING:
    from analognet.design import Design

# Source of variation -> what it draws. The order is part of what a seed means: append, never reorder.
SOURCES: Final = {
    "resistors": "tolerance and temperature coefficient of every resistor",
    "offset": "input offset voltage of every op-amp, and its drift",
    "gain": "open-loop gain of every op-amp",
    "bandwidth": "gain-bandwidth product of every op-amp",
    "diodes": "saturation current of every diode",
    "transistors": "saturation current and current gain of every transistor",
    "supply": "both supplies",
    "reference": "reference voltage",
    "temperature": "temperature of the board",
    "strips": "resistors of a chip, by their areas",
    "cells": "input offset of every amplifier of a chip",
}
# key -> (lowest, highest, unit) that makes sense; beyond it is a mistake, not a part
LIMITS: Final = {
    "resistor_tolerance": (0.0, 0.5, ""),
    "resistor_tempco": (0.0, 0.01, "1/K"),
    "vos_sigma": (0.0, 0.1, "V"),
    "tcvos": (0.0, 1e-3, "V/K"),
    "a0_sigma": (0.0, 2.0, "(log)"),
    "gbw_sigma": (0.0, 1.0, "(log)"),
    "diode_is_sigma": (0.0, 3.0, "(log)"),
    "transistor_is_sigma": (0.0, 1.0, "(log)"),
    "transistor_beta_sigma": (0.0, 1.0, "(log)"),
    "supply_tolerance": (0.0, 0.2, ""),
    "reference_tolerance": (0.0, 0.2, ""),
    "temperature_span": (0.0, 200.0, "K"),
    "strip_mismatch": (0.0, 10.0, "times the process's"),
    "transistor_mismatch": (0.0, 10.0, "times the process's"),
}
# Typical of the parts where neither technology nor cell says more (docs/variation.md)
A0_SIGMA: Final = 0.3
GBW_SIGMA: Final = 0.07
DIODE_IS_SIGMA: Final = 0.2
SUPPLY_TOLERANCE: Final = 0.02
REFERENCE_TOLERANCE: Final = 0.0005
LARGEST_SEED: Final = 2**63


@dataclass(frozen=True)
class Spread:
    """How much parts differ. Tolerances are relative limits of +-3 sigma; sigmas of logarithms are
    relative. resistor_tempco: 1/K, 3 sigma, of each resistor against the others. vos_sigma V, tcvos
    V/K: one sigma. temperature_span: K, the board is anywhere within half of it from the stated
    temperature. strip_mismatch, transistor_mismatch: of a chip, 1 as its process is; the others are a
    board's. Raises UsageError for a value outside `LIMITS`.
    """

    resistor_tolerance: float
    resistor_tempco: float
    vos_sigma: float
    tcvos: float
    a0_sigma: float = A0_SIGMA
    gbw_sigma: float = GBW_SIGMA
    diode_is_sigma: float = DIODE_IS_SIGMA
    transistor_is_sigma: float = 0.0
    transistor_beta_sigma: float = 0.0
    supply_tolerance: float = SUPPLY_TOLERANCE
    reference_tolerance: float = REFERENCE_TOLERANCE
    temperature_span: float = 0.0
    strip_mismatch: float = 0.0
    transistor_mismatch: float = 0.0

    def __post_init__(self) -> None:
        for key, (low, high, unit) in LIMITS.items():
            value = getattr(self, key)
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                raise UsageError(f"{key} {value}: allowed is {low:g} to {high:g} {unit}".rstrip())

    def only(self, source: str) -> Spread:
        """This spread with one source of variation alone. Raises UsageError for an unknown one."""
        if source not in SOURCES:
            raise UsageError(f"source '{source}' is unknown; there are {', '.join(SOURCES)}")
        kept = _FIELDS[source]
        return Spread(**{f.name: getattr(self, f.name) if f.name in kept else 0.0 for f in fields(self)})

    @property
    def active(self) -> tuple[str, ...]:
        """The sources that are not zero."""
        return tuple(s for s, names in _FIELDS.items() if any(getattr(self, n) > 0 for n in names))


_FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "resistors": ("resistor_tolerance", "resistor_tempco"),
    "offset": ("vos_sigma", "tcvos"),
    "gain": ("a0_sigma",),
    "bandwidth": ("gbw_sigma",),
    "diodes": ("diode_is_sigma",),
    "transistors": ("transistor_is_sigma", "transistor_beta_sigma"),
    "supply": ("supply_tolerance",),
    "reference": ("reference_tolerance",),
    "temperature": ("temperature_span",),
    "strips": ("strip_mismatch",),
    "cells": ("transistor_mismatch",),
}


def default_spread(design: Design, **changes: Any) -> Spread:
    """What the technology and its parts' data sheets say, with `changes` by field name.

    Raises UsageError for a field that a Spread does not have or a value outside its range.
    """
    unknown = sorted(set(changes) - {f.name for f in fields(Spread)})
    if unknown:
        raise UsageError(
            f"'{unknown[0]}' is no spread; there are {', '.join(f.name for f in fields(Spread))}"
        )
    if design.technology.process:
        still = {f.name: 0.0 for f in fields(Spread)} | {"strip_mismatch": 1.0, "transistor_mismatch": 1.0}
        return Spread(**(still | changes))
    kind = design.technology.resistor
    part = design.cells[design.technology.opamp]
    ideal = "vos" not in part.defaults
    matched = max(
        (design.cells[n].rating("vbe_match", 0.0) for n in design.cells if design.cells[n].family == "model"),
        default=0.0,
    )
    beta = max(
        (c.rating("hfe_match", 0.0) for c in design.cells.values() if c.family == "model"), default=0.0
    )
    values: dict[str, Any] = {
        "resistor_tolerance": kind.tolerance,
        "resistor_tempco": kind.tempco,
        "vos_sigma": 0.0 if ideal else part.rating("vos_sigma", part.rating("vos_max", 0.0) / 3.0),
        "tcvos": 0.0 if ideal else part.rating("tcvos", 0.0),
        "a0_sigma": 0.0 if ideal else A0_SIGMA,
        "gbw_sigma": 0.0 if ideal else GBW_SIGMA,
        # data sheets give the largest difference of a pair; 3 sigma of that is sqrt(2) of one
        "transistor_is_sigma": matched / 3.0 / np.sqrt(2.0) / thermal_voltage(NOMINAL_K),
        "transistor_beta_sigma": beta / 3.0 / np.sqrt(2.0),
    }
    if ideal:
        values |= {"supply_tolerance": 0.0, "reference_tolerance": 0.0, "diode_is_sigma": 0.0}
    return Spread(**(values | changes))


@dataclass(frozen=True, eq=False)
class Board:
    """Board k of a seed: temperature in Celsius, rails (vdd, vss, reference) in volts, and a factor for
    every part by its path (`layer0.rp`: (n_out, n_in + 1), `layer0.xamp.dp`: (n_out,)); `.vos` in volts.
    """

    k: int
    seed: int
    temperature: float
    rails: tuple[float, float, float]
    factors: Mapping[str, Array]


def check_seed(seed: object) -> int:
    """The seed. Raises UsageError for what is no whole number from 0 to 2^63 - 1."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= int(seed) < LARGEST_SEED:
        raise UsageError(f"--seed {seed}: a seed is a whole number from 0 to 2^63 - 1")
    return int(seed)


def check_temperature(design: Design, temperature: float, span: float = 0.0) -> float:
    """The temperature. Raises UsageError where it or the span around it leaves the technology's range."""
    low, high = design.technology.temperature
    if not (low <= temperature - span / 2.0 and temperature + span / 2.0 <= high):
        around = f" +- {span / 2.0:g}" if span else ""
        raise UsageError(
            f"--temperature {temperature:g}{around}: technology {design.technology.name} "
            f"holds from {low:g} to {high:g} C"
        )
    return float(temperature)


def board(design: Design, spread: Spread, seed: int, k: int, temperature: float = NOMINAL_C) -> Board:
    """Draw board k. The same (design, spread, seed, k) give the same board, anywhere, in any order.

    Raises UsageError for a seed, board number or temperature that is not allowed.
    """
    seed = check_seed(seed)
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 0:
        raise UsageError(f"board {k}: boards are numbered from 0")
    check_temperature(design, temperature, spread.temperature_span)
    streams = {
        name: np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(int(k), i)))
        for i, name in enumerate(SOURCES)
    }
    technology = design.technology
    celsius = temperature
    if spread.temperature_span > 0:
        celsius += spread.temperature_span * float(streams["temperature"].uniform(-0.5, 0.5))
    supply = 1.0 + _within(streams["supply"], spread.supply_tolerance, (2,))
    reference = 1.0 + float(_within(streams["reference"], spread.reference_tolerance, (1,))[0])
    rails = (technology.vdd * supply[0], technology.vss * supply[1], technology.reference * reference)
    factors: dict[str, Array] = {}
    away = celsius - NOMINAL_C
    for path, kind, shape in parts_of(design):
        if kind == "r" and (spread.resistor_tolerance or spread.resistor_tempco):
            drawn = 1.0 + _within(streams["resistors"], spread.resistor_tolerance, shape)
            if away and spread.resistor_tempco:
                drawn = drawn * (1.0 + away * _within(streams["resistors"], spread.resistor_tempco, shape))
            factors[path] = drawn
        elif kind == "opamp":
            if spread.vos_sigma or spread.tcvos:
                own = read_opamp(design.cells, technology.opamp).values.get("vos", 0.0)
                drift = away * spread.tcvos * streams["offset"].standard_normal(shape)
                factors[f"{path}.vos"] = (
                    own + spread.vos_sigma * streams["offset"].standard_normal(shape) + drift
                )
            if spread.a0_sigma:
                factors[f"{path}.a0"] = np.exp(spread.a0_sigma * streams["gain"].standard_normal(shape))
            if spread.gbw_sigma:
                factors[f"{path}.gbw"] = np.exp(
                    spread.gbw_sigma * streams["bandwidth"].standard_normal(shape)
                )
        elif kind == "d" and spread.diode_is_sigma:
            factors[path] = np.exp(spread.diode_is_sigma * streams["diodes"].standard_normal(shape))
        elif kind == "q" and (spread.transistor_is_sigma or spread.transistor_beta_sigma):
            stream = streams["transistors"]
            factors[path] = np.exp(spread.transistor_is_sigma * stream.standard_normal(shape))
            factors[f"{path}.beta"] = np.exp(spread.transistor_beta_sigma * stream.standard_normal(shape))
    for path in [p for p in factors if p.endswith(".rp")]:
        factors[path.removesuffix("rp") + "rn"] = factors[path]  # a weight has one of the two
    return Board(int(k), seed, celsius, rails, factors)


def _within(stream: np.random.Generator, limit: float, shape: Sequence[int]) -> Array:
    """Normal, 3 sigma = limit, and never beyond: what is, is not sold."""
    drawn: Array = np.clip(stream.standard_normal(shape), -3.0, 3.0) * (limit / 3.0)
    return drawn


def parts_of(design: Design) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """(path, kind, shape) of all that varies, in a fixed order; kinds r, opamp, d, q.

    A weight's resistors are `layer0.rp` and `.rn`, of which a weight has one: they share their draw.
    """
    for i, layer in enumerate(design.analog.layers):
        path, n = f"layer{i}", layer.n_out
        yield f"{path}.rp", "r", (n, layer.n_in + 1)
        for name in ("rf", "ru", "rl", "rbp", "rbn"):
            yield f"{path}.{name}", "r", (n,)
        if layer.topology == "split":
            yield f"{path}.xsum", "opamp", (n,)
        if layer.amplifier == OPAMP_ROLE:
            yield f"{path}.xamp", "opamp", (n,)
        else:
            yield from _cell_parts(design, layer.amplifier, {}, f"{path}.xamp", n)
        if layer.cell is not None and not design.cells[layer.cell].behavioural:
            yield from _cell_parts(design, layer.cell, layer.cell_params, f"{path}.xact", n)
        if layer.topology == "dual_rail":
            params = inverter_params(design.analog, design.cells)
            yield from _cell_parts(design, design.technology.inverter, params, f"{path}.xinv", layer.n_in + 1)


def _cell_parts(
    design: Design, cell: str, params: Mapping[str, float], path: str, n: int
) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    for part in open_cell(design.cells, cell, params).parts:
        if part.kind != "c":
            yield f"{path}.{part.name}", part.kind, (n,)
