"""A network in conductances, and the identity that ties it to the float network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from analognet.analog.ranges import Range
from analognet.analog.technology import Technology
from analognet.network import Activation, Array

TOPOLOGIES: Final = ("split", "signed", "dual_rail")
VIRTUAL_GROUND: Final = ("split", "dual_rail")  # a rectifying amplifier can do the summing
SATURATING: Final = ("sigmoid", "tanh")


@dataclass(frozen=True, eq=False)
class Capacitors:
    """A chip's capacitors against ringing (`compensation.py`): their cell, F of one unit, and (n_out,) how
    many units each neuron has across its feedback, and from its + and its - input to the common.
    """

    cell: str
    unit_f: float
    feedback: Array
    plus: Array
    minus: Array


@dataclass(frozen=True, eq=False)
class AnalogLayer:
    """One layer in conductances.

    g_pos, g_neg: (n_out, n_in + 1) siemens, the last column driven by the reference (the bias);
    0 where there is no resistor. split: at the first and the second op-amp. signed: at the
    op-amp's + and - input. dual_rail: from the inverted and the true rail, both at the - input.
    g_f: (n_out,) feedback.
    g_f_pos, g_link: (n_out,) split alone: feedback of the first op-amp, and link to the second;
    0 where a neuron has no positive gain and so no first op-amp.
    balance_pos, balance_neg: (n_out,) signed alone: from + and - input to common.
    scale_in, scale_z, scale_out: volts per unit. polarity: sign of v_sum against z, which is
    that of the activation cell. amplifier: the summing amplifier's cell. cell: activation cell,
    None where the amplifier's output is the layer's. dropped: weights too small for a resistor.
    capacitors: of a chip whose technology has them.
    """

    name: str
    topology: str
    activation: Activation
    g_pos: Array
    g_neg: Array
    g_f: Array
    g_f_pos: Array
    g_link: Array
    balance_pos: Array
    balance_neg: Array
    scale_in: float
    scale_z: float
    scale_out: float
    polarity: int
    amplifier: str
    cell: str | None
    cell_params: Mapping[str, float]
    dropped: int
    capacitors: Capacitors | None = None

    @property
    def n_in(self) -> int:
        return int(self.g_pos.shape[1]) - 1

    @property
    def n_out(self) -> int:
        return int(self.g_pos.shape[0])

    @property
    def noise_gain(self) -> Array:
        """(n_out,) gain from the last summing op-amp's input offset to its output."""
        at_minus = self.g_neg.sum(axis=1) + self.balance_neg + self.g_link + self.g_f
        if self.topology == "dual_rail":
            at_minus = at_minus + self.g_pos.sum(axis=1)
        gain: Array = at_minus / self.g_f
        return gain

    @property
    def positive_share(self) -> Array:
        """(n_out,) factor from the current that positive gains draw to the current they cause."""
        if self.topology != "split":
            return np.ones(self.n_out)
        return np.divide(self.g_link, self.g_f_pos, out=np.zeros(self.n_out), where=self.g_f_pos > 0)

    def summing(self, v_in: Array, v_ref: float) -> Array:
        """v_sum (N, n_out) for input voltages v_in (N, n_in), with ideal op-amps that never clip.

        Kirchhoff at both op-amp inputs, so a balance that rounding has upset shows.
        """
        v = np.hstack([v_in, np.full((len(v_in), 1), v_ref)])
        i_pos, i_neg = v @ self.g_pos.T, v @ self.g_neg.T
        if self.topology != "signed":
            v_sum: Array = (i_pos * self.positive_share - i_neg) / self.g_f
            return v_sum
        at_plus = self.g_pos.sum(axis=1) + self.balance_pos
        v_plus = np.divide(i_pos, at_plus, out=np.zeros_like(i_pos), where=at_plus > 0)
        differential: Array = v_plus * self.noise_gain - i_neg / self.g_f
        return differential

    def first_sums(self, v_in: Array, v_ref: float) -> Array:
        """(N, n_out) volts at the first op-amps of a split layer; zeros in other topologies."""
        v = np.hstack([v_in, np.full((len(v_in), 1), v_ref)])
        i_pos = v @ self.g_pos.T
        return -np.divide(i_pos, self.g_f_pos, out=np.zeros_like(i_pos), where=self.g_f_pos > 0)

    def activate(self, v_sum: Array) -> Array:
        """Output voltages (N, n_out) of ideal activation cells."""
        return self.activation(v_sum * (self.polarity / self.scale_z)) * self.scale_out

    def unmap(self, v_ref: float) -> tuple[Array, Array]:
        """The weight (n_out, n_in) and bias (n_out,) that the conductances stand for."""
        positive = self.g_pos * self.positive_share[:, None]
        gain = self.polarity * (positive - self.g_neg) / self.g_f[:, None]
        return gain[:, :-1] * (self.scale_in / self.scale_z), gain[:, -1] * (v_ref / self.scale_z)


@dataclass(frozen=True, eq=False)
class AnalogNetwork:
    """A network in conductances, and the identity that ties it to the float network:

    with every op-amp ideal, `network(x) * scale_out == outputs_v(x)`, up to dropped weights and
    rounded resistors; `scale_out` is the last layer's, in volts per unit.
    """

    name: str
    technology: Technology
    topology: str
    layers: tuple[AnalogLayer, ...]
    input_range: Range

    @property
    def n_in(self) -> int:
        return self.layers[0].n_in

    @property
    def n_out(self) -> int:
        return self.layers[-1].n_out

    @property
    def scale_in(self) -> float:
        """Volts per unit at the inputs."""
        return self.layers[0].scale_in

    @property
    def scale_out(self) -> float:
        """Volts per unit at the outputs."""
        return self.layers[-1].scale_out

    @property
    def dropped(self) -> int:
        return sum(layer.dropped for layer in self.layers)

    def voltages(self, x: ArrayLike) -> list[tuple[Array, Array]]:
        """(v_sum, v_out) of every layer, each (N, n_out), for inputs x (N, n_in) in units."""
        v = np.asarray(x, dtype=np.float64) * self.scale_in
        out = []
        for layer in self.layers:
            v_sum = layer.summing(v, self.technology.reference)
            v = layer.activate(v_sum)
            out.append((v_sum, v))
        return out

    def outputs_v(self, x: ArrayLike) -> Array:
        """Output voltages (N, n_out) of the ideal circuit."""
        return self.voltages(x)[-1][1]

    def __call__(self, x: ArrayLike) -> Array:
        """Outputs (N, n_out) of the ideal circuit in the network's own units."""
        return self.outputs_v(x) / self.scale_out
