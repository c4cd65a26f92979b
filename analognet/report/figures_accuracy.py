"""Figures of answers: accuracy step by step, over boards, confusion, and the inputs that are got wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from analognet.report.drawing import BLUE, CYCLE, GREY, INK, RED, WIDTH, canvas
from analognet.report.escape import to_figure
from analognet.report.value import Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ACROSS = 8  # images in a row


def steps(report: Report) -> Figure | None:
    """Accuracy from the float network to fabricated circuits, a row a step, in points against float."""
    rows = report["series"]["steps"]
    if len(rows) < 2:
        return None
    drawn = canvas(WIDTH, 0.34 * len(rows) + 0.9)
    axes = drawn.subplots()
    start = rows[0]["accuracy"]
    groups = list(dict.fromkeys(row["group"] for row in rows))
    for k, row in enumerate(rows):
        colour = GREY if k == 0 else CYCLE[groups.index(row["group"]) % len(CYCLE)]
        value = 100 * row["accuracy"]
        if row["low"] is not None:
            axes.plot(
                [100 * row["low"], 100 * row["high"]],
                [k, k],
                color=colour,
                lw=5,
                alpha=0.35,
                solid_capstyle="round",
            )
        axes.plot(value, k, "o", color=colour, ms=6)
        axes.annotate(
            f"{value:.2f} % ({value - 100 * start:+.2f})" if k else f"{value:.2f} %",
            (1.02, k),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=8,
            annotation_clip=False,
        )
    axes.axvline(100 * start, color=GREY, lw=1, ls="--", zorder=0)
    axes.set_yticks(range(len(rows)), [to_figure(f"{row['label']}, n = {row['images']}") for row in rows])
    axes.invert_yaxis()
    axes.set(
        xlabel="accuracy, %", xlim=_near([p for r in rows for p in (r["accuracy"], r["low"], r["high"])])
    )
    return drawn


def _near(shares: list[float | None]) -> tuple[float, float]:
    """Limits in percent around fractions: a point at least, and never far beyond 100 %."""
    known = [100 * s for s in shares if s is not None]
    low, high = min(known), max(known)
    room = max(0.5, 0.1 * (high - low))
    return low - room, min(high + room, 100.15)


def boards(report: Report) -> Figure | None:
    """Accuracy over boards at each temperature, and what each kind of spread costs alone."""
    held = report["series"]["boards"]
    if not held:
        return None
    columns = list(dict.fromkeys(b["column"] for b in held))
    drawn = canvas(WIDTH, 2.9 * len(columns))
    grid = drawn.subplots(len(columns), 2, squeeze=False, width_ratios=(1.25, 1))
    for (left, right), column in zip(grid, columns, strict=True):
        mine = [b for b in held if b["column"] == column]
        kind = mine[0]["kind"]
        for k, b in enumerate(mine):
            _distribution(left, b, CYCLE[k % len(CYCLE)])
        left.axvline(100 * mine[0]["limit"], color=RED, lw=1, ls="--", label="limit of the yield")
        left.set(
            xlabel=f"accuracy on {mine[0]['images']} inputs, %", ylabel=f"share of {kind}", ylim=(0, 1.02)
        )
        left.set_title(to_figure(f"{column}: {kind} that reach at least this"))
        ends = [r / b["images"] for b in mine for r in (b["right"][0], b["right"][-1])]
        left.set_xlim(_near([*ends, mine[0]["limit"]]))
        left.legend(loc="lower left", fontsize=7)
        _sources(right, mine[0]["sensitivity"])
    return drawn


def _distribution(axes: Any, b: Any, colour: str) -> None:
    """Share of boards that reach at least an accuracy: a step at every value found."""
    right, count = np.array(b["right"]), np.array(b["count"])
    x = 100 * right / b["images"]
    reach = np.cumsum(count[::-1])[::-1] / count.sum()
    axes.step(
        np.append(x[0], x),
        np.append(1.0, reach),
        where="pre",
        color=colour,
        label=f"{b['celsius']:g} °C, {b['boards']} {b['kind']}",
    )
    axes.plot([x[-1], x[-1]], [reach[-1], 0], color=colour)


def _sources(axes: Any, sources: Any) -> None:
    shown = sources[::-1]
    if not shown:
        axes.axis("off")
        return
    axes.barh(
        [to_figure(s["source"]) for s in shown],
        [100 * s["loss"] for s in shown],
        xerr=[100 * s["loss_error"] for s in shown],
        color=BLUE,
        ecolor=INK,
        height=0.6,
    )
    axes.axvline(0, color=INK, lw=0.8)
    axes.set(xlabel="points of accuracy lost")
    axes.set_title("one kind of spread alone")


def confusion(report: Report) -> Figure | None:
    """Who is taken for whom: a matrix for each column that answers, side by side."""
    from matplotlib.colors import to_rgb

    held = report["series"]["classes"]["matrices"]
    if not held:
        return None
    across = min(len(held), 3)
    down = -(-len(held) // across)
    drawn = canvas(WIDTH, 2.6 * down)
    grid = drawn.subplots(down, across, squeeze=False).ravel()
    for axes in grid[len(held) :]:
        axes.axis("off")
    for axes, matrix in zip(grid, held, strict=False):
        counts = np.array(matrix["counts"])
        wrong = counts.copy()
        np.fill_diagonal(wrong, 0)
        shade = np.zeros((*counts.shape, 4))
        shade[..., :3] = to_rgb(BLUE)
        share = counts / max(1, counts.max())
        shade[..., 3] = 0.75 * share
        shade[wrong > 0] = (*to_rgb(RED), 0.35)
        axes.imshow(shade)
        size = 6.5 if len(counts) <= 10 and counts.max() < 1000 else 4.5
        for i, j in np.argwhere(counts > 0):
            axes.text(j, i, str(counts[i, j]), ha="center", va="center", fontsize=size)
        right = np.trace(counts) / counts.sum()
        axes.set_title(to_figure(f"{matrix['column']}: {100 * right:.2f} %"), fontsize=8)
        axes.set_xticks(range(len(counts)))
        axes.set_yticks(range(len(counts)))
        axes.tick_params(labelsize=6, length=0)
        axes.set_xlabel("answer", fontsize=7)
    grid[0].set_ylabel("label", fontsize=7)
    return drawn


def wrong_inputs(report: Report) -> Figure | None:
    """The inputs that a circuit gets wrong, with everybody's answer; those that float gets right come first."""
    held = report["series"]["classes"]
    rows = [row for row in held["wrong"] if row["pixels"] is not None]
    if not rows or held["shape"] is None:
        return None
    down = -(-len(rows) // _ACROSS)
    answers = list(rows[0]["answers"])
    drawn = canvas(WIDTH, down * (1.05 + 0.13 * len(answers)))
    grid = drawn.subplots(down, _ACROSS, squeeze=False).ravel()
    for axes in grid:
        axes.axis("off")
    for axes, row in zip(grid, rows, strict=False):
        axes.imshow(np.array(row["pixels"]).reshape(held["shape"]), cmap="gray", vmin=0, vmax=255)
        words = [f"#{row['row']}: label {row['label']}"]
        words += [f"{column}: {answer}" for column, answer in row["answers"].items()]
        lost = row["answers"].get("float64") == row["label"]
        axes.set_title("\n".join(map(to_figure, words)), fontsize=5.5, color=RED if lost else INK)
    return drawn
