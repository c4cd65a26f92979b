"""Converters at a network's ends: in on both sides or out on both."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from analognet.converters import ConverterEnergy, converter_energies, load_converters
from analognet.design import Design
from analognet.network import Network


def converter_lines(network: Network, duration_s: float, chosen: str) -> dict[str, Any]:
    """Converters that a network's ends need: joules and seconds of an inference of this length.

    `digital_in`: DACs at the inputs and comparators at the outputs, for an analog network between digital
    parts; `analog_in`: the comparators alone. Seconds are of one conversion, as channels run side by side.
    """
    lines = converter_energies(network.n_in, network.n_out, duration_s, chosen=chosen)
    inputs, outputs = lines
    return {
        "digital_in": _sum(lines),
        "analog_in": _sum((outputs,)),
        "lines": [_line(line) for line in (inputs, outputs)],
    }


def input_adcs(network: Network, duration_s: float, chosen: str) -> dict[str, Any]:
    """One ADC an input, for a digital network whose inputs arrive as voltages."""
    file = load_converters()
    part = file.sets[chosen].adc
    c = file.converter[part]
    n = network.n_in
    line = ConverterEnergy(
        "input ADCs", part, n, c.bits, c.rate_hz, n * c.energy(duration_s), 1 / c.rate_hz, c.source
    )
    return {"analog_in": _sum((line,)), "lines": [_line(line)]}


def _sum(lines: tuple[ConverterEnergy, ...]) -> dict[str, float]:
    return {"energy_j": sum(line.energy_j for line in lines), "time_s": sum(line.time_s for line in lines)}


def _line(line: ConverterEnergy) -> dict[str, Any]:
    return asdict(line)


def converter_set(design: Design) -> str:
    """The converters made of the same stuff: parts for a board, published silicon for the rest."""
    sets = load_converters().sets
    return design.technology.name if design.technology.name in sets else "integrated"
