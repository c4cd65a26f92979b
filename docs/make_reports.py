"""The committed reports and the README's table of them.

    python docs/make_reports.py [digits] [mnist]

Writes docs/reports/NAME by `analognet compare`, and from the digits report the table between the marks
in README.md. MNIST comes from the directory that ANALOGNET_DATA names, and takes its time.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from analognet.cli.app import run
from analognet.report import table
from analognet.report.value import BY_KEY, Report, load_report

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
MARKS = ("<!-- report: python docs/make_reports.py digits -->\n", "<!-- end of report -->")
# mnist has 100,000 weights: for a chip there is examples/mnist_chip, trained for area (docs/sky130.md)
TECHNOLOGIES = {"digits": "board,sky130", "mnist": "board"}
ROWS = (
    *("accuracy", "boards_accuracy", "latency_s", "latency_digital_in_s", "throughput_hz", "energy_j"),
    *("energy_digital_in_j", "energy_analog_in_j", "power_w", "area_m2", "cost"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=list(TECHNOLOGIES))
    given = parser.parse_args()
    os.chdir(HERE.parent)  # the paths in a report are as they were typed
    for name in given.names:
        model, out = f"examples/{name}/{name}.safetensors", f"docs/reports/{name}"
        if code := run(["compare", model, "--data", name, "--technology", TECHNOLOGIES[name], "--out", out]):
            sys.exit(code)
    head, rest = README.read_text(encoding="utf-8").split(MARKS[0])
    report = load_report(HERE / "reports" / "digits" / "report.json")
    tail = rest[rest.index(MARKS[1]) :]
    README.write_text(head + MARKS[0] + "\n".join(readme_table(report)) + "\n" + tail, encoding="utf-8")


def readme_table(report: Report) -> list[str]:
    """The rows that a first look needs, of the columns that were measured; bands in brackets."""
    columns = [
        c
        for c in report["columns"]
        if c["kind"] != "integer" and c["cells"]["latency_s"]["value"] is not None
    ]
    lines = ["| | " + " | ".join(c["title"] for c in columns) + " |", "|---|" + "---|" * len(columns)]
    for key in ROWS:
        cells = [table.shown(BY_KEY[key], c["cells"][key]) for c in columns]
        shown = [cell.main + (f" ({cell.band})" if cell.band else "") for cell in cells]
        lines.append(f"| {BY_KEY[key].title} | " + " | ".join(shown) + " |")
    return lines


if __name__ == "__main__":
    main()
