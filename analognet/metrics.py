"""What a simulation answers: figures by name, each with its unit, method and uncertainty.

Both ways through the house, analog and digital, end in the same `Metrics`, so that one
table can hold them side by side. Not measured is `None`, never 0.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

SCHEMA: Final = 1

# key -> (unit, what it is). The keys are the contract of `--json`; the order is the table's.
FIGURES: Final[dict[str, tuple[str, str]]] = {
    "images": ("", "inputs evaluated"),
    "reference_accuracy": ("", "accuracy of the float network"),
    "accuracy": ("", "accuracy of what was built"),
    "accuracy_ci95": ("", "95 % interval of the accuracy (Wilson)"),
    "agreement": ("", "inputs that get the float network's class"),
    "output_error_v_max": ("V", "largest output error against the float network"),
    "output_error_v_rms": ("V", "rms output error against the float network"),
    "latency_s": ("s", "input step to settled output"),
    "energy_j": ("J", "energy of one inference"),
    "power_w": ("W", "power drawn from the supplies"),
    "noise_v_rms": ("V", "rms noise at the worst output"),
    "snr_db": ("dB", "full-scale signal over noise"),
    "yield": ("", "boards that meet the limit"),
    "area_m2": ("m2", "area"),
    "cost": ("USD", "cost of the parts"),
    "opamps": ("", "op-amps"),
    "resistors": ("", "resistors"),
    "fmax_hz": ("Hz", "highest clock"),
    "cycles": ("", "clock cycles of one inference"),
    "mismatches": ("", "outputs that differ from the integer reference"),
}

Value = float | int | tuple[float, float] | None


@dataclass(frozen=True)
class Metrics:
    """Figures by the keys of `FIGURES`; `details` holds further figures of one command.

    provenance: method, conditions, tool versions, digests, seed: all that a rerun needs.
    """

    values: Mapping[str, Value]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unknown = sorted(set(self.values) - set(FIGURES))
        if unknown:
            raise ValueError(f"unknown figures {unknown}; declare them in FIGURES")

    def __getitem__(self, key: str) -> Value:
        if key not in FIGURES:
            raise KeyError(key)
        return self.values.get(key)

    def merged(self, other: Metrics, key: str) -> Metrics:
        """These figures and another study's of the same circuit; its provenance goes under `key`.

        Where both have a figure, these keep theirs.
        """
        values = {k: v for k, v in other.values.items() if v is not None}
        values.update({k: v for k, v in self.values.items() if v is not None})
        return Metrics(
            values, {**self.provenance, key: dict(other.provenance)}, {**other.details, **self.details}
        )

    def to_json(self) -> str:
        """One JSON object; every key is present, null where it was not measured."""
        metrics: dict[str, Any] = {key: self[key] for key in FIGURES}
        metrics.update(self.details)
        body = {"schema": SCHEMA, "metrics": metrics, "provenance": dict(self.provenance)}
        return json.dumps(body, allow_nan=False, default=_plain)


def _plain(value: Any) -> Any:
    """numpy scalars and arrays as JSON numbers and lists."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def wilson(successes: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """The Wilson score interval of a proportion, 95 % by default. n > 0.

    Source: E. B. Wilson, JASA 22 (1927) 209-212.
    """
    p = successes / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    # p is inside but for rounding: at 0 and n successes it is an end
    return max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half))
