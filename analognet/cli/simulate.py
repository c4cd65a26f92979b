"""analognet simulate: a circuit becomes an accuracy, a noise, a yield, a latency and an energy."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from analognet import inference, plots, plots_time, storage, studies
from analognet import simulation as simulations
from analognet.analog.bench import NOMINAL_C
from analognet.analog.solver.device import open_device
from analognet.cli import console, options
from analognet.cli import sweep as sweeping
from analognet.cluster import Cluster, open_cluster
from analognet.errors import UsageError
from analognet.metrics import Metrics
from analognet.names import printable

SWEEP_IMAGES = 100
SWEEP_TRANSITIONS = 10


def simulate(
    directory: options.Directory = None,
    data: options.Data = None,
    images: Annotated[int | None, typer.Option(help="Only the first so many inputs.")] = None,
    engine: Annotated[
        str, typer.Option(help=f"{', '.join(simulations.ENGINES)} (ngspice, the solver for many inputs).")
    ] = simulations.ENGINES[0],
    noise: Annotated[bool, typer.Option("--noise", help="Noise at the outputs, and what it does.")] = False,
    monte_carlo: Annotated[
        int | None, typer.Option(help="So many boards of parts with spread: accuracy and yield.")
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            help="A tinygrad device that does the boards of --monte-carlo, e.g. CUDA, AMD, METAL, CL, CPU. "
            "Default: the processor, in float64."
        ),
    ] = None,
    trim_adc: Annotated[
        int | None,
        typer.Option(
            help="Calibrate every board of --monte-carlo first: its biases are trimmed after an ADC of so many "
            "bits has measured it."
        ),
    ] = None,
    yield_limit: Annotated[
        float | None,
        typer.Option(help="Accuracy a board must reach, 0 to 1. Default: a point below the float network."),
    ] = None,
    transient: Annotated[
        int | None, typer.Option(help="So many steps from input to input: latency and energy.")
    ] = None,
    converters: Annotated[
        str | None, typer.Option(help="A set of converters.toml whose energy is given beside the circuit's.")
    ] = None,
    sweep: Annotated[
        str | None,
        typer.Option(
            help="A design space, e.g. 'opamp=opa4192,lm358;r_f=5e3,10e3': its Pareto front instead."
        ),
    ] = None,
    sweep_latency: Annotated[str, typer.Option(help="Latency in a sweep: estimate or ngspice.")] = "estimate",
    temperature: Annotated[float, typer.Option(help="Celsius.")] = NOMINAL_C,
    corner: Annotated[
        str, typer.Option(help="Of a chip's process: tt, ss, ff, sf, fs, ll, hl, lh, hh.")
    ] = "tt",
    supply: Annotated[
        float | None, typer.Option(help="Of a chip, volts from rail to rail. Default: its technology's.")
    ] = None,
    mismatch: Annotated[
        int | None, typer.Option(help="Seed of a chip whose devices all differ, for its operating points.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of random inputs, boards and transitions.")] = 0,
    jobs: Annotated[
        int | None, typer.Option(help="Processes or threads at a time. Default: one per core.")
    ] = None,
    scheduler: options.Scheduler = None,
    save: Annotated[Path | None, typer.Option(help="Keep outputs and predictions in this .npz file.")] = None,
    json: options.Json = False,
) -> None:
    """Simulate a converted network and compare it with the float network."""
    design, where = console.find_design(directory)
    if supply is not None:
        design = design.at_supply(supply)
    workers = (os.cpu_count() or 1) if jobs is None else jobs
    if monte_carlo is not None and monte_carlo < 1:
        raise UsageError(f"--monte-carlo {monte_carlo}: at least 1 board is needed")
    runs = transient is not None or sweep is not None
    if scheduler is not None and (device is not None or not (runs or monte_carlo is not None)):
        raise UsageError(
            f"--scheduler {printable(scheduler)}: its workers do the boards of --monte-carlo, the transitions of "
            "--transient and the combinations of --sweep, without --device; add one of them"
        )
    if device is not None:
        _check_device(device, monte_carlo, engine)
    if trim_adc is not None and monte_carlo is None:
        raise UsageError(f"--trim-adc {trim_adc}: boards alone are calibrated; add --monte-carlo N")
    if transient is not None and transient < 1:
        raise UsageError(f"--transient {transient}: at least 1 transition is needed")
    if yield_limit is not None and not 0 <= yield_limit <= 1:
        raise UsageError(f"--yield-limit {yield_limit:g}: an accuracy from 0 to 1")
    cluster = None
    if scheduler is not None:
        cluster = _open(scheduler, workers, ngspice=runs or bool(design.technology.process))
    if sweep is not None:
        sweeping.sweep(
            design,
            where,
            sweep,
            data=data,
            images=images or SWEEP_IMAGES,
            latency=sweep_latency,
            transitions=transient or SWEEP_TRANSITIONS,
            seed=seed,
            jobs=workers,
            cluster=cluster,
            json=json,
        )
        return
    with console.progress("operating points") as advance:
        result = simulations.simulate(
            design,
            data,
            images=images,
            temperature=temperature,
            corner=corner,
            mismatch=mismatch,
            seed=seed,
            engine=engine,
            jobs=workers,
            progress=advance,
            warn=lambda line: console.notes([line]),
        )
    metrics, notes = result.metrics, list(result.notes)
    _write(where / "simulate.png", plots.simulation_figure(design, result))
    if save is not None:
        result.save(save)
    if noise:
        with console.progress("noise") as advance:
            quiet = studies.noise_study(
                design,
                result.data,
                temperature=temperature,
                corner=corner,
                engine=engine,
                seed=seed,
                jobs=workers,
                progress=advance,
            )
        metrics = metrics.merged(quiet.metrics, "noise")
        _write(where / "noise.png", plots.noise_figure(quiet.noise))
    if monte_carlo is not None:
        with console.progress("boards") as advance:
            spread = studies.spread_study(
                design,
                result.data,
                monte_carlo,
                seed=seed,
                temperature=temperature,
                corner=corner,
                limit=yield_limit,
                jobs=workers,
                workers=cluster,
                device=device,
                trim_adc=trim_adc,
                directory=where,
                progress=advance,
            )
        metrics = metrics.merged(spread.metrics, "monte_carlo")
        _write(where / "monte_carlo.png", plots.boards_figure(spread.boards))
    if transient is not None:
        with console.progress("transitions") as advance:
            timed = inference.transient(
                design,
                result.data,
                transitions=transient,
                seed=seed,
                converters=converters,
                temperature=temperature,
                corner=corner,
                jobs=workers,
                workers=cluster,
                checkpoint=where / "transient",
                progress=advance,
            )
        metrics = metrics.merged(timed.metrics, "transient")
        notes += timed.notes
        _write(where / "transient.png", plots_time.study_figure(design, timed))
    storage.write_file(where / "simulate.json", metrics.to_json().encode() + b"\n")
    console.notes(notes)
    if json:
        console.out.print(metrics.to_json())
        return
    told = (
        "solver" if metrics.provenance["engine"] == "solver" else f"ngspice {metrics.provenance['ngspice']}"
    )
    console.table(
        f"{printable(where.name)} by {told}, {design.technology.name}, {temperature:g} C",
        [*console.metric_rows(metrics), *_more(metrics)],
    )
    console.say(f"figures: {printable(where)}{os.sep}*.png")


def _open(scheduler: str, jobs: int, *, ngspice: bool) -> Cluster:
    if not 1 <= jobs <= simulations.MOST_JOBS:
        raise UsageError(f"--jobs {jobs}: at least 1 is needed, and at most {simulations.MOST_JOBS}")
    cluster = console.hold(open_cluster(scheduler, jobs, ngspice=ngspice))
    console.notes(cluster.notes)
    return cluster


def _check_device(device: str, monte_carlo: int | None, engine: str) -> None:
    if monte_carlo is None:
        raise UsageError(
            f"--device {printable(device)}: boards alone are solved on a device; add --monte-carlo N"
        )
    if engine == "ngspice":
        raise UsageError(f"--device {printable(device)}: that is the solver's; --engine ngspice runs ngspice")
    open_device(device)  # before minutes of work, not after


def _write(path: Path, figure: bytes) -> None:
    storage.write_file(path, figure)


def _more(metrics: Metrics) -> list[tuple[str, str]]:
    """What the studies say beyond the common figures, in a person's words."""
    rows = []
    if noise := metrics.details.get("noise"):
        rows.append(("effective bits at the noisiest output", f"{min(noise['effective_bits']):.1f}"))
        flips = noise["flips_mean"]
        told = f"{100 * flips:.3g} %" if flips >= 1e-8 else "fewer than one in 100 million"
        rows.append(("answers that noise flips, on average", told))
    if boards := metrics.details.get("monte_carlo"):
        low, high = boards["accuracy_mean_ci95"]
        rows.append(
            (
                f"accuracy over {boards['boards']} boards",
                f"{100 * boards['accuracy_mean']:.2f} % ({100 * low:.2f} to {100 * high:.2f}), "
                f"sigma {100 * boards['accuracy_sigma']:.2f}, worst {100 * boards['accuracy_worst']:.2f}",
            )
        )
        costly = [s for s in boards["sensitivity"] if s["loss"] > 0][:3]
        told = ", ".join(f"{s['source']} {100 * s['loss']:.2f}" for s in costly) or "none"
        rows.append(("points of accuracy that spread of one kind costs", told))
    return rows
