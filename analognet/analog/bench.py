"""Test benches: what stands around a circuit in a deck, one per analysis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from analognet.analog.circuit import Circuit
from analognet.analog.netlist import supplies
from analognet.analog.technology import NOMINAL_C as NOMINAL_C
from analognet.analog.technology import Technology
from analognet.network import Array

# Tight enough that ngspice's answer, and not its tolerance, is what is read.
OPTIONS = "reltol=1e-6 vntol=1e-9 abstol=1e-15"
SUPPLY_CURRENTS = ("i(vdd)", "i(vss)", "i(vref)")


def sweep(
    circuit: Circuit,
    technology: Technology,
    inputs_v: Array,
    wanted: Sequence[str],
    temperature: float,
    start: Mapping[str, Array] | None = None,
) -> str:
    """A bench that steps through input vectors (N, n_in) in volts as the points of one `.dc` sweep.

    Every point starts from the one before it, and the matrix is ordered once: on small networks
    over ten times faster than one operating point after another. An input that never changes
    is a plain source; any other is a table over the sweep's index.

    start: net -> (N,) volts. Every input vector then gives two points: at the first a conductance of
    1 S holds each of these nets at its voltage, at the second they are free (the holding currents
    are zero times what they were), and Newton's method begins at the first. `.nodeset` would serve
    a deck's first point alone.
    """
    n = len(inputs_v)
    constant = _constant(inputs_v)
    start = start or {}
    lines = ["* bench: one operating point per input vector, as a sweep over their index"]
    lines += supplies(circuit, technology.vdd, technology.vss, technology.reference)
    lines.append("Vidx idx 0 0")
    for j in range(inputs_v.shape[1]):
        if constant[j]:
            lines.append(f"Vx{j} x{j} 0 {inputs_v[0, j]:.9g}")
        else:
            lines.append(f"Bx{j} x{j} 0 V={_table(inputs_v[:, j])}")
    if start:
        lines.append("Vhold hold 0 0")
    for k, (net, volts) in enumerate(start.items()):
        lines.append(f"Bhold{k} {net} 0 I=v(hold)*(v({net})-{_table(volts)})")
    inner = "Vhold 1 0 -1 " if start else ""
    lines += [f".options {OPTIONS}", f".temp {temperature:.9g}", f".dc {inner}Vidx 0 {n - 1} 1"]
    lines += [f".save {' '.join(wanted)}", ".end"]
    return "\n".join(lines) + "\n"


def _table(volts: Array) -> str:
    """(N,) values over the sweep's index."""
    points = ",".join([f"{k},{v:.9g}" for k, v in enumerate(volts.tolist())])
    return f"pwl(v(idx),{points})"


def input_currents(inputs_v: Array) -> list[str]:
    """ngspice's names of the currents through a sweep's n_in input sources, from net to ground."""
    return [f"i({'v' if still else 'b'}x{j})" for j, still in enumerate(_constant(inputs_v).tolist())]


def _constant(inputs_v: Array) -> NDArray[np.bool_]:
    """(n_in,) which inputs are the same in every vector."""
    return np.asarray((inputs_v == inputs_v[0]).all(axis=0))
