"""What a weight file cannot say in its tensors: activations, ranges, the data set.

It is said in three places, and the first that has an item wins: the caller's argument, the
file's own metadata, and a sidecar `<stem>.json` beside the file with the same keys.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from analognet.errors import InputError, UsageError
from analognet.loading.files import read_regular
from analognet.names import printable
from analognet.network import ACTIVATIONS, Activation

DATASETS: Final = ("digits", "iris", "mnist", "fashion-mnist")  # built-in sets, see analognet.data
SIDECAR_LIMIT: Final = 1 << 20  # bytes; a sidecar holds a few hundred
SOFTMAX: Final = ("softmax", "log_softmax")

Range = tuple[float, float]


@dataclass(frozen=True)
class Metadata:
    """What a model file says about itself besides its weights; None where it says nothing.

    activations: text forms from input to output; input_range and ranges: (lowest, highest)
    of the inputs and of each layer's pre-activations over the training data, dimensionless.
    """

    activations: tuple[str, ...] | None = None
    input_range: Range | None = None
    ranges: tuple[Range, ...] | None = None
    dataset: str | None = None

    def or_else(self, other: Metadata) -> Metadata:
        """This, and what `other` says where this says nothing."""
        return Metadata(
            self.activations if self.activations is not None else other.activations,
            self.input_range if self.input_range is not None else other.input_range,
            self.ranges if self.ranges is not None else other.ranges,
            self.dataset if self.dataset is not None else other.dataset,
        )


def decode_json(text: str | bytes, where: str) -> object:
    """JSON without duplicate keys and without NaN. Raises InputError that begins with `where`."""

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        out: dict[str, object] = {}
        for key, value in pairs:
            if key in out:
                raise InputError(f"{where}: key '{printable(key)}' is given twice")
            out[key] = value
        return out

    def constant(name: str) -> object:
        raise InputError(f"{where}: {name} is not a number that JSON has")

    try:
        return json.loads(text, object_pairs_hook=unique, parse_constant=constant)
    except RecursionError:
        raise InputError(f"{where}: JSON is nested too deeply") from None
    except ValueError as error:  # also UnicodeDecodeError and integers of 4,300 digits and more
        raise InputError(f"{where}: not JSON: {printable(error)}") from None


def from_header(entries: Mapping[str, str], where: str) -> Metadata:
    """From safetensors metadata, where every value is a string that holds JSON.

    Raises InputError for a value that is not the JSON its key needs; keys of other programs
    are left alone.
    """
    decoded: dict[str, object] = {}
    for key in ("activations", "input_range", "ranges"):
        if key in entries:
            decoded[key] = decode_json(entries[key], f"{where}: metadata '{key}'")
    if "dataset" in entries:
        text = entries["dataset"]
        # a bare name is what people write by hand; JSON would have quotes around it
        decoded["dataset"] = text if text in DATASETS else decode_json(text, f"{where}: metadata 'dataset'")
    return _validated(decoded, f"{where}: metadata")


def from_sidecar(model: Path) -> Metadata:
    """From `<stem>.json` beside the model; nothing where there is no such file. Raises InputError."""
    path = model.with_suffix(".json")
    if not path.is_file():
        return Metadata()
    where = f"sidecar '{printable(path)}'"
    decoded = decode_json(read_regular(path, "sidecar", SIDECAR_LIMIT), where)
    if not isinstance(decoded, dict):
        raise InputError(f'{where}: holds no JSON object; expected {{"activations": ["relu", "linear"]}}')
    return _validated(decoded, where + ":")


def choose_activations(
    argument: str | None, stated: tuple[str, ...] | None, n_layers: int, model: str
) -> tuple[tuple[Activation, ...], tuple[str, ...]]:
    """Each layer's activation, and notes for the user.

    `argument` is comma-separated text and wins over `stated`. A softmax at the end is dropped
    with a note: it does not change which output is largest. Raises InputError when neither
    says anything; when the count differs from `n_layers` and for an unknown activation UsageError
    where the argument says so, else InputError.
    """
    if argument is None and stated is None:
        shown = printable(model, 1000)  # a command that is cut short could not be typed
        example = ",".join(["relu"] * (n_layers - 1) + ["linear"])
        raise InputError(
            f"model '{printable(model)}' has {n_layers} {_layers(n_layers)} and does not say which "
            f"activation follows each; say it, for example: "
            f"analognet convert {shown} --activations {example}"
        )
    wrong = InputError if argument is None else UsageError  # a file that is wrong, or what was typed
    names = [part.strip().lower() for part in (argument.split(",") if argument is not None else stated or ())]
    notes: tuple[str, ...] = ()
    if names and names[-1].replace("logsoftmax", "log_softmax") in SOFTMAX:
        dropped = names.pop()
        if len(names) < n_layers:
            names.append("linear")
        notes = (f"{dropped} at the output was dropped: the largest output stays the largest",)
    if len(names) != n_layers:
        raise wrong(
            f"model '{printable(model)}' has {n_layers} {_layers(n_layers)}, so {n_layers} "
            f"{'activation is' if n_layers == 1 else 'activations are'} needed; {len(names)} given: "
            f"{printable(','.join(names)) or 'none'} "
            f"(linear is one of them; known are {', '.join(ACTIVATIONS)})"
        )
    for name in names:
        if name.replace("logsoftmax", "log_softmax") in SOFTMAX:
            raise wrong(
                f"model '{printable(model)}': {name} is only allowed at the end; no analog cell computes it"
            )
    try:
        return tuple(Activation.parse(name) for name in names), notes
    except InputError as error:
        raise wrong(str(error)) from None


def check_ranges(ranges: tuple[Range, ...] | None, n_layers: int, model: str) -> None:
    """Raises InputError unless there is one range for each of `n_layers` layers, or none at all."""
    if ranges is not None and len(ranges) != n_layers:
        raise InputError(
            f"model '{printable(model)}': 'ranges' has {len(ranges)} entries for "
            f"{n_layers} {_layers(n_layers)}; one [lowest, highest] per layer is needed"
        )


def _layers(n: int) -> str:
    return "dense layer" if n == 1 else "dense layers"


def _validated(decoded: Mapping[str, object], where: str) -> Metadata:
    activations, ranges, dataset = (decoded.get(key) for key in ("activations", "ranges", "dataset"))
    input_range = decoded.get("input_range")
    if activations is not None and not (
        isinstance(activations, list) and activations and all(isinstance(a, str) for a in activations)
    ):
        raise InputError(f'{where} \'activations\' must be a list of names such as ["relu", "linear"]')
    if ranges is not None and not isinstance(ranges, list):
        raise InputError(f"{where} 'ranges' must be a list of [lowest, highest], one per layer")
    if dataset is not None and dataset not in DATASETS:
        raise InputError(
            f"{where} 'dataset' is '{printable(dataset)}'; a model can name {', '.join(DATASETS)}"
        )
    return Metadata(
        tuple(activations) if activations is not None else None,
        _range(input_range, f"{where} 'input_range'") if input_range is not None else None,
        tuple(_range(r, f"{where} 'ranges'") for r in ranges) if ranges is not None else None,
        str(dataset) if dataset is not None else None,
    )


def _range(value: object, where: str) -> Range:
    if not (isinstance(value, list) and len(value) == 2):
        raise InputError(f"{where} must be [lowest, highest]")
    low, high = (_finite(v, where) for v in value)
    if not low < high:
        raise InputError(f"{where}: lowest {low:.9g} must be below highest {high:.9g}")
    return low, high


def _finite(value: object, where: str) -> float:
    try:
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(float(value)):
            return float(value)
    except OverflowError:
        pass
    raise InputError(f"{where}: '{printable(value)}' is not a finite number")
