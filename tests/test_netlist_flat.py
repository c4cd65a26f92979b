"""Networks with more nets than a subcircuit can have pins are written flat, and mean the same."""

import numpy as np
import pytest
from conftest import TOPOLOGIES, inputs, random_network

from analognet.analog import netlist
from analognet.analog.simulate import OperatingPoints, operating_points
from analognet.design import Design, convert


def simulated(design: Design, x: np.ndarray) -> OperatingPoints:
    text = netlist.render(design.circuit)
    return operating_points(design.analog, design.circuit, text, design.cells, x, hidden=True)


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_flat_and_hierarchical_are_one_circuit(topology: str, monkeypatch: pytest.MonkeyPatch) -> None:
    design = convert(random_network((6, 5, 3), ("relu", "linear")), topology=topology)
    x = inputs(4, 6)
    nested = simulated(design, x)
    monkeypatch.setattr(netlist, "PIN_LIMIT", 3)
    assert ".subckt layer0" not in netlist.render(design.circuit)
    flat = simulated(design, x)
    np.testing.assert_allclose(flat.outputs_v, nested.outputs_v, rtol=0, atol=1e-9)
    np.testing.assert_allclose(flat.hidden_v[0], nested.hidden_v[0], rtol=0, atol=1e-9)


def test_a_wide_network_is_simulated() -> None:
    design = convert(random_network((1030, 4, 2), ("relu", "linear")), technology="ideal")
    assert netlist.is_flat(design.circuit)
    x = inputs(3, 1030)
    np.testing.assert_allclose(simulated(design, x).outputs_v, design.analog.outputs_v(x), atol=1e-5)
