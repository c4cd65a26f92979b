"""tinygrad layers that compute what a layer of the circuit does, in volts, differentiably.

Of the circuit they have the weights that resistors can be (bounded, rounded to their series, dropped where
none is large enough), the swing at which op-amps clip, the transfer curve of the activation cell from the
cell's own equations, and a board's variation: a tolerance for every weight's resistor and every feedback
resistor, and the op-amps' offsets through the noise gain that the weights themselves make. So a gradient
sees that large weights amplify offsets. What they leave out, finite gain and leakage, is below a millivolt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from analognet.analog import solver
from analognet.analog.layers import AnalogLayer
from analognet.analog.limits import usable_swing
from analognet.analog.mapping import cell_key
from analognet.analog.resistors import realise
from analognet.analog.solver.behaviour import behaviour
from analognet.analog.solver.hardware import LayerParts
from analognet.analog.solver.tables import tabulate
from analognet.analog.variation import Spread
from analognet.network import Activation, Array, Dense

if TYPE_CHECKING:
    from tinygrad.tensor import Tensor

    from analognet.design import Design

GRID: Final = 1025  # points of a cell's curve over the supply range, straight lines between
FIELDS: Final = 5  # of a `Board`
CURVE_V: Final = 1e-5  # to which a cell's table is computed


@dataclass(frozen=True, eq=False)
class LayerLimits:
    """What bounds and disturbs one layer.

    gain, bias_gain: volts of the sum per volt that a weight and a bias of 1 ask for, negative where the
    cell inverts, polarity -1; reference in volts; smallest,
    largest: ohms of a weight's resistor, in `series`; feedback: ohms; share: of the first op-amp's gain in
    the whole (1 where there is none); link: (n,) gain from it to the second, 0 where there is none; low,
    high: volts between which the sum does not clip; curve: (GRID,) the cell's output in volts over sums
    from grid_low on in steps of grid_step, None where an ideal activation is as good; tolerance and vos:
    sigmas, relative and in volts.
    """

    name: str
    activation: Activation
    topology: str
    gain: float
    bias_gain: float
    reference: float
    smallest: float
    largest: float
    series: str
    feedback: float
    share: float
    link: Array
    low: float
    high: float
    scale_z: float
    scale_out: float
    polarity: int
    curve: Array | None
    grid_low: float
    grid_step: float
    tolerance: float
    vos: float

    def realised(self, weight: Array, bias: Array) -> tuple[Array, Array]:
        """The weight (n, n_in) and bias (n,) that resistors can be, as the mapping rounds them."""
        gain = np.hstack([weight * self.gain, bias[:, None] * self.bias_gain])
        drawn = np.where(gain > 0, gain * self.share, gain)
        with np.errstate(divide="ignore"):
            ohms = self.feedback / np.abs(drawn)
        too_large = ohms > 2.0 * self.largest
        ohms = np.clip(ohms, self.smallest, self.largest)
        ohms[too_large] = np.inf
        real = np.sign(gain) * self.feedback / realise(ohms, self.series, self.smallest, self.largest)
        real = np.where(real > 0, real / self.share, real)
        return real[:, :-1] / self.gain, real[:, -1] / self.bias_gain

    @property
    def most(self) -> float:
        """The largest magnitude of a gain that a resistor can be, of either sign."""
        return self.feedback / self.smallest / max(self.share, 1.0)


@dataclass(frozen=True, eq=False)
class Board:
    """Standard normal draws of one board's layer, float32: weights (n, n_in + 1), feedback (n,), link (n,)
    of the gain from first to second op-amps, offsets (2, n) of both, inverters (2, n_in + 1): offset and gain.
    """

    weights: Tensor
    feedback: Tensor
    link: Tensor
    offsets: Tensor
    inverters: Tensor

    @staticmethod
    def draws(shapes: Sequence[tuple[int, int]], rng: np.random.Generator) -> list[NDArray[np.float32]]:
        """Of layers of shapes (n, n_in), nothing beyond 3 sigma: `FIELDS` arrays a layer, in their order."""
        arrays = []
        for n, n_in in shapes:
            for shape in ((n, n_in + 1), (n,), (n,), (2, n), (2, n_in + 1)):
                arrays.append(np.clip(rng.standard_normal(shape, dtype=np.float32), -3.0, 3.0))
        return arrays


@dataclass(frozen=True, eq=False)
class CircuitLayer:
    """One layer of the circuit: weight (n, n_in), bias (n,) in the network's units, which training moves;
    rounding: (n, n_in + 1), what `LayerLimits.realised` adds to them, which it does not.
    """

    limits: LayerLimits
    weight: Tensor
    bias: Tensor
    rounding: Tensor

    @staticmethod
    def of(limits: LayerLimits, dense: Dense) -> CircuitLayer:
        from tinygrad.tensor import Tensor

        weight = Tensor(dense.weight.astype(np.float32)).realize()
        bias = Tensor(dense.bias.astype(np.float32)).realize()
        made = CircuitLayer(limits, weight, bias, Tensor.zeros(dense.n_out, dense.n_in + 1).contiguous())
        made.round()
        return made

    def round(self) -> None:
        """Take the rounding of the weights as they are now; gradients pass it by."""
        from tinygrad.tensor import Tensor

        weight, bias = (a.numpy().astype(np.float64) for a in (self.weight, self.bias))
        real_weight, real_bias = self.limits.realised(weight, bias)
        added = np.hstack([real_weight - weight, (real_bias - bias)[:, None]])
        self.rounding.assign(Tensor(added.astype(np.float32))).realize()

    def __call__(self, v: Tensor, board: Board | None) -> Tensor:
        """Volts (N, n) at the outputs for volts (N, n_in) at the inputs; board: None for one without spread."""
        limits = self.limits
        weight = (self.weight + self.rounding[:, :-1]) * limits.gain
        bias = (self.bias + self.rounding[:, -1]) * limits.bias_gain
        gain = weight.cat(bias.unsqueeze(1), dim=1).clip(-limits.most, limits.most)
        offset: Tensor | None = None
        if board is not None:
            offset = self._offset(gain, board)
            gain = self._spread(gain, board)
        total = v @ gain[:, :-1].T + limits.reference * gain[:, -1]
        if board is not None and offset is not None:
            total = total * (1.0 + limits.tolerance * board.feedback) + offset
        return self._activate(total.clip(limits.low, limits.high))

    def _spread(self, gain: Tensor, board: Board) -> Tensor:
        """The gains with their resistors' tolerance; two more resistors set that of positive ones."""
        limits = self.limits
        if limits.topology != "signed":
            other = board.link.unsqueeze(1) if limits.topology == "split" else board.inverters[1]
            moved = (gain > 0).where(1.0 + 2.0**0.5 * limits.tolerance * other, 1.0)
            gain = gain * moved
        result: Tensor = gain * (1.0 + limits.tolerance * board.weights)
        return result

    def _offset(self, gain: Tensor, board: Board) -> Tensor:
        """(n,) volts that the op-amps' offsets move the sum by, each through its noise gain."""
        from tinygrad.tensor import Tensor

        limits = self.limits
        positive, negative = gain.relu().sum(1), (-gain).relu().sum(1)
        first, second = board.offsets[0], board.offsets[1]
        if limits.topology == "split":
            link = Tensor(limits.link.astype(np.float32))
            moved = first * (link + positive) + second * (1.0 + link + negative)
        elif limits.topology == "signed":
            moved = second * (1.0 + negative).maximum(positive)
        else:
            moved = second * (1.0 + positive + negative) + 2.0 * (gain.relu() @ board.inverters[0])
        result: Tensor = limits.vos * moved
        return result

    def _activate(self, total: Tensor) -> Tensor:
        limits, name = self.limits, self.limits.activation.name
        if limits.curve is None:
            scale = limits.scale_out / limits.scale_z
            total = total * limits.polarity
            if name == "relu":
                return total.relu() * scale
            if name == "leaky_relu":
                return total.leaky_relu(limits.activation.slope) * scale
            return total * scale
        from tinygrad.tensor import Tensor

        curve = Tensor(limits.curve.astype(np.float32))
        place = (total - limits.grid_low) / limits.grid_step
        at = place.detach().floor().clip(0, GRID - 2).cast("int32")
        left, right = curve[at], curve[at + 1]
        result: Tensor = left + (right - left) * (place - at.cast("float32"))
        return result


