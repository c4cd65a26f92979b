"""A report value made by hand, small and complete, for tests of what is rendered from one."""

from __future__ import annotations

from typing import Any

from analognet.report.value import KIND, ROWS, SCHEMA
from analognet.report.verdict import verdict

HOSTILE = (
    "line\nbreak\r",
    "*#.control;$[0,1]=NUL\0",
    "gnd temper ../../x",
    "[red]bold[/red]",
    "\x1b[31mred\x1b[0m",
    "<script>alert(1)</script>",
    "</style><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "=cmd|' /C calc'!A0",
    "+1 -1 @SUM(1)",
    "_%#&{}~^\\input{/etc/passwd}$",
    "![x](http://example.com/x.png) [a](javascript:alert(1)) `code` | cell\n# head",
    "{{ 7 * 7 }}{% raw %}",
    "\u202etfel\u202c naïve 漢字",
    "x" * 5000,
)


def cell(
    value: float | None = None, low: float | None = None, high: float | None = None, **more: Any
) -> dict[str, Any]:
    missing = None if value is not None or "text" in more else "not measured"
    return {"value": value, "low": low, "high": high, "n": None, "note": None, "missing": missing, **more}


def column(name: str, kind: str, title: str, **cells: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": name,
        "kind": kind,
        "title": title,
        "about": f"about {title}",
        "part": None,
        "cells": {row.key: cells.get(row.key, cell()) for row in ROWS},
    }


