"""Sweeps bits and lanes, finds the Pareto front, and plots it beside the analog circuit."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from analognet.data import Dataset
from analognet.digital import energy, flow, synthesis
from analognet.digital.simulate import GhdlBench
from analognet.errors import UsageError
from analognet.metrics import Metrics
from analognet.network import Array, Network

OBJECTIVES = ("error", "latency_s", "area", "energy_j")


@dataclass(frozen=True)
class Point:
    """One design: `error` is 1 - accuracy; `area` is the largest share it takes of any resource.

    fmax_hz: median over seeds after routing; where nothing was routed, None, and latency_s
    stands for the clock the sweep was given.
    """

    label: str
    bits: int
    lanes: tuple[int, ...]
    error: float
    cycles: int
    interval: int
    fmax_hz: float | None
    latency_s: float
    energy_j: float
    energy_band_j: tuple[float, float]
    area: float
    used: dict[str, int]


@dataclass(frozen=True)
class AnalogPoint:
    """What an analog simulation found; None where it did not look."""

    label: str
    error: float | None
    latency_s: float | None
    energy_j: float | None


def sweep(
    network: Network,
    calibration: Array,
    data: Dataset,
    *,
    bits: Sequence[int],
    lanes: Sequence[int],
    target: str = "ecp5",
    clock_hz: float | None = None,
    seeds: Sequence[int] = (1,),
    say: Callable[[str], None] = lambda _: None,
) -> list[Point]:
    """Every combination of bits and lanes that fits the target.

    clock_hz: take this clock and leave placement and routing out. Each synthesis is cached by
    content, so an interrupted sweep goes on where it stopped. Raises UsageError without
    labels, or where nothing fits.
    """
    if data.y is None:
        raise UsageError("a sweep compares accuracies: it needs data with labels")
    device = synthesis.pick_target(target)
    if clock_hz is None and not device.nextpnr:
        raise UsageError(f"{target} is not routed by an open tool: give the sweep a clock")
    points: list[Point] = []
    seen: set[tuple[int, tuple[int, ...]]] = set()
    for width in bits:
        for budget in lanes:
            made = flow.design(
                network, calibration, weight_bits=width, activation_bits=width, lanes=(budget,)
            )
            if (width, made.plan.lanes) in seen:
                continue
            seen.add((width, made.plan.lanes))
            label = f"int{width}, {','.join(map(str, made.plan.lanes))} lanes"
            say(label)
            try:
                points.append(_point(label, made, data, device, clock_hz, seeds, width))
            except UsageError as e:
                say(f"{label}: {e}")
    if not points:
        raise UsageError(f"no combination fits {device.device}")
    return points


def _point(
    label: str,
    made: flow.Design,
    data: Dataset,
    device: synthesis.Target,
    clock_hz: float | None,
    seeds: Sequence[int],
    bits: int,
) -> Point:
    synthesis.check_room(made.quantized, device)
    with GhdlBench(made.files, made.quantized, made.plan) as bench:
        verilog = bench.synthesised()
    found = synthesis.synthesise(verilog, device, seeds=seeds, route=clock_hz is None)
    fmax = found.fmax_median_hz
    clock = clock_hz or fmax or 1.0
    spent = energy.estimate(made.quantized, made.plan, target=device.name)
    classes = made.quantized.classes(data.x)
    return Point(
        label=label,
        bits=bits,
        lanes=made.plan.lanes,
        error=float((classes != data.y).mean()),
        cycles=made.plan.cycles,
        interval=made.plan.interval,
        fmax_hz=fmax,
        latency_s=made.plan.cycles / clock,
        energy_j=spent.nominal_j,
        energy_band_j=spent.band_j,
        area=max(n / device.capacity[r] for r, n in found.used.items() if device.capacity[r]),
        used=found.used,
    )


def pareto(points: Iterable[Point]) -> list[Point]:
    """The points that no other beats in one of `OBJECTIVES` without being worse in another."""
    every = list(points)
    values = np.array([[getattr(p, key) for key in OBJECTIVES] for p in every])
    keep = []
    for at, point in enumerate(every):
        no_worse = (values <= values[at]).all(axis=1)
        better = (values < values[at]).any(axis=1)
        if not (no_worse & better).any():
            keep.append(point)
    return keep


def analog_point(label: str, metrics: Metrics | dict[str, Any]) -> AnalogPoint:
    """From the metrics of a simulation, or from what `analognet simulate --json` wrote."""
    values: dict[str, Any] = (
        dict(metrics.values) if isinstance(metrics, Metrics) else dict(metrics.get("metrics", {}))
    )
    accuracy = values.get("accuracy")
    power, latency, spent = values.get("power_w"), values.get("latency_s"), values.get("energy_j")
    if spent is None and power is not None and latency is not None:
        spent = power * latency
    return AnalogPoint(label, None if accuracy is None else 1 - accuracy, latency, spent)


def plot(points: Sequence[Point], analog: Sequence[AnalogPoint] = ()) -> bytes:
    """An SVG: error, latency and area, each against energy with its band; the same bytes every time."""
    import matplotlib  # here because it takes half a second, and most commands plot nothing
    from matplotlib.figure import Figure

    front = {p.label for p in pareto(points)}
    with matplotlib.rc_context({"svg.hashsalt": "analognet", "font.size": 9}):
        figure = Figure(figsize=(11, 3.8), layout="constrained")
        axes = figure.subplots(1, 3)
        shown = (
            ("error", "error rate"),
            ("latency_s", "latency in s"),
            ("area", "largest share of the device"),
        )
        for axis, (key, title) in zip(axes, shown, strict=True):
            for width in sorted({p.bits for p in points}):
                some = [p for p in points if p.bits == width]
                spent = np.array([p.energy_j for p in some])
                bands = np.array([p.energy_band_j for p in some]).T
                axis.errorbar(
                    spent,
                    [getattr(p, key) for p in some],
                    xerr=np.abs(bands - spent),
                    fmt="o",
                    markersize=4,
                    elinewidth=0.5,
                    label=f"int{width}",
                )
            best = [p for p in points if p.label in front]
            axis.scatter(
                [p.energy_j for p in best],
                [getattr(p, key) for p in best],
                s=90,
                facecolors="none",
                edgecolors="black",
                label="Pareto front",
            )
            for a in analog:
                y = getattr(a, key, None)
                if a.energy_j is not None and y is not None:
                    axis.scatter([a.energy_j], [y], marker="*", s=120, label=a.label)
            axis.set_xscale("log")
            axis.set_xlabel("energy of one inference in J, dynamic")
            axis.set_ylabel(title)
            if key != "error":
                axis.set_yscale("log")
        axes[0].legend(fontsize=7)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def to_json(points: Sequence[Point]) -> list[dict[str, Any]]:
    """Points as JSON values, each with whether it is on the front."""
    front = {p.label for p in pareto(points)}
    return [asdict(p) | {"pareto": p.label in front} for p in points]
