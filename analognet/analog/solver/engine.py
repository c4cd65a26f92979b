"""The whole network: layer after layer, and back again for what each layer draws from the one before.

Forward, a layer's voltages follow from those that drive it (`layers`). Backward, its summing nodes
say what current b it sends into its drivers' nets. A driver hardly heeds it: an op-amp's closed loop
divides it by the loop gain, and the summing nodes are virtual grounds; so the forward pass is a
contraction of about 1/A0 in b, and two or three passes reach rounding. A first pass with switches for
diodes gives the first b; passes go on, for the images that still move, until b moves no voltage by
more than `SETTLED_V`. Clipping op-amps have no loop gain, and take more passes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from analognet.analog.cells import Cell
from analognet.analog.layers import AnalogNetwork
from analognet.analog.solver.hardware import NONE, Factors, Hardware, hardware
from analognet.analog.solver.inverters import Inverters
from analognet.analog.solver.layers import LayerEquations
from analognet.analog.solver.neurons import neurons
from analognet.analog.solver.state import Loads, State
from analognet.errors import InputError, SimulatorError
from analognet.network import Array

SETTLED_V: Final = 2e-11
PASSES: Final = 200
CHUNK: Final = 512  # images solved at a time
Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Solution:
    """outputs_v: (N, n_out) volts; hidden_v: (N, n) per hidden layer, where asked for; clipped: (N,)
    images for which some op-amp's clamp conducts; passes: the most that an image took.
    """

    outputs_v: Array
    hidden_v: tuple[Array, ...]
    clipped: NDArray[np.bool_]
    passes: int


@dataclass(frozen=True, eq=False)
class Equations:
    """A board's equations, all layers."""

    board: Hardware
    layers: tuple[LayerEquations, ...]

    def solve(self, inputs_v: Array, first_image: int = 0) -> tuple[list[Array], NDArray[np.bool_], int]:
        """(outputs of every layer (N, n), clipped (N,), passes) for inputs_v (N, n_in) in volts.

        Raises SimulatorError naming cell, layer and image where no operating point is found.
        """
        count = len(inputs_v)
        v = np.hstack([inputs_v, np.full((count, 1), self.board.reference)])
        source = self.layers[0]
        cached = source.sums(v, None) if source.topology != "dual_rail" else None
        states = self._forward(v, cached, [Loads()] * len(self.layers), None, True)
        active = np.arange(count)
        loads = self._loads(states)
        outputs = [np.empty_like(state.y) for state in states]
        clipped = np.zeros(count, dtype=bool)
        for passes in range(1, PASSES + 1):
            part = None if cached is None else (cached[0][active], _rows(cached[1], active))
            ref_b = None
            states = self._forward(v[active], part, loads, ref_b, False)
            self._raise_failed(states, active + first_image)
            now = self._loads(states)
            moved = self._moved(loads, now, states)
            for out, state in zip(outputs, states, strict=True):
                out[active] = state.y
            clipped[active] = np.any([state.clipped for state in states], axis=0)
            still = moved > SETTLED_V
            if not still.any():
                return outputs, clipped, passes
            active = active[still]
            loads = [Loads(*(_rows(b, still) for b in (w.y, w.z, w.inverted))) for w in now]
        raise SimulatorError(
            f"image {int(active[0]) + first_image}: the layers' loads on each other did not settle in {PASSES} passes"
        )

    def operating_point(self, inputs_v: Array) -> tuple[list[State], list[Mapping[str, Array]]]:
        """Every node of every layer for one image (n_in,) volts: the layers' states, and for each layer
        the voltages of all nodes of its neurons, name -> (n,), as `islands` name them.
        """
        v = np.append(inputs_v, self.board.reference)[None]
        self.solve(inputs_v[None])  # raises where there is no operating point
        loads = [Loads()] * len(self.layers)
        states = self._forward(v, None, loads, None, True)
        for _ in range(PASSES):
            now = self._loads(states)
            settled = float(self._moved(loads, now, states).max()) <= SETTLED_V
            loads, states = now, self._forward(v, None, now, None, False)
            if settled:
                break
        nodes = []
        for layer, state, load in zip(self.layers, states, loads, strict=True):
            every = np.arange(layer.parts.n_out)
            answer = neurons(
                self.board, layer.parts, layer.load, np.zeros_like(every), every, v, state.inverted, load.y
            )
            if not answer.converged.all():
                neuron = int(np.flatnonzero(~answer.converged)[0])
                raise SimulatorError(
                    f"neuron {neuron} in layer {layer.index}: Newton's method found no operating point"
                )
            nodes.append(answer.nodes)
            v = np.append(state.y[0], self.board.reference)[None]
        return states, nodes

    def _forward(
        self,
        v: Array,
        cached: tuple[Array, Array | None] | None,
        loads: list[Loads],
        ref: Array | None,
        rough: bool,
    ) -> list[State]:
        states: list[State] = []
        one = np.full((len(v), 1), self.board.reference)
        for layer, load in zip(self.layers, loads, strict=True):
            inverted = m = None
            clipped = np.zeros(len(v), dtype=bool)
            if layer.inverters is not None:
                inverted, m, clipped = layer.inverters.solve(
                    v, load.inverted, None if layer.drives_ref else ref
                )
                ref = inverted[:, -1]
            s, s_p = cached if cached is not None and not states else layer.sums(v, inverted)
            state = layer.solve(v, s, s_p, inverted, m, load, rough)
            state.clipped[:] |= clipped
            states.append(state)
            v = np.hstack([state.y, one])
        return states

    def _loads(self, states: list[State]) -> list[Loads]:
        found = []
        for i, state in enumerate(states):
            after = None
            if i + 1 < len(states):
                after = self.layers[i + 1].input_current(states[i + 1])
            inverted = None
            if state.inverted is not None:
                inverted = state.n @ self.layers[i].parts.g_pos
                if self.layers[i].drives_ref:
                    for later, other in zip(self.layers[i + 1 :], states[i + 1 :], strict=True):
                        inverted[:, -1] += other.n @ later.parts.g_pos[:, -1]
            found.append(Loads(after, state.z_load, inverted))
        return found

    def _moved(self, before: list[Loads], now: list[Loads], states: list[State]) -> Array:
        """(N,) volts by which the change of loads can still move a node.

        Where clamps conduct there is no loop gain, and a current meets the open-loop output resistance.
        """
        most = np.zeros(1)
        for layer, old, new, state in zip(self.layers, before, now, states, strict=True):
            by_y, by_z = layer.impedance()
            pairs = [(old.y, new.y, by_y), (old.z, new.z, by_z)]
            if new.inverted is not None and layer.inverters is not None:
                pairs.append((old.inverted, new.inverted, np.abs(layer.inverters.stage.by_b)))
            open_loop = float(layer.parts.amp.rout.max())
            for a, b, ohms in pairs:
                if b is not None:
                    change = np.abs(b if a is None else b - a)
                    volts = (change * ohms).max(axis=1)
                    volts = np.where(state.clipped, np.maximum(volts, change.max(axis=1) * open_loop), volts)
                    most = np.maximum(most, volts)
        return most

    def _raise_failed(self, states: list[State], images: NDArray[np.int64]) -> None:
        for layer, state in zip(self.layers, states, strict=True):
            if state.failed.any():
                row, neuron = (int(i) for i in np.argwhere(state.failed)[0])
                cell = layer.parts.source.cell or layer.parts.source.amplifier
                raise SimulatorError(
                    f"cell '{cell}' of neuron {neuron} in layer {layer.index}, image {int(images[row])}: "
                    "Newton's method found no operating point"
                )


