"""How long an inference takes, in a second and without ngspice; and whether the op-amps are up to it.

Two answers. `reduced.py` integrates the op-amp stages: that is the estimate. The formula names what
the time is made of, a layer at a time, for a settling band b of full scale:

    tau  = (noise gain) / (2 pi GBW)                       of each op-amp
    slew = (step - slew rate * tau) / slew rate, if above 0
    dead = 2 C_j V_d / (G_f |v|)     an op-amp whose rectifier must change sides is an integrator
                                     of its final current v G_f through the junctions C_j; counted
                                     where v matters at an output
    latency = sum over layers (slew + dead) + sqrt(sum tau^2) ln(1 / b)

Source of the first two: any op-amp textbook; of the third: charge on the two diodes' junctions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from analognet.analog.cells import OPAMP_ROLE
from analognet.analog.layers import SATURATING, AnalogLayer, AnalogNetwork
from analognet.analog.limits import swing
from analognet.analog.reduced import Reduced, reduced_transitions
from analognet.analog.settling import decision_time, worst_settling
from analognet.analog.transitions import RISE_S, Transition
from analognet.errors import InputError, UsageError
from analognet.network import Array

if TYPE_CHECKING:
    from analognet.design import Design

COARSE: Final = 0.01  # settling bands, of the technology's full scale
FINE: Final = 0.001
TOUCH: Final = 0.15  # of a band: how well the height of a ripple is known
_JUNCTION_F: Final = 8e-12  # two 1N4148 at zero bias
_DIODE_V: Final = 1.0  # from one diode conducting to the other
_FIRST_LENGTH: Final = 1.15  # of a transient, over the estimated settling
_LEAST_POLE: Final = 2**-0.5  # of the crossover: 45 degrees of phase margin
_WEAK: Final = 3.0  # times its design current, and an op-amp is past its short-circuit current


@dataclass(frozen=True)
class LayerTime:
    """The formula's terms of one layer, seconds, of its slowest neuron; noise_gain: the largest."""

    name: str
    noise_gain: float
    tau_s: float
    slew_s: float
    dead_s: float


@dataclass(frozen=True, eq=False)
class Estimate:
    """Each (B,), one a transition. latency_1_s, latency_01_s: to within 1 % and 0.1 % of full scale;
    energy_1_j, energy_01_j, energy_decision_j: from all rails until then; power_w: settled;
    formula_s: the formula's latency to 0.1 %; whole_s: until hidden layers too are within 0.1 %;
    layers: the formula's terms, over all transitions the largest; exact: whether every cell has
    equations of its own; earliest_1_s, latest_1_s: latency_1_s were the band wider or narrower by
    15 %, far apart where a ripple only just leaves it, or only just does not.
    """

    latency_1_s: Array
    earliest_1_s: Array
    latest_1_s: Array
    latency_01_s: Array
    decision_s: Array
    energy_1_j: Array
    energy_01_j: Array
    energy_decision_j: Array
    power_w: Array
    formula_s: Array
    whole_s: Array
    layers: tuple[LayerTime, ...]
    exact: bool

    @property
    def lengths_s(self) -> list[float]:
        """How long a transient of each transition should be."""
        # a few time constants more, so that the end shows that it has settled
        rest = 5.0 * max(layer.tau_s for layer in self.layers)
        return [float(t) for t in _FIRST_LENGTH * self.whole_s + rest]


def estimate(design: Design, transitions: Sequence[Transition], rise_s: float = RISE_S) -> Estimate:
    """Latency and energy of transitions, without ngspice. Raises UsageError for op-amps without dynamics."""
    reduced = reduced_transitions(design.analog, design.cells, transitions, rise_s)
    full_scale, scale = design.technology.full_scale, design.analog.scale_out
    outputs = reduced.layers_v[-1]
    times = np.zeros((3, len(transitions)))
    times[0] = _settled(reduced, outputs, COARSE * full_scale)
    times[1] = _settled(reduced, outputs, FINE * full_scale)
    for b in range(len(transitions)):
        times[2, b] = decision_time(reduced.time, outputs[:, b] / scale, outputs[-1, b] / scale)
    whole = np.max([_settled(reduced, v, FINE * full_scale) for v in reduced.layers_v], axis=0)
    energies = np.array([_energies(reduced, row) for row in times])
    formula, layers = _formula(design, transitions)
    return Estimate(
        latency_1_s=times[0],
        earliest_1_s=_settled(reduced, outputs, (1 + TOUCH) * COARSE * full_scale),
        latest_1_s=_settled(reduced, outputs, (1 - TOUCH) * COARSE * full_scale),
        latency_01_s=times[1],
        decision_s=times[2],
        energy_1_j=energies[0],
        energy_01_j=energies[1],
        energy_decision_j=energies[2],
        power_w=reduced.power_w[-1],
        formula_s=formula,
        whole_s=whole,
        layers=layers,
        exact=reduced.exact,
    )


