"""The referee: ngspice and the structural solver on the same netlist, node by node.

ngspice stops where a Newton step is below reltol times the voltage, which at a clipped op-amp leaves
up to 1e-6 V at reltol = 1e-6; so the referee asks it for more. Inputs are rounded to the nine digits
that a deck is written with, for both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from analognet.analog import bench, build, ngspice, solver
from analognet.analog.simulate import similar_first
from analognet.analog.solver.hardware import nine_digits
from analognet.errors import SimulatorError, UsageError
from analognet.network import Array

if TYPE_CHECKING:
    from analognet.design import Design

# tightest first: a stiff circuit may never settle to the last digit, and is then asked for fewer
OPTIONS: Final = (
    "reltol=1e-9 vntol=1e-12 abstol=1e-17",
    "reltol=1e-8 vntol=1e-11 abstol=1e-16",
    bench.OPTIONS,
)
BOUND_V: Final = 1e-9
Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Verdict:
    """Largest differences in volts: at the inputs, at each hidden layer's outputs, at the outputs.

    images, clipped: how many inputs, and how many of them drive an op-amp into a clamp; worst: the net
    and the image of the largest difference; options: ngspice's, as far as it could keep to them;
    bound_v: what they may differ by: 1e-9 V, but for what ngspice's own rounding makes of the signed
    topology, see `rounding_v`.
    """

    inputs_v: float
    hidden_v: tuple[float, ...]
    outputs_v: float
    worst: str
    images: int
    clipped: int
    temperature: float
    options: str
    bound_v: float

    @property
    def largest_v(self) -> float:
        # np.max keeps a NaN, which then agrees with nothing
        return float(np.max([self.inputs_v, self.outputs_v, *self.hidden_v]))

    @property
    def agrees(self) -> bool:
        return self.largest_v <= self.bound_v


def referee(design: Design, x: Array, temperature: float = bench.NOMINAL_C) -> Verdict:
    """Run both engines on inputs x (N, n_in) in units and compare every input, hidden node and output.

    Raises UsageError for inputs of the wrong shape, SimulatorError where either engine gives up.
    """
    network = design.analog
    x = np.asarray(x, dtype=np.float64)
    if x.ndim != 2 or x.shape[1] != network.n_in or not len(x):
        raise UsageError(f"inputs have shape {x.shape}; the referee needs (N, {network.n_in})")
    volts = nine_digits(x[similar_first(network, x)] * network.scale_in)
    inputs, layers, options = spice_voltages(design, volts, temperature)
    solved = solver.solve(
        network, design.cells, volts / network.scale_in, temperature=temperature, hidden=True
    )
    ours = (*solved.hidden_v, solved.outputs_v)
    gaps = [np.abs(a - b) for a, b in zip(layers, ours, strict=True)]
    largest = [float(g.max()) for g in gaps]
    at = int(np.argmax(largest))
    image, neuron = (int(i) for i in np.unravel_index(int(gaps[at].argmax()), gaps[at].shape))
    return Verdict(
        inputs_v=float(np.abs(inputs - volts).max()),
        hidden_v=tuple(largest[:-1]),
        outputs_v=largest[-1],
        worst=f"{build.layer_output_nets(network, at)[neuron]} at image {image}",
        images=len(x),
        clipped=int(solved.clipped.sum()),
        temperature=temperature,
        options=options,
        bound_v=max(BOUND_V, rounding_v(design)),
    )


def rounding_v(design: Design) -> float:
    """Volts by which rounding in ngspice's matrix can move an ideal op-amp's output.

    In the signed topology both inputs stand at some volts, and where the matrix's ordering takes the
    amplifier's own row as pivot, v_out = a0 (v_p - v_n) is the difference of two rounded numbers. With a
    controlled source of gain 1e7 that is some nanovolts: ngspice differs as much from extended precision.
    """
    part = design.cells[design.technology.opamp]
    if design.analog.topology != "signed" or "vos" in part.defaults:
        return 0.0
    return 2.0 * part.defaults["a0"] * float(np.finfo(np.float64).eps) * design.technology.vdd


def spice_voltages(
    design: Design, inputs_v: Array, temperature: float, netlist: str | None = None
) -> tuple[Array, list[Array], str]:
    """ngspice's (inputs (N, n_in), every layer's outputs (N, n), options it could keep) in volts.

    netlist: another than the design's, with the same nets. Raises SimulatorError.
    """
    network = design.analog
    probes = [build.layer_probes(network, i) for i in range(len(network.layers))]
    inputs = [f"v({n})" for n in build.input_nets(network)]
    wanted = [*inputs, *(p for layer in probes for p in layer)]
    deck = bench.sweep(design.circuit, design.technology, inputs_v, wanted, temperature)
    for options in OPTIONS:
        text = (netlist or design.netlist) + "\n" + deck.replace(bench.OPTIONS, options)
        try:
            found = ngspice.run_deck(text, wanted, points=len(inputs_v), timeout_s=1800.0).vectors
        except SimulatorError:  # too tight for this circuit: the next is less so
            if options == OPTIONS[-1]:
                raise
            continue
        layers = [np.stack([found[p] for p in layer], axis=1) for layer in probes]
        return np.stack([found[p] for p in inputs], axis=1), layers, options
    raise AssertionError("no options")
