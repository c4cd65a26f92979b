"""Figures of energy: against latency, beside published chips and the physical limit; and where it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analognet.report.drawing import BLUE, CYCLE, GREEN, GREY, KINDS, WIDTH, canvas, plain_log
from analognet.report.escape import to_figure
from analognet.report.table import cell_of, high, low
from analognet.report.value import Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_NAMED = 6  # designs of a front


def energy_latency(report: Report) -> Figure | None:
    """Energy of an inference over its latency, every column with its band, fronts, and what others published."""
    points = [c for c in report["columns"] if _both(report, c)]
    if not points:
        return None
    timed = [
        c
        for c in report["columns"]
        if c["kind"] == "float" and c not in points and cell_of(report, c["id"], "latency_s") is not None
    ]
    drawn = canvas(WIDTH, 5.4)
    axes, beside = drawn.subplots(1, 2, sharey=True, width_ratios=(2.6, 1))
    for k, column in enumerate(points):
        _column(axes, report, column, k)
    for k, column in enumerate(dict.fromkeys(p["column"] for p in report["series"]["design_space"])):
        _front(axes, report, column, k)
    for column in timed:
        t = cell_of(report, column["id"], "latency_s")
        assert t is not None
        told = to_figure(f"{column['title']}: energy not measured")
        axes.axvline(t["value"], color=KINDS["float"], ls=":", lw=1.5, label=told)
    axes.axhline(report["series"]["landauer_j"], color=GREY, ls="--", lw=1)
    axes.annotate(
        "Landauer limit, 8 bits a weight",
        (0.02, report["series"]["landauer_j"]),
        xycoords=("axes fraction", "data"),
        xytext=(0, 3),
        textcoords="offset points",
        fontsize=7,
    )
    axes.set(
        xscale="log", yscale="log", xlabel="latency of an inference, s", ylabel="energy of an inference, J"
    )
    axes.set_title("this network; bars: uncertainty")
    plain_log(axes.xaxis)
    plain_log(axes.yaxis)
    axes.margins(0.15)
    axes.legend(loc="upper left", bbox_to_anchor=(0, -0.16), ncols=2, fontsize=7)
    _published(beside, report)
    return drawn


def _both(report: Report, column: Any) -> bool:
    return all(cell_of(report, column["id"], key) is not None for key in ("latency_s", "energy_j"))


def _column(axes: Any, report: Report, column: Any, k: int) -> None:
    colour = KINDS[column["kind"]]
    t, e = cell_of(report, column["id"], "latency_s"), cell_of(report, column["id"], "energy_j")
    assert t is not None
    assert e is not None
    axes.errorbar(
        t["value"],
        e["value"],
        xerr=[[t["value"] - low(t)], [high(t) - t["value"]]],
        yerr=[[e["value"] - low(e)], [high(e) - e["value"]]],
        ls="none",
        ms=8,
        color=colour,
        capsize=3,
        marker="osD^v"[k % 5],
        label=to_figure(column["title"]),
        zorder=5,
    )
    far, joules = (
        cell_of(report, column["id"], "latency_digital_in_s"),
        cell_of(report, column["id"], "energy_digital_in_j"),
    )
    if column["kind"] == "analog" and far is not None and joules is not None:
        axes.plot(
            far["value"],
            joules["value"],
            "o",
            mfc="none",
            ms=8,
            color=colour,
            label=to_figure(f"{column['title']}, with converters"),
        )
        axes.plot([t["value"], far["value"]], [e["value"], joules["value"]], color=colour, lw=0.8, ls=":")


def _front(axes: Any, report: Report, column: str, k: int) -> None:
    mine = [p for p in report["series"]["design_space"] if p["column"] == column]
    colour = BLUE if column != "fpga ecp5" else CYCLE[1]
    front = sorted((p for p in mine if p["front"]), key=lambda p: p["latency_s"])
    others = [p for p in mine if not p["front"]]
    axes.plot(
        [p["latency_s"] for p in others], [p["energy_j"] for p in others], ".", color=colour, alpha=0.35, ms=5
    )
    axes.plot(
        [p["latency_s"] for p in front],
        [p["energy_j"] for p in front],
        ".",
        color=colour,
        ms=7,
        label=to_figure(f"{column}: designs that no other beats"),
    )
    if len(front) > _MOST_NAMED:
        return  # they would cover each other; the table below names them
    for n, p in enumerate(front):
        axes.annotate(
            to_figure(p["label"]),
            (p["latency_s"], p["energy_j"]),
            xytext=(4, 5 if n % 2 else -8),
            textcoords="offset points",
            fontsize=5.5,
        )


def _published(axes: Any, report: Report) -> None:
    """Whole classifiers by others: other tasks, an order of magnitude and no ranking."""
    for k, row in enumerate(
        sorted(report["series"]["published"]["classifier"], key=lambda r: float(r["joules"]))
    ):
        filled = row["kind"] == "measured"
        axes.plot(0.5, row["joules"], "D", color=GREEN, mfc=GREEN if filled else "none", ms=6)
        axes.annotate(
            to_figure(f"{row['name']}, {1e9 * row['node_m']:.0f} nm") + "\n" + to_figure(row["task"]),
            (0.5, row["joules"]),
            xytext=(0, -7 if k % 2 == 0 else 7),
            textcoords="offset points",
            ha="center",
            va="top" if k % 2 == 0 else "bottom",
            fontsize=5.5,
        )
    axes.set_xticks([])
    axes.set_xlim(0, 1)
    axes.set_title("published, other tasks")


def energy_use(report: Report) -> Figure | None:
    """Where the energy of one inference goes: a bar a part, converters last."""
    held = report["series"]["energy_use"]
    if not held:
        return None
    rows = [[*h["uses"], *h["converters"]] for h in held]
    rows = [[u for u in r if u["energy_j"] > 1e-4 * sum(v["energy_j"] for v in r)] for r in rows]
    drawn = canvas(WIDTH, sum(0.32 * len(r) + 0.8 for r in rows))
    grid = drawn.subplots(len(held), 1, squeeze=False, height_ratios=[len(r) + 2 for r in rows]).ravel()
    for axes, h, shown in zip(grid, held, rows, strict=True):
        names = [to_figure(f"{u['name']} ({u['part']})" if "part" in u else u["name"]) for u in shown]
        values = [u["energy_j"] for u in shown]
        colours = [GREEN if "part" in u else BLUE for u in shown]
        axes.barh(range(len(shown)), values, color=colours, height=0.65)
        whole = sum(values)
        for k, v in enumerate(values):
            axes.annotate(
                f"{100 * v / whole:.1f} %",
                (v, k),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
            )
        axes.set_yticks(range(len(shown)), names)
        axes.invert_yaxis()
        axes.margins(x=0.12)
        from matplotlib.ticker import EngFormatter

        axes.xaxis.set_major_formatter(EngFormatter(sep=" "))
        axes.set(xlabel="J in one inference; green: converters, for digital parts at both ends")
        axes.set_title(to_figure(h["column"]))
    return drawn
