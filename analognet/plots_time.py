"""Figures of time and energy, as PNG bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from analognet.analog.transient import Waveforms
from analognet.canvas import BLUE, GREEN, GREY, RED, figure, to_png
from analognet.energy import USES
from analognet.network import Array, classify

if TYPE_CHECKING:
    from analognet.design import Design
    from analognet.inference import TransientStudy

_SHADES: Final = ("#2a6f97", "#89c2d9", "#e09f3e", "#588157", "#a3b18a", "#c1121f", "#8d99ae")
_NODES_SHOWN: Final = 40  # of a layer, in the picture of a network


def study_figure(design: Design, study: TransientStudy) -> bytes:
    """A transient study: when outputs settle, the estimate beside ngspice, and where energy goes."""
    drawn = figure(14, 4.4)
    left, middle, right = drawn.subplots(1, 3)
    settled = [i for i in study.inferences if np.isfinite(i.settling.latency_01_s)]
    for label, values, colour in (
        ("decision", [i.settling.decision_s for i in settled], GREEN),
        ("1 % of full scale", [i.settling.latency_1_s for i in settled], BLUE),
        ("0.1 %", [i.settling.latency_01_s for i in settled], RED),
    ):
        if values:
            ordered = 1e6 * np.sort(values)
            share = np.arange(1, len(ordered) + 1) / len(study.inferences)
            left.step(np.append(0, ordered), np.append(0, share), where="post", color=colour, label=label)
    left.set(xlabel="time after the input step, us", ylabel="share of transitions", ylim=(0, 1.02))
    left.set_title("Settled")
    left.legend(frameon=False, loc="lower right")
    _estimate_axes(middle, study)
    _energy_axes(right, study)
    shape = "-".join(str(n) for n in design.network.shape)
    drawn.suptitle(
        f"{shape} network, {design.technology.opamp.removeprefix('opamp_')}, "
        f"{len(study.inferences)} transitions in ngspice"
    )
    return to_png(drawn)


def _estimate_axes(axes: Any, study: TransientStudy) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    for label, measured, estimated, colour in (
        ("1 %", [i.settling.latency_1_s for i in study.inferences], study.estimate.latency_1_s, BLUE),
        ("0.1 %", [i.settling.latency_01_s for i in study.inferences], study.estimate.latency_01_s, RED),
        (
            "0.1 %, formula",
            [i.settling.latency_01_s for i in study.inferences],
            study.estimate.formula_s,
            GREY,
        ),
    ):
        axes.plot(1e6 * np.array(measured), 1e6 * estimated, ".", color=colour, label=label)
    ends = np.array(axes.get_xlim()) * [0.8, 1.1]
    ends[0] = max(ends[0], 1e-3)
    axes.plot(ends, ends, color=GREY, lw=1)
    axes.fill_between(ends, 0.75 * ends, 1.25 * ends, color=GREY, alpha=0.15, label="within 25 %")
    axes.set(xscale="log", yscale="log", xlabel="ngspice, us", ylabel="estimate, us", title="Estimate")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
        axis.set_minor_formatter(NullFormatter())
    axes.legend(frameon=False)


def _energy_axes(axes: Any, study: TransientStudy) -> None:
    by_use = study.metrics.details["transient"].get("energy_by_use_j") or {}
    names = [n for n in USES if abs(by_use.get(n, 0.0)) > 0]
    values = [1e9 * by_use[n] for n in names]
    axes.barh(range(len(names)), values, color=_SHADES[: len(names)])
    for k, value in enumerate(values):
        axes.text(value, k, f" {value:.3g}", va="center", fontsize=8)
    axes.set_yticks(range(len(names)), [n.replace(", ", ",\n") for n in names], fontsize=8)
    axes.invert_yaxis()
    axes.set(xlabel="nJ, at the worst 1 % latency", title="Energy of an inference")
    axes.margins(x=0.15)


def waveform_figure(design: Design, waves: Waveforms, length_s: float | None = None) -> bytes:
    """One inference: inputs, each layer's outputs, and the supply current over time."""
    layers = len(waves.layers_v)
    drawn = figure(11, 2.1 * (layers + 2))
    rows = drawn.subplots(layers + 2, 1, sharex=True)
    t = 1e6 * waves.time
    rows[0].plot(t, waves.inputs_v, color=GREY, lw=0.7)
    rows[0].set(ylabel="inputs, V")
    for k, v in enumerate(waves.layers_v):
        last = k == layers - 1
        for j in range(v.shape[1]):
            rows[k + 1].plot(t, v[:, j], lw=1.2 if last else 0.7, label=f"y{j}" if last else None)
        rows[k + 1].set(ylabel="outputs, V" if last else f"layer {k}, V")
    if waves.layers_v[-1].shape[1] <= 10:
        rows[layers].legend(frameon=False, fontsize=7, ncols=2, loc="center left", bbox_to_anchor=(1.0, 0.5))
    rows[-1].plot(t, -1e3 * waves["i(vdd)"], color=RED, lw=1, label="from vdd")
    rows[-1].plot(t, 1e3 * waves["i(vss)"], color=BLUE, lw=1, label="into vss")
    rows[-1].legend(frameon=False, fontsize=8)
    end = 1e6 * (length_s or waves.time[-1])
    rows[-1].set(ylabel="supply, mA", xlabel="time after the input step, us", xlim=(-0.02 * end, end))
    drawn.suptitle(
        f"One inference: {waves.transition.kind}, {design.technology.opamp.removeprefix('opamp_')}"
    )
    return to_png(drawn)


