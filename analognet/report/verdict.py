"""The verdict: sentences made from the numbers of a report and from nothing else.

Two figures differ where their uncertainty bands have no value in common; where they do, no
difference is shown, and that is what is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from analognet.report.table import cell_of, high, low, overlap, quantity
from analognet.report.value import BY_KEY, Report

NO_DIFFERENCE: Final = "no difference shown"
# row -> how a topic is called, in a list and at the head of a sentence
TOPICS: Final = (
    ("accuracy", "accuracy", "Accuracy"),
    ("latency_s", "latency", "Latency"),
    ("throughput_hz", "throughput", "Throughput"),
    ("energy_j", "energy of the network alone", "Energy of the network alone"),
    ("energy_digital_in_j", "energy between digital parts", "Energy between digital parts"),
    ("energy_analog_in_j", "energy where the inputs are voltages", "Energy where the inputs are voltages"),
)
_WINNERS: Final = {
    "analog": "the circuit",
    "fpga": "the FPGA",
    "float": "the processor",
    "integer": "the digital floor",
}
_CERTAIN: Final = 2.0  # standard errors


@dataclass(frozen=True)
class Finding:
    """Two columns in one row. better: the id of the one that wins, None where no difference is shown;
    factor: (lowest, likely, highest) of worse over better, None for accuracies and where nothing wins.
    """

    key: str
    one: str
    other: str
    better: str | None
    factor: tuple[float, float, float] | None


def verdict(report: Report) -> list[str]:
    """The paragraph, sentence by sentence; each begins with what it is about and a colon."""
    said = []
    circuits = [c for c in report["columns"] if c["kind"] == "analog"]
    for circuit in circuits:
        said += _in_short(report, circuit)
        for key, _, topic in TOPICS:
            said += _topic(report, circuit, key, topic)
        said += _as_fabricated(report, circuit)
        said += limits(report, circuit["id"])
        said += _help(report, circuit)
        said += _left_out(report, circuit)
    if not said:
        said.append("Verdict: no circuit was measured, so there is nothing to compare; the gaps say why.")
    return said


def _in_short(report: Report, circuit: Mapping[str, Any]) -> list[str]:
    """Against the best FPGA in each row: what the circuit wins, what it loses, what shows no difference."""
    wins: list[str] = []
    loses: list[str] = []
    neither: list[str] = []
    for key, topic, _ in TOPICS:
        best = rivals(report, key).get("fpga")
        found = compared(report, circuit["id"], best, key) if best else None
        if found is None:
            continue
        if found.better is None:
            neither.append(topic)
        else:
            told = f"{topic} by a factor of {_times(found.factor[1])}" if found.factor else topic
            (wins if found.better == circuit["id"] else loses).append(told)
    parts = [
        f"{words} {', '.join(topics)}"
        for words, topics in (
            ("better in", wins),
            ("worse in", loses),
            (f"{NO_DIFFERENCE} in", neither),
        )
        if topics
    ]
    if not parts:
        return []
    return [f"In short: {circuit['title']} is, against the best FPGA, {'; '.join(parts)}."]


def compared(report: Report, one: str, other: str, key: str) -> Finding | None:
    """Two columns in one row; None where one has no value."""
    a, b = cell_of(report, one, key), cell_of(report, other, key)
    if a is None or b is None:
        return None
    more = BY_KEY[key].better > 0
    first_wins = (a["value"] > b["value"]) == more
    # the worst of a few may be much worse: such a cell can lose, and not win
    if overlap(a, b) or (a if first_wins else b).get("few"):
        return Finding(key, one, other, None, None)
    better = one if first_wins else other
    small, large = (a, b) if a["value"] < b["value"] else (b, a)
    factor = None
    if BY_KEY[key].unit != "%" and low(small) > 0:
        factor = (low(large) / high(small), large["value"] / small["value"], high(large) / low(small))
    return Finding(key, one, other, better, factor)


def rivals(report: Report, key: str) -> dict[str, str]:
    """Whom a circuit is held against in a row: the best FPGA and the best processor measured, by kind."""
    found = {}
    for kind in ("fpga", "float"):
        ids = [str(column["id"]) for column in report["columns"] if column["kind"] == kind]
        # a device that was placed has a clock, and an energy from its netlist's toggles, not from a rule of thumb
        placed = [name for name in ids if cell_of(report, name, "latency_s") is not None]
        known = [
            (float(cell["value"]), name)
            for name in placed or ids
            if (cell := cell_of(report, name, key)) is not None
        ]
        if known:
            found[kind] = (max if BY_KEY[key].better > 0 else min)(known, key=lambda held: held[0])[1]
    return found


def _digital_floor(report: Report, circuit: Mapping[str, Any], key: str) -> dict[str, str]:
    """For a chip's own energy: the integers, whose energy is the least a digital chip could take."""
    if not circuit.get("chip") or key != "energy_j":
        return {}
    found = [str(c["id"]) for c in report["columns"] if c["kind"] == "integer"]
    return {"integer": found[0]} if found else {}


