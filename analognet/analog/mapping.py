"""Weights to conductances: from a float network to what the circuit's resistors must be.

Signals are voltages against the signal common. A layer that takes `scale_in` volts per unit
sums currents into a pre-activation of `scale_z` volts per unit and, through its activation
cell, answers with `scale_out` volts per unit. A weight w so becomes the voltage gain
w scale_z / scale_in, and with the feedback conductance G_f a conductance of gain x G_f.

Three topologies:

split      two op-amps per neuron. The first sums what positive weights ask for, inverted; the
           second sums its answer, through a link resistor, with what negative weights ask for:
           v_sum = (G_link / G_f+ sum(G+ v) - sum(G- v)) / G_f. Both sum into virtual grounds,
           so the second can be a rectifying amplifier.
signed     one op-amp per neuron. Positive gains go to the + input, negative ones to the -
           input, and one balance resistor to common gives both inputs the same total
           conductance; then v_sum = (sum(G+ v) - sum(G- v)) / G_f exactly. Its inputs load what
           drives them, so an activation cell behind it needs a buffered output.
dual_rail  every signal also exists inverted, and a weight takes the rail of its sign into a
           virtual ground: v_sum = (sum(G+ v) - sum(G- v)) / G_f. An inverter for each signal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from analognet.analog.cells import OPAMP_ROLE, Cell
from analognet.analog.resistors import check_series, pot_bits, realise
from analognet.analog.technology import Technology
from analognet.errors import InputError, UsageError
from analognet.names import printable
from analognet.network import Activation, Array, Dense, Network

TOPOLOGIES: Final = ("split", "signed", "dual_rail")
VIRTUAL_GROUND: Final = ("split", "dual_rail")  # a rectifying amplifier can do the summing
SATURATING: Final = ("sigmoid", "tanh")
LARGEST: Final = 1e100  # value a signal may have, and 1 / smallest: products of scales stay finite
CLIP_KNEE_V: Final = 0.04  # the macromodel's clamps conduct as much before the swing's end
LOAD_SHARE: Final = 0.5  # of a part's design output current that the weights behind it may draw

Range = tuple[float, float]


@dataclass(frozen=True)
class LayerRange:
    """What a layer must be able to hold, in the network's units; both ranges include 0.

    z: its pre-activations. partial: its sums over positive weights alone and, negated, over
    negative weights alone, whichever reaches further; the split topology has them on a node.
    """

    z: Range
    partial: Range


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


# sums may leave what a float holds: that makes ranges infinite or NaN, which `map_network` refuses
@np.errstate(over="ignore", invalid="ignore")
def data_ranges(network: Network, x: Array, margin: float = 1.1) -> tuple[LayerRange, ...]:
    """Each layer's ranges over data x (N, n_in), widened by `margin`."""
    ranges, y = [], np.asarray(x, dtype=np.float64)
    for layer in network.layers:
        positive = y @ np.maximum(layer.weight, 0).T + np.maximum(layer.bias, 0)
        negative = y @ np.maximum(-layer.weight, 0).T + np.maximum(-layer.bias, 0)
        z = positive - negative
        ranges.append(LayerRange(_with_zero(z, margin), _with_zero(np.stack([positive, negative]), margin)))
        y = layer.activation(z)
    return tuple(ranges)


