"""What an inference takes of time and energy in a circuit, and its waveforms."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from analognet import inference
from analognet.analog.timing import estimate
from analognet.analog.transitions import choose_transitions
from analognet.comparison.ends import converter_lines, converter_set
from analognet.comparison.stages import Advance
from analognet.comparison.store import Result
from analognet.data import Dataset
from analognet.design import Design
from analognet.errors import InputError, UsageError
from analognet.network import Array

_ESTIMATED: Final = 100  # transitions whose worst the estimate tells, beside those simulated
_WAVE_POINTS: Final = 300
_WAVES_KEPT: Final = 24  # hidden neurons in the figure of one inference


def transient(
    design: Design, data: Dataset, transitions: int, seed: int, jobs: int, advance: Advance
) -> Result:
    """Latency, energy and where it goes; the waveforms of the random transition that took longest."""
    chosen = converter_set(design)
    found = inference.transient(
        design,
        data,
        transitions=transitions,
        seed=seed,
        converters=chosen,
        jobs=jobs,
        keep_waveforms=True,
        progress=advance,
    )
    details = found.metrics.details["transient"]
    worst = found.metrics["latency_s"]
    value: dict[str, Any] = {
        key: details.get(key)
        for key in (
            *("latency_1_percent_s", "latency_01_percent_s", "decision_s", "slewing_s", "unsettled"),
            *("idle_power_w", "throughput_hz", "energy_1_percent_j", "energy_01_percent_j"),
            *("energy_by_use_j", "energy_by_source_j", "precision", "landauer_j", "duty_cycled_j", "macs"),
        )
    }
    value |= {key: found.metrics[key] for key in ("latency_s", "energy_j", "power_w")}
    value |= {"transitions": len(found.inferences), "notes": list(found.notes)}
    value["estimate"] = _estimated(design, data, seed)
    if isinstance(worst, float):
        energies = [i.observed.flow.energy(worst) for i in found.inferences]
        value["energy_span_j"] = [min(energies), max(energies)]
        value["converters"] = {"set": chosen, **converter_lines(design.network, worst, chosen)}
    random = inference.random_only(found.inferences) or list(found.inferences)
    return Result(value, _waves(max(random, key=lambda i: i.settling.latency_1_s), worst))


def _estimated(design: Design, data: Dataset, seed: int) -> dict[str, Any] | None:
    """The worst latency of more transitions than are simulated, by the estimate; None where it has none.

    The worst of a few is too small; the estimate is within some percent of ngspice, and takes a second.
    """
    if design.technology.process:
        return None  # its equations are of the macromodel
    try:
        guess = estimate(design, choose_transitions(design.analog, data.x, _ESTIMATED, seed))
    except (InputError, UsageError):
        return None
    worst = float(guess.latency_1_s.max())
    return {"transitions": len(guess.latency_1_s), "worst_s": worst if np.isfinite(worst) else None}


def _waves(shown: Any, worst: Any) -> dict[str, Any]:
    """One inference on an even grid of times: outputs, some hidden neurons, supply currents."""
    waves = shown.observed.waves
    end = float(waves.time[-1]) if not isinstance(worst, float) else min(float(waves.time[-1]), 1.6 * worst)
    t = np.linspace(0.0, end, _WAVE_POINTS)

    def on_grid(v: Array) -> Array:
        columns = np.unique(np.linspace(0, v.shape[1] - 1, min(v.shape[1], _WAVES_KEPT)).astype(int))
        return np.stack([np.interp(t, waves.time, v[:, j]) for j in columns], axis=1)

    arrays = {"time_s": t, "supply_a": np.interp(t, waves.time, -waves["i(vdd)"])}
    for k, v in enumerate(waves.layers_v):
        arrays[f"layer{k}_v"] = on_grid(v)
    return arrays