def _topic(report: Report, circuit: Mapping[str, Any], key: str, topic: str) -> list[str]:
    own = cell_of(report, circuit["id"], key)
    if own is None:
        return []
    row = BY_KEY[key]
    parts = []
    for kind, rival in {**rivals(report, key), **_digital_floor(report, circuit, key)}.items():
        found, theirs = compared(report, circuit["id"], rival, key), cell_of(report, rival, key)
        if found is None or theirs is None:
            continue
        told = f"{_title(report, rival)} {quantity(row, theirs['value'])}{_busy(report, rival, key)}"
        told += " (a floor in 45 nm: operations and memory reads alone)" if kind == "integer" else ""
        told += _estimated(theirs)
        if found.better is None:
            few = f" by {own['n']} transitions" if own.get("few") and not overlap(own, theirs) else ""
            parts.append(f"{told}: {NO_DIFFERENCE}{few}")
            continue
        winner = _WINNERS["analog" if found.better == circuit["id"] else kind]
        if found.factor is None:
            parts.append(f"{told}: {winner} wins by {100 * abs(own['value'] - theirs['value']):.2f} points")
        else:
            least, likely, most = (_times(f) for f in found.factor)
            parts.append(f"{told}: {winner} wins by a factor of {likely} ({least} to {most})")
    rest = ". ".join(parts) if parts else "Nothing to hold it against"
    return [f"{topic}: {_title(report, circuit['id'])} {quantity(row, own['value'])}. {rest}."]


def _busy(report: Report, column: str, key: str) -> str:
    busy = key in ("latency_s", "throughput_hz") and any(
        c.get("busy") for c in report["columns"] if c["id"] == column
    )
    return " (timed on a busy machine: too long)" if busy else ""


def _estimated(held: Mapping[str, Any]) -> str:
    """Where a figure was not measured, what it is estimated from."""
    basis = str(held.get("note") or "").partition(";")[0]
    return f" (an {basis})" if basis.startswith("estimate from") else ""


def _title(report: Report, column: str) -> str:
    return next(str(c["title"]) for c in report["columns"] if c["id"] == column)


def _times(factor: float) -> str:
    if factor < 2:
        return f"{factor:.3g}"
    return (
        f"{factor:.2g}"
        if factor < 10
        else f"{factor:.0f}"
        if factor < 100
        else f"{float(f'{factor:.2g}'):,.0f}"
    )


def _as_fabricated(report: Report, circuit: Mapping[str, Any]) -> list[str]:
    boards = cell_of(report, circuit["id"], "boards_accuracy")
    good = cell_of(report, circuit["id"], "yield")
    if boards is None or good is None:
        return []
    row = BY_KEY["boards_accuracy"]
    kind = "chips whose devices differ" if circuit.get("chip") else "boards of parts with spread"
    return [
        f"As fabricated: over {boards['n']} {kind} {_title(report, circuit['id'])} reaches "
        f"{quantity(row, boards['value'])} on average, and {quantity(BY_KEY['yield'], good['value'])} of them "
        f"({quantity(row, low(good))} to {quantity(row, high(good))}) lose at most a point against float."
    ]


