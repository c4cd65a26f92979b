"""Figures, as PNG bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from analognet.canvas import BLUE, GREY, RED, figure, to_png
from analognet.network import classify

if TYPE_CHECKING:
    from analognet.analog.montecarlo import MonteCarlo
    from analognet.analog.noise import Noise
    from analognet.design import Design
    from analognet.simulation import Simulation

_POINTS = 20_000  # more make a scatter plot slow and no clearer


def simulation_figure(design: Design, result: Simulation) -> bytes:
    """One figure of a simulation: circuit against float network, its errors, and who is confused with whom."""
    drawn = figure(13, 4.2)
    left, middle, right = drawn.subplots(1, 3)
    ideal_v = result.reference * design.analog.scale_out
    _agreement(left, ideal_v, result.outputs_v)
    _errors(middle, result.outputs_v - ideal_v)
    if result.labels is None or design.network.n_out > 50:
        _margins(right, result)
    else:
        _confusion(right, result)
    shape = "-".join(str(n) for n in design.network.shape)
    engine = result.metrics.provenance["engine"]
    drawn.suptitle(f"{shape} network, {design.technology.name} technology, {len(ideal_v)} inputs, {engine}")
    return to_png(drawn)


def _agreement(axes: Any, ideal_v: np.ndarray, simulated_v: np.ndarray) -> None:
    x, y = ideal_v.ravel()[:_POINTS], simulated_v.ravel()[:_POINTS]
    low, high = min(x.min(), y.min()), max(x.max(), y.max())
    axes.plot([low, high], [low, high], color=GREY, lw=1, label="equal")
    axes.plot(x, y, ".", ms=3, alpha=0.5, color=BLUE, label="one output, one input")
    axes.set(xlabel="float network, V", ylabel="circuit, V", title="Outputs")
    axes.legend(loc="upper left", frameon=False)


def _errors(axes: Any, error_v: np.ndarray) -> None:
    worst = float(np.abs(error_v).max())
    factor, unit = next(
        ((f, u) for f, u in ((1e3, "mV"), (1e6, "uV"), (1e9, "nV")) if worst * f >= 1), (1e12, "pV")
    )
    rms = factor * float(np.sqrt(np.mean(error_v**2)))
    shown = factor * error_v.ravel()
    # where all outputs are off by the same, a histogram over nothing would have an axis of rounding errors
    reach = max(float(np.ptp(shown)), 0.02 * factor * worst, 1e-3)
    middle = 0.5 * float(shown.max() + shown.min())
    axes.hist(shown, bins=60, range=(middle - 0.55 * reach, middle + 0.55 * reach), color=BLUE)
    axes.locator_params(axis="x", nbins=6)
    axes.ticklabel_format(axis="x", useOffset=False)
    axes.set(
        xlabel=f"circuit minus float network, {unit}", ylabel="outputs", title=f"Error, rms {rms:.3g} {unit}"
    )


def _confusion(axes: Any, result: Simulation) -> None:
    labels = result.labels
    assert labels is not None
    n = int(max(labels.max(), result.predictions.max())) + 1
    counts = np.zeros((n, n), dtype=int)
    np.add.at(counts, (labels, result.predictions), 1)
    wrong = counts - np.diag(np.diag(counts))
    axes.imshow(counts, cmap="Blues")
    for i, j in np.argwhere(counts > 0):
        dark = counts[i, j] > counts.max() / 2
        colour = RED if wrong[i, j] else ("white" if dark else "black")
        axes.text(j, i, str(counts[i, j]), ha="center", va="center", color=colour, fontsize=8)
    accuracy = float((result.predictions == labels).mean())
    axes.set(xlabel="class by the circuit", ylabel="label", title=f"Classes, {100 * accuracy:.2f} % right")
    axes.set_xticks(range(n))
    axes.set_yticks(range(n))


def _margins(axes: Any, result: Simulation) -> None:
    same = classify(result.outputs) == classify(result.reference)
    ordered = np.sort(result.reference, axis=1)
    margin = ordered[:, -1] - (ordered[:, -2] if ordered.shape[1] > 1 else 0.5)
    bins = np.linspace(float(margin.min()), float(margin.max()) or 1.0, 40)
    axes.hist(margin[same], bins=bins, color=BLUE, label=f"same class: {int(same.sum())}")
    axes.hist(margin[~same], bins=bins, color=RED, label=f"another class: {int((~same).sum())}")
    axes.set(
        xlabel="float network's margin, its own units",
        ylabel="inputs",
        title=f"Agreement, {100 * float(same.mean()):.2f} %",
    )
    axes.legend(frameon=False)


def noise_figure(noise: Noise) -> bytes:
    """Noise density at the noisiest output over frequency, and who makes it."""
    drawn = figure(11, 4.2)
    left, right = drawn.subplots(1, 2)
    worst = noise.worst
    left.loglog(noise.frequency, 1e9 * np.sqrt(noise.density[:, worst]), color=BLUE)
    left.set(
        xlabel="frequency, Hz",
        ylabel="noise density, nV / root Hz",
        title=f"Output y{worst}: {1e6 * noise.v_rms[worst]:.4g} uV rms, {noise.effective_bits[worst]:.1f} bits",
    )
    left.grid(alpha=0.3)
    top = noise.contributors[::-1]
    right.barh([f"{c.part} {c.kind}" for c in top], [100 * c.share for c in top], color=BLUE)
    right.set(xlabel="share of the noise power, %", title="Largest contributors")
    right.tick_params(axis="y", labelsize=7)
    return to_png(drawn)


def boards_figure(boards: MonteCarlo) -> bytes:
    """Accuracy over boards, and what each kind of spread costs alone."""
    drawn = figure(11, 4.2)
    left, right = drawn.subplots(1, 2)
    _accuracies(left, boards)
    _losses(right, boards)
    return to_png(drawn)


def _accuracies(axes: Any, boards: MonteCarlo) -> None:
    percent, step = 100 * boards.accuracy, 100 / boards.images
    # one image is the least that accuracy can differ by
    width = step * max(1.0, np.ceil(np.ptp(percent) / 40 / step))
    bins = np.arange(percent.min() - step / 2, percent.max() + width, width)
    axes.hist(percent, bins=bins, color=BLUE)
    lines = (
        (boards.reference, GREY, "float network"),
        (boards.mean, "black", "mean of the boards"),
        (boards.limit, RED, f"limit, {100 * boards.met:.1f} % of boards reach it"),
    )
    for (value, colour, label), style in zip(lines, ("-", "--", "-"), strict=True):
        axes.axvline(100 * value, color=colour, lw=1.5, ls=style, label=label)
    low = min(float(percent.min()), *(100 * value for value, _, _ in lines))
    high = max(float(percent.max()), *(100 * value for value, _, _ in lines))
    margin = max(0.06 * (high - low), step)
    axes.set_xlim(max(low - margin, -step / 2), min(high + margin, 100 + step / 2))
    axes.locator_params(axis="x", nbins=7)
    axes.locator_params(axis="y", integer=True)
    axes.ticklabel_format(axis="x", useOffset=False)
    axes.set_xticks([tick for tick in axes.get_xticks() if low - margin <= tick <= min(high + margin, 100)])
    axes.set(
        xlabel=f"accuracy on {boards.images} images, %",
        ylabel="boards",
        title=f"{boards.boards} boards: {100 * boards.mean:.2f} %, sigma {100 * boards.sigma:.2f}",
    )
    axes.legend(frameon=False, fontsize=8)


def _losses(axes: Any, boards: MonteCarlo) -> None:
    shown = boards.sensitivity[::-1]
    loss = np.array([100 * s.loss for s in shown])
    axes.barh([s.source for s in shown], loss, xerr=[100 * s.loss_error for s in shown], color=BLUE)
    if not loss.any():
        axes.text(
            0.5, 0.5, "no spread of one kind alone\nchanges an answer", transform=axes.transAxes, ha="center"
        )
        axes.set_xlim(0, 100 / boards.images)
    axes.axvline(0, color=GREY, lw=0.8)
    axes.locator_params(axis="x", nbins=6)
    axes.set(xlabel="points of accuracy lost to this spread alone", title="What costs accuracy")