def limits(design: Design, spread: Spread) -> tuple[LayerLimits, ...]:
    """The limits of a design's layers, boards differing by `spread`. Raises SimulatorError of a cell."""
    board = solver.hardware(design.analog, design.cells, 27.0)
    low, high = usable_swing(design.technology, design.cells)
    smallest, largest = design.technology.resistor.weight_span
    made = []
    for parts in board.layers:
        layer = parts.source
        share = _share(layer)
        made.append(
            LayerLimits(
                name=layer.name,
                activation=layer.activation,
                topology=layer.topology,
                gain=layer.polarity * layer.scale_z / layer.scale_in,
                bias_gain=layer.polarity * layer.scale_z / design.technology.reference,
                reference=design.technology.reference,
                smallest=smallest,
                largest=largest,
                series=design.technology.resistor.series,
                feedback=1.0 / float(layer.g_f[0]),
                share=share,
                link=layer.g_link / layer.g_f,
                low=low,
                high=high,
                scale_z=layer.scale_z,
                scale_out=layer.scale_out,
                polarity=layer.polarity,
                curve=_curve(layer, parts, board.vdd, board.vss),
                grid_low=board.vss,
                grid_step=(board.vdd - board.vss) / (GRID - 1),
                tolerance=spread.resistor_tolerance / 3.0,
                vos=spread.vos_sigma,
            )
        )
    return tuple(made)


def _share(layer: AnalogLayer) -> float:
    """Gain of the first op-amp against the whole, as `mapping` chose it: that of the resistors at its input."""
    there = layer.g_link > 0
    if layer.topology != "split" or not there.any():
        return 1.0
    first = int(np.flatnonzero(there)[0])
    return float(layer.g_f_pos[first] / layer.g_link[first])


def _curve(layer: AnalogLayer, parts: LayerParts, vdd: float, vss: float) -> Array | None:
    """The cell's output over the sum in front of it, at `GRID` voltages from vss to vdd."""
    if parts.cell is None or cell_key(layer.activation) in ("relu", "linear"):
        return None  # a rectifier is ideal within microvolts
    z = np.linspace(vss, vdd, GRID)
    if not parts.cell.parts:
        return behaviour(parts.cell, layer.activation.name, z)
    y, _, _ = tabulate(parts.cell, 0, vdd, vss, CURVE_V)(z)
    return y