@np.errstate(over="ignore", invalid="ignore")
def interval_ranges(
    network: Network, input_range: Range, z_ranges: Sequence[Range] | None = None
) -> tuple[LayerRange, ...]:
    """Bounds of each layer's ranges for any input in the range: interval arithmetic.

    z_ranges: each layer's pre-activations where they are known; they take the bounds' place.
    """
    low = np.full(network.n_in, input_range[0])
    high = np.full(network.n_in, input_range[1])
    ranges = []
    for i, layer in enumerate(network.layers):
        up, down = np.maximum(layer.weight, 0), np.maximum(-layer.weight, 0)
        bias_up, bias_down = np.maximum(layer.bias, 0), np.maximum(-layer.bias, 0)
        z_low = up @ low - down @ high + layer.bias
        z_high = up @ high - down @ low + layer.bias
        if z_ranges is not None:
            z_low, z_high = np.maximum(z_low, z_ranges[i][0]), np.minimum(z_high, z_ranges[i][1])
            z_low = np.minimum(z_low, z_high)
        sums = np.stack(
            [up @ low + bias_up, up @ high + bias_up, down @ low + bias_down, down @ high + bias_down]
        )
        ranges.append(LayerRange(_with_zero(np.stack([z_low, z_high])), _with_zero(sums)))
        ends = [layer.activation(z_low), layer.activation(z_high)]
        if layer.activation.slope < 0:  # not monotonic: its extreme may lie at 0
            ends.append(layer.activation(np.clip(0.0, z_low, z_high)))
        low, high = np.min(ends, axis=0), np.max(ends, axis=0)
    return tuple(ranges)


def _with_zero(values: Array, margin: float = 1.0) -> Range:
    return min(float(values.min()), 0.0) * margin, max(float(values.max()), 0.0) * margin


def map_network(
    network: Network,
    technology: Technology,
    cells: Mapping[str, Cell],
    input_range: Range,
    ranges: Sequence[LayerRange],
    topology: str = TOPOLOGIES[0],
) -> AnalogNetwork:
    """Choose scales, feedback and conductances for every layer.

    input_range: the inputs in units; ranges: each layer's, from `data_ranges` or `interval_ranges`.
    Raises UsageError for an unknown topology or series, InputError where a layer has no cell or
    cannot be realised with the technology's resistors and op-amp.
    """
    if topology not in TOPOLOGIES:
        raise UsageError(f"topology '{printable(topology)}' is unknown; there are {', '.join(TOPOLOGIES)}")
    check_series(technology.resistor.series)
    if len(ranges) != len(network.layers):
        raise InputError(f"{len(ranges)} ranges were given for {len(network.layers)} layers")
    largest = max(abs(input_range[0]), abs(input_range[1]))
    if not (1 / LARGEST <= largest <= LARGEST and input_range[0] < input_range[1]):
        raise InputError(
            f"input range {input_range[0]:g},{input_range[1]:g}: the lower end comes first, "
            f"and the larger one lies from {1 / LARGEST:g} to {LARGEST:g}"
        )
    if topology == "dual_rail":
        _find(cells, technology.inverter, "inverter")
    scale_in = technology.full_scale / largest
    layers: list[AnalogLayer] = []
    for dense, z_range in zip(network.layers, ranges, strict=True):
        reached = float(np.abs([*z_range.z, *z_range.partial]).max())
        if not reached <= LARGEST:  # NaN too
            raise InputError(
                f"layer '{printable(dense.name)}': pre-activations reach {reached:.3g}; "
                f"up to {LARGEST:g} can be scaled to volts"
            )
        current = _drive_current(technology, cells, layers[-1] if layers else None)
        layer = _map_layer(dense, technology, cells, z_range, topology, scale_in, current)
        layers.append(layer)
        scale_in = layer.scale_out
    return AnalogNetwork(network.name, technology, topology, tuple(layers), input_range)


def swing(technology: Technology, cells: Mapping[str, Cell], opamp: str | None = None) -> Range:
    """(lowest, highest) output voltage of the technology's op-amp against common."""
    part = cells[opamp or technology.opamp]
    return (
        technology.vss + part.defaults.get("drop_lo", 0.0),
        technology.vdd - part.defaults.get("drop_hi", 0.0),
    )


def usable_swing(technology: Technology, cells: Mapping[str, Cell]) -> Range:
    """The part of the swing in which an op-amp does not yet begin to clip."""
    low, high = swing(technology, cells)
    return low + CLIP_KNEE_V, high - CLIP_KNEE_V