def _rows(a: Array | None, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Array | None:
    return None if a is None else a[rows]


def equations(board: Hardware, precision_v: float | None = None) -> Equations:
    """Precompute a board's equations. precision_v: of tabulated cells, where full precision is not needed."""
    layers: list[LayerEquations] = []
    uses_ref = [
        layer.source.topology == "dual_rail" and bool((layer.g_pos[:, -1] > 0).any())
        for layer in board.layers
    ]
    for i in reversed(range(len(board.layers))):
        parts = board.layers[i]
        load = layers[0].input_load[:-1] if layers else np.zeros(parts.n_out)
        drives = uses_ref[i] and not any(uses_ref[:i])
        inverters = None
        if parts.inverters is not None:
            inverter_load = parts.g_pos.sum(axis=0)
            used = inverter_load > 0
            used[-1] = drives
            if drives:
                inverter_load[-1] = sum(float(q.g_pos[:, -1].sum()) for q in board.layers[i:])
            inverters = Inverters(parts.inverters, used, inverter_load, i)
        equation = LayerEquations(board, parts, i, load, inverters, drives, i == 0, precision_v)
        layers.insert(0, equation)
    return Equations(board, tuple(layers))


def solve(
    network: AnalogNetwork,
    cells: Mapping[str, Cell],
    x: Array,
    *,
    temperature: float = 27.0,
    factors: Factors = NONE,
    rails: tuple[float, float, float] | None = None,
    jobs: int = 2,
    hidden: bool = False,
    progress: Progress | None = None,
) -> Solution:
    """Operating points for inputs x (N, n_in) in units; temperature in Celsius.

    Raises InputError for inputs that do not fit and for a cell without equations, SimulatorError where
    Newton's method fails.
    """
    x = np.asarray(x)
    if x.ndim != 2 or x.shape[1] != network.n_in or not len(x) or not np.isfinite(x).all():
        raise InputError(f"inputs have shape {x.shape}; the solver needs finite ones, (N, {network.n_in})")
    system = equations(hardware(network, cells, temperature, factors, rails))
    count = len(x)
    starts = range(0, count, CHUNK)
    pieces: list[tuple[list[Array], NDArray[np.bool_], int]] = []

    def work(at: int) -> tuple[list[Array], NDArray[np.bool_], int]:
        done = system.solve(np.asarray(x[at : at + CHUNK], dtype=np.float64) * network.scale_in, at)
        return (done[0] if hidden else done[0][-1:]), done[1], done[2]

    with threadpool_limits(limits=1, user_api="blas"), ThreadPoolExecutor(max_workers=jobs) as pool:
        for at, piece in zip(starts, pool.map(work, starts), strict=True):
            pieces.append(piece)
            if progress:
                progress(min(at + CHUNK, count), count)
    voltages = [np.concatenate([p[0][i] for p in pieces]) for i in range(len(pieces[0][0]))]
    return Solution(
        outputs_v=voltages[-1],
        hidden_v=tuple(voltages[:-1]),
        clipped=np.concatenate([p[1] for p in pieces]),
        passes=max(p[2] for p in pieces),
    )