def _settled(reduced: Reduced, v: Array, band: float) -> Array:
    """(B,) time after which all of v (K, B, n) stay within band of where they end."""
    found = [worst_settling(reduced.time, v[:, b], v[-1, b], band).max() for b in range(v.shape[1])]
    return np.array(found)


def _energies(reduced: Reduced, until: Array) -> Array:
    steps = np.diff(reduced.time)[:, None] * 0.5 * (reduced.power_w[1:] + reduced.power_w[:-1])
    total = np.vstack([np.zeros(steps.shape[1]), np.cumsum(steps, axis=0)])
    return np.array([np.interp(t, reduced.time, total[:, b]) for b, t in enumerate(until)])


def _formula(design: Design, transitions: Sequence[Transition]) -> tuple[Array, tuple[LayerTime, ...]]:
    part = design.cells[design.technology.opamp].figures
    before = design.analog.voltages(np.stack([t.start for t in transitions]))
    after = design.analog.voltages(np.stack([t.end for t in transitions]))
    layers, squares = [], 0.0
    slow = np.zeros(len(transitions))
    reaches = _reaches(design.analog)
    for layer, (z0, _), (z1, _), weight_at_output in zip(
        design.analog.layers, before, after, reaches, strict=True
    ):
        gains = [layer.noise_gain.max()]
        if layer.topology == "split" and (layer.g_link > 0).any():
            first = layer.g_link > 0
            gains.append(float((1 + layer.g_pos.sum(axis=1)[first] / layer.g_f_pos[first]).max()))
        tau = np.array(gains) / (2 * np.pi * part["gbw"])
        slew = np.maximum(np.abs(z1 - z0) / part["slew"] - tau.max(), 0.0)
        dead = np.zeros_like(slew)
        diodes = layer.amplifier != OPAMP_ROLE or layer.activation.name in ("relu", "leaky_relu")
        if diodes and not design.technology.process:
            # a neuron whose whole answer stays within the band may take its time
            matters = np.abs(layer.activate(z1)) * weight_at_output > FINE * design.technology.full_scale
            charge = _JUNCTION_F * _DIODE_V / (layer.g_f * np.where(matters, np.abs(z1), np.inf))
            dead = np.where((z0 * z1 < 0) & matters, charge + 2 * _DIODE_V / part["slew"], 0.0)
        slow += (slew + dead).max(axis=1)
        squares += float((tau**2).sum())
        layers.append(
            LayerTime(layer.name, float(max(gains)), float(tau.max()), float(slew.max()), float(dead.max()))
        )
    return slow + np.sqrt(squares) * np.log(1 / FINE), tuple(layers)


def _reaches(network: AnalogNetwork) -> list[Array]:
    """(n,) of every layer: by how much, at most, an output moves with one of its outputs."""
    found = [np.ones(network.n_out)]
    for layer in reversed(network.layers[1:]):
        gain = (layer.g_pos * layer.positive_share[:, None] + layer.g_neg)[:, :-1] / layer.g_f[:, None]
        steep = layer.scale_out / layer.scale_z if layer.activation.name in SATURATING else 1.0
        found.append((gain * (steep * found[-1])[:, None]).max(axis=0))
    return found[::-1]


def check_opamps(design: Design, x: Array, period_s: float | None = None) -> tuple[str, ...]:
    """What of the op-amps is not up to this design and inputs x (N, n_in), worst neuron first named.

    period_s: how often an input comes, where that is known. Raises InputError where a result
    would mean nothing: an op-amp past its short-circuit current, every input clipping, or a
    period shorter than what the slowest layer takes to move at all.
    """
    network, cells = design.analog, design.cells
    cell = cells[design.technology.opamp]
    low, high = swing(design.technology, cells)
    found: list[str] = []
    v = np.asarray(x, dtype=np.float64) * network.scale_in
    reference = design.technology.reference
    loads = [_loads(layer) for layer in network.layers[1:]] + [np.zeros(network.n_out)]
    for index, (layer, load) in enumerate(zip(network.layers, loads, strict=True)):
        where = f"layer {index} ('{layer.name}')"
        v_sum = layer.summing(v, reference)
        first = layer.first_sums(v, reference)
        found += _swing_warnings(where, layer, v_sum, first, (low, high), cell.name)
        v = layer.activate(np.clip(v_sum, low, high))
        driven = np.abs(v if layer.cell else v_sum).max(axis=0) * (load + layer.g_f)
        if layer.topology == "split":
            driven = np.maximum(driven, np.abs(first).max(axis=0) * (layer.g_f_pos + layer.g_link))
        found += _current_warnings(where, driven, cell.rating("i_out", np.inf), cell.name)
        if "gbw" in cell.defaults:
            found += _ringing_warnings(where, layer, cell.defaults)
    if period_s is not None:
        found += _speed_warnings(network, cell.defaults, cell.name, period_s)
    return tuple(found)


