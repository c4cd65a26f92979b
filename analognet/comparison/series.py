"""What the figures of a report show, as plain values: each from the stages that measured it."""

from __future__ import annotations

import tomllib
from typing import Any, Final

import numpy as np

from analognet.comparison.plan import IDEAL, Subject
from analognet.comparison.stages import Outcome
from analognet.energy import landauer_j
from analognet.network import classify
from analognet.plots_choice import PUBLISHED

MOST_CLASSES: Final = 20  # in a confusion matrix
MOST_WRONG: Final = 24  # inputs shown
_FIGURE_DIGITS: Final = 5


def series(chosen: Subject, found: Outcome) -> dict[str, Any]:
    """All series, by the figure they belong to."""
    return {
        "steps": _steps(chosen, found),
        "design_space": _design_space(chosen, found),
        "published": tomllib.loads(PUBLISHED.read_text(encoding="utf-8")),
        "landauer_j": landauer_j(8.0 * chosen.network.macs),
        "energy_use": _energy_use(chosen, found),
        "boards": _boards(chosen, found),
        "curves": _curves(chosen, found),
        "waves": _waves(chosen, found),
        "classes": _classes(chosen, found),
        "engines": _engines(chosen, found),
    }


def _steps(chosen: Subject, found: Outcome) -> list[dict[str, Any]]:
    """Accuracy from float to what is fabricated, a row a step; without labels there are none."""
    if chosen.inputs.y is None:
        return []
    n = len(chosen.inputs)
    right = int((classify(chosen.network(chosen.inputs.x)) == chosen.inputs.y).sum())
    rows = [_step("", "float64 network", right / n, n)]
    for stage, label in (
        ("integer/accuracy", "8-bit integers, VHDL"),
        (f"{IDEAL}/solver", "circuit of ideal parts"),
    ):
        if (result := found.results.get(stage)) is not None:
            rows.append(_step(stage.split("/")[0], label, result.value["accuracy"], result.value["images"]))
    for name in chosen.technologies:
        rows += _technology_steps(found, name, _kind(chosen, name))
    return rows


def _kind(chosen: Subject, name: str) -> str:
    """What is made of a technology."""
    design = chosen.designs.get(name)
    return "chips" if design is not None and design.technology.process else "boards"


def _technology_steps(found: Outcome, name: str, kind: str) -> list[dict[str, Any]]:
    rows = []
    for stage, label in (
        ("solver", "its own parts, no spread"),
        ("bought", "resistors of a series"),
        ("noise", "with noise"),
    ):
        result = found.results.get(f"{name}/{stage}")
        if result is not None and result.value["accuracy"] is not None:
            rows.append(_step(name, f"{name}: {label}", result.value["accuracy"], result.value["images"]))
    warm = found.results.get(f"{name}/temperature")
    for row in warm.value["rows"] if warm else []:
        if row["accuracy"] is not None:
            rows.append(_step(name, f"{name}: at {row['celsius']:g} C", row["accuracy"], row["images"]))
    corners = found.results.get(f"{name}/corners")
    for row in corners.value["rows"] if corners else []:
        if row["accuracy"] is not None:
            rows.append(_step(name, f"{name}: corner {row['corner']}", row["accuracy"], row["images"]))
    for stage in [s for s in found.results if s.startswith(f"{name}/boards")]:
        value = found.results[stage].value
        p = value["accuracy_percentiles"]
        rows.append(
            _step(
                name,
                f"{name}: {value['boards']} {kind}, {value['celsius']:g} C",
                value["accuracy_mean"],
                value["images"],
            )
            | {"low": p["5"], "high": p["95"], "boards": value["boards"]}
        )
    return rows


def _step(group: str, label: str, accuracy: float, images: int) -> dict[str, Any]:
    return {"group": group, "label": label, "accuracy": accuracy, "images": images, "low": None, "high": None}


