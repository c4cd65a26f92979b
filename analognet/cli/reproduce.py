"""analognet reproduce: a report measured again, whole or in part, and compared."""

from __future__ import annotations

from json import dumps
from pathlib import Path
from typing import Annotated

import typer

from analognet.cli import console, options
from analognet.cli.compare import progress
from analognet.comparison import reproduce as reproducing
from analognet.errors import SpecificationMissed
from analognet.names import printable

_SHOWN = 5


def reproduce(
    report: Annotated[Path, typer.Argument(help="A report.json that analognet compare wrote.")],
    stage: Annotated[str | None, typer.Option(help="One measurement alone, by its name.")] = None,
    figure: Annotated[
        str | None, typer.Option(help=f"What one figure shows: {', '.join(reproducing.FIGURE_STAGES)}.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Where the model is now.")] = None,
    data: options.Data = None,
    jobs: Annotated[
        int | None, typer.Option(help="Processes or threads at a time. Default: one per core.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Measure a report again and compare every number; times of this machine are shown, not judged."""
    with progress() as advance:
        found = reproducing.reproduce(
            report, stage=stage, figure=figure, model=model, data=data, jobs=jobs, progress=advance
        )
    for gap in found.gaps:
        console.say(f"gap: {gap.title}: {gap.reason} ({gap.fix})")
    if json:
        rows = [
            {
                "stage": s.stage,
                "numbers": s.numbers,
                "differences": [vars(d) for d in s.differences],
                "timed": [vars(d) for d in s.timed],
            }
            for s in found.stages
        ]
        console.out.print(dumps({"schema": 1, "same": found.same, "stages": rows}))
    else:
        lines = [
            (
                printable(s.title),
                f"{s.numbers} values, {len(s.differences)} differ"
                + (f"; {len(s.timed)} of a clock not judged" if s.timed else ""),
            )
            for s in found.stages
        ]
        console.table(f"{printable(report)} measured again", lines)
        for s in found.stages:
            for d in s.differences[:_SHOWN]:
                told = f"{s.stage} {d.path}: {d.then}, now {d.now}"
                console.say(printable(told, 300))
    if not found.same:
        wrong = sum(len(s.differences) for s in found.stages)
        raise SpecificationMissed(
            f"{wrong} values differ from the report, {len(found.gaps)} stages could not be measured"
        )
