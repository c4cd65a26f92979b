"""Operating points of a whole data set in ngspice, checked against the ideal mathematics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from analognet.analog import bench, build, ngspice
from analognet.analog.cells import OPAMP_ROLE, Cell
from analognet.analog.circuit import Circuit
from analognet.analog.compact.start import start_voltages
from analognet.analog.compact.tables import Conditions
from analognet.analog.effort import image_seconds, point_seconds
from analognet.analog.layers import SATURATING, AnalogLayer, AnalogNetwork
from analognet.analog.limits import swing, usable_swing, working_ohm
from analognet.analog.mapping import cell_key
from analognet.analog.technology import Technology
from analognet.errors import InputError, SimulatorError
from analognet.network import Array
from analognet.workers import in_threads

CHUNK = 1000  # input vectors in a deck; ngspice's parsing of tables is worse than linear beyond
STARTED_CHUNK = 100  # the same with a table for every net of a chip
START_S = (
    0.1  # of processor time: a deck of 64-32-10 up to its first input, beside the operating point itself
)
START_SHARE = 6.0  # a deck is worth it that takes so many times as long as it takes to start
LEAST_OF_A_CHIP = 10  # inputs in a deck
MOST_CHUNKS = 64  # for the sake of parallel work
STARTS_PAY = 500  # neurons times inputs; for fewer, the cells' tables cost more than they save
SAFETY = 3.0  # the bound on plausible error over the sum of known error sources
FLOOR_V = 1e-3
ZERO_V = 1e-9
RAIL_V = 5e-3  # the common stands that far from the middle of the supplies, at most
CLIPPED_V = 1e-4  # a node beyond its limit by less has not clipped

Progress = Callable[[int], None]
Vectors = tuple[dict[str, Array], float]  # name -> (points,), and ngspice's processor time
_DRIVEN = "what drives the inputs, A"


@dataclass(frozen=True, eq=False)
class OperatingPoints:
    """What a sweep answers.

    outputs_v: (N, n_out); hidden_v: one (N, n) per hidden layer, where they were asked for;
    power_w: (N,) drawn from supplies and reference (and, on a chip, what drives the inputs), None
    where the parts draw nothing by definition; clipped: input vectors that drive some node beyond the op-amp's swing;
    cpu_s: ngspice's processor time, None where another engine worked.
    """

    outputs_v: Array
    hidden_v: tuple[Array, ...]
    power_w: Array | None
    clipped: int
    cpu_s: float | None


def operating_points(
    network: AnalogNetwork,
    circuit: Circuit,
    netlist: str,
    cells: Mapping[str, Cell],
    x: Array,
    *,
    temperature: float = bench.NOMINAL_C,
    jobs: int = 2,
    timeout_s: float = 3600.0,
    hidden: bool = False,
    files: Mapping[str, str] | None = None,
    conditions: Conditions | None = None,
    progress: Progress | None = None,
) -> OperatingPoints:
    """Simulate inputs x (N, n_in) in units, in chunks over `jobs` processes.

    files: what lies beside the deck; conditions: a chip's, for which the compact model then says where
    ngspice is to begin (`starts`): the answer is ngspice's in any case. Where the circuit makes its
    own signal common, voltages are against that. progress is called with the number of input vectors
    newly done. Raises ToolMissing or SimulatorError; a result that disagrees with the mathematics
    is an error, not a number.
    """
    order = similar_first(network, x)
    inputs_v = x[order] * network.scale_in
    t = network.technology
    hidden = hidden or bool(t.process)  # a chip's every layer is held to the mathematics
    layers = range(len(network.layers)) if hidden else range(len(network.layers) - 1, len(network.layers))
    probes = [build.layer_probes(network, i) for i in layers]
    wanted = [*(p for names in probes for p in names), *bench.SUPPLY_CURRENTS]
    common = f"v({circuit.common})"
    wanted += [common] if circuit.common else []

    start = {} if conditions is None else starts(network, cells, x[order], conditions)
    stride = 2 if start else 1

    def simulate(rows: slice, seen: Progress) -> Vectors:
        v = inputs_v[rows]
        held = {net: volts[rows] for net, volts in start.items()}
        driven = bench.input_currents(v) if t.process else []
        asked = [*wanted, *driven]
        deck = netlist + "\n" + bench.sweep(circuit, t, v, asked, temperature, held)
        run = ngspice.run_deck(
            deck,
            asked,
            points=stride * len(v),
            timeout_s=timeout_s,
            files=files,
            on_point=None if held else seen,  # a held sweep reports its inner source
        )
        found = {w: values[stride - 1 :: stride] for w, values in run.vectors.items()}
        table = {w: found[w] for w in wanted}
        table[_DRIVEN] = sum((np.maximum(-found[w], 0.0) for w in driven), np.zeros(len(v)))
        return table, run.cpu_s

    chunks = _chunks(network, len(x), STARTED_CHUNK if start else CHUNK)
    runs = _run_chunks(simulate, chunks, jobs, progress)
    back = np.argsort(order)
    table = {w: np.concatenate([run[w] for run, _ in runs])[back] for w in (*wanted, _DRIVEN)}
    zero = table[common][:, None] if circuit.common else 0.0
    values = [np.stack([table[p] for p in names], axis=1) - zero for names in probes]
    clipped = check_layers(network, cells, x, dict(zip(layers, values, strict=True)), temperature)
    if t.process:  # whatever drives a signal does so from the same rails, by ideal push-pull stages
        drivers = table[_DRIVEN] + np.maximum(-table["i(vref)"], 0.0)
        power = (t.vdd - t.vss) * (drivers - table["i(vdd)"])
    else:
        power = -(t.vdd * table["i(vdd)"] + t.vss * table["i(vss)"] + t.reference * table["i(vref)"])
    return OperatingPoints(
        outputs_v=values[-1],
        hidden_v=tuple(values[:-1]),
        power_w=power if "iq" in cells[t.opamp].figures else None,
        clipped=clipped,
        cpu_s=sum(cpu_s for _, cpu_s in runs),
    )


def starts(
    network: AnalogNetwork, cells: Mapping[str, Cell], x: Array, conditions: Conditions
) -> dict[str, Array]:
    """Voltages (N,) to begin at, by net, for inputs x (N, n_in): none where they do not pay, or where the
    compact model has no answer.
    """
    if len(x) * sum(layer.n_out for layer in network.layers) < STARTS_PAY:
        return {}
    try:
        return start_voltages(network, cells, x, conditions)
    except (InputError, SimulatorError):  # ngspice finds the way by itself, if slowly
        return {}


def similar_first(network: AnalogNetwork, x: Array) -> NDArray[np.int64]:
    """An order (N,) of the inputs in which neighbours switch few rectifiers, block by block.

    Each point of a sweep starts from the one before, and a diode that changes state costs Newton
    iterations: this saves a fifth to a third of ngspice's time. Greedy nearest neighbour on the
    signs of all summing amplifiers' outputs.
    """
    # not above 0: a sum that is zero comes out as some 1e-17 of either sign, by how memory is aligned
    signs = np.hstack([v_sum > ZERO_V for v_sum, _ in network.voltages(x)]).astype(np.int8)
    order = []
    for start in range(0, len(x), CHUNK):
        block = signs[start : start + CHUNK]
        left = np.arange(1, len(block))
        path = [0]
        while len(left):
            nearest = int(np.argmin((block[left] != block[path[-1]]).sum(axis=1)))
            path.append(int(left[nearest]))
            left = np.delete(left, nearest)
        order.append(np.array(path, dtype=np.int64) + start)
    return np.concatenate(order)


def _chunks(network: AnalogNetwork, n: int, largest: int) -> list[slice]:
    """Rows of the decks of n inputs. Each deck begins from nothing, which comes out other in the last digits
    than from the input before: so it is network and inputs that decide, and never how many processes there are.
    """
    if network.technology.process:
        pays = n // LEAST_OF_A_CHIP
    else:
        pays = int(n * image_seconds(network) / (START_SHARE * (START_S + point_seconds(network))))
    even = 1 << max(
        0, min(pays, MOST_CHUNKS, n).bit_length() - 1
    )  # a power of two divides among most machines' cores
    count = max(-(-n // largest), even)
    edges = np.linspace(0, n, count + 1).astype(int)
    return [slice(int(a), int(b)) for a, b in pairwise(edges)]


def _run_chunks(
    simulate: Callable[[slice, Progress], Vectors],
    chunks: list[slice],
    jobs: int,
    progress: Progress | None,
) -> list[Vectors]:
    """Results in the order of the chunks, whatever order they end in."""

    def work(rows: slice) -> Vectors:
        reported = 0

        def seen(points: int) -> None:
            nonlocal reported
            if progress and points > reported:
                progress(points - reported)
                reported = points

        run = simulate(rows, seen)
        seen(rows.stop - rows.start)
        return run

    return in_threads(work, chunks, jobs)


def check_layers(
    network: AnalogNetwork,
    cells: Mapping[str, Cell],
    x: Array,
    values: Mapping[int, Array],
    temperature: float,
) -> int:
    """Hold layers' outputs (N, n) in V, by layer, against the ideal circuit's; answers how many of the
    inputs x (N, n_in) drive a node into clipping.

    Those are left out of the comparison, but on a chip, which is nothing but transistors and resistors,
    nothing may leave the rails. Raises SimulatorError naming the output and the input.
    """
    low, high = usable_swing(network.technology, cells)
    rout = cells[network.technology.opamp].figures.get("rout", 0.0)
    v, clipped = x * network.scale_in, np.zeros(len(x), dtype=bool)
    bounds = plausible_errors(network, cells, temperature)
    for index, layer in enumerate(network.layers):
        if layer.topology == "dual_rail":  # its inverters must follow the inputs
            load = layer.g_pos[:, :-1].sum(axis=0) + 1 / working_ohm(network.technology, cells)
            clipped |= _beyond(v * (1 + rout * load), low, high)
        v_sum = layer.summing(v, network.technology.reference)
        u = layer.first_sums(v, network.technology.reference)
        clipped |= _beyond(u * (1 + rout * (layer.g_f_pos + layer.g_link)), low, high)
        stage = cells.get(layer.cell or layer.amplifier)
        headroom = stage.rating("headroom", 0.0) if stage else 0.0
        inner = headroom if cell_key(layer.activation).startswith("leaky") else 0.0
        wanted, v = layer.activate(v_sum), layer.activate(np.clip(v_sum, low + inner, high - inner))
        # a sum may clip where the activation does not care
        clipped |= (np.abs(wanted - v) > CLIPPED_V).any(axis=1) | _beyond(v, low + headroom, high - headroom)
        if index in values:
            prefix = "" if index == len(network.layers) - 1 else f"l{index}_"
            if network.technology.process:
                _inside_rails(values[index], network.technology, prefix)
            _compare(values[index], v, bounds[index], clipped, prefix)
    return int(clipped.sum())


def _inside_rails(found: Array, technology: Technology, prefix: str) -> None:
    """Raise SimulatorError where a node (N, n) of a chip is outside its supplies."""
    beyond = np.maximum(found - technology.vdd, technology.vss - found)
    if beyond.max(initial=-1.0) > RAIL_V:
        image, output = (int(i) for i in np.unravel_index(np.argmax(beyond), beyond.shape))
        raise SimulatorError(
            f"ngspice's output {prefix}y{output} for input {image} is {found[image, output]:.6g} V, outside the "
            f"rails of {technology.vss:g} and {technology.vdd:g} V: no result is given"
        )


def _compare(found: Array, wanted: Array, bound: Array, clipped: NDArray[np.bool_], prefix: str) -> None:
    """Raise SimulatorError where a node (N, n) is farther from the mathematics than plausible (n,)."""
    error = np.abs(found - wanted)
    error[clipped] = 0.0
    if (error > bound).any():
        image, output = (int(i) for i in np.unravel_index(np.argmax(error - bound), error.shape))
        raise SimulatorError(
            f"ngspice's output {prefix}y{output} for input {image} is {found[image, output]:.6g} V where the "
            f"mathematics says {wanted[image, output]:.6g} V, more than {bound[output]:.3g} V apart: "
            "no result is given"
        )


def _beyond(v: Array, low: float, high: float) -> NDArray[np.bool_]:
    """(N,) which rows of v (N, n) leave low..high by more than rounding."""
    return np.asarray(((v < low - CLIPPED_V) | (v > high + CLIPPED_V)).any(axis=1))


def rectifier_leakage(temperature: float) -> float:
    """Amperes through a blocking 1N4148 at a temperature in Celsius.

    Its saturation current as SPICE scales it: IS (T/Tnom)^(XTI/N) exp((T/Tnom - 1) EG / (N k T/q)),
    with the values of `cells/d1n4148.cir` and SPICE's defaults XTI = 3, EG = 1.11 eV.
    """
    saturation, emission = 2.52e-9, 1.752
    kelvin, ratio = temperature + 273.15, (temperature + 273.15) / 300.15
    thermal_v = 8.617333e-5 * kelvin
    return float(saturation * ratio ** (3 / emission) * np.exp((ratio - 1) * 1.11 / (emission * thermal_v)))


def plausible_error(network: AnalogNetwork, cells: Mapping[str, Cell], temperature: float) -> Array:
    """(n_out,) volts by which the real circuit's outputs may differ from the ideal ones, generously."""
    return plausible_errors(network, cells, temperature)[-1]