def _design_space(chosen: Subject, found: Outcome) -> list[dict[str, Any]]:
    """Other designs of the same network: latency, energy, accuracy, and whether another one beats it."""
    rows = []
    for name in chosen.technologies:
        result = found.results.get(f"{name}/alternatives")
        if result is None:
            continue
        for row in result.value["rows"]:
            v = row["values"]
            if row["refused"] is None and v.get("latency_s"):
                rows.append(
                    {
                        "column": name,
                        "label": _design_label(row["settings"], result.value["own"]),
                        "own": row["settings"] == result.value["own"],
                        "front": row["front"],
                        "images": result.value["images"],
                        **{key: v.get(key) for key in ("latency_s", "energy_j", "accuracy", "cost")},
                    }
                )
    result = found.results.get("integer/alternatives")
    for row in result.value["rows"] if result else []:
        keys = ("label", "front", "latency_s", "energy_j", "accuracy")
        images = {"images": len(chosen.inputs)}
        rows.append(
            {"column": "fpga ecp5", "cost": None, "own": False, **images, **{key: row[key] for key in keys}}
        )
    return rows


def _design_label(settings: dict[str, Any], own: dict[str, Any]) -> str:
    """The op-amp, and the full scale where it is another than the column's."""
    words = [str(settings["opamp"])]
    if settings.get("full_scale") != own.get("full_scale"):
        words.append(f"{settings['full_scale']:g} V full scale")
    return ", ".join(words)


def _energy_use(chosen: Subject, found: Outcome) -> list[dict[str, Any]]:
    """Joules of an inference by what the parts turn into heat, and the converters' lines."""
    rows = []
    for name in chosen.technologies:
        result = found.results.get(f"{name}/transient")
        if result is not None and result.value.get("energy_by_use_j"):
            ends = result.value.get("converters")
            rows.append(
                {
                    "column": name,
                    "uses": _largest_first(result.value["energy_by_use_j"]),
                    "converters": [
                        {"name": line["name"], "energy_j": line["energy_j"], "part": line["part"]}
                        for line in (ends["lines"] if ends else [])
                    ],
                }
            )
    return rows


def _largest_first(uses: dict[str, float]) -> list[dict[str, Any]]:
    return [{"name": n, "energy_j": v} for n, v in sorted(uses.items(), key=lambda item: -item[1])]


def _boards(chosen: Subject, found: Outcome) -> list[dict[str, Any]]:
    rows = []
    for stage, result in found.results.items():
        column, _, what = stage.partition("/")
        if column not in chosen.technologies or not what.startswith("boards"):
            continue
        v = result.value
        counts = np.round(result.arrays["accuracy"] * v["images"]).astype(int)
        right, boards = np.unique(counts, return_counts=True)
        rows.append(
            {
                "column": column,
                "kind": _kind(chosen, column),
                "stage": stage,
                "celsius": v["celsius"],
                "images": v["images"],
                "boards": v["boards"],
                "right": right.tolist(),
                "count": boards.tolist(),
                "mean": v["accuracy_mean"],
                "mean_ci95": v["accuracy_mean_ci95"],
                "nominal": v["accuracy_nominal"],
                "sigma": v["accuracy_sigma"],
                "worst": v["accuracy_worst"],
                "limit": v["limit"],
                "yield": v["yield"],
                "yield_ci95": v["yield_ci95"],
                "sensitivity": v["sensitivity"],
            }
        )
    return rows


def _curves(chosen: Subject, found: Outcome) -> list[dict[str, Any]]:
    rows = []
    for name in chosen.technologies:
        result = found.results.get(f"{name}/curves")
        for k, row in enumerate(result.value["rows"] if result else []):
            assert result is not None
            arrays = result.arrays
            rows.append(
                {
                    "column": name,
                    **row,
                    "full_scale_v": result.value["full_scale_v"],
                    "z": _short(arrays[f"{k}_z"]),
                    "y": _short(arrays[f"{k}_y"], 9),
                    "ideal": _short(arrays[f"{k}_ideal"], 9),
                }
            )
    return rows