def report(text: str = "plain") -> dict[str, Any]:
    """A report in which every text that comes from outside is `text`."""
    ends = [{"name": "input DACs", "energy_j": 2e-7, "part": text}]
    columns = [
        column(
            "float CPU",
            "float",
            "Float",
            accuracy=cell(0.98, 0.96, 0.99, n=450),
            latency_s=cell(1e-4, 9e-5, 2e-4, note=text),
            resources=cell(text=text),
        ),
        column(
            "fpga ecp5",
            "fpga",
            "FPGA",
            accuracy=cell(0.98, 0.96, 0.99, n=450),
            latency_s=cell(8e-7, 7.5e-7, 9e-7),
            energy_j=cell(8.5e-8, 2.8e-8, 2.6e-7),
            energy_digital_in_j=cell(8.5e-8, 2.8e-8, 2.6e-7),
        ),
        column(
            "board",
            "analog",
            f"Circuit {text}",
            accuracy=cell(0.9778, 0.96, 0.99, n=450),
            latency_s=cell(7e-7, 6e-7, 7.4e-7),
            energy_j=cell(6.6e-7, 6e-7, 7e-7),
            energy_digital_in_j=cell(8.6e-7, 8e-7, 9e-7),
            energy_analog_in_j=cell(6.6e-7, 6e-7, 7e-7),
            area_m2=cell(0.0224),
            cost=cell(334.0),
            boards_accuracy=cell(0.97, 0.96, 0.98, n=100),
        ),
    ]
    columns[2]["cells"]["yield"] = cell(0.9, 0.8, 0.95, n=100)
    made: dict[str, Any] = {
        "kind": KIND,
        "schema": SCHEMA,
        "network": {
            "name": text,
            "shape": [4, 3, 2],
            "activations": ["relu", "linear"],
            "layers": [text, text],
            "macs": 18,
            "model_sha256": "0" * 64,
        },
        "data": {
            "name": text,
            "sha256": "1" * 64,
            "images": 4,
            "labelled": True,
            "calibration": text,
            "split": False,
        },
        "settings": {"ngspice_images": 4, "solver_images": 4, "transitions": 4, "boards": 100, "seed": 0},
        "request": {
            "model": text,
            "data": text,
            "technologies": ["board"],
            "topology": None,
            "activations": None,
            "calibrate": None,
            "images": 4,
            "limited": False,
            "quick": False,
            "fpgas": ["ecp5"],
            "seed": 0,
        },
        "columns": columns,
        "gaps": [{"stage": "sky/convert", "title": text, "reason": text, "fix": text}],
        "notes": [text],
        "series": {
            "steps": [
                {"group": "", "label": "float64", "accuracy": 0.98, "images": 4, "low": None, "high": None},
                {"group": "board", "label": text, "accuracy": 0.97, "images": 4, "low": 0.96, "high": 0.98},
            ],
            "design_space": [
                _point("board", text, own=True, latency=7e-7, energy=6.6e-7),
                _point("board", "fast", own=False, latency=2e-7, energy=7e-7),
            ],
            "published": {
                "chip": [
                    {
                        "name": text,
                        "tops_w": 9.0,
                        "node_m": 14e-9,
                        "precision": text,
                        "kind": text,
                        "source": text,
                    }
                ],
                "classifier": [
                    {"name": text, "joules": 1e-9, "node_m": 65e-9, "task": text, "kind": "measured"}
                ],
            },
            "landauer_j": 4e-19,
            "energy_use": [
                {"column": "board", "uses": [{"name": "weights", "energy_j": 6e-7}], "converters": ends}
            ],
            "boards": [_boards()],
            "curves": [
                {
                    "column": text,
                    "activation": "relu",
                    "cells": [text],
                    "error_v_max": 1e-3,
                    "volts_per_unit": 1.0,
                    "full_scale_v": 2.5,
                    "z": [-1.0, 0.0, 1.0],
                    "y": [0.0, 0.0, 1.0],
                    "ideal": [0.0, 0.0, 1.0],
                }
            ],
            "waves": [
                {
                    "column": text,
                    "time_s": [0.0, 1e-7, 2e-7],
                    "supply_a": [0.1, 0.1, 0.1],
                    "layers_v": [[[0.0, 0.5, 1.0]], [[0.0, -0.5, -1.0], [1.0, 0.0, 0.0]]],
                    "widths": [3, 2],
                    "latency_s": 1e-7,
                }
            ],
            "classes": {
                "matrices": [{"column": text, "images": 4, "counts": [[2, 0], [1, 1]]}],
                "wrong": [
                    {
                        "row": 3,
                        "label": 1,
                        "answers": {"float64": 1, text: 0},
                        "pixels": [0, 80, 160, 255] * 4,
                    }
                ],
                "wrong_total": 1,
                "lost_to_float": 1,
                "shape": [4, 4],
            },
            "engines": [{"column": text, "images": 4, "largest_v": 1e-11}],
        },
        "stages": [
            {
                "name": "board/solver",
                "title": text,
                "inputs": {"data": "1" * 64, "note": text},
                "key": "2" * 64,
                "value": {"accuracy": 0.97},
                "arrays_sha256": {},
            }
        ],
        "provenance": {"versions": {"analognet": "0"}, "tools": {"ghdl": text}},
    }
    made["verdict"] = verdict(made)
    return made


def _point(name: str, label: str, *, own: bool, latency: float, energy: float) -> dict[str, Any]:
    return {
        "column": name,
        "label": label,
        "own": own,
        "front": True,
        "images": 4,
        "latency_s": latency,
        "energy_j": energy,
        "accuracy": 0.98,
        "cost": 100.0,
    }


def _boards() -> dict[str, Any]:
    return {
        "column": "board",
        "kind": "boards",
        "stage": "board/boards",
        "celsius": 27.0,
        "images": 4,
        "boards": 100,
        "right": [3, 4],
        "count": [10, 90],
        "mean": 0.97,
        "mean_ci95": [0.96, 0.98],
        "nominal": 1.0,
        "sigma": 0.01,
        "worst": 0.75,
        "limit": 0.97,
        "yield": 0.9,
        "yield_ci95": [0.8, 0.95],
        "sensitivity": [
            {"source": "offset", "loss": 0.01, "loss_error": 0.001, "sigma": 0.01, "boards": 50},
            {"source": "resistors", "loss": 0.0, "loss_error": 0.0, "sigma": 0.0, "boards": 50},
        ],
    }
