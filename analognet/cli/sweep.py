"""The --sweep of analognet simulate: a design space, its Pareto front, a figure."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

from analognet import explore as exploration
from analognet import plots_choice, storage
from analognet.cli import console
from analognet.design import Design
from analognet.metrics import Metrics
from analognet.names import printable
from analognet.simulation import provenance
from analognet.units import engineering
from analognet.workers import Workers

_WORDS = {
    "accuracy": "accuracy",
    "latency_s": "latency to 1 %",
    "energy_j": "energy",
    "cost": "parts and board",
}


def sweep(
    design: Design,
    where: Path,
    grid: str,
    *,
    data: str | None,
    images: int,
    latency: str,
    transitions: int,
    seed: int,
    jobs: int,
    cluster: Workers | None,
    json: bool,
) -> None:
    """Measure every combination, each in a file of its own under `<directory>/sweep`, and print the front.

    The model is the one that the directory was made of, with its topology and technology where the
    grid does not name them. Raises what `explore` raises.
    """
    axes = exploration.parse_grid(grid)
    fixed = {"topology": design.analog.topology, "technology": design.technology.name}
    with console.progress("combinations") as advance:
        found = exploration.explore(
            where / "weights.safetensors",
            axes,
            where / "sweep",
            data=data or design.dataset,
            images=images,
            latency=latency,
            transitions=transitions,
            seed=seed,
            jobs=jobs,
            workers=cluster,
            options={k: v for k, v in fixed.items() if k not in axes},
            progress=advance,
        )
    storage.write_file(where / "sweep.png", plots_choice.exploration_figure(found))
    seen = [int(p.values["images"] or 0) for p in found.points if p.refused is None]
    used = max(seen, default=0)
    if seen and used != images:
        console.notes([f"the data have {used} inputs, not {images}"])
    if json:
        metrics = Metrics(
            {"images": used if seen else None},
            provenance(design) | {"method": f"latency by {latency}", "seed": seed},
            {
                "sweep": {
                    "points": [asdict(p) | {"on_front": i in found.front} for i, p in enumerate(found.points)]
                }
            },
        )
        console.out.print(metrics.to_json())
        return
    rows = []
    for i, point in enumerate(found.points):
        settings = ", ".join(f"{k}={v}" for k, v in point.settings.items())
        told = (
            "refused: " + point.refused
            if point.refused
            else ", ".join(_shown(k, point.values.get(k)) for k in exploration.OBJECTIVES)
        )
        rows.append((("* " if i in found.front else "  ") + settings, printable(told, 300)))
    console.table(f"{len(found.points)} combinations; * no other one is better in everything", rows)
    console.say(f"figure: {printable(where)}{os.sep}sweep.png")


def _shown(key: str, value: float | None) -> str:
    """An objective in a person's words."""
    if value is None:
        return f"{_WORDS[key]} not measured"
    if key == "accuracy":
        return f"{_WORDS[key]} {100 * value:.2f} %"
    if key == "cost":
        return f"{_WORDS[key]} {value:.2f} USD"
    return f"{_WORDS[key]} {engineering(value, 's' if key == 'latency_s' else 'J')}"