def _waves(chosen: Subject, found: Outcome) -> list[dict[str, Any]]:
    rows = []
    for name in chosen.technologies:
        result = found.results.get(f"{name}/transient")
        if result is None:
            continue
        layers = sorted((k for k in result.arrays if k.startswith("layer")), key=lambda k: int(k[5:-2]))
        rows.append(
            {
                "column": name,
                "time_s": _short(result.arrays["time_s"]),
                "supply_a": _short(result.arrays["supply_a"]),
                "layers_v": [[_short(v, 4) for v in result.arrays[k].T] for k in layers],
                "widths": list(chosen.network.shape[1:]),
                "latency_s": result.value["latency_s"],
            }
        )
    return rows


def _classes(chosen: Subject, found: Outcome) -> dict[str, Any]:
    """Confusion matrices of the columns that classify, and the inputs that a circuit gets wrong."""
    y = chosen.inputs.y
    if y is None:
        return {"matrices": [], "wrong": [], "wrong_total": 0, "shape": None}
    answers = {"float64": classify(chosen.network(chosen.inputs.x))}
    for column, stages in (
        ("integer", ("integer/accuracy",)),
        # ngspice where the solver does not know the cells
        *((name, (f"{name}/solver", f"{name}/ngspice")) for name in chosen.technologies),
    ):
        known = [found.results[stage] for stage in stages if stage in found.results]
        if known:
            answers[column] = known[0].arrays["predictions"]
    classes = max(chosen.network.n_out, 2)
    matrices = []
    for column, given in answers.items():
        counts = np.zeros((classes, classes), dtype=int)
        np.add.at(counts, (y[: len(given)], given), 1)
        matrices.append({"column": column, "images": len(given), "counts": counts.tolist()})
    circuits = [name for name in chosen.technologies if name in answers]
    wrong = sorted(
        {int(i) for name in circuits for i in np.flatnonzero(answers[name] != y[: len(answers[name])])}
    )
    float_right = [
        i for i in wrong if answers["float64"][i] == y[i]
    ]  # those that the circuit loses come first
    shown = (float_right + [i for i in wrong if i not in set(float_right)])[:MOST_WRONG]
    side = round(chosen.network.n_in**0.5)
    image = side * side == chosen.network.n_in and side >= 4
    return {
        "matrices": matrices if classes <= MOST_CLASSES else [],
        "wrong": [
            {
                "row": i,
                "label": int(y[i]),
                "answers": {c: int(a[i]) for c, a in answers.items() if i < len(a)},
                "pixels": _pixels(chosen.inputs.x[i]) if image else None,
            }
            for i in shown
        ],
        "wrong_total": len(wrong),
        "lost_to_float": len(float_right),
        "shape": [side, side] if image else None,
    }


def _pixels(x: Any) -> list[int]:
    """An image as 0 to 255 from its lowest to its highest value."""
    low, high = float(x.min()), float(x.max())
    return [int(v) for v in np.round(255 * (x - low) / ((high - low) or 1.0))]


def _engines(chosen: Subject, found: Outcome) -> list[dict[str, Any]]:
    """Both simulators on the same inputs: the largest difference of an output."""
    rows = []
    for name in chosen.technologies:
        one, two = (found.results.get(f"{name}/{engine}") for engine in ("ngspice", "solver"))
        if one is None or two is None:
            continue
        a, b = one.arrays["outputs_v"], two.arrays["outputs_v"]
        n = min(len(a), len(b))
        rows.append({"column": name, "images": n, "largest_v": float(np.abs(a[:n] - b[:n]).max())})
    return rows


def _short(values: Any, digits: int = _FIGURE_DIGITS) -> list[float]:
    return [float(f"{v:.{digits}g}") for v in values.tolist()]
