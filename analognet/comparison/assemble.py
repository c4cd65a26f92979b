"""The results of a comparison's stages as one report value; only numbers that a stage measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from analognet import storage
from analognet.comparison import columns, series
from analognet.comparison.plan import Subject
from analognet.comparison.stages import Outcome, Stage
from analognet.comparison.store import Result
from analognet.design import versions
from analognet.digital import tools
from analognet.names import printable
from analognet.report.value import KIND, SCHEMA
from analognet.report.verdict import verdict

_DIGITS: Final = 9


def assemble(chosen: Subject, stages: list[Stage], found: Outcome) -> dict[str, Any]:
    """The report value: see `analognet.report.value`."""
    network, s = chosen.network, chosen.settings
    report: dict[str, Any] = {
        "kind": KIND,
        "schema": SCHEMA,
        "network": {
            "name": printable(network.name),
            "shape": list(network.shape),
            "activations": [str(layer.activation) for layer in network.layers],
            "layers": [printable(layer.name) for layer in network.layers],
            "macs": network.macs,
            "model_sha256": chosen.loaded.digest,
        },
        "data": {
            "name": printable(_base_name(chosen.inputs.name)),
            "sha256": chosen.inputs.digest,
            "images": len(chosen.inputs),
            "labelled": chosen.inputs.y is not None,
            "calibration": printable(_base_name(chosen.calibration.name)),
            "split": chosen.calibration.digest != chosen.inputs.digest,
        },
        "settings": {key: _plain(value) for key, value in vars(s).items()},
        "request": {
            "model": _portable(chosen.model),
            "data": None if chosen.data is None else _portable(chosen.data),
            "technologies": [_portable(name) for name in chosen.technologies.values()],
            "topology": chosen.topology,
            "activations": chosen.activations,
            "calibrate": None if chosen.calibrate is None else _portable(chosen.calibrate),
            "images": len(chosen.inputs),
            "limited": chosen.limited,
            "quick": s.quick,
            "fpgas": list(s.fpgas),
            "seed": s.seed,
        },
        "columns": columns.columns(chosen, found),
        "gaps": [vars(gap) for gap in (*chosen.gaps, *found.gaps)],
        "notes": [*chosen.notes, *_design_notes(chosen)],
        "series": series.series(chosen, found),
        "stages": [
            {
                "name": st.name,
                "title": st.title,
                "inputs": _plain(st.inputs),
                "key": found.keys[st.name],
                **evidence(found.results[st.name]),
            }
            for st in stages
            if st.name in found.keys
        ],
        "provenance": {
            "versions": versions(),
            "tools": {
                **dict(tools.versions()),
                **{k: v for k, v in {"ngspice": _ngspice(found, stages)}.items() if v},
            },
        },
    }
    report["verdict"] = verdict(report)
    value: dict[str, Any] = rounded(report)
    return value


def evidence(result: Result) -> dict[str, Any]:
    """What a stage found, to hold another measurement against: its value, and its whole numbers' digests."""
    digests = {
        name: storage.digest(np.ascontiguousarray(array, dtype="<i8").tobytes())
        for name, array in sorted(result.arrays.items())
        if np.issubdtype(array.dtype, np.integer)
    }
    return {"value": _plain(result.value), "arrays_sha256": digests}


def _design_notes(chosen: Subject) -> list[str]:
    return [
        f"{name}: {printable(note, 300)}"
        for name, design in chosen.designs.items()
        if name in chosen.technologies
        for note in design.notes
        if note not in chosen.notes
    ]


def _ngspice(found: Outcome, stages: list[Stage]) -> str | None:
    for stage in stages:
        if stage.name in found.keys and stage.inputs.get("ngspice"):
            return str(stage.inputs["ngspice"])
    return None


def _base_name(name: str) -> str:
    return name.replace("\\", "/").rsplit("/", 1)[-1]


def _portable(path: str) -> str:
    """A path as it was typed, or its last part where it names a place on this machine alone."""
    return printable(_base_name(path) if path.startswith(("/", "~")) or path[1:3] in (":\\", ":/") else path)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value


def rounded(value: Any) -> Any:
    """Floats to nine digits: more are noise of the last bit, and would make two reports differ."""
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}")
    if isinstance(value, Mapping):
        return {k: rounded(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(v) for v in value]
    return value
