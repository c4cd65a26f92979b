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
from typing import Final

import numpy as np

from analognet.analog.cells import OPAMP_ROLE, Cell
from analognet.analog.compensation import compensated
from analognet.analog.layers import SATURATING, TOPOLOGIES, VIRTUAL_GROUND, AnalogLayer, AnalogNetwork
from analognet.analog.limits import (
    drive_current,
    first_stage_gain,
    fixed_ohm,
    swing,
    usable_swing,
    working_ohm,
)
from analognet.analog.ranges import LayerRange, Range
from analognet.analog.resistors import check_series, pot_bits, realise
from analognet.analog.technology import Technology
from analognet.errors import InputError, UsageError
from analognet.names import did_you_mean, printable
from analognet.network import Activation, Array, Dense, Network

LARGEST: Final = 1e100  # value a signal may have, and 1 / smallest: products of scales stay finite


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
        raise UsageError(
            f"topology '{printable(topology)}' is unknown; there are {', '.join(TOPOLOGIES)}"
            f"{did_you_mean(topology, TOPOLOGIES)}"
        )
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
        current = drive_current(technology, cells, layers[-1] if layers else None)
        layer = _map_layer(dense, technology, cells, z_range, topology, scale_in, current)
        layers.append(compensated(layer, technology, cells))
        scale_in = layer.scale_out
    return AnalogNetwork(network.name, technology, topology, tuple(layers), input_range)


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
    rectifying = technology.amplifiers.get(key)
    if rectifying is not None and (
        topology in VIRTUAL_GROUND or _find(cells, rectifying, "amplifier", key).words.get("load") is None
    ):
        amplifier = rectifying
    elif activation.name != "linear" or key in technology.activations:
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
    share = first_stage_gain(z_range, scale_z, technology, cells) if topology == "split" else 1.0
    drawn = np.where(gain > 0, gain * share, gain)  # what the resistors at the inputs must realise
    feedback = _feedback(drawn, topology, share, dense, technology, cells, current)
    g_pos, g_neg = _conductances(drawn, feedback, technology)
    wanted = np.count_nonzero(dense.weight) + np.count_nonzero(dense.bias)
    dropped = int(wanted - np.count_nonzero(g_pos + g_neg))
    g_f = np.full(dense.n_out, 1.0 / feedback)
    g_f_pos = g_link = np.zeros(dense.n_out)
    if topology == "split":
        has_first = (g_pos > 0).any(axis=1)
        link = fixed_ohm(feedback * share, technology)
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
    return fixed_ohm(needed, technology)


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