def plausible_errors(network: AnalogNetwork, cells: Mapping[str, Cell], temperature: float) -> list[Array]:
    """For every layer (n,) volts by which its outputs may differ from the ideal circuit's.

    Worst cases of finite gain, offset, bias current, common-mode rejection, leakage and the
    activation cells' stated errors, added up layer by layer and multiplied by `SAFETY`.
    """
    technology = network.technology
    part = cells[technology.opamp].figures
    low, high = swing(technology, cells)
    reach = max(high, -low)
    leakage = 0.0 if technology.process else rectifier_leakage(temperature)
    own = part.get("vos_max", 0.0) + 4 * part.get("vos_sigma", 0.0) if technology.process else 0.0
    offset = (
        abs(part.get("vos", 0.0))
        + own
        + reach / part.get("cmrr", np.inf)
        + reach * 1.5 / part["a0"]
        + leakage * technology.resistor.feedback_ohm
    )
    error = np.zeros(network.n_in)
    bounds = []
    for layer in network.layers:
        error = _layer_error(layer, cells, error, offset, part, temperature)
        bounds.append(SAFETY * error + FLOOR_V)
    return bounds


def _layer_error(
    layer: AnalogLayer,
    cells: Mapping[str, Cell],
    error_in: Array,
    offset: float,
    part: Mapping[str, float],
    temperature: float,
) -> Array:
    share = layer.positive_share[:, None]
    gain = (layer.g_pos * share + layer.g_neg) / layer.g_f[:, None]
    bias = (abs(part.get("ib", 0.0)) + abs(part.get("ios", 0.0))) / layer.g_f
    first = 1.0 + np.divide(
        layer.g_pos.sum(axis=1), layer.g_f_pos, out=np.zeros(layer.n_out), where=layer.g_f_pos > 0
    )
    error: Array = gain[:, :-1] @ error_in + offset * (layer.noise_gain + first * layer.g_link / layer.g_f)
    error = error + 2 * bias
    if layer.amplifier != OPAMP_ROLE:
        error = error + cells[layer.amplifier].rating("error_max", 0.0)
    if layer.topology == "dual_rail":
        error = error + (gain @ np.ones(gain.shape[1])) * 2 * offset
    if layer.cell is None:
        return error
    steepest = layer.scale_out / layer.scale_z * (0.25 if layer.activation.name == "sigmoid" else 1.0)
    slope = max(1.0, abs(layer.activation.slope)) if layer.activation.name == "leaky_relu" else 1.0
    error = error * steepest * slope + 4 * offset + 4 * abs(part.get("ib", 0.0)) * 1e4
    if layer.activation.name in SATURATING:
        cell = cells[layer.cell]
        drift = 0.0 if cell.behavioural else 0.3 * abs(temperature - bench.NOMINAL_C) / 300.0
        error = error + layer.scale_out * (
            cell.rating("error_max", 0.01 if not cell.behavioural else 0.0) + drift
        )
    return error
