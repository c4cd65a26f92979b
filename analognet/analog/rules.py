"""Electrical rule checks on a circuit's graph, before a netlist is written.

ngspice lets a floating node pass with a warning at most, so these are found here.
"""

from __future__ import annotations

import networkx as nx

from analognet.analog.circuit import Circuit
from analognet.errors import InputError

_SHOWN = 5


def violations(circuit: Circuit) -> list[str]:
    """Every broken rule, one sentence each; empty for a sound circuit.

    floating node: a net inside the circuit that only one element touches and nothing drives
    shorted outputs: a net that two outputs, or an output and a supply or input, drive
    undriven input: a cell's input with neither a driver nor a resistor
    no DC path: a net that no resistor connects with a driver
    """
    graph = circuit.graph(values=False)
    kinds = nx.get_node_attributes(graph, "kind")
    nets = [n for n, kind in kinds.items() if kind == "net"]
    cells = [n for n, kind in kinds.items() if kind == "cell"]
    roles = nx.get_node_attributes(graph, "role")
    drivers: dict[str, list[str]] = {n: [] for n in nets}
    inputs: list[tuple[str, str]] = []
    for net, role in roles.items():
        if role != "out":
            drivers[net].append(f"pin {net}")
    touching = dict(graph.degree())
    for cell in cells:
        for net, data in graph[cell].items():
            touching[net] += len(data["pins"]) - 1
            for pin, role in data["pins"]:
                if role == "out":
                    drivers[net].append(cell)
                elif role == "in":
                    inputs.append((net, f"{cell}.{pin}"))
    found = [f"shorted outputs: {n} is driven by {', '.join(d)}" for n, d in drivers.items() if len(d) > 1]
    found += [
        f"floating node: only one element touches {n}"
        for n in nets
        # an output that nothing takes is sound: a neuron whose weights are all zero leaves one
        if n not in roles and touching[n] < 2 and not drivers[n]
    ]
    graph.remove_nodes_from(cells)  # what is left are nets and resistors
    for net, pin in inputs:
        if not drivers[net] and not graph.degree(net):
            found.append(f"undriven input: nothing drives {pin} on {net}")
    for component in nx.connected_components(graph):
        if not any(drivers[n] for n in component):
            found.append(f"no DC path: {min(component)} and {len(component) - 1} other nets reach no driver")
    return found


def check(circuit: Circuit) -> None:
    """Raise InputError with the first violations, if there are any."""
    found = violations(circuit)
    if found:
        more = f" (and {len(found) - _SHOWN} more)" if len(found) > _SHOWN else ""
        raise InputError("the circuit breaks electrical rules: " + "; ".join(found[:_SHOWN]) + more)
