"""What a circuit is bought as, and what else it could be made of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from analognet import bom, explore
from analognet import simulation as simulations
from analognet.comparison.accuracy import judged
from analognet.comparison.settings import Settings
from analognet.comparison.stages import Advance
from analognet.comparison.store import Result
from analognet.data import Dataset
from analognet.design import Design, convert
from analognet.loading import LoadedModel

BUYABLE_SERIES: Final = "E96"
_LOWER_SCALE: Final = 0.4  # of full scale: 1 V of 2.5 V


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


def buyable(design: Design) -> bool:
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