def limits(report: Report, column: str) -> list[str]:
    """What limits a circuit: in energy, in time between converters, in accuracy as fabricated, in size."""
    said = []
    use = next((u for u in report["series"]["energy_use"] if u["column"] == column), None)
    if use is not None:
        total = sum(u["energy_j"] for u in use["uses"])
        largest = max(use["uses"], key=lambda u: float(u["energy_j"]))
        said.append(f"{100 * largest['energy_j'] / total:.0f} % of its energy is {largest['name']}")
        for line in use["converters"]:
            if line["energy_j"] > 0.05 * total:
                spent = quantity(BY_KEY["energy_j"], line["energy_j"])
                said.append(
                    f"its {line['name']} would add {spent}, {100 * line['energy_j'] / total:.0f} % of that"
                )
    alone, between = cell_of(report, column, "latency_s"), cell_of(report, column, "latency_digital_in_s")
    if alone is not None and between is not None and between["value"] > 2 * alone["value"]:
        told = quantity(BY_KEY["latency_s"], between["value"] - alone["value"])
        said.append(f"a conversion at its ends takes {told}, longer than the network itself")
    worst = costliest(report, column)
    if worst is not None:
        said.append(
            f"of the parts' spread, {worst['source']} alone costs {_points(worst['loss'])} of accuracy"
        )
    elif any(b["column"] == column and b["sensitivity"] for b in report["series"]["boards"]):
        said.append("no kind of spread alone costs accuracy that can be told from chance")
    size, cost = cell_of(report, column, "area_m2"), cell_of(report, column, "cost")
    if size is not None:
        told = f"it takes {quantity(BY_KEY['area_m2'], size['value'])}"
        said.append(told + (f" and {quantity(BY_KEY['cost'], cost['value'])}" if cost is not None else ""))
    return [f"What limits {_title(report, column)}: " + "; ".join(said) + "."] if said else []


def _points(share: float) -> str:
    return f"{100 * share:.2g} points"


def costliest(report: Report, column: str) -> Mapping[str, Any] | None:
    """The source of variation that costs the most accuracy, where that is more than chance."""
    for boards in report["series"]["boards"]:
        if boards["column"] == column:
            certain = [s for s in boards["sensitivity"] if s["loss"] > _CERTAIN * s["loss_error"]]
            if certain:
                found: Mapping[str, Any] = max(certain, key=lambda s: s["loss"])
                return found
    return None


def _help(report: Report, circuit: Mapping[str, Any]) -> list[str]:
    """The change that would help most: from the designs tried, the converters, and the sensitivity runs."""
    column, said = circuit["id"], []
    points = [p for p in report["series"]["design_space"] if p["column"] == column]
    own = next((p for p in points if p["own"]), None)
    energy, analog = (cell_of(report, column, f"energy_{way}_in_j") for way in ("digital", "analog"))
    options = []
    if energy is not None and analog is not None and analog["value"] < 0.95 * energy["value"]:
        options.append(
            (energy["value"] / analog["value"], "inputs that arrive as voltages, without DACs", "")
        )
    if own is not None:
        as_good = [p for p in points if p["accuracy"] >= own["accuracy"]]
        frugal = min(as_good, key=lambda p: float(p["energy_j"]))
        if frugal["energy_j"] < 0.95 * own["energy_j"]:
            options.append((own["energy_j"] / frugal["energy_j"], frugal["label"], _tried(frugal)))
        else:
            said.append(f"none of the {len(points)} designs tried takes less energy at its accuracy")
        fast = min(as_good, key=lambda p: float(p["latency_s"]))
        if fast["latency_s"] < 0.8 * own["latency_s"]:
            price = fast["energy_j"] / own["energy_j"]
            factor = _times(own["latency_s"] / fast["latency_s"])
            told = f"latency down by a factor of {factor} at {_times(price)} times the energy"
            said.append(f"{fast['label']}: {told}{_tried(fast)}")
    best = sorted(options, reverse=True)
    said = [
        f"{label}: energy down by a factor of {_times(factor)}{how}" for factor, label, how in best
    ] + said
    worst = costliest(report, column)
    if worst is not None:
        said.append(f"parts without spread of {worst['source']}: {_points(worst['loss'])} of accuracy back")
    return [f"What would help {circuit['title']} most: " + "; ".join(said) + "."] if said else []


def _left_out(report: Report, circuit: Mapping[str, Any]) -> list[str]:
    """What a figure above would be less good for."""
    cell = cell_of(report, circuit["id"], "latency_s")
    said = []
    if cell is not None:
        where = "the typical corner and 27 °C" if circuit.get("chip") else "27 °C"
        said.append(f"latency and energy are of {cell['n']} transitions of the nominal circuit at {where}")
    made = "a chip's wires, routing and pads" if circuit.get("chip") else "a board's tracks"
    said.append(f"{made} are not in any figure")
    return [f"Not in these figures of {circuit['title']}: " + "; ".join(said) + "."]


def _tried(point: Mapping[str, Any]) -> str:
    return f" (by the estimate, {100 * point['accuracy']:.2f} % on {point['images']} inputs)"
