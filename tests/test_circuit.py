"""From conductances to a circuit: what is in it, and how it is counted."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from conftest import ACTIVATIONS, TOPOLOGIES, dense, example, random_network

from analognet.analog import build
from analognet.analog.circuit import Circuit, Instance, Star
from analognet.analog.wiring import wiring
from analognet.design import Design, convert
from analognet.network import Network


def instances(circuit: Circuit, of: str) -> list[Instance]:
    found = [e for s in circuit.subcircuits for e in s.elements() if isinstance(e, Instance)]
    return [e for e in found if e.of == of]


def stars(circuit: Circuit, prefix: str) -> dict[str, float]:
    found = [e for s in circuit.subcircuits for e in s.elements() if isinstance(e, Star)]
    return {
        name: float(ohms)
        for e in found
        if e.prefix.startswith(prefix)
        for name, ohms in zip(e.names, e.ohms, strict=True)
    }


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_one_resistor_per_weight_that_is_not_zero(topology: str) -> None:
    network = Network("n", (dense([[1.0, 0.0, -2.0], [0.0, 0.0, 0.5]], [0.0, -1.0]),))
    circuit = convert(network, technology="ideal", topology=topology).circuit
    weights = {**stars(circuit, "Rp"), **stars(circuit, "Rn")}
    assert sorted(weights) == ["Rn0_2", "Rn1_b", "Rp0_0", "Rp1_2"]


def test_a_layer_of_zeros_is_a_circuit_all_the_same() -> None:
    for topology in TOPOLOGIES:
        design = convert(Network("n", (dense([[0.0, 0.0]]),)), technology="ideal", topology=topology)
        assert stars(design.circuit, "Rp") == stars(design.circuit, "Rn") == {}
        assert build.output_nets(design.analog) == ["y0"]


def counted(design: Design, technology: str) -> int:
    """Op-amps by the number of op-amp instances in the flat graph, cells opened by hand."""
    inside = {"ideal": {"relu": 0, "sigmoid": 0}, "board": {"relu": 2, "sigmoid": 1}}[technology]
    n = 0
    for layer in design.analog.layers:
        n += layer.n_out + int((layer.g_link > 0).sum())
        if layer.cell is not None:
            n += layer.n_out * inside[layer.activation.name]
    return n + len(instances(design.circuit, "inverter"))


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("technology", ["ideal", "board"])
@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
def test_the_tally_counts_every_opamp(technology: str, activation: str, topology: str) -> None:
    network = random_network((4, 5, 3), (activation, "linear"))
    design = convert(network, technology=technology, topology=topology)
    assert design.tally.opamps == counted(design, technology)
    assert design.tally.resistors >= design.circuit.resistors


def test_the_graph_holds_every_resistor_and_pin() -> None:
    design = example("iris", "ideal")
    graph = design.circuit.graph()
    ohms = [d["ohms"] for _, _, d in graph.edges(data=True) if "ohms" in d]
    # each of the two layer subcircuits stands once in the circuit
    assert len(ohms) == design.circuit.resistors
    assert min(ohms) > 0
    cells = [n for n, kind in graph.nodes(data="kind") if kind == "cell"]
    assert all(graph.degree(n) >= 3 for n in cells)
    inputs_and_outputs = {n for n, role in graph.nodes(data="role") if role}
    assert {"x0", "x3", "y0", "y2", "ref", "com", "vdd", "vss"} <= inputs_and_outputs
    names = [d["name"] for _, _, d in graph.edges(data=True) if "name" in d]
    assert len({n.lower() for n in names}) == len(names)


def test_nets_of_every_layer() -> None:
    design = example("iris", "ideal")
    assert build.input_nets(design.analog) == ["x0", "x1", "x2", "x3"]
    assert build.layer_output_nets(design.analog, 0) == [f"l0_y{i}" for i in range(8)]
    assert build.layer_output_nets(design.analog, 1) == ["y0", "y1", "y2"]


def test_dual_rail_inverts_what_is_needed_once() -> None:
    network = Network("n", (dense([[1.0, -1.0]], [1.0]), dense([[2.0]], [1.0])))
    circuit = convert(network, technology="ideal", topology="dual_rail").circuit
    # x1 has negative weights alone; the reference serves both layers
    assert sorted(e.name for e in instances(circuit, "inverter")) == ["Xinv_l0_y0", "Xinv_ref", "Xinv_x0"]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_building_is_pure(activation: str) -> None:
    design = convert(random_network((3, 4, 2), (activation, "linear")))
    again = build.build(design.analog, design.cells)
    assert [s.pins for s in again.subcircuits] == [s.pins for s in design.circuit.subcircuits]
    assert again.title == design.circuit.title
    assert np.array_equal(list(stars(again, "R").values()), list(stars(design.circuit, "R").values()))


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
def test_wiring_is_the_graph_in_numbers(topology: str, activation: str) -> None:
    """The same nets, neighbours and parts as networkx finds, cells taken away."""
    design = convert(random_network((5, 4, 3), (activation, "linear")), topology=topology)
    graph, wired = design.circuit.graph(), wiring(design.circuit)
    cells = {n for n, kind in graph.nodes(data="kind") if kind == "cell"}
    assert {name for name, _ in wired.cells} == cells
    assert sum(len(pins) for _, pins in wired.cells) == sum(
        len(data["pins"]) for _, _, data in graph.edges(data=True) if "pins" in data
    )
    graph.remove_nodes_from(cells)
    assert dict(zip(wired.nets, wired.neighbours().tolist(), strict=True)) == dict(graph.degree())
    n, part_of = wired.components()
    parts = [{wired.nets[i] for i in np.flatnonzero(part_of == k)} for k in range(n)]
    assert {frozenset(p) for p in parts} == {frozenset(c) for c in nx.connected_components(graph)}
