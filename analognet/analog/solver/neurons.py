"""Single neurons with all their nodes, in any topology: for operating points in full, and where clamps conduct."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from analognet.analog.solver.hardware import Hardware, LayerParts
from analognet.analog.solver.island import Answer, Island
from analognet.analog.solver.tables import add_cell
from analognet.network import Array

ALONE: Final = 1e-4  # S, feedback of a first op-amp that is not there, so that its place has a solution


def neurons(
    board: Hardware,
    q: LayerParts,
    load: Array,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    v: Array,
    inverted: Array | None,
    b: Array | None,
) -> Answer:
    """Solve neurons `columns` (m,) of a layer for images `rows` (m,) by Newton's method, node by node.

    v, inverted: (N, n_in + 1) volts that drive the layer; load (n,), b (N, n) or None: of its outputs.
    Nodes: p, n, u, z, y as in the netlist; `amp%`, `first%` the op-amps' gain nodes; inner nets of the
    amplifier and the cell behind `amp.` and `cell.`.
    """
    topology = q.source.topology
    behavioural = q.cell is not None and not q.cell.parts
    z = "y" if q.cell is None else "z"
    island = Island(len(rows), {"0": 0.0, "vdd": board.vdd, "vss": board.vss})
    s_n = np.einsum("mj,mj->m", v[rows], q.g_neg[columns])
    s_p = np.einsum("mj,mj->m", (v if inverted is None else inverted)[rows], q.g_pos[columns])
    hub = "n" if topology == "dual_rail" else "p"
    for node, s, g in (
        ("n", s_n, q.g_neg.sum(axis=1) + q.balance_neg),
        (hub, s_p, q.g_pos.sum(axis=1) + q.balance_pos),
    ):
        island.current(node, s)
        island.resistor(node, "0", g[columns])
    if topology == "split":
        alone = np.where(q.g_link > 0, 0.0, ALONE)
        island.resistor("u", "p", (q.g_f_pos + alone)[columns])
        island.opamp("0", "p", "u", q.first.take(columns), "first")
        island.resistor("u", "n", q.g_link[columns])
    island.resistor(z, "n", q.g_f[columns])
    if q.amplifier is None:
        island.opamp("p" if topology == "signed" else "0", "n", z, q.amp.take(columns), "amp")
    else:
        add_cell(island, q.amplifier, columns, "amp.", {"inp": "0", "inn": "n", "out": z})
    if behavioural:
        return island.solve("z")
    if q.cell is not None:
        pins = {"in": "z", "out": "y", "com": "0", "vdd": "vdd", "vss": "vss"}
        add_cell(island, q.cell, columns, "cell.", pins)
    island.resistor("y", "0", load[columns])
    island.current("y", 0.0 if b is None else b[rows, columns])
    return island.solve("y")
