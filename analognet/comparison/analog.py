"""The stages of one analog technology: every figure by the study that already measures it.

Nothing here knows a technology by name. What a technology cannot do (parts that cannot be bought,
cells the solver does not know, op-amps without dynamics) is an error of its study, and a gap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from analognet import bom, explore, inference, studies
from analognet import simulation as simulations
from analognet.analog.bench import NOMINAL_C
from analognet.analog.montecarlo import SENSITIVITY_BOARDS
from analognet.analog.timing import estimate
from analognet.analog.transitions import choose_transitions
from analognet.comparison.accuracy import judged
from analognet.comparison.settings import Settings
from analognet.comparison.stages import Advance, Stage
from analognet.comparison.store import Result, key_of
from analognet.converters import ConverterEnergy, converter_energies, load_converters
from analognet.data import Dataset
from analognet.design import Design, convert, versions
from analognet.errors import InputError, ToolMissing, UsageError
from analognet.loading import LoadedModel
from analognet.network import Activation, Array, Dense, Network

BUYABLE_SERIES: Final = "E96"
_ESTIMATED: Final = 100  # transitions whose worst the estimate tells, beside those simulated
_LOWER_SCALE: Final = 0.4  # of full scale: 1 V of 2.5 V
_CURVE_POINTS: Final = 241
_WAVE_POINTS: Final = 300
_WAVES_KEPT: Final = 24  # hidden neurons in the figure of one inference


def stages(
    name: str,
    design: Design,
    data: Dataset,
    settings: Settings,
    *,
    loaded: LoadedModel,
    model: str | None,
    again: Mapping[str, Any],
    jobs: int,
    checkpoints: Path,
) -> list[Stage]:
    """All of a technology's stages, in order. name: the column's; loaded, again: model and keywords
    that `convert` made the design from; model: what the design space converts again, by its name,
    None where it has none.
    """
    if not settings.solver_images >= settings.ngspice_images:
        raise ValueError("the solver takes at least the images that ngspice takes")
    few = first(data, in_ngspice(design, min(settings.ngspice_images, len(data))))
    many = first(data, settings.solver_images)
    provenance = simulations.provenance(design)
    base = {
        "netlist": provenance["netlist_sha256"],
        "pdk": provenance.get("pdk"),
        "data": data.digest,
        "inputs": len(data),
        "seed": settings.seed,
        "versions": versions(),
    }
    # a study's own files are told apart by less than what decides a stage: each design and program its directory
    checkpoints = checkpoints / key_of(name, base)[:24]
    heavy = design.network.macs / 2400  # 64-32-10 is 1
    ngspice = {"ngspice": _ngspice_version()}
    found = [
        Stage(
            f"{name}/ngspice",
            f"{name}: operating points of {len(few)} inputs in ngspice",
            base | ngspice | {"images": len(few)},
            lambda advance: operating_points(design, few, "ngspice", jobs, advance),
            len(few) * 0.002 * max(1.0, heavy * 0.9),
        ),
        Stage(
            f"{name}/solver",
            f"{name}: {len(many)} inputs by the exact solver",
            base | {"images": len(many)},
            lambda advance: operating_points(design, many, "solver", jobs, advance),
            0.5,
        ),
        Stage(
            f"{name}/noise",
            f"{name}: noise",
            base | {"images": len(many)},
            lambda advance: noise(design, many, settings, jobs, advance),
            0.5 + 0.3 * heavy,
        ),
        Stage(
            f"{name}/temperature",
            f"{name}: temperature range",
            base | {"images": len(many)},
            lambda advance: temperatures(design, many, jobs),
            1.0,
        ),
        Stage(
            f"{name}/transient",
            f"{name}: {settings.transitions} inferences in time, in ngspice",
            base | ngspice | {"transitions": settings.transitions},
            lambda advance: transient(design, data, settings, jobs, advance),
            settings.transitions * 0.4 * max(1.0, heavy * 2),
        ),
        Stage(
            f"{name}/curves",
            f"{name}: transfer curves of its cells in ngspice",
            base | ngspice | {"points": _CURVE_POINTS},
            lambda advance: curves(design),
            1.0,
        ),
        Stage(
            f"{name}/boards",
            f"{name}: {settings.boards} boards of parts with spread",
            base | {"images": len(many), "boards": settings.boards},
            lambda advance: boards(
                design, many, settings.boards, settings.seed, NOMINAL_C, jobs, checkpoints, advance
            ),
            0.5 + settings.boards * len(many) * 1.6e-5 * heavy**0.5,
        ),
    ]
    if not design.technology.process:  # a chip is no board of parts
        found.append(
            Stage(
                f"{name}/parts",
                f"{name}: parts and board",
                base,
                lambda advance: parts(design),
                0.5 + 0.05 * heavy,
            )
        )
    if len(design.technology.corners) > 1:
        found.append(
            Stage(
                f"{name}/corners",
                f"{name}: {len(design.technology.corners)} corners of its process",
                base | ngspice | {"images": len(many)},
                lambda advance: corners(design, many, jobs, advance),
                10.0 * len(design.technology.corners),
            )
        )
    if settings.corner_boards:
        for celsius in design.technology.temperature:
            found.append(
                Stage(
                    f"{name}/boards at {celsius:g} C",
                    f"{name}: {settings.corner_boards} boards at {celsius:g} C",
                    base | {"images": len(many), "boards": settings.corner_boards, "celsius": celsius},
                    _at(design, many, settings, celsius, jobs, checkpoints),
                    0.5 + settings.corner_boards * len(many) * 1.6e-5 * heavy**0.5,
                )
            )
    if settings.opamps and model is not None and "gbw" in design.cells[design.technology.opamp].defaults:
        found.append(
            Stage(
                f"{name}/alternatives",
                f"{name}: {len(settings.opamps)} op-amps to choose from",
                base | ngspice | {"opamps": list(settings.opamps), "images": settings.opamp_images},
                lambda advance: alternatives(
                    design, model, again, data, settings, jobs, checkpoints, advance
                ),
                len(settings.opamps) * (1.0 + settings.opamp_images * 0.002 * max(1.0, heavy * 0.9)),
            )
        )
    if design.technology.resistor.series == "exact" and _buyable(design):
        found.append(
            Stage(
                f"{name}/bought",
                f"{name}: with {BUYABLE_SERIES} resistors",
                base | {"images": len(many), "series": BUYABLE_SERIES},
                lambda advance: bought(loaded, again, many, jobs),
                1.0,
            )
        )
    return found


def in_ngspice(design: Design, most: int) -> int:
    """How many inputs ngspice takes: as many as it answers within minutes, and one at least."""
    while most > 1 and simulations.choose_engine(design, most) != "ngspice":
        most //= 2
    return most


def first(data: Dataset, n: int) -> Dataset:
    """The first n samples; all of them where there are fewer."""
    if n >= len(data):
        return data
    return Dataset(data.name, data.x[:n], None if data.y is None else data.y[:n], data.digest)


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
    *,
    sensitivity_boards: int = SENSITIVITY_BOARDS,
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


def _at(
    design: Design, data: Dataset, settings: Settings, celsius: float, jobs: int, checkpoints: Path
) -> Callable[[Advance], Result]:
    return lambda advance: boards(
        design,
        data,
        settings.corner_boards,
        settings.seed,
        celsius,
        jobs,
        checkpoints,
        advance,
        sensitivity_boards=0,
    )


def transient(design: Design, data: Dataset, settings: Settings, jobs: int, advance: Advance) -> Result:
    """Latency, energy and where it goes; the waveforms of the random transition that took longest."""
    chosen = _converter_set(design)
    found = inference.transient(
        design,
        data,
        transitions=settings.transitions,
        seed=settings.seed,
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
    value["estimate"] = _estimated(design, data, settings.seed)
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


def converter_lines(network: Network, duration_s: float, chosen: str) -> dict[str, Any]:
    """Converters that a network's ends need: joules and seconds of an inference of this length.

    `digital_in`: DACs at the inputs and comparators at the outputs, for an analog network between digital
    parts; `analog_in`: the comparators alone. Seconds are of one conversion, as channels run side by side.
    """
    lines = converter_energies(network.n_in, network.n_out, duration_s, chosen=chosen)
    inputs, outputs = lines
    return {
        "digital_in": _sum(lines),
        "analog_in": _sum((outputs,)),
        "lines": [_line(line) for line in (inputs, outputs)],
    }


def input_adcs(network: Network, duration_s: float, chosen: str) -> dict[str, Any]:
    """One ADC an input, for a digital network whose inputs arrive as voltages."""
    file = load_converters()
    part = file.sets[chosen].adc
    c = file.converter[part]
    n = network.n_in
    line = ConverterEnergy(
        "input ADCs", part, n, c.bits, c.rate_hz, n * c.energy(duration_s), 1 / c.rate_hz, c.source
    )
    return {"analog_in": _sum((line,)), "lines": [_line(line)]}


def _sum(lines: tuple[ConverterEnergy, ...]) -> dict[str, float]:
    return {"energy_j": sum(line.energy_j for line in lines), "time_s": sum(line.time_s for line in lines)}


def _line(line: ConverterEnergy) -> dict[str, Any]:
    return asdict(line)


def _converter_set(design: Design) -> str:
    """The converters made of the same stuff: parts for a board, published silicon for the rest."""
    sets = load_converters().sets
    return design.technology.name if design.technology.name in sets else "integrated"


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
        z = np.linspace(low, high, _CURVE_POINTS)
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


def parts(design: Design) -> Result:
    """Cost and area of a board, with its converters. Refused where parts cannot be bought."""
    found = bom.bill_of_materials(design)
    return Result(
        {
            "cost": found.cost,
            "parts_cost": found.parts_cost,
            "currency": found.currency,
            "area_m2": found.area_m2,
            "packages": found.quantity,
            "notes": list(found.notes),
            "lines": [
                {
                    "description": line.description,
                    "part": line.part,
                    "quantity": line.quantity,
                    "cost": line.quantity * line.price,
                }
                for line in found.lines
                if not line.description.startswith("resistor")
            ],
        }
    )


def _buyable(design: Design) -> bool:
    part = design.cells[design.technology.opamp]
    return not part.behavioural and "gbw" in part.defaults and "price" in part.ratings


def bought(loaded: LoadedModel, again: Mapping[str, Any], data: Dataset, jobs: int) -> Result:
    """The circuit without spread, made again with resistors of a series that is sold."""
    changed = {**dict(again.get("overrides") or {}), "series": BUYABLE_SERIES}
    keywords = {k: v for k, v in again.items() if k not in ("overrides", "activations")}
    made = convert(loaded, overrides=changed, **keywords)
    found = simulations.simulate(made, data, engine="solver", jobs=jobs)
    value, _ = judged(made.network, data, found.outputs)
    return Result({"series": BUYABLE_SERIES, **value})


def alternatives(
    design: Design,
    model: str,
    again: Mapping[str, Any],
    data: Dataset,
    settings: Settings,
    jobs: int,
    checkpoints: Path,
    advance: Advance,
) -> Result:
    """The same network with other op-amps and, in a full comparison, smaller signals: accuracy by ngspice,
    latency and energy by the estimate.
    """
    own = design.technology
    grid: dict[str, list[Any]] = {"opamp": list(settings.opamps)}
    if not settings.quick:
        grid["full_scale"] = [own.full_scale, own.full_scale * _LOWER_SCALE]
    found = explore.explore(
        model,
        grid,
        checkpoints / "alternatives",
        data=data.name,
        images=settings.opamp_images,
        seed=settings.seed,
        jobs=jobs,
        options={k: v for k, v in again.items() if v is not None},
        progress=advance,
    )
    rows = [
        {
            "settings": dict(p.settings),
            "values": dict(p.values),
            "refused": p.refused,
            "front": k in found.front,
        }
        for k, p in enumerate(found.points)
    ]
    own_settings = {"opamp": own.opamp.removeprefix("opamp_")} | (
        {} if settings.quick else {"full_scale": own.full_scale}
    )
    return Result({"rows": rows, "images": settings.opamp_images, "own": own_settings})


def _ngspice_version() -> str | None:
    try:
        return simulations.ngspice_version()
    except ToolMissing:
        return None  # the stages that need it say so themselves