def _map_layer(
    dense: Dense,
    technology: Technology,
    cells: Mapping[str, Cell],
    z_range: LayerRange,
    topology: str,
    scale_in: float,
    current: float,
) -> AnalogLayer:
    amplifier, cell_name = OPAMP_ROLE, None
    activation = dense.activation
    key = cell_key(activation)
    if topology in VIRTUAL_GROUND and key in technology.amplifiers:
        amplifier = technology.amplifiers[key]
    elif activation.name != "linear":
        cell_name = technology.cell_for(key, dense.name)
    cell = None
    if cell_name is not None:
        cell = _find(cells, cell_name, "activation", key)
    elif amplifier != OPAMP_ROLE:
        cell = _find(cells, amplifier, "amplifier", key)
    if cell is not None and activation.name == "leaky_relu" and "slope" in cell.ratings:
        least, most = cell.ratings["slope"][:2]
        if not least <= activation.slope <= most:
            raise InputError(
                f"layer '{printable(dense.name)}': cell {cell.name} has slopes from {least:g} to {most:g}, "
                f"not {activation.slope:g}"
            )
    scale_z, scale_out = _scales(dense, technology, cells, cell, z_range.z)
    polarity = cell.polarity if cell is not None and cell_name is not None else 1

    with np.errstate(over="ignore", invalid="ignore"):
        gain = np.hstack(
            [dense.weight * (scale_z / scale_in), dense.bias[:, None] * (scale_z / technology.reference)]
        )
    if not np.isfinite(gain).all():
        raise InputError(f"layer '{printable(dense.name)}': weights are too large to scale to a voltage gain")
    gain *= polarity
    share = _first_stage_gain(z_range, scale_z, technology, cells) if topology == "split" else 1.0
    drawn = np.where(gain > 0, gain * share, gain)  # what the resistors at the inputs must realise
    feedback = _feedback(drawn, topology, share, dense, technology, cells, current)
    g_pos, g_neg = _conductances(drawn, feedback, technology)
    wanted = np.count_nonzero(dense.weight) + np.count_nonzero(dense.bias)
    dropped = int(wanted - np.count_nonzero(g_pos + g_neg))
    g_f = np.full(dense.n_out, 1.0 / feedback)
    g_f_pos = g_link = np.zeros(dense.n_out)
    if topology == "split":
        has_first = (g_pos > 0).any(axis=1)
        link = _realise_one(feedback * share, technology)
        g_f_pos, g_link = np.where(has_first, g_f, 0.0), np.where(has_first, 1.0 / link, 0.0)
    zero = np.zeros(dense.n_out)
    balance = _balance(g_pos, g_neg, g_f, technology) if topology == "signed" else (zero, zero)
    return AnalogLayer(
        name=dense.name,
        topology=topology,
        activation=activation,
        g_pos=g_pos,
        g_neg=g_neg,
        g_f=g_f,
        g_f_pos=g_f_pos,
        g_link=g_link,
        balance_pos=balance[0],
        balance_neg=balance[1],
        scale_in=scale_in,
        scale_z=scale_z,
        scale_out=scale_out,
        polarity=polarity,
        amplifier=amplifier,
        cell=cell_name,
        cell_params=_cell_params(
            cell if cell_name else None, activation, technology, cells, scale_z, scale_out
        ),
        dropped=dropped,
    )


def cell_key(activation: Activation) -> str:
    """The name a technology lists an activation's cell under."""
    if activation.name == "leaky_relu" and activation.slope < 0:
        return "leaky_relu_neg"
    if activation.name == "leaky_relu" and activation.slope == 0:
        return "relu"
    return activation.name


def _find(cells: Mapping[str, Cell], name: str, family: str, computes: str | None = None) -> Cell:
    """A cell that a technology names. Raises InputError where there is none, or it is another kind."""
    if name not in cells:
        raise InputError(f"cell '{name}' is not among the cells: {', '.join(sorted(cells))}")
    cell = cells[name]
    wanted = computes.removesuffix("_neg") if computes else None
    if cell.family != family or cell.activation != wanted:
        kinds = [
            f"{f}{' for ' + a if a else ''}" for f, a in ((family, wanted), (cell.family, cell.activation))
        ]
        raise InputError(f"cell '{name}' stands where an {kinds[0]} is needed; its family is {kinds[1]}")
    return cell


