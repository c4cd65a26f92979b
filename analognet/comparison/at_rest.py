"""What a circuit answers at rest: operating points, noise, conditions, spread, transfer curves.

Each figure by the study that already measures it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from analognet import simulation as simulations
from analognet import studies
from analognet.comparison.accuracy import judged
from analognet.comparison.settings import Settings
from analognet.comparison.stages import Advance
from analognet.comparison.store import Result
from analognet.data import Dataset
from analognet.design import Design, convert
from analognet.network import Activation, Array, Dense, Network

CURVE_POINTS: Final = 241


def operating_points(design: Design, data: Dataset, engine: str, jobs: int, advance: Advance) -> Result:
    """Accuracy, agreement and errors of the circuit without spread; power where ngspice tells it."""
    found = simulations.simulate(design, data, engine=engine, jobs=jobs, progress=advance)
    value, predictions = judged(design.network, data, found.outputs)
    metrics = found.metrics
    value |= {
        "engine": engine,
        "output_error_v_max": metrics["output_error_v_max"],
        "output_error_v_rms": metrics["output_error_v_rms"],
        "power_w": metrics["power_w"],
        "area_m2": metrics["area_m2"],
        "clipped": metrics.details["clipped"],
        "notes": list(found.notes),
    }
    # 1 uV is a thousandth of what decides: the figure of both engines' difference needs no more
    return Result(value, {"predictions": predictions, "outputs_v": np.round(found.outputs_v[:1000], 9)})


def noise(design: Design, data: Dataset, settings: Settings, jobs: int, advance: Advance) -> Result:
    """Noise at the noisiest output, in the network's units too, and what it does to the answers."""
    found = studies.noise_study(design, data, seed=settings.seed, jobs=jobs, progress=advance)
    details = found.metrics.details["noise"]
    v_rms = float(np.sqrt(np.mean(found.noise.v_rms**2)))
    return Result(
        {
            "noise_v_rms": found.metrics["noise_v_rms"],
            "snr_db": found.metrics["snr_db"],
            "band_hz": details["band_hz"],
            "effective_bits": min(details["effective_bits"]),
            "noise_rms": v_rms / design.analog.scale_out,
            "accuracy": found.effect.accuracy,
            "accuracy_without": details["accuracy_without"],
            "flips_mean": details["flips_mean"],
            "images": len(data),
            "contributors": details["contributors"][:5],
        }
    )


def temperatures(design: Design, data: Dataset, jobs: int) -> Result:
    """The nominal circuit at both ends of its temperature range."""
    rows = []
    for celsius in design.technology.temperature:
        found = simulations.simulate(design, data, engine="solver", temperature=celsius, jobs=jobs)
        value, _ = judged(design.network, data, found.outputs)
        rows.append({"celsius": celsius, **value})
    return Result({"rows": rows})


def corners(design: Design, data: Dataset, jobs: int, advance: Advance) -> Result:
    """The nominal circuit at each corner of its process."""
    rows = []
    names = design.technology.corners
    for k, corner in enumerate(names):
        advance(k, len(names))
        found = simulations.simulate(design, data, engine="solver", corner=corner, jobs=jobs)
        value, _ = judged(design.network, data, found.outputs)
        rows.append({"corner": corner, **value})
    return Result({"rows": rows})


def boards(
    design: Design,
    data: Dataset,
    count: int,
    seed: int,
    celsius: float,
    jobs: int,
    checkpoints: Path,
    advance: Advance,
    sensitivity_boards: int,
) -> Result:
    """The distribution of accuracy over boards; a run that was killed goes on from its checkpoint."""
    found = studies.spread_study(
        design,
        data,
        count,
        seed=seed,
        temperature=celsius,
        sensitivity_boards=sensitivity_boards,
        jobs=jobs,
        directory=checkpoints,
        progress=advance,
    )
    details = dict(found.metrics.details["monte_carlo"])
    reached = {"yield": found.metrics["yield"], "celsius": celsius, "images": len(data), "seed": seed}
    return Result(details | reached, {"accuracy": found.boards.accuracy})


def curves(design: Design) -> Result:
    """Each activation as a neuron of one input in the same technology, over the layer's own range.

    The circuit of y = f(z), z from the lowest to the highest sum that the layer was scaled for.
    """
    rows: list[dict[str, Any]] = []
    arrays: dict[str, Array] = {}
    seen: set[str] = set()
    for layer, span in zip(design.network.layers, design.ranges, strict=True):
        if str(layer.activation) in seen:
            continue
        seen.add(str(layer.activation))
        low, high = (float(v) for v in span.z)
        reach = max(abs(low), abs(high)) or 1.0
        one = Network("curve", (Dense("l0", np.array([[1.0]]), np.zeros(1), layer.activation),))
        made = convert(
            one,
            technology=design.technology,
            topology=design.analog.topology,
            input_range=(-reach, reach),
        )
        z = np.linspace(low, high, CURVE_POINTS)
        found = simulations.simulate(made, Dataset("curve", z[:, None], None, ""), engine="ngspice", jobs=1)
        k = len(rows)
        wanted = Activation.parse(str(layer.activation))(z)
        error = (found.outputs[:, 0] - wanted) * made.analog.scale_out
        cells = [c for c in (made.analog.layers[0].amplifier, made.analog.layers[0].cell) if c]
        rows.append(
            {
                "activation": str(layer.activation),
                "cells": [c for c in cells if c != "opamp"],
                "error_v_max": float(np.abs(error).max()),
                "volts_per_unit": made.analog.scale_out,
            }
        )
        arrays |= {f"{k}_z": z, f"{k}_y": found.outputs[:, 0], f"{k}_ideal": wanted}
    return Result({"rows": rows, "full_scale_v": design.technology.full_scale}, arrays)
