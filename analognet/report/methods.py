"""The methods section, from what a report says of itself: tools, versions, seeds, options, commands."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any, Final

from analognet.comparison.settings import FPGAS, QUICK_FPGAS
from analognet.report.value import Report
from analognet.units import engineering

REPRODUCE: Final = "analognet reproduce report.json"


@dataclass(frozen=True)
class Methods:
    """command: makes the report again; paragraphs: in words; versions: (name, version); stages: (title,
    inputs in words, command that measures it again and compares).
    """

    command: str
    paragraphs: tuple[str, ...]
    versions: tuple[tuple[str, str], ...]
    stages: tuple[tuple[str, str, str], ...]


def methods(report: Report) -> Methods:
    provenance = report["provenance"]
    known = {**provenance["versions"], **provenance["tools"]}
    return Methods(
        command(report),
        tuple(_paragraphs(report)),
        tuple(sorted((str(k), str(v)) for k, v in known.items())),
        tuple(
            (s["title"], _inputs(s["inputs"]), f"{REPRODUCE} --stage {shlex.quote(s['name'])}")
            for s in report["stages"]
        ),
    )


def command(report: Report) -> str:
    """The command line that makes the report."""
    r = report["request"]
    words = ["analognet", "compare", r["model"], "--data", r["data"] or "DATA"]
    words += ["--technology", ",".join(r["technologies"])]
    for option in ("activations", "topology", "calibrate"):
        if r[option]:
            words += [f"--{option}", r[option]]
    if r["limited"]:
        words += ["--images", str(r["images"])]
    if r["seed"]:
        words += ["--seed", str(r["seed"])]
    if tuple(r["fpgas"]) != (QUICK_FPGAS if r["quick"] else FPGAS):
        words += ["--fpga", ",".join(r["fpgas"]) or "none"]
    if r["quick"]:
        words.append("--quick")
    return shlex.join(str(w) for w in words)


def _paragraphs(report: Report) -> list[str]:
    network, data, s = report["network"], report["data"], report["settings"]
    shape, kinds = "-".join(map(str, network["shape"])), ", ".join(network["activations"])
    said = [
        f"One network, {shape} with activations {kinds} and {network['macs']:,} weights, was evaluated in every column "
        f"with the same weights on the same {data['images']:,} inputs of {data['name']}, "
        f"{'with' if data['labelled'] else 'without'} labels. The reference of agreement is the float64 network.",
        f"The integers have 8 bits; their scales were chosen on {data['calibration']}"
        + (", its training split. " if data["calibration"] == data["name"] and data["split"] else ". ")
        + "Every multiply-accumulate counts as two operations.",
        "Converters are in on both sides or out on both. The rows without them have ideal inputs and outputs. The rows "
        "'digital in and out' add input DACs and output comparators to circuits. The rows 'analog in' add an ADC for "
        "every input to everything digital, and the comparators alone to circuits. The power of the voltage reference "
        "is in a circuit's energy.",
        f"Operating points of up to {s['ngspice_images']:,} inputs were simulated in ngspice, of up to "
        f"{s['solver_images']:,} by the exact solver. Latency and energy of circuits come from {s['transitions']} "
        "steps from input to input in ngspice, half of them built to be worst. Boards are "
        f"{s['boards']:,} draws of all parts with their data sheets' spread; the seed is {s['seed']}.",
    ]
    for row in report["series"]["engines"]:
        largest = engineering(row["largest_v"], "V").replace(" u", " µ")
        said.append(
            f"{row['column']}: on {row['images']} inputs outputs of ngspice and solver differ by at most {largest}."
        )
    for column in report["columns"]:
        if column["kind"] == "float" and column["cells"]["latency_s"]["value"] is not None:
            said.append(
                f"{column['title']}: {column['about']}. Kernels as tinygrad makes them (BEAM=0); single calls after "
                "warm-up, timed once on this machine and kept. Such times belong to a machine and come out otherwise "
                "when they are measured again."
            )
    said.append(
        "Two figures differ in the verdict where their uncertainty bands have no value in common; where the bands "
        "overlap, it says 'no difference shown'. What was not measured is empty and has its reason."
    )
    return said


def _inputs(inputs: Any) -> str:
    """What decides a stage's result, digests cut to what tells them apart."""
    shown = []
    for key, value in inputs.items():
        if isinstance(value, dict) or key in ("versions", "tools"):
            continue
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        shown.append(f"{key} {text[:12] if len(text) == 64 else text}")
    return "; ".join(shown)
