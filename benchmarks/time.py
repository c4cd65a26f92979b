"""Latency and energy, and how far the estimate may be trusted: `python benchmarks/time.py [--quick]`.

Processor times are ngspice's own (user + system). The second part compares the estimate with
ngspice for every example and every catalogued op-amp; `on the edge` counts the transitions for which
the estimate itself says that a ripple touches the 1 % band, so that 15 % of its height move the
latency by over 10 %. Results already in --out are not measured again, so an interrupted run goes
on where it stopped. MNIST needs its data set, see `analognet.data`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

import analognet
from analognet import storage
from analognet.analog.cells import library
from analognet.inference import transient
from analognet.simulation import ngspice_version

EXAMPLES = ("iris", "digits", "digits_sigmoid", "digits_deep", "mnist")
LATENCY_LIMIT, ENERGY_LIMIT = 0.25, 0.10  # error of the estimate beyond which it is flagged


def opamps() -> list[str]:
    """Catalogued op-amps that have dynamics."""
    return sorted(
        name.removeprefix("opamp_")
        for name, cell in library().items()
        if cell.family == "opamp" and "gbw" in cell.defaults
    )


def measure(example: str, opamp: str, transitions: int, jobs: int) -> dict[str, Any]:
    """One row: ngspice and estimate of the same transitions; errors are the largest in magnitude."""
    try:
        design = analognet.convert(f"examples/{example}/{example}.safetensors", overrides={"opamp": opamp})
        study = transient(design, transitions=transitions, jobs=jobs)
    except analognet.AnalogNetError as e:
        return {"example": example, "opamp": opamp, "refused": str(e)}
    s = [i.settling for i in study.inferences]
    guess = study.estimate
    energy = np.array([i.observed.flow.energy(i.settling.latency_1_s) for i in study.inferences])
    coarse, fine = np.array([v.latency_1_s for v in s]), np.array([v.latency_01_s for v in s])
    decision = np.array([v.decision_s for v in s])
    return {
        "example": example,
        "opamp": opamp,
        "transitions": len(s),
        "unsettled": sum(not v.settled for v in s),
        "latency_1_s": coarse.tolist(),
        "latency_01_s": fine.tolist(),
        "decision_s": decision.tolist(),
        "slewing_s": [v.slewing_s for v in s],
        "energy_1_j": energy.tolist(),
        "energy_j": study.metrics["energy_j"],
        "power_w": study.metrics["power_w"],
        "opamps": study.metrics["opamps"],
        "macs": design.network.macs,
        "estimate_1_s": guess.latency_1_s.tolist(),
        "estimate_01_s": guess.latency_01_s.tolist(),
        "estimate_range_s": [guess.earliest_1_s.tolist(), guess.latest_1_s.tolist()],
        "estimate_energy_j": guess.energy_1_j.tolist(),
        "formula_01_s": guess.formula_s.tolist(),
        "error_1": largest(guess.latency_1_s / coarse - 1),
        "error_01": largest(guess.latency_01_s / fine - 1),
        "error_worst_1": float(guess.latency_1_s.max() / coarse.max() - 1),
        "error_worst_01": float(guess.latency_01_s.max() / fine.max() - 1),
        "error_energy": largest(guess.energy_1_j / energy - 1),
        "error_formula": largest(guess.formula_s / fine - 1),
        "cpu_s": [i.cpu_s for i in study.inferences],
        "runs": [i.runs for i in study.inferences],
        "by_use_j": study.metrics.details["transient"].get("energy_by_use_j"),
        "notes": list(study.notes),
    }


def largest(errors: np.ndarray) -> float:
    return float(errors[np.argmax(np.abs(errors))])


def show(row: dict[str, Any]) -> None:
    label = f"  {row['example']:15s} {row['opamp']:11s}"
    if "refused" in row:
        print(f"{label} refused: {row['refused'][:90]}")
        return
    flags = [
        name
        for name, error, limit in (
            ("1 % latency", row["error_1"], LATENCY_LIMIT),
            ("0.1 % latency", row["error_01"], LATENCY_LIMIT),
            ("energy", row["error_energy"], ENERGY_LIMIT),
        )
        if abs(error) > limit
    ]
    early, late = (np.array(times) for times in row["estimate_range_s"])
    touching = int((late / early > 1 + ENERGY_LIMIT).sum())
    print(
        f"{label} {row['transitions']:3d} {1e6 * max(row['latency_1_s']):9.3f} {1e6 * max(row['latency_01_s']):9.3f} "
        f"{1e6 * max(row['decision_s']):8.3f} {1e6 * max(row['slewing_s']):8.3f} {1e6 * row['energy_j']:10.4g}  "
        f"{100 * row['error_1']:+6.1f} {100 * row['error_01']:+6.1f} {100 * row['error_energy']:+6.1f} "
        f"{100 * row['error_formula']:+7.0f}  {np.median(row['cpu_s']):7.2f} {max(row['cpu_s']):7.2f}"
        + (f"  WORSE: {', '.join(flags)}" if flags else "")
        + (f"  on the edge: {touching}" if touching else "")
        + (f"  unsettled: {row['unsettled']}" if row["unsettled"] else "")
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three op-amps, two transitions, no MNIST")
    parser.add_argument("--out", type=Path, help="a JSON file to keep rows in, and to go on from")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--examples", nargs="*", default=list(EXAMPLES))
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    if arguments.out and arguments.out.is_file():
        rows = json.loads(arguments.out.read_text())
    print(f"AnalogNet time benchmark; ngspice {ngspice_version()}; board technology, split topology")
    print(
        "times in us, energy in uJ at the worst 1 % latency, errors of the estimate in %, CPU in s: median, largest"
    )
    print(
        "  example         op-amp        n  worst 1%  worst .1% decision  slewing  energy      "
        "1%    .1% energy formula      CPU"
    )
    parts = ["opa4192", *(p for p in opamps() if p != "opa4192")]
    for example in arguments.examples:
        for opamp in parts[:3] if arguments.quick else parts:
            if arguments.quick and example == "mnist":
                continue
            known = [r for r in rows if (r["example"], r["opamp"]) == (example, opamp)]
            if not known:
                many = 6 if example == "mnist" else 20
                n = 2 if arguments.quick else many if opamp == "opa4192" else 4
                known = [measure(example, opamp, n, arguments.jobs)]
                rows += known
                if arguments.out:
                    storage.write_file(arguments.out, json.dumps(rows).encode())
            show(known[0])


if __name__ == "__main__":
    main()
