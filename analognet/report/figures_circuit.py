"""Figures of the circuits themselves: transfer curves of their cells, and one inference in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analognet.report.drawing import BLUE, CYCLE, GREY, INK, RED, WIDTH, canvas
from analognet.report.escape import to_figure
from analognet.report.value import Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def curves(report: Report) -> Figure | None:
    """Each activation in ngspice over the range that the network uses, and its error in millivolts."""
    held = report["series"]["curves"]
    if not held:
        return None
    drawn = canvas(WIDTH, 2.5 * len(held))
    grid = drawn.subplots(len(held), 2, squeeze=False)
    for (left, right), curve in zip(grid, held, strict=True):
        z, y, ideal = (np.array(curve[key]) for key in ("z", "y", "ideal"))
        left.plot(z, ideal, color=GREY, lw=3, alpha=0.6, label="ideal")
        left.plot(z, y, color=BLUE, lw=1.2, label="circuit")
        left.set(xlabel="sum, network's units", ylabel="output")
        cells = f" ({', '.join(curve['cells'])})" if curve["cells"] else ""
        left.set_title(to_figure(f"{curve['column']}: {curve['activation']}{cells}"))
        left.legend()
        right.plot(z, 1e3 * (y - ideal) * curve["volts_per_unit"], color=RED, lw=1.2)
        right.axhline(0, color=INK, lw=0.6)
        right.set(xlabel="sum, network's units", ylabel="error, mV")
        right.set_title(f"largest error {1e3 * curve['error_v_max']:.3g} mV of {curve['full_scale_v']:g} V")
    return drawn


def waveforms(report: Report) -> Figure | None:
    """One inference of each circuit: layers and supply current after a step from one input to another."""
    held = report["series"]["waves"]
    if not held:
        return None
    layers = max(len(w["layers_v"]) for w in held)
    drawn = canvas(WIDTH, 1.5 * (layers + 1) + 0.4)
    grid = drawn.subplots(layers + 1, len(held), squeeze=False, sharex="col")
    for c, wave in enumerate(held):
        t = 1e6 * np.array(wave["time_s"])
        for k, lines in enumerate(wave["layers_v"]):
            axes, last = grid[k][c], k == len(wave["layers_v"]) - 1
            for j, v in enumerate(lines):
                axes.plot(t, v, lw=1.2 if last else 0.7, color=CYCLE[j % len(CYCLE)])
            some = f", {len(lines)} of {wave['widths'][k]}" if len(lines) < wave["widths"][k] else ""
            axes.set(ylabel="outputs, V" if last else f"layer {k}{some}, V")
            if wave["latency_s"]:
                axes.axvline(1e6 * wave["latency_s"], color=RED, ls="--", lw=1)
        grid[0][c].set_title(to_figure(f"{wave['column']}; red: the worst transition's latency"))
        grid[layers][c].plot(t, 1e3 * np.array(wave["supply_a"]), color=INK, lw=1)
        grid[layers][c].set(ylabel="supply, mA", xlabel="time after the step, µs")
    return drawn
