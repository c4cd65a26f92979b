"""Figures for choosing: results beside published ones, and the points of a sweep; as PNG bytes."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from analognet import resources
from analognet.canvas import BLUE, GREY, RED, figure, to_png
from analognet.energy import landauer_j

if TYPE_CHECKING:
    from analognet.design_points import Point
    from analognet.explore import Exploration

PUBLISHED: Final = resources.data("published.toml")


def efficiency_figure(points: Sequence[tuple[str, float, float, str]]) -> bytes:
    """Energy per operation and per decision: results, published chips and the Landauer limit.

    points: (name, joules per multiply-accumulate, joules per inference, precision). A
    multiply-accumulate is two operations. Every row names its process node and its precision.
    """
    published = tomllib.loads(PUBLISHED.read_text(encoding="utf-8"))
    chips = [
        (f"{c['name']}\n{1e9 * c['node_m']:.0f} nm, {c['precision']}", 1e-12 / c["tops_w"], c["kind"])
        for c in published["chip"]
    ]
    whole = [
        (f"{c['name']}\n{1e9 * c['node_m']:.0f} nm, {c['task']}", c["joules"], c["kind"])
        for c in published["classifier"]
    ]
    chips += [(f"{name}\nboard, {precision}", per_mac / 2, "ours") for name, per_mac, _, precision in points]
    whole += [(f"{name}\nboard, {precision}", joules, "ours") for name, _, joules, precision in points]
    drawn = figure(14, 0.42 * len(chips) + 1.6)
    left, right = drawn.subplots(1, 2, width_ratios=(1.2, 1))
    for axes, rows, label in ((left, chips, "J per operation"), (right, whole, "J per decision")):
        rows = sorted(rows, key=lambda row: row[1])
        for k, (_, joules, kind) in enumerate(rows):
            colour = RED if kind == "ours" else BLUE
            axes.plot(
                joules,
                k,
                "D" if kind == "ours" else "o",
                color=colour,
                mfc=colour if kind in ("ours", "measured") else "white",
            )
            axes.annotate(
                f"{joules:.2g} J",
                (joules, k),
                xytext=(7, 0),
                textcoords="offset points",
                va="center",
                fontsize=7,
            )
        axes.set_yticks(range(len(rows)), [row[0] for row in rows], fontsize=7)
        axes.grid(axis="x", color="#ddd", lw=0.6)
        axes.set(xscale="log", xlabel=label, ylim=(-0.7, len(rows) - 0.3))
        axes.margins(x=0.2)
    for bits, words in ((1.0, "1 bit"), (8.0, "8 bits")):
        left.axvline(landauer_j(bits), color=GREY, ls="--", lw=1)
        left.text(
            landauer_j(bits),
            left.get_ylim()[1],
            words,
            fontsize=7,
            rotation=90,
            va="top",
            ha="right",
            color="#555",
        )
    left.set_title("per operation; dashed: Landauer limit at 27 C")
    right.set_title("per decision, of different tasks")
    drawn.suptitle("Energy; filled: measured, open: simulated, estimated or press, red: AnalogNet in ngspice")
    return to_png(drawn)


def exploration_figure(found: Exploration) -> bytes:
    """A sweep: energy against latency, cost as size, the Pareto front numbered and listed."""
    drawn = figure(11.5, 5.6)
    axes = drawn.subplots()
    usable = [(k, p) for k, p in enumerate(found.points) if p.values.get("latency_s")]
    if usable:
        table = [
            [float(p.values[key] or 0.0) for key in ("latency_s", "energy_j", "cost", "accuracy")]
            for _, p in usable
        ]
        latency, energy, cost, accuracy = np.array(table).T
        shades = axes.scatter(
            1e6 * latency,
            1e6 * energy,
            s=30 + 220 * cost / cost.max(),
            c=100 * accuracy,
            cmap="viridis",
            vmin=min(100 * accuracy.min(), 99.0) - 1,
            vmax=100.0,
            edgecolors=[RED if k in found.front else "none" for k, _ in usable],
            linewidths=1.8,
        )
        drawn.colorbar(shades, ax=axes, label="accuracy, %", pad=0.01)
        best = [(p, x, y) for (k, p), x, y in zip(usable, latency, energy, strict=True) if k in found.front]
        for number, (_, x, y) in enumerate(best, 1):
            axes.annotate(
                str(number), (1e6 * x, 1e6 * y), xytext=(9, 5), textcoords="offset points", fontsize=8
            )
        axes.text(1.16, 1.0, "\n".join(_legend(best)), transform=axes.transAxes, va="top", fontsize=7)
    axes.set(
        xscale="log", yscale="log", xlabel="worst latency to 1 %, us", ylabel="energy of an inference, uJ"
    )
    _plain_ticks(axes)
    axes.set_title("Design space; area of a point: cost, red rim: on the Pareto front")
    return to_png(drawn)


def _legend(best: Sequence[tuple[Point, float, float]]) -> list[str]:
    lines = []
    for number, (point, _, _) in enumerate(best, 1):
        words = ", ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in point.settings.values())
        lines.append(f"{number}: {words}; {point.values['cost']:.0f} USD")
    return lines


def _plain_ticks(axes: Any) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
        axis.set_minor_formatter(NullFormatter())
