"""Noise and parts spread of a design, as `Metrics` beside those of its operating points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from analognet.analog import calibration, compact
from analognet.analog.bench import NOMINAL_C
from analognet.analog.chip_noise import chip_noise
from analognet.analog.montecarlo import SENSITIVITY_BOARDS, MonteCarlo, monte_carlo
from analognet.analog.noise import Noise, noise, spice_noise
from analognet.analog.noise_effect import NoiseEffect, effect_of, noise_effect
from analognet.analog.solver.rounding import AGREEMENT_V
from analognet.analog.variation import Spread, check_seed, default_spread
from analognet.data import Dataset
from analognet.design import Design
from analognet.errors import UsageError
from analognet.metrics import Metrics
from analognet.simulation import ngspice_version
from analognet.workers import Workers

Progress = Callable[[int, int], None]
CHIPS: Final = "compact model, every chip with its own resistors and amplifier offsets (docs/sky130.md)"


@dataclass(frozen=True, eq=False)
class NoiseStudy:
    """metrics: as every command answers; noise: at the first input; effect: on all of them."""

    metrics: Metrics
    noise: Noise
    effect: NoiseEffect


@dataclass(frozen=True, eq=False)
class SpreadStudy:
    """metrics: as every command answers; boards: the distribution of accuracy over them."""

    metrics: Metrics
    boards: MonteCarlo


def noise_study(
    design: Design,
    data: Dataset,
    *,
    temperature: float = NOMINAL_C,
    corner: str = "tt",
    engine: str = "auto",
    seed: int = 0,
    jobs: int = 2,
    progress: Progress | None = None,
) -> NoiseStudy:
    """Noise at the operating point of the first input, and what it does to all answers.

    engine: `ngspice` repeats it by `.noise`, one run per output, and gives both. Raises UsageError,
    InputError, ToolMissing, SimulatorError.
    """
    design = design.under(corner, temperature)
    if design.technology.process:
        found = chip_noise(design, data.x[0], temperature=temperature, jobs=jobs, progress=progress)
        quiet = compact.solve(design.analog, design.cells, data.x, design.conditions(temperature))
        effect = effect_of(
            design, quiet.outputs_v, [found.covariance] * len(data), data.y, check_seed(seed), 1
        )
    else:
        found = noise(design, data.x[0], temperature=temperature, jobs=jobs)
        effect = noise_effect(
            design, data.x, data.y, temperature=temperature, seed=seed, jobs=jobs, progress=progress
        )
    worst = found.worst
    details: dict[str, Any] = {
        "band_hz": list(found.band_hz),
        "v_rms": found.v_rms.tolist(),
        "snr_db": found.snr_db.tolist(),
        "effective_bits": found.effective_bits.tolist(),
        "kinds_v_rms": {kind: float(v[worst]) for kind, v in found.kinds.items()},
        "contributors": [asdict(c) for c in found.contributors],
        "share_in_last_octave": found.settled,
        "accuracy": effect.accuracy,
        "accuracy_without": effect.quiet_accuracy if data.y is not None else None,
        "flips_mean": float(effect.flips.mean()),
        "flips_max": float(effect.flips.max()),
        "operating_points": effect.simulated,
    }
    provenance: dict[str, Any] = {
        "method": "ngspice .noise of the whole chip at the first input's operating point; outputs taken as "
        "independent; snr_db: power of a full-scale sine over that of the noise at the noisiest output"
        if design.technology.process
        else "adjoint method on the circuit linearised at the first input's operating point; "
        "snr_db: power of a full-scale sine over that of the noise at the noisiest output",
        "temperature_c": temperature,
        "band_hz": list(found.band_hz),
        "seed": seed,
    }
    if design.technology.process:
        provenance["ngspice"] = ngspice_version()
    elif engine == "ngspice":
        told = spice_noise(design, data.x[0], temperature=temperature)
        details["ngspice_v_rms"] = [told[k][2] for k in range(design.network.n_out)]
        provenance["ngspice"] = ngspice_version()
    values = {"noise_v_rms": float(found.v_rms[worst]), "snr_db": float(found.snr_db[worst])}
    return NoiseStudy(Metrics(values, provenance, {"noise": details}), found, effect)


def spread_study(
    design: Design,
    data: Dataset,
    boards: int,
    *,
    seed: int = 0,
    spread: Spread | None = None,
    temperature: float = NOMINAL_C,
    corner: str = "tt",
    limit: float | None = None,
    sensitivity_boards: int = SENSITIVITY_BOARDS,
    jobs: int = 2,
    workers: Workers | None = None,
    device: str | None = None,
    trim_adc: int | None = None,
    directory: Path | None = None,
    progress: Progress | None = None,
) -> SpreadStudy:
    """The distribution of accuracy over boards made of parts with spread.

    spread: by default what the technology and the parts' data sheets say; limit: the accuracy a
    board must reach, by default one point below the float network's; sensitivity_boards: with one source
    of spread alone, 0 for none; device: a tinygrad device for what float32 can do for certain; trim_adc:
    bits of the ADC that every board is calibrated with, on training data, see `calibration`; workers: who does
    the boards, by default `jobs` threads; directory: keeps what is done in `monte_carlo/`, so that a run that
    was killed goes on. Raises UsageError, InputError, ToolMissing,
    SimulatorError.
    """
    if data.y is None:
        raise UsageError("--monte-carlo needs data with classes: an accuracy is what it gives; give --data")
    design = design.under(corner, temperature)
    chosen = spread or default_spread(design)
    calibrator = None
    if trim_adc is not None:
        measured = design.training_data()
        calibrator = calibration.calibrator(design, measured.x, chosen, adc_bits=trim_adc)
    found = monte_carlo(
        design,
        data.x,
        data.y,
        boards,
        seed,
        chosen,
        temperature=temperature,
        limit=limit,
        sensitivity_boards=sensitivity_boards,
        jobs=jobs,
        workers=workers,
        device=device,
        calibrator=calibrator,
        checkpoint=None if directory is None else directory / "monte_carlo",
        progress=progress,
    )
    details = {
        "boards": found.boards,
        "accuracy_nominal": found.nominal,
        "accuracy_mean": found.mean,
        "accuracy_mean_ci95": list(found.mean_ci95),
        "accuracy_sigma": found.sigma,
        "accuracy_percentiles": {str(k): v for k, v in found.percentiles.items()},
        "accuracy_worst": float(np.min(found.accuracy)),
        "limit": found.limit,
        "yield_ci95": list(found.met_ci95),
        "sensitivity": [asdict(s) for s in found.sensitivity],
        "spread": asdict(found.spread),
    }
    provenance = {
        "method": CHIPS
        if design.technology.process
        else "solver, every board with its own resistors, op-amps, diodes and transistors (docs/variation.md)",
        "boards": found.boards,
        "seed": seed,
        "temperature_c": temperature,
        "calibration": None
        if calibrator is None
        else f"biases trimmed by {calibrator.trims[0].bits}-bit DACs after {len(calibrator.volts)} training inputs "
        f"were measured by a {trim_adc}-bit ADC (docs/training.md)",
        "device": device,
        "precision": "float64"
        if device is None
        else f"float32, outputs within {AGREEMENT_V:g} V of float64; float64 where that is not certain "
        "or a class is closer",
    }
    values = {"yield": found.met, "reference_accuracy": found.reference}
    return SpreadStudy(Metrics(values, provenance, {"monte_carlo": details}), found)
