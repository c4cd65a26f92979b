"""The report as a value: what `report.json` holds, and the rows that every table has.

All forms are rendered from this value alone. A file from elsewhere is checked before it is rendered.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from analognet.errors import InputError
from analognet.loading.files import read_regular
from analognet.names import printable

SCHEMA: Final = 1
KIND: Final = "analognet-report"
_SIZE_LIMIT: Final = 64 << 20
Report = Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """One row of the table. unit: SI, `%` for fractions, `text` for words; better: 1 where more is
    better, -1 where less is, 0 where neither; meaning: what exactly is given, and what its band is.
    """

    key: str
    title: str
    unit: str
    better: int
    meaning: str


ROWS: Final = (
    Row(
        "accuracy",
        "Accuracy",
        "%",
        1,
        "Right answers among n inputs that no training saw; band: 95 % Wilson interval. Circuits without spread.",
    ),
    Row(
        "agreement",
        "Agreement with float",
        "%",
        1,
        "Inputs that get the class of the float64 network; band: 95 % Wilson interval.",
    ),
    Row(
        "bits",
        "Precision, effective bits",
        "bit",
        1,
        "Bits of an ideal quantiser over the range of the float network's outputs with the same rms error; "
        "a circuit's noise is part of the error.",
    ),
    Row(
        "latency_s",
        "Latency",
        "s",
        -1,
        "Inputs there to outputs there, no converters. Circuits: worst of n transitions, to 1 % of full scale; band "
        "from the median transition. FPGAs: cycles over the median clock; band over seeds of place and route. "
        "Processors: median call for one input in the device's memory; band 5th to 95th percentile.",
    ),
    Row(
        "throughput_hz",
        "Throughput",
        "1/s",
        1,
        "Inferences a second of one instance. Circuits: not pipelined. Processors: the larger of one input and a "
        "batch at a time.",
    ),
    Row(
        "energy_j",
        "Energy per inference",
        "J",
        -1,
        "Of the network alone, at full rate, no converters. Circuits: supplies, reference and inputs, in ngspice; band "
        "from the median transition stopped when it has settled to the dearest one run to the worst latency. FPGAs: an "
        "estimate with its model's band, and at full rate the static power of the whole device where its clock is "
        "known. Integers: operations and memory reads alone, in 45 nm. Processors: from a counter of the machine, if "
        "it has one.",
    ),
    Row(
        "energy_per_op_j",
        "Energy per operation",
        "J",
        -1,
        "The row above over two operations for every weight.",
    ),
    Row(
        "latency_digital_in_s",
        "Latency, digital in and out",
        "s",
        -1,
        "Circuits: with one conversion of the input DACs and of the output comparators. Processors: from and to the "
        "host's memory.",
    ),
    Row(
        "energy_digital_in_j",
        "Energy, digital in and out",
        "J",
        -1,
        "Circuits: with input DACs and output comparators, parts for a board, published silicon for a chip. FPGAs: as "
        "they are.",
    ),
    Row(
        "latency_analog_in_s",
        "Latency, analog in, digital out",
        "s",
        -1,
        "Circuits: with the output comparators. All others: with a conversion of one ADC an input, side by side.",
    ),
    Row(
        "energy_analog_in_j",
        "Energy, analog in, digital out",
        "J",
        -1,
        "Circuits: with the output comparators. All others: with one conversion of an ADC an input, parts one can buy.",
    ),
    Row(
        "power_w",
        "Power at full rate",
        "W",
        -1,
        "Circuits: mean over an inference. FPGAs: energy times throughput.",
    ),
    Row("idle_w", "Power between inferences", "W", -1, "Circuits: at the zero input. FPGAs: static power."),
    Row("resources", "Resources", "text", 0, "What it is made of."),
    Row(
        "area_m2",
        "Area",
        "m2",
        -1,
        "Boards: parts with their courtyards over the fill, converters included. Chips: devices, no routing, no pads.",
    ),
    Row(
        "cost",
        "Cost of parts and board",
        "USD",
        -1,
        "Converters and reference included, assembly not; prices for orientation.",
    ),
    Row("noise_v_rms", "Noise at the noisiest output", "V", -1, "Thermal and op-amp noise, rms."),
    Row(
        "noisy_accuracy",
        "Accuracy with noise",
        "%",
        1,
        "Expected over the noise's distribution, the same inputs.",
    ),
    Row(
        "boards_accuracy",
        "Accuracy as fabricated",
        "%",
        1,
        "Mean over boards of parts, or chips, with spread; band: 5th to 95th percentile of them.",
    ),
    Row(
        "yield",
        "Yield",
        "%",
        1,
        "Boards or chips that lose at most a point against the float network; band: 95 % Wilson interval.",
    ),
    Row("programmable", "Programmability", "text", 0, "What changing the weights takes."),
)
BY_KEY: Final = {row.key: row for row in ROWS}


def load_report(path: Path) -> Report:
    """Read a `report.json`. Raises InputError naming what is wrong with it."""
    where = f"report '{printable(path)}'"
    try:
        held = json.loads(read_regular(path, "report", _SIZE_LIMIT), parse_constant=_no_constant)
    except (ValueError, RecursionError) as e:
        raise InputError(f"{where} is not JSON: {printable(e)}") from None
    if not isinstance(held, dict) or held.get("kind") != KIND:
        raise InputError(f"{where} is not what analognet compare writes")
    if held.get("schema") != SCHEMA:
        raise InputError(
            f"{where} has schema {printable(held.get('schema'))}; this AnalogNet reads {SCHEMA}: compare again"
        )
    try:
        check(held)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as e:
        raise InputError(f"{where} is damaged: {printable(repr(e))}; compare again") from None
    return held


class _Request(BaseModel):
    """What `reproduce` measures again: all of it is typed by whoever wrote the report."""

    model_config = ConfigDict(strict=True)
    model: str
    data: str | None
    technologies: Annotated[list[str], Field(min_length=1)]
    topology: str | None
    activations: str | None
    calibrate: str | None
    images: Annotated[int, Field(ge=2)]
    limited: bool
    quick: bool
    fpgas: list[str]
    seed: Annotated[int, Field(ge=0, lt=1 << 63)]


class _Stage(BaseModel):
    model_config = ConfigDict(strict=True)
    name: str
    title: str
    value: dict[str, Any]
    arrays_sha256: dict[str, str]


def check(report: Report) -> None:
    """Raises KeyError, TypeError, ValueError and the like where the value is not a report."""
    for key in (
        "network",
        "data",
        "settings",
        "request",
        "columns",
        "gaps",
        "series",
        "stages",
        "provenance",
    ):
        if not isinstance(report[key], dict | list):
            raise TypeError(f"{key} is no object")
    try:
        _Request.model_validate(report["request"])
        for stage in report["stages"]:
            _Stage.model_validate(stage)
    except ValidationError as e:
        first = e.errors()[0]
        raise ValueError(f"{'.'.join(map(str, first['loc'])) or 'a stage'}: {first['msg']}") from None
    for digest in (report["network"]["model_sha256"], report["data"]["sha256"]):
        if not isinstance(digest, str):
            raise TypeError("a digest is no text")
    names = [str(column["id"]) for column in report["columns"]]
    if len(set(names)) != len(names) or not names:
        raise ValueError("columns must have names of their own")
    for column in report["columns"]:
        for key, cell in column["cells"].items():
            if key not in BY_KEY:
                raise ValueError(f"unknown row {key}")
            if BY_KEY[key].unit != "text":
                for part in ("value", "low", "high"):
                    number = cell.get(part)
                    if number is not None and not (
                        isinstance(number, int | float)
                        and not isinstance(number, bool)
                        and math.isfinite(number)
                    ):
                        raise ValueError(f"{key}: {part} is no number")


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number that JSON has")
