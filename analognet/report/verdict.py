"""The verdict: sentences made from the numbers of a report and from nothing else.

Two figures differ where their uncertainty bands have no value in common; where they do, no
difference is shown, and that is what is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from analognet.quantities import engineering
from analognet.report.table import cell_of, high, low, overlap, quantity
from analognet.report.value import BY_KEY, Report

NO_DIFFERENCE: Final = "no difference shown"
# row -> how it is told: topic, and the word for the better one
TOPICS: Final = (
    ("accuracy", "Accuracy", "higher"),
    ("latency_s", "Latency", "shorter"),
    ("throughput_hz", "Throughput", "higher"),
    ("energy_j", "Energy of the network alone", "lower"),
    ("energy_digital_in_j", "Energy between digital parts", "lower"),
    ("energy_analog_in_j", "Energy where the inputs are voltages", "lower"),
)
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
    """The paragraph, sentence by sentence; each begins with what it is about."""
    said = []
    circuits = [c for c in report["columns"] if c["kind"] == "analog"]
    for circuit in circuits:
        for key, topic, word in TOPICS:
            said += _topic(report, circuit, key, topic, word)
        said += _as_fabricated(report, circuit)
        said += limits(report, circuit["id"])
        said += _help(report, circuit)
    if not circuits or not said:
        said.append("Verdict: no circuit was measured, so there is nothing to compare; the gaps say why.")
    return said


def compared(report: Report, one: str, other: str, key: str) -> Finding | None:
    """Two columns in one row; None where one has no value."""
    a, b = cell_of(report, one, key), cell_of(report, other, key)
    if a is None or b is None:
        return None
    if overlap(a, b):
        return Finding(key, one, other, None, None)
    more = BY_KEY[key].better > 0
    first_wins = (a["value"] > b["value"]) == more
    better = one if first_wins else other
    small, large = (a, b) if a["value"] < b["value"] else (b, a)
    factor = None
    if BY_KEY[key].unit != "%" and low(small) > 0:
        factor = (low(large) / high(small), large["value"] / small["value"], high(large) / low(small))
    return Finding(key, one, other, better, factor)


def rivals(report: Report, key: str) -> list[str]:
    """Whom a circuit is held against in a row: the best FPGA and the best processor, of those measured."""
    found = []
    for kind in ("fpga", "float"):
        known = [
            (float(cell["value"]), str(column["id"]))
            for column in report["columns"]
            if column["kind"] == kind and (cell := cell_of(report, column["id"], key)) is not None
        ]
        if known:
            found.append((max if BY_KEY[key].better > 0 else min)(known)[1])
    return found


def _topic(report: Report, circuit: Mapping[str, Any], key: str, topic: str, word: str) -> list[str]:
    own = cell_of(report, circuit["id"], key)
    if own is None:
        return []
    row = BY_KEY[key]
    parts = []
    for rival in rivals(report, key):
        found = compared(report, circuit["id"], rival, key)
        theirs = cell_of(report, rival, key)
        if found is None or theirs is None:
            continue
        told = f"{_title(report, rival)} {quantity(row, theirs['value'])}"
        if found.better is None:
            parts.append(f"{told}: {NO_DIFFERENCE}")
            continue
        who = "the circuit's" if found.better == circuit["id"] else "its"
        if found.factor is None:
            points = 100 * abs(own["value"] - theirs["value"])
            parts.append(f"{told}: {who} is {word} by {points:.2f} points")
        else:
            least, likely, most = found.factor
            span = f" ({_times(least)} to {_times(most)})" if _times(least) != _times(most) else ""
            parts.append(f"{told}: {who} is {word}, by a factor of {_times(likely)}{span}")
    if not parts:
        return [
            f"{topic}: {_title(report, circuit['id'])} {quantity(row, own['value'])}; nothing to hold it against."
        ]
    return [
        f"{topic}: {_title(report, circuit['id'])} {quantity(row, own['value'])}, against "
        + "; ".join(parts)
        + "."
    ]


def _title(report: Report, column: str) -> str:
    return next(str(c["title"]) for c in report["columns"] if c["id"] == column)


def _times(factor: float) -> str:
    return f"{factor:.2g}" if factor < 10 else f"{factor:.0f}" if factor < 1000 else f"{factor:.2g}"


def _as_fabricated(report: Report, circuit: Mapping[str, Any]) -> list[str]:
    boards = cell_of(report, circuit["id"], "boards_accuracy")
    good = cell_of(report, circuit["id"], "yield")
    if boards is None or good is None:
        return []
    row = BY_KEY["boards_accuracy"]
    return [
        f"As fabricated: over {boards['n']} boards of parts with spread {_title(report, circuit['id'])} reaches "
        f"{quantity(row, boards['value'])} on average, and {quantity(BY_KEY['yield'], good['value'])} of them "
        f"({quantity(row, low(good))} to {quantity(row, high(good))}) lose at most a point against float."
    ]


def limits(report: Report, column: str) -> list[str]:
    """What limits a circuit: in energy, in time between converters, in accuracy as fabricated."""
    said = []
    use = next((u for u in report["series"]["energy_use"] if u["column"] == column), None)
    if use is not None:
        total = sum(use["uses"].values())
        name, joules = max(use["uses"].items(), key=lambda item: item[1])
        said.append(f"{100 * joules / total:.0f} % of its energy is {name}")
        for line, spent in use["converters"].items():
            if line.startswith("input") and spent > 0:
                said.append(
                    f"its {line} take {engineering(spent, 'J').replace(' u', ' µ')} more, {spent / total:.2g} of that"
                )
    alone, between = cell_of(report, column, "latency_s"), cell_of(report, column, "latency_digital_in_s")
    if alone is not None and between is not None and between["value"] > 2 * alone["value"]:
        told = quantity(BY_KEY["latency_s"], between["value"] - alone["value"])
        said.append(f"its converters take {told}, longer than the network itself")
    worst = costliest(report, column)
    if worst is not None:
        said.append(
            f"of the parts' spread, {worst['source']} alone costs {100 * worst['loss']:.3f} points of accuracy"
        )
    elif any(b["column"] == column and b["sensitivity"] for b in report["series"]["boards"]):
        said.append("no kind of spread alone costs accuracy that can be told from chance")
    return [f"What limits {_title(report, column)}: " + "; ".join(said) + "."] if said else []


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
    """The change that would help most, by the sensitivity runs: what each saves of energy, or gives of accuracy."""
    column = circuit["id"]
    energy = cell_of(report, column, "energy_digital_in_j")
    found: list[tuple[float, str]] = []
    analog = cell_of(report, column, "energy_analog_in_j")
    if energy is not None and analog is not None and analog["value"] < energy["value"]:
        saved = energy["value"] / analog["value"]
        found.append(
            (
                saved,
                f"inputs that arrive as voltages, without DACs: energy down by a factor of {_times(saved)}",
            )
        )
    better = _best_part(report, column)
    if better is not None:
        saved, accuracy, label = better
        found.append(
            (
                saved,
                f"op-amp {label}: energy of the network down by a factor of {_times(saved)}, by the estimate, at "
                f"{100 * accuracy:.2f} % on the inputs tried",
            )
        )
    said = [text for _, text in sorted(found, reverse=True)[:2]]
    worst = costliest(report, column)
    if worst is not None:
        said.append(
            f"parts without spread of {worst['source']}: {100 * worst['loss']:.3f} points of accuracy back"
        )
    return [f"What would help {circuit['title']} most: " + "; then ".join(said) + "."] if said else []


def _best_part(report: Report, column: str) -> tuple[float, float, str] | None:
    """(factor of energy, accuracy, label) of the op-amp that saves the most and loses no accuracy."""
    points = [p for p in report["series"]["design_space"] if p["column"] == column and "settings" in p]
    own = _own_part(report, column, points)
    if own is None:
        return None
    as_good = [p for p in points if p["accuracy"] >= own["accuracy"] and p["energy_j"] < own["energy_j"]]
    if not as_good:
        return None
    best = min(as_good, key=lambda p: float(p["energy_j"]))
    return own["energy_j"] / best["energy_j"], float(best["accuracy"]), str(best["label"])


def _own_part(report: Report, column: str, points: list[Any]) -> Mapping[str, Any] | None:
    """The point of the design space that is the column itself."""
    part = next(c.get("part") for c in report["columns"] if c["id"] == column)
    return next((p for p in points if p["label"] == part), None)