def _loads(layer: AnalogLayer) -> Array:
    total: Array = (layer.g_pos + layer.g_neg).sum(axis=0)[:-1]
    return total


def _swing_warnings(
    where: str, layer: AnalogLayer, v_sum: Array, first: Array, limits: tuple[float, float], part: str
) -> list[str]:
    found, low, high = [], *limits
    for node, v, matters in (
        ("", v_sum, layer.activation.name not in SATURATING),
        ("'s first op-amp", first, True),
    ):
        excess = np.maximum(v - high, low - v)
        if not matters or excess.max() <= 0:
            continue
        neuron = int(excess.max(axis=0).argmax())
        clipping = float((excess.max(axis=1) > 0).mean())
        text = (
            f"{where}: neuron {neuron}{node} asks for {float(v[excess[:, neuron].argmax(), neuron]):.3g} V, "
            f"{excess.max():.2g} V beyond what {part} reaches ({low:g} to {high:g} V); "
            f"{100 * clipping:.3g} % of the inputs clip"
        )
        if clipping == 1.0 and float(np.median(excess.max(axis=1))) > 0.5 * (high - low):
            raise InputError(
                f"{text}: no result would mean anything; use a part with more swing, or calibrate with data like these"
            )
        found.append(text)
    return found


def _current_warnings(where: str, driven: Array, rated: float, part: str) -> list[str]:
    neuron = int(driven.argmax())
    current = float(driven[neuron])
    if current <= rated:
        return []
    text = (
        f"{where}: neuron {neuron} drives {1e3 * current:.3g} mA into its resistors, "
        f"{part} is rated for {1e3 * rated:.3g} mA: {current / rated:.2g} times too much"
    )
    if current > _WEAK * rated:
        raise InputError(
            f"{text}, more than it gives into a short circuit; use larger feedback resistors or a stronger part"
        )
    return [text + "; use larger feedback resistors or a stronger part"]


def _ringing_warnings(where: str, layer: AnalogLayer, part: Mapping[str, float]) -> list[str]:
    """Two poles: with the summing node's at 0.71 of GBW / noise gain, the phase margin is 45 degrees."""
    nodes = layer.noise_gain * layer.g_f
    pole = nodes / (2 * np.pi * part["cin"]) if part["cin"] > 0 else np.full(layer.n_out, np.inf)
    crossover = part["gbw"] / layer.noise_gain
    margin = pole / crossover
    neuron = int(margin.argmin())
    if margin[neuron] >= _LEAST_POLE:
        return []
    return [
        f"{where}: neuron {neuron} rings: its summing node's pole lies at {pole[neuron]:.3g} Hz, "
        f"{1 / margin[neuron]:.2g} times below the loop's crossover; use smaller feedback resistors"
    ]


def _speed_warnings(
    network: AnalogNetwork, part: Mapping[str, float], name: str, period_s: float
) -> list[str]:
    if period_s <= 0:
        raise UsageError(f"period {period_s:g} s: a time above 0 is needed")
    taus = [float(layer.noise_gain.max()) / (2 * np.pi * part["gbw"]) for layer in network.layers]
    slowest = int(np.argmax(taus))
    layer = network.layers[slowest]
    needed = float(np.sqrt(np.sum(np.square(taus))) * np.log(1 / FINE))
    text = (
        f"layer {slowest} ('{layer.name}'): neuron {int(layer.noise_gain.argmax())} with {name} has a "
        f"time constant of {taus[slowest]:.3g} s; the network needs {needed:.3g} s or more to "
        f"settle to 0.1 %, a new input comes every {period_s:.3g} s"
    )
    if period_s < taus[slowest]:
        raise InputError(f"{text}: its output would be that of earlier inputs; use a faster part")
    return [text + "; use a faster part"] if period_s < needed else []