def _scales(
    dense: Dense, technology: Technology, cells: Mapping[str, Cell], cell: Cell | None, z_range: Range
) -> tuple[float, float]:
    """(scale_z, scale_out) in volts per unit: as large as full scale and the op-amp's swing allow."""
    low, high = usable_swing(technology, cells)
    reach = min(high, -low)
    headroom = cell.rating("headroom", 0.0) if cell else 0.0
    if technology.full_scale > reach - headroom:
        raise InputError(
            f"full scale {technology.full_scale:g} V is beyond what {technology.opamp} reaches on "
            f"{technology.vdd:+g}/{technology.vss:+g} V: {reach - headroom:.3g} V"
            + (f" with {headroom:g} V of headroom for {cell.name}" if cell and headroom else "")
        )
    z_largest = max(abs(z_range[0]), abs(z_range[1]))
    z_largest = z_largest if z_largest > 1 / LARGEST else 1.0  # nothing to scale: weights will be dropped
    if dense.activation.name in SATURATING:
        least, most = cell.ratings.get("s_in", (0.1, 1.0)) if cell else (0.1, 1.0)
        return float(np.clip(reach / z_largest, least, most)), technology.full_scale
    y_largest = float(np.abs(dense.activation(np.array(z_range))).max())
    if cell_key(dense.activation).startswith("leaky"):
        reach -= headroom  # its rectifiers answer both signs of z behind a diode
    # what only the rectifier sees may use the whole swing; what goes on is held to full scale
    scale = min(reach / z_largest, technology.full_scale / y_largest if y_largest > 0 else np.inf)
    return scale, scale


def working_ohm(technology: Technology, cells: Mapping[str, Cell]) -> float:
    """The resistor that circuits around the op-amp are made of: the preferred feedback resistor,
    less where the op-amp's input capacitance would leave it too little phase margin.
    """
    kind = technology.resistor
    stable = cells[technology.opamp].rating("r_max", np.inf)
    return _realise_one(min(kind.feedback_ohm, stable), technology)


def _first_stage_gain(
    z_range: LayerRange, scale_z: float, technology: Technology, cells: Mapping[str, Cell]
) -> float:
    """Gain of the first op-amp of a split neuron against the whole: less than 1 where its sum would clip.

    It drives R_f and, through the link of gain x R_f, a virtual ground; that current drops over its
    output resistance and takes from its swing.
    """
    low, high = usable_swing(technology, cells)
    largest = max(abs(z_range.partial[0]), abs(z_range.partial[1])) * scale_z
    if largest <= 0:
        return 1.0
    reach = min(high, -low) / largest
    rout = cells[technology.opamp].defaults.get("rout", 0.0)
    own = rout / working_ohm(technology, cells)
    # either the link is as small as a resistor can be, or R_f is the preferred one
    smallest_link = reach / (1.0 + own + rout / technology.resistor.min_ohm)
    return min(1.0, max(smallest_link, (reach - own) / (1.0 + own)))


def _drive_current(technology: Technology, cells: Mapping[str, Cell], driver: AnalogLayer | None) -> float:
    """Amperes that a layer may draw from each of its inputs at full scale.

    What an op-amp delivers drops over its output resistance, and must leave it inside its swing.
    The network's own inputs (driver None) are sources. Raises InputError where nothing is left.
    """
    part = cells[technology.opamp]
    rating = part.rating("i_out", np.inf) * LOAD_SHARE
    rout = part.defaults.get("rout", 0.0)
    if driver is None or rout <= 0:
        return rating
    low, high = usable_swing(technology, cells)
    stage = cells.get(driver.cell or driver.amplifier)
    spare = min(high, -low) - technology.full_scale - (stage.rating("headroom", 0.0) if stage else 0.0)
    left = spare / rout - technology.full_scale / working_ohm(technology, cells)  # its own feedback
    if left <= 0:
        raise InputError(
            f"full scale {technology.full_scale:g} V leaves {technology.opamp} {spare:.3g} V to drive the "
            f"layer behind '{printable(driver.name)}' through its {rout:g} Ohm; choose a smaller one"
        )
    return min(rating, left)