def network_figure(design: Design, x: Array, layers_v: list[Array]) -> bytes:
    """The network with the node voltages of one input x (n_in,) in units flowing through it.

    layers_v: (n,) V of each layer's outputs. The strongest currents into each layer are lines.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    drawn = figure(10, 6)
    axes = drawn.subplots()
    volts = [x * design.analog.scale_in, *layers_v]
    full = max(float(np.abs(v).max()) for v in volts) or 1.0
    norm = Normalize(-full, full)
    chosen = [_some(v) for v in volts]
    places = [np.linspace(1, 0, len(c) + 2)[1:-1] if len(c) > 1 else np.array([0.5]) for c in chosen]
    for k, layer in enumerate(design.analog.layers):
        _links(
            axes,
            k,
            layer.g_pos[:, :-1] * layer.positive_share[:, None] - layer.g_neg[:, :-1],
            volts,
            chosen,
            places,
        )
    for k, v in enumerate(volts):
        size = 900 / max(6, len(chosen[k]))
        axes.scatter(
            np.full(len(chosen[k]), k),
            places[k],
            c=v[chosen[k]],
            cmap="RdBu_r",
            norm=norm,
            s=4 * size,
            edgecolors="#333",
            zorder=3,
        )
        named = "input" if k == 0 else "outputs" if k == len(volts) - 1 else f"layer {k - 1}"
        more = f", {len(chosen[k])} of {len(v)}" if len(chosen[k]) < len(v) else ""
        axes.text(k, 1.03, f"{named}{more}", ha="center")
        if len(chosen[k]) <= 16:
            for j, y in zip(chosen[k], places[k], strict=True):
                axes.text(k + 0.06, y, f"{v[j]:+.2f} V", va="center", fontsize=8, zorder=4)
    winner = int(classify((volts[-1] / design.analog.scale_out)[None])[0])
    if winner in chosen[-1].tolist():
        y = places[-1][chosen[-1].tolist().index(winner)]
        axes.text(len(volts) - 1 + 0.33, y, f"class {winner}", va="center", weight="bold", color=RED)
    axes.set(xlim=(-0.3, len(volts) - 0.35), ylim=(-0.02, 1.08))
    axes.axis("off")
    drawn.colorbar(ScalarMappable(norm=norm, cmap="RdBu_r"), ax=axes, label="V", shrink=0.7)
    drawn.suptitle(
        "Node voltages of one input; lines: the strongest currents, red for those that raise the sum"
    )
    return to_png(drawn)


def _some(v: Array) -> Array:
    """Places of the nodes to show: all, or evenly spread ones."""
    return np.unique(np.linspace(0, len(v) - 1, min(len(v), _NODES_SHOWN)).astype(int))


def _links(axes: Any, k: int, g: Array, volts: list[Array], chosen: list[Array], places: list[Array]) -> None:
    current = g[np.ix_(chosen[k + 1], chosen[k])] * volts[k][chosen[k]]
    if not current.size or not np.abs(current).max():
        return
    strength = np.abs(current) / np.abs(current).max()
    least = np.sort(strength.ravel())[-min(160, strength.size)]
    for i, j in np.argwhere((strength >= least) & (strength > 0.02)):
        axes.plot(
            [k, k + 1],
            [places[k][j], places[k + 1][i]],
            color=RED if current[i, j] > 0 else BLUE,
            alpha=0.1 + 0.8 * float(strength[i, j]),
            lw=0.4 + 2.2 * float(strength[i, j]),
            zorder=1,
        )
