"""Where ngspice is to look for an operating point: every net of a chip, as the compact model has it.

Newton's method loses a rectifying amplifier that switches between two inputs: it cycles, and ngspice
steps gmin for a thousand iterations. A few millivolts from the answer it takes six. These voltages
only say where to begin; what is read is ngspice's own converged point of the unchanged netlist.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from analognet.analog import build
from analognet.analog.cells import OPAMP_ROLE, Cell
from analognet.analog.compact.inner import inner_nets
from analognet.analog.compact.solve import CHUNK, Stage, State, prepare, solve_block
from analognet.analog.compact.tables import Conditions
from analognet.analog.layers import AnalogNetwork
from analognet.analog.netlist import INSTANCE
from analognet.network import Array

_TOP = INSTANCE.lower()


def start_voltages(
    network: AnalogNetwork, cells: Mapping[str, Cell], x: Array, conditions: Conditions
) -> dict[str, Array]:
    """Net, by its name in a bench -> (N,) volts against ground, for inputs x (N, n_in) in units.

    Summing nodes, outputs, bias lines, the common, and the nets inside every cell. Raises
    InputError for a network that the compact model does not cover, ToolMissing, SimulatorError.
    """
    stages, common = prepare(network, cells, conditions, None)
    blocks: list[dict[str, Array]] = []
    for first in range(0, len(x), CHUNK):
        found, states, i_common = solve_block(network, stages, common, x[first : first + CHUNK], conditions)
        nets = {f"{_TOP}.{name}": common.net(name, i_common) for name in common.nets}
        for k, (stage, state) in enumerate(zip(stages, states, strict=True)):
            nets |= _layer(network, cells, k, stage, state, found.common_v)
        blocks.append(nets)
    return {net: np.concatenate([block[net] for block in blocks]) for net in blocks[0]}


def _layer(
    network: AnalogNetwork, cells: Mapping[str, Cell], k: int, stage: Stage, state: State, common_v: Array
) -> dict[str, Array]:
    """Nets of one layer -> (N,) volts."""
    inside, layer, opamp = f"{_TOP}.xlayer{k}", stage.layer, network.technology.opamp
    zero = common_v[:, None]
    own: dict[str, Array] = {f"{inside}.p{{}}": state.plus + zero, f"{inside}.n{{}}": state.minus + zero}
    role = layer.amplifier == OPAMP_ROLE
    path = f"{inside}.xamp{{}}" + (".xpart" if role else "")
    for net in inner_nets(cells, opamp if role else layer.amplifier, opamp):
        own[f"{path}.{net}"] = stage.amplifier(net, state.s, state.i_out, state.plus)
    if layer.cell and stage.cell and state.i_cell is not None:
        own[f"{inside}.z{{}}"] = state.u + zero
        for net in inner_nets(cells, layer.cell, opamp):
            own[f"{inside}.xact{{}}.{net}"] = stage.cell(net, state.u, state.i_cell)
    nets = {name.format(i): values[:, i] for name, values in own.items() for i in range(layer.n_out)}
    outputs = (probe[2:-1] for probe in build.layer_probes(network, k))
    return nets | dict(zip(outputs, (state.y + zero).T, strict=True))
