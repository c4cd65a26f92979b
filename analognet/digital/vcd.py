"""Reads value change dumps: signals sampled at clock edges, and how often nets toggle."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from analognet.errors import SimulatorError
from analognet.names import printable

Change = tuple[int, str, str]  # time, identifier, value as binary digits


def _header(lines: Iterator[str]) -> dict[str, str]:
    """Full name, parts joined by dots and without ranges -> identifier. Stops after the definitions."""
    scope: list[str] = []
    names: dict[str, str] = {}
    for line in lines:
        words = line.split()
        if not words:
            continue
        if len(words) < {"$scope": 3, "$var": 5}.get(words[0], 1) or (words[0] == "$upscope" and not scope):
            raise SimulatorError(f"value change dump: broken definition '{printable(line.strip())}'")
        if words[0] == "$scope":
            scope.append(words[2])
        elif words[0] == "$upscope":
            scope.pop()
        elif words[0] == "$var":
            names[".".join([*scope, words[4].split("[")[0]])] = words[3]
        elif words[0] == "$enddefinitions":
            return names
    return names


def _changes(lines: Iterator[str]) -> Iterator[Change]:
    time = 0
    for line in lines:
        first = line[0]
        if first == "#":
            try:
                time = int(line[1:])
            except ValueError:
                raise SimulatorError(f"value change dump: no time '{printable(line.strip())}'") from None
        elif first in "bB":
            value, _, identifier = line[1:].partition(" ")
            yield time, identifier.strip(), value
        elif first not in "$rR\n":
            yield time, line[1:].strip(), first


def sample(path: Path, clock: str, signals: Collection[str]) -> list[dict[str, str]]:
    """The values of `signals` just before every rising edge of `clock`; names end as given.

    Raises SimulatorError for a broken dump and for a signal that it does not hold.
    """
    with path.open(encoding="latin-1") as file:
        lines = iter(file)
        names = _header(lines)
        by_id: dict[str, list[str]] = {}
        for wanted in (*signals, clock):
            full = [n for n in names if n.lower() == wanted or n.lower().endswith("." + wanted)]
            if not full:
                raise SimulatorError(f"value change dump: has no signal {printable(wanted)}")
            by_id.setdefault(names[min(full, key=len)], []).append(wanted)
        before: dict[str, str] = dict.fromkeys(signals, "")
        now = dict(before)
        last_clock, last_time = "", -1
        rows: list[dict[str, str]] = []
        for time, identifier, value in _changes(lines):
            if time != last_time:
                before, last_time = dict(now), time
            for wanted in by_id.get(identifier, ()):
                if wanted == clock:
                    if value == "1" and last_clock == "0":
                        rows.append({s: before[s] for s in signals})
                    last_clock = value
                else:
                    now[wanted] = value
        return rows


def toggles(path: Path, scope: str) -> dict[str, int]:
    """Bit changes between 0 and 1 of every signal directly in `scope`, by its short name."""
    with path.open(encoding="latin-1") as file:
        lines = iter(file)
        names = _header(lines)
        inside = {i: n.rpartition(".")[2] for n, i in names.items() if n.rpartition(".")[0] == scope}
        count = dict.fromkeys(inside.values(), 0)
        value: dict[str, str] = {}
        for _, identifier, new in _changes(lines):
            name = inside.get(identifier)
            if name is None:
                continue
            old = value.get(identifier, "")
            wide = max(len(old), len(new))
            count[name] += sum(
                {a, b} == {"0", "1"} for a, b in zip(_extend(old, wide), _extend(new, wide), strict=True)
            )
            value[identifier] = new
        return count


def _extend(value: str, digits: int) -> str:
    """A dump drops leading zeros, and leading copies of x or z."""
    fill = value[0] if value[:1] in ("x", "z", "X", "Z", "u", "U") else "0"
    return (value or "x").rjust(digits, fill if value else "x")
