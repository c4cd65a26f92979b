"""One point of a design space: what all points have in common, and one combination of settings measured."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from analognet import bom, storage
from analognet.analog.timing import estimate
from analognet.analog.transitions import choose_transitions
from analognet.data import Dataset, load_data
from analognet.design import Design, convert
from analognet.errors import InputError, UsageError
from analognet.inference import transient
from analognet.loading import LoadedModel, load
from analognet.loading.files import read_regular
from analognet.loading.metadata import DATASETS
from analognet.names import printable
from analognet.network import classify
from analognet.program import program_digest
from analognet.simulation import ngspice_version, simulate

_OVERRIDES: Final = {
    "opamp": "opamp",
    "full_scale": "full_scale",
    "r_f": "feedback_ohm",
    "resistors": "series",
}
_TECHNOLOGY_LIMIT: Final = 1 << 20  # bytes of a file of it


@dataclass(frozen=True)
class Point:
    """One combination. settings: axis -> value; values: the figures, None where not measured;
    refused: why it cannot be built, None where it can.
    """

    settings: Mapping[str, Any]
    values: Mapping[str, float | None]
    refused: str | None = None


@dataclass(frozen=True, eq=False)
class Space:
    """What all points of a sweep have in common, read already. data: None for random inputs; technologies:
    digest of each technology that is a file of the user's, which whoever measures must have too.
    """

    model: LoadedModel
    data: Dataset | None
    images: int
    latency: str
    transitions: int
    seed: int
    options: Mapping[str, Any]
    technologies: Mapping[str, str]

    def deciding(self) -> dict[str, Any]:
        """JSON values of all that the figures depend on, beside the settings and the options as they were given."""
        network, calibrate = self.model.network, self.options.get("calibrate")
        return {
            "program": program_digest(),
            "ngspice": ngspice_version(),
            "model": [self.model.digest, [str(layer.activation) for layer in network.layers]],
            "ranges": [self.model.input_range, self.model.ranges],
            "data": None if self.data is None else self.data.digest,
            "calibrate": calibrate.digest if isinstance(calibrate, Dataset) else None,
            "images": self.images,
            "latency": self.latency,
            "transitions": self.transitions,
            "seed": self.seed,
            "technologies": dict(self.technologies),
        }


def read_space(
    model: str | Path,
    grid: Mapping[str, Sequence[Any]],
    data: str | None,
    images: int,
    latency: str,
    transitions: int,
    seed: int,
    options: dict[str, Any],
) -> Space:
    """Read all that a sweep needs. Raises UsageError, InputError."""
    loaded = load(model, options.get("activations"))
    n_in, n_out = loaded.network.n_in, loaded.network.n_out
    calibrate = options.get("calibrate")
    known = str(calibrate) if str(calibrate) in DATASETS else None
    chosen: Dataset | None = None
    if data is not None or known is not None:
        chosen = load_data(data or str(known), n_in, n_out)
    elif calibrate is None and loaded.dataset is not None:
        with suppress(InputError):  # not at hand: random inputs, as for a design without data
            chosen = load_data(loaded.dataset, n_in, n_out)
    if chosen is not None:
        y = None if chosen.y is None else chosen.y[:images]
        chosen = replace(chosen, x=chosen.x[:images], y=y)
    if calibrate is not None and not isinstance(calibrate, Dataset):
        options["calibrate"] = load_data(calibrate, n_in, n_out, split="train" if known else "test")
    named = [*grid.get("technology", ()), options.get("technology")]
    own = sorted({str(t) for t in named if isinstance(t, str | Path) and str(t).endswith(".toml")})
    return Space(
        replace(loaded, dataset=None),
        chosen,
        images,
        latency,
        transitions,
        seed,
        options,
        {name: technology_digest(name) for name in own},
    )


def technology_digest(name: str) -> str:
    """Of a technology's file and the cells beside it; "missing" where there is none that can be read."""
    path = Path(name)
    try:
        files = [path, *sorted(path.parent.glob("*.cir"))]
        held = [f"{p.name} {storage.digest(read_regular(p, 'technology', _TECHNOLOGY_LIMIT))}" for p in files]
    except (InputError, OSError):
        return "missing"
    return storage.digest("\n".join(held).encode())


def measure(space: Space, settings: Mapping[str, Any]) -> Point:
    """One point. Raises SimulatorError and ToolMissing, and InputError where a technology's file is not what it
    was when the sweep began, or is not on this machine; what cannot be built is `refused`.
    """
    for name, digest in space.technologies.items():
        if technology_digest(name) != digest:
            raise InputError(
                f"technology file '{printable(name)}' on {printable(platform.node())} is not the one that the sweep "
                "began with; workers on other machines need the same files at the same path"
            )
    options = space.options
    overrides = {_OVERRIDES[a]: v for a, v in settings.items() if a in _OVERRIDES}
    keywords = {a: v for a, v in settings.items() if a not in _OVERRIDES}
    try:
        design = convert(
            space.model,
            **{**options, **keywords, "overrides": {**options.get("overrides", {}), **overrides}},
        )
        cost = bom.bill_of_materials(design).cost
    except (InputError, UsageError) as e:
        return Point(settings, {}, str(e))
    result = simulate(design, space.data, images=space.images, seed=space.seed, jobs=1)
    truth = result.labels
    right = classify(result.reference) if truth is None else truth
    times = _times(design, result.data, space.latency, space.transitions, space.seed)
    return Point(
        settings,
        {
            "accuracy": float((result.predictions == right).mean()),
            "images": float(len(result.data)),
            "reference_accuracy": float((classify(result.reference) == right).mean()),
            "output_error_v_rms": _number(result.metrics["output_error_v_rms"]),
            **times,
            "cost": round(cost, 6) if cost is not None else None,  # a sum's rounding decides no front
            "opamps": float(design.tally.opamps),
        },
    )


def _times(
    design: Design, data: Dataset, latency: str, transitions: int, seed: int
) -> dict[str, float | None]:
    if latency == "ngspice":
        study = transient(design, data, transitions=transitions, seed=seed, jobs=1)
        return {
            "latency_s": _number(study.metrics["latency_s"]),
            "energy_j": _number(study.metrics["energy_j"]),
            "power_w": _number(study.metrics["power_w"]),
        }
    guess = estimate(design, choose_transitions(design.analog, data.x, transitions, seed))
    worst = float(guess.latency_1_s.max())
    power = float(np.mean(guess.power_w))
    rest = worst - guess.latency_1_s
    return {
        "latency_s": worst,
        "energy_j": float(np.mean(guess.energy_1_j + guess.power_w * rest)),
        "power_w": power,
    }


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
