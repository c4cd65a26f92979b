"""A design's inferences in the time domain: latency and energy, measured in ngspice, as `Metrics`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from analognet.analog import bench
from analognet.analog.settling import Settling
from analognet.analog.simulate import operating_points
from analognet.analog.timing import COARSE, FINE, Estimate, check_opamps, estimate
from analognet.analog.transient import Inference, Waveforms, options_of, simulate_transitions
from analognet.analog.transitions import RANDOM, RISE_S, Transition, choose_transitions
from analognet.converters import ConverterEnergy, Converters, converter_energies
from analognet.data import Dataset
from analognet.design import Design
from analognet.energy import duty_cycled, energy_flow, landauer_j
from analognet.errors import UsageError
from analognet.kept_inferences import KeptInferences, Observed
from analognet.metrics import Metrics, Value
from analognet.names import printable
from analognet.network import Array
from analognet.simulation import choose_data, ngspice_version, provenance
from analognet.workers import Workers

RATES_HZ: Final = (1.0, 1e3, 1e5)  # at which the duty-cycled energy is given
BITS: Final = float(np.log2(1 / COARSE))  # what an output within 1 % of full scale tells


@dataclass(frozen=True, eq=False)
class TransientStudy:
    """metrics: as every command answers; inferences: one a transition, `observed` an `Observed`;
    estimate: the same without ngspice; notes: what the user should know.
    """

    metrics: Metrics
    inferences: tuple[Inference, ...]
    estimate: Estimate
    notes: tuple[str, ...]

    @property
    def worst(self) -> Inference:
        """The inference with the largest latency to 1 %; one that did not settle, if there is one."""
        return max(self.inferences, key=lambda i: i.settling.latency_1_s)


def transient(
    design: Design,
    data: str | Path | Dataset | None = None,
    *,
    transitions: int = 20,
    seed: int = 0,
    converters: str | None = None,
    output_converters: str = "comparators",
    converter_file: Converters | None = None,
    period_s: float | None = None,
    rise_s: float = RISE_S,
    limit_s: float | None = None,
    temperature: float = bench.NOMINAL_C,
    corner: str = "tt",
    jobs: int = 2,
    workers: Workers | None = None,
    keep_waveforms: bool = False,
    checkpoint: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> TransientStudy:
    """Step from one input to the next in ngspice, `transitions` times, and measure time and energy.

    data: as `simulation.choose_data` takes it; converters: a set of the converter file whose
    energy is added as lines of its own; period_s: how often inputs come, for the check that the
    op-amps are fast enough; limit_s: where an unsettled run is given up; workers: who does the transitions,
    by default `jobs` threads; checkpoint: a directory that
    keeps each transition once it is measured, waveforms left out, so that a run that was killed goes
    on and nothing is measured twice; progress(done, total).
    Raises UsageError, InputError (parts that cannot do it), ToolMissing, SimulatorError.
    """
    if rise_s <= 0 or (limit_s is not None and limit_s <= 0):
        raise UsageError("rise time and limit of a transient must be above 0 s")
    design = design.under(corner, temperature)
    chosen, notes = choose_data(design, data, None, seed)
    steps = choose_transitions(design.analog, chosen.x, transitions, seed)
    notes += check_opamps(design, np.stack([t.end for t in steps]), period_s)
    guess = estimate(design, steps, rise_s)

    kept = None
    if checkpoint is not None and not keep_waveforms:
        models = sorted(design.dc_files.items())
        rails = (design.technology.vdd, design.technology.vss)
        deciding = (design.transient_netlist, models, rails, rise_s, limit_s, temperature, ngspice_version())
        kept = KeptInferences(checkpoint, deciding, steps, guess.lengths_s)
    found = simulate_transitions(
        design,
        steps,
        guess.lengths_s,
        observe=partial(_observe, design, keep_waveforms),
        rise_s=rise_s,
        limit_s=limit_s,
        temperature=temperature,
        jobs=jobs,
        workers=workers,
        progress=progress,
        recall=kept.recall if kept else None,
        keep=kept.keep if kept else None,
    )
    notes += [_unsettled(i) for i in found if not i.settling.settled]
    idle = _idle_power(design, temperature)
    lines: tuple[ConverterEnergy, ...] = ()
    worst = max(i.settling.latency_1_s for i in found)
    if converters is not None and np.isfinite(worst):
        lines = converter_energies(
            design.analog.n_in,
            design.analog.n_out,
            worst,
            chosen=converters,
            outputs=output_converters,
            file=converter_file,
        )
    metrics = Metrics(
        _values(design, found, idle),
        provenance(design)
        | {
            "method": "ngspice .tran, one step from one input to the next each; settling against .op of the new "
            "input; energy: integral of voltage times current of every rail, the reference and the input drivers",
            "engine": "ngspice",
            "ngspice": ngspice_version(),
            "temperature_c": temperature,
            "data": {"name": printable(Path(chosen.name).name), "sha256": chosen.digest},
            "seed": seed,
            "rise_time_s": rise_s,
            "bands_of_full_scale": [COARSE, FINE],
            "options": options_of(design),
            "input_drivers": "ideal voltage sources",
            "energy_includes": "supplies, reference, input drivers; converters only in their own lines",
        },
        {"transient": _details(design, found, guess, idle, lines)},
    )
    return TransientStudy(metrics, found, guess, tuple(notes))


def _observe(design: Design, keep_waveforms: bool, waves: Waveforms, _: Settling) -> Observed:
    return Observed(energy_flow(design, waves), waves if keep_waveforms else None)


def _unsettled(i: Inference) -> str:
    return (
        f"transition '{i.transition.kind}' {i.transition.rows} did not settle to 0.1 % within "
        f"{i.settling.reached_s:.3g} s"
    )


def _idle_power(design: Design, temperature: float) -> float | None:
    """Watts with the input at zero, or as near as the input range comes."""
    low, high = design.analog.input_range
    zero = np.full((1, design.analog.n_in), min(max(0.0, low), high))
    power = operating_points(
        design.analog,
        design.circuit,
        design.netlist,
        design.cells,
        zero,
        temperature=temperature,
        jobs=1,
        files=design.dc_files,
    ).power_w
    return None if power is None else float(power[0])


def _values(design: Design, found: Sequence[Inference], idle: float | None) -> dict[str, Value]:
    worst = max(i.settling.latency_1_s for i in found)
    values: dict[str, Value] = {
        "images": len(found),
        "opamps": design.tally.opamps,
        "resistors": design.tally.resistors,
    }
    if np.isfinite(worst):
        energies = [i.observed.flow.energy(worst) for i in found]
        values["latency_s"] = worst
        values["energy_j"] = float(np.mean(energies))
        values["power_w"] = float(np.mean(energies)) / worst
    elif idle is not None:
        values["power_w"] = idle
    return values


def _details(
    design: Design,
    found: Sequence[Inference],
    guess: Estimate,
    idle: float | None,
    lines: Sequence[ConverterEnergy],
) -> dict[str, Any]:
    settled = [i for i in found if np.isfinite(i.settling.latency_1_s)]
    details: dict[str, Any] = {
        "latency_1_percent_s": spread([i.settling.latency_1_s for i in found]),
        "latency_01_percent_s": spread([i.settling.latency_01_s for i in found]),
        "decision_s": spread([i.settling.decision_s for i in found]),
        "slewing_s": spread([i.settling.slewing_s for i in found]),
        "unsettled": sum(not i.settling.settled for i in found),
        "idle_power_w": idle,
        "cpu_s_per_inference": float(np.mean([i.cpu_s for i in found])),
        "estimate": _estimate_details(found, guess),
        "transitions": [_row(i, guess, k) for k, i in enumerate(found)],
        "converters": [vars(line) for line in lines],
    }
    if not settled:
        return details
    worst = max(i.settling.latency_1_s for i in settled)
    whole = [i.observed.flow.energy(worst) for i in settled]
    energy = float(np.mean(whole))
    macs = design.network.macs
    total = energy + sum(line.energy_j for line in lines)
    details |= {
        "throughput_hz": 1 / worst,
        "energy_1_percent_j": spread([i.observed.flow.energy(i.settling.latency_1_s) for i in settled]),
        "energy_01_percent_j": spread([i.observed.flow.energy(i.settling.latency_01_s) for i in settled]),
        "energy_decision_j": spread([i.observed.flow.energy(i.settling.decision_s) for i in settled]),
        "energy_by_source_j": _mean([i.observed.flow.by_source(worst) for i in settled]),
        "energy_by_use_j": _mean([i.observed.flow.by_use(worst) for i in settled]),
        "energy_with_converters_j": total if lines else None,
        "macs": macs,
        "joules_per_mac": energy / macs,
        "tops_per_watt": 2 * macs / energy / 1e12,
        "tops_per_watt_with_converters": 2 * macs / total / 1e12 if lines else None,
        "operations_per_second": 2 * macs / worst,
        "precision": f"outputs within {100 * COARSE:g} % of full scale, {BITS:.3g} bits; "
        "a multiply-accumulate is 2 operations",
        "landauer_j": landauer_j(BITS * macs),
        "duty_cycled_j": None if idle is None else duty_cycled(energy, worst, idle, (*RATES_HZ, 1 / worst)),
    }
    return details


def _estimate_details(found: Sequence[Inference], guess: Estimate) -> dict[str, Any]:
    def error(measured: list[float], estimated: Array) -> float | None:
        m = np.array(measured)
        known = np.isfinite(m) & (m > 0)
        return float(np.abs(estimated[known] / m[known] - 1).max()) if known.any() else None

    return {
        "method": "op-amp stages integrated layer by layer"
        + ("" if guess.exact else ", some cells by a stand-in"),
        "latency_1_percent_s": spread(guess.latency_1_s.tolist()),
        "latency_01_percent_s": spread(guess.latency_01_s.tolist()),
        "formula_01_percent_s": spread(guess.formula_s.tolist()),
        "largest_error_1_percent": error([i.settling.latency_1_s for i in found], guess.latency_1_s),
        "largest_error_01_percent": error([i.settling.latency_01_s for i in found], guess.latency_01_s),
        "layers": [vars(layer) for layer in guess.layers],
    }


def _row(i: Inference, guess: Estimate, k: int) -> dict[str, Any]:
    s = i.settling
    return {
        "kind": i.transition.kind,
        "rows": list(i.transition.rows),
        "latency_1_percent_s": _finite(s.latency_1_s),
        "latency_01_percent_s": _finite(s.latency_01_s),
        "outputs_1_percent_s": [_finite(t) for t in s.coarse_s.tolist()],
        "outputs_01_percent_s": [_finite(t) for t in s.fine_s.tolist()],
        "decision_s": _finite(s.decision_s),
        "slewing_s": _finite(s.slewing_s),
        "settled": s.settled,
        "reached_s": s.reached_s,
        "estimate_1_percent_s": float(guess.latency_1_s[k]),
        "estimate_01_percent_s": float(guess.latency_01_s[k]),
        "estimate_1_percent_range_s": [float(guess.earliest_1_s[k]), float(guess.latest_1_s[k])],
    }


def spread(values: Sequence[float]) -> dict[str, float | None] | None:
    """Median, 95th percentile and worst; infinite ones (did not settle) are None. None for no values."""
    if not len(values) or np.isnan(values).any():
        return None
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    at = {"median": 0.5, "p95": 0.95, "worst": 1.0}
    # the value at or above the quantile: no interpolation with an infinite neighbour
    return {k: _finite(float(ordered[int(np.ceil(q * (len(ordered) - 1)))])) for k, q in at.items()}


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _mean(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    return {k: float(np.mean([row[k] for row in rows])) for k in rows[0]}


def random_only(found: Sequence[Inference]) -> list[Inference]:
    """Those of random pairs, whose spread says something of typical use."""
    return [i for i in found if i.transition.kind == RANDOM]


def transition_of(data: Dataset, start: int, end: int) -> Transition:
    """The transition between two rows of a data set."""
    return Transition("chosen", data.x[start], data.x[end], (start, end))
