"""Where the energy of an inference goes, from the waveforms of a transient.

Every joule is counted twice, once where it comes from and once where it goes: the sources are the
rails, the reference and the input drivers; the uses are what the parts turn into heat. The two
must agree (`unaccounted`), and a test holds them to 1 % of what is not quiescent current.

An output stage is class B here: what it gives to a load above common comes from vdd, what it
takes from one below goes to vss, and it turns the rest of that rail's voltage into heat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from analognet.analog.cells import OPAMP_ROLE
from analognet.analog.transient import Waveforms
from analognet.network import Array

if TYPE_CHECKING:
    from analognet.design import Design

BOLTZMANN: Final = 1.380649e-23  # J/K, exact in the SI
SOURCES: Final = ("vdd", "vss", "reference", "input drivers")
USES: Final = (
    "quiescent current, summing op-amps",
    "quiescent current, op-amps of activation cells",
    "output stages",
    "weights",
    "feedback and link resistors",
    "activation cells",
    "unaccounted",
)


@dataclass(frozen=True, eq=False)
class EnergyFlow:
    """Power (T,) W over time (T,) s, by source and by use; the sums of both are the same."""

    time: Array
    sources: dict[str, Array]
    uses: dict[str, Array]

    @property
    def power(self) -> Array:
        total: Array = np.sum(list(self.sources.values()), axis=0)
        return total

    def energy(self, until_s: float) -> float:
        """Joules from all sources until then; after the run's end, the power stays what it was."""
        return integral(self.time, self.power, until_s)

    def by_source(self, until_s: float) -> dict[str, float]:
        return {name: integral(self.time, p, until_s) for name, p in self.sources.items()}

    def by_use(self, until_s: float) -> dict[str, float]:
        return {name: integral(self.time, p, until_s) for name, p in self.uses.items()}


def integral(time: Array, power: Array, until_s: float) -> float:
    """Integral of power (T,) from 0 to until_s, trapezoidal; beyond the last point power is constant."""
    if not np.isfinite(until_s):
        return float("inf")
    inside = time < until_s
    t = np.append(time[inside], until_s)
    p = np.append(power[inside], np.interp(until_s, time, power))
    return float(np.trapezoid(p, t))


CHIP_SOURCES: Final = (
    "upper rail: op-amps, bias and common",
    "upper rail: input drivers",
    "upper rail: reference",
)
CHIP_USES: Final = ("weights", "feedback and balance resistors", "transistors and drivers")


def _chip_flow(design: Design, waves: Waveforms) -> EnergyFlow:
    """A chip's power: all that its upper rail gives to it and to what drives its inputs.

    Inputs and reference come from ideal push-pull stages between the same rails: what flows out of
    one is drawn from the upper rail; what flows into one was drawn from it by the chip.
    """
    technology, v = design.technology, waves.vectors
    span = technology.vdd - technology.vss
    inputs_a = np.stack([v[f"i(vx{j})"] for j in range(design.analog.n_in)], axis=1)
    currents = (
        -v["i(vdd)"],
        np.maximum(-inputs_a, 0.0).sum(axis=1),
        np.maximum(-v["i(vref)"], 0.0),
    )
    sources = {name: span * i for name, i in zip(CHIP_SOURCES, currents, strict=True)}
    common = v[f"v({design.circuit.common})"] if design.circuit.common else np.zeros(len(waves.time))
    weights, fixed = np.zeros(len(waves.time)), np.zeros(len(waves.time))
    for index in range(len(design.analog.layers)):
        found = _resistors(design, waves, index, common)
        weights, fixed = weights + found[0], fixed + found[1]
    total = np.sum(list(sources.values()), axis=0)
    uses = dict(zip(CHIP_USES, (weights, fixed, total - weights - fixed), strict=True))
    return EnergyFlow(waves.time, sources, uses)


def energy_flow(design: Design, waves: Waveforms) -> EnergyFlow:
    """Power by source and by use. The remainder of the sources counts as activation cells where the
    circuit has cells whose inner currents are not saved, and as `unaccounted` where it has none.
    """
    if design.technology.process:
        return _chip_flow(design, waves)
    technology, v = design.technology, waves.vectors
    part = design.cells[technology.opamp].figures
    inputs_a = np.stack([v[f"i(vx{j})"] for j in range(design.analog.n_in)], axis=1)
    sources = {
        "vdd": -technology.vdd * v["i(vdd)"],
        "vss": -technology.vss * v["i(vss)"],
        "reference": -technology.reference * v["i(vref)"],
        "input drivers": -(waves.inputs_v * inputs_a).sum(axis=1),
    }
    still = np.full(len(waves.time), part.get("iq", 0.0) * (technology.vdd - technology.vss))
    in_cells = sum(amp.role == "cell" for amp in waves.amplifiers)
    uses = {
        USES[0]: still * (len(waves.amplifiers) - in_cells),
        USES[1]: still * in_cells,
        USES[2]: _output_stages(design, waves),
        USES[3]: np.zeros(len(waves.time)),
        USES[4]: np.zeros(len(waves.time)),
        USES[5]: _diodes(design, waves),
    }
    for index in range(len(design.analog.layers)):
        weights, fixed = _resistors(design, waves, index)
        uses[USES[3]] = uses[USES[3]] + weights
        uses[USES[4]] = uses[USES[4]] + fixed
    rest = np.sum(list(sources.values()), axis=0) - np.sum(list(uses.values()), axis=0)
    opaque = any(layer.cell for layer in design.analog.layers) or design.analog.topology == "dual_rail"
    uses[USES[5]] = uses[USES[5]] + (rest if opaque else 0.0)
    uses[USES[6]] = np.zeros(len(waves.time)) if opaque else rest
    return EnergyFlow(waves.time, sources, uses)