def _feedback(
    gain: Array,
    topology: str,
    share: float,
    dense: Dense,
    technology: Technology,
    cells: Mapping[str, Cell],
    current: float,
) -> float:
    """R_f of a layer: the preferred one, raised so that no resistor is too small and no driver overloaded."""
    kind = technology.resistor
    total = np.abs(gain)
    # a rheostat's range is small, so the largest weight decides where in it the others come to lie
    preferred = 0.0 if pot_bits(kind.series) is not None else working_ohm(technology, cells)
    needed = max(
        preferred,
        kind.largest_weight_ohm * float(total.max()),
        kind.min_ohm / share,  # the link resistor of a split neuron
        technology.full_scale * float(total.sum(axis=0).max()) / current,
    )
    if topology == "signed":
        imbalance = np.abs(1.0 + np.maximum(-gain, 0).sum(axis=1) - np.maximum(gain, 0).sum(axis=1))
        needed = max(needed, kind.weight_span[0] * float(imbalance.max()))
    if needed > kind.max_ohm:
        raise InputError(
            f"layer '{printable(dense.name)}': needs a feedback resistor of {needed:.3g} Ohm, "
            f"technology {technology.name} ends at {kind.max_ohm:.3g}"
        )
    return _realise_one(needed, technology)


def _realise_one(ohms: float, technology: Technology) -> float:
    """A fixed resistor: of the series, or of E192 where the weights are potentiometers."""
    kind = technology.resistor
    series = "E192" if pot_bits(kind.series) is not None else kind.series
    return float(realise(np.array([max(ohms, kind.min_ohm)]), series, kind.min_ohm, kind.max_ohm)[0])


def _conductances(gain: Array, feedback: float, technology: Technology) -> tuple[Array, Array]:
    kind = technology.resistor
    with np.errstate(divide="ignore", over="ignore"):
        ohms = feedback / np.abs(gain)
    smallest, largest = kind.weight_span
    # nearer to nothing than to the largest resistor: dropped; else the largest resistor it is
    too_large = ohms > 2.0 * largest
    ohms = np.clip(ohms, smallest, largest)
    ohms[too_large] = np.inf
    conductance = 1.0 / realise(ohms, kind.series, smallest, largest)
    return np.where(gain > 0, conductance, 0.0), np.where(gain < 0, conductance, 0.0)


def _balance(g_pos: Array, g_neg: Array, g_f: Array, technology: Technology) -> tuple[Array, Array]:
    """Conductances (n_out,) to common that make the + and - inputs' totals equal."""
    kind = technology.resistor
    smallest, largest = kind.weight_span
    least = 1.0 / largest
    lack = g_neg.sum(axis=1) + g_f - g_pos.sum(axis=1)  # of the + input
    lack = np.where(np.abs(lack) < 1e-9 * g_f, 0.0, lack)
    # a difference below the smallest conductance is made of two larger ones
    both = np.where((lack != 0) & (np.abs(lack) < least), least, 0.0)
    wanted = np.stack([np.maximum(lack, 0) + both, np.maximum(-lack, 0) + both])
    with np.errstate(divide="ignore"):
        real = 1.0 / realise(1.0 / wanted, kind.series, smallest, largest)
    return real[0], real[1]


def _cell_params(
    cell: Cell | None,
    activation: Activation,
    technology: Technology,
    cells: Mapping[str, Cell],
    scale_z: float,
    scale_out: float,
) -> dict[str, float]:
    """Values for the parameters that an activation cell declares."""
    if cell is None:
        return {}
    low, high = swing(technology, cells)
    known = {
        "r": working_ohm(technology, cells),
        "s_in": scale_z,
        "s_out": scale_out,
        "slope": activation.slope,
        "vsat_hi": high,
        "vsat_lo": low,
        "r_out": cells[technology.opamp].defaults.get("rout", 0.0),
    }
    return {key: known[key] for key in cell.defaults if key in known}
