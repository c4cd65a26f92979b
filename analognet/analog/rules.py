"""Electrical rule checks on a circuit, before a netlist is written.

ngspice lets a floating node pass with a warning at most, so these are found here.
"""

from __future__ import annotations

import numpy as np

from analognet.analog.circuit import Circuit
from analognet.analog.wiring import wiring
from analognet.errors import InputError

_SHOWN = 5


def violations(circuit: Circuit) -> list[str]:
    """Every broken rule, one sentence each; empty for a sound circuit.

    floating node: a net inside the circuit that only one element touches and nothing drives
    shorted outputs: a net that two outputs, or an output and a supply or input, drive
    undriven input: a cell's input with neither a driver nor a resistor
    no DC path: a net that no resistor connects with a driver
    """
    wired = wiring(circuit)
    nets, roles = wired.nets, wired.roles
    drivers: list[list[str]] = [[] for _ in nets]
    for net, role in roles.items():
        if role != "out":
            drivers[net].append(f"pin {nets[net]}")
    resistive = wired.neighbours()
    touching = resistive.tolist()
    inputs: list[tuple[int, str]] = []
    for cell, pins in wired.cells:
        for pin, role, net in pins:
            touching[net] += 1
            if role == "out":
                drivers[net].append(cell)
            elif role == "in":
                inputs.append((net, f"{cell}.{pin}"))
    found = [
        f"shorted outputs: {nets[n]} is driven by {', '.join(d)}" for n, d in enumerate(drivers) if len(d) > 1
    ]
    found += [
        f"floating node: only one element touches {name}"
        for n, name in enumerate(nets)
        # an output that nothing takes is sound: a neuron whose weights are all zero leaves one
        if n not in roles and touching[n] < 2 and not drivers[n]
    ]
    for net, pin in inputs:
        if not drivers[net] and not resistive[net]:
            found.append(f"undriven input: nothing drives {pin} on {nets[net]}")
    parts, part_of = wired.components()
    driven = np.zeros(parts, dtype=bool)
    driven[part_of[[n for n, d in enumerate(drivers) if d]]] = True
    for part in np.flatnonzero(~driven).tolist():
        members = [nets[n] for n in np.flatnonzero(part_of == part).tolist()]
        found.append(f"no DC path: {min(members)} and {len(members) - 1} other nets reach no driver")
    return found


def check(circuit: Circuit) -> None:
    """Raise InputError with the first violations, if there are any."""
    found = violations(circuit)
    if found:
        more = f" (and {len(found) - _SHOWN} more)" if len(found) > _SHOWN else ""
        raise InputError("the circuit breaks electrical rules: " + "; ".join(found[:_SHOWN]) + more)