def _output_stages(design: Design, waves: Waveforms) -> Array:
    """Heat of all output stages: the rail's voltage above or below the output, times its current."""
    technology = design.technology
    rout = design.cells[technology.opamp].figures["rout"]
    total = np.zeros(len(waves.time))
    for amp in waves.amplifiers:
        out = waves[amp.output]
        current = (waves[amp.c] - out) / rout
        total += np.where(current > 0, technology.vdd - out, technology.vss - out) * current
    return total


def _diodes(design: Design, waves: Waveforms) -> Array:
    """Heat of the rectifying amplifiers' diodes: what the op-amp gives less what goes on."""
    rout = design.cells[design.technology.opamp].defaults["rout"]
    total = np.zeros(len(waves.time))
    amps = {amp.path: amp for amp in waves.amplifiers}
    for index, layer in enumerate(design.analog.layers):
        if layer.amplifier == OPAMP_ROLE:
            continue
        for i in range(layer.n_out):
            amp = amps.get(f"xlayer{index}.xamp{i}.xamp")
            if amp is None:
                continue
            drive = waves[amp.output]
            current = (waves[amp.c] - drive) / rout
            far = np.where(current > 0, waves.layers_v[index][:, i], waves[f"v(xnet.xlayer{index}.n{i})"])
            total += (drive - far) * current
    return total


def _resistors(
    design: Design, waves: Waveforms, index: int, common: Array | float = 0.0
) -> tuple[Array, Array]:
    """Heat (T,) of one layer's weights, and of its feedback, link and balance resistors.

    common: (T,) V of a signal common that is not node 0.
    """
    layer = design.analog.layers[index]
    zero = np.broadcast_to(common, waves.time.shape)[:, None]
    before = waves.inputs_v - zero if index == 0 else waves.layers_v[index - 1]
    reference = np.full((len(waves.time), 1), design.technology.reference) - zero
    v_in = np.hstack([before, reference])
    names = [f"x{j}" if index == 0 else f"l{index - 1}_y{j}" for j in range(layer.n_in)] + ["ref"]
    inverted = v_in
    if layer.topology == "dual_rail":
        inverted = np.stack(
            [waves.vectors.get(f"v(xnet.{n}_b)", np.zeros(len(waves.time))) for n in names], axis=1
        )
    minus, plus, first, summed = (_inner(waves, index, kind, layer.n_out) - zero for kind in "npuz")
    if layer.cell is None:
        summed = waves.layers_v[index]
    hub = minus if layer.topology == "dual_rail" else plus
    weights = _star_heat(layer.g_pos, inverted, hub) + _star_heat(layer.g_neg, v_in, minus)
    fixed = (
        np.einsum("tn,n->t", (summed - minus) ** 2, layer.g_f)
        + np.einsum("tn,n->t", (first - plus) ** 2, layer.g_f_pos)
        + np.einsum("tn,n->t", (first - minus) ** 2, layer.g_link)
        + np.einsum("tn,n->t", plus**2, layer.balance_pos)
        + np.einsum("tn,n->t", minus**2, layer.balance_neg)
    )
    return weights, fixed


def _inner(waves: Waveforms, index: int, kind: str, n: int) -> Array:
    """Voltages (T, n) of a layer's inner nets of one kind; zeros where a neuron has none."""
    zero = np.zeros(len(waves.time))
    return np.stack([waves.vectors.get(f"v(xnet.xlayer{index}.{kind}{i})", zero) for i in range(n)], axis=1)


def _star_heat(g: Array, v: Array, hub: Array) -> Array:
    """sum over i, j of g_ij (v_j - hub_i)^2, for v (T, n_in) and hub (T, n_out)."""
    # einsum and not @: this runs in threads, and OpenBLAS hangs where another thread forks meanwhile
    heat: Array = (
        np.einsum("tj,j->t", v**2, g.sum(axis=0))
        - 2 * np.einsum("ti,ti->t", hub, np.einsum("tj,ij->ti", v, g))
        + np.einsum("ti,i->t", hub**2, g.sum(axis=1))
    )
    return heat


def landauer_j(bits: float, temperature_c: float = 27.0) -> float:
    """The least heat of erasing so many bits: k T ln 2 each. R. Landauer, IBM J. Res. Dev. 5, 1961."""
    return bits * BOLTZMANN * (temperature_c + 273.15) * float(np.log(2.0))


def duty_cycled(energy_j: float, busy_s: float, idle_w: float, rates_hz: Sequence[float]) -> dict[str, float]:
    """Joules per inference at a rate: the inference, and what is drawn until the next one.

    Rates above 1 / busy_s cannot be had and are left out. The op-amps stay on in between.
    """
    return {f"{r:.9g}": energy_j + idle_w * (1 / r - busy_s) for r in rates_hz if r * busy_s <= 1.0}
