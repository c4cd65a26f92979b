"""Moves pipeline registers into the hard blocks of an ECP5 netlist, and copies those that feed many.

A MULT18X18D has registers at its operands and its product, a DP16KD at its output. Yosys leaves
them unused and puts flip-flops around the block instead; this pass, like those of vendors'
tools, lets the block take them over. A flip-flop that then still feeds many multipliers, which
lie all over the device, gets copies, one for every few of them. The netlist computes the same,
cycle for cycle: a register only moves across the block's boundary, and the netlist is simulated
after it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

Cell = dict[str, Any]
Bit = int | str  # a net's number in yosys JSON, or a constant "0", "1", "x"

FANOUT = 16  # multipliers that one flip-flop feeds

_INPUTS = ("A", "B")
_WIDTH = 18


def absorb_registers(module: dict[str, Any]) -> int:
    """Rewrites one module of a yosys JSON netlist in place. Answers the flip-flops it removed.

    An operand moves when every bit of it is a constant or comes from a flip-flop without
    enable and reset, and both operands move together, as the timing model wants it. A product
    moves when every bit of it that is used goes to one such flip-flop and nowhere else; so does
    the output of a block RAM.
    """
    cells: dict[str, Cell] = module["cells"]
    plain = {name: c for name, c in cells.items() if c["type"] == "TRELLIS_FF" and _plain(c)}
    by_q = {c["connections"]["Q"][0]: c for c in plain.values()}
    multipliers = [c for c in cells.values() if c["type"] == "MULT18X18D"]
    for c in multipliers:
        _absorb_operands(c, by_q)
    dropped = _drop_unread(module, plain)
    by_d: dict[Bit, list[str]] = {}
    for name, c in plain.items():
        by_d.setdefault(c["connections"]["DI"][0], []).append(name)
    users = _users(module)
    gone: set[str] = set()
    for c in multipliers:
        names = [f"P{i}" for i in range(2 * _WIDTH)]
        taken = _find_output(c, names, plain, by_d, users)
        if taken is not None:
            _move_output(c, taken, plain)
            _clock(c, taken.clock, ["REG_OUTPUT"])
            gone |= taken.flip_flops
    for c in cells.values():
        # 36 bits are read through both outputs at once: left as they are
        if c["type"] != "DP16KD" or int(c["parameters"]["DATA_WIDTH_A"], 2) > _WIDTH:
            continue
        for side in "AB":
            names = [f"DO{side}{i}" for i in range(_WIDTH)]
            taken = _find_output(c, names, plain, by_d, users)
            if taken is not None and c["connections"][f"CLK{side}"] == [taken.clock]:
                _move_output(c, taken, plain)
                c["parameters"][f"REGMODE_{side}"] = "OUTREG"
                c["connections"][f"OCE{side}"] = ["1"]
                gone |= taken.flip_flops
    for name in gone:
        del cells[name]
    return dropped + len(gone)


def _drop_unread(module: dict[str, Any], plain: dict[str, Cell]) -> int:
    """Removes flip-flops that nothing reads any more, from the module and from `plain`."""
    users = _users(module)
    unread = [name for name, c in plain.items() if not users[c["connections"]["Q"][0]]]
    for name in unread:
        del module["cells"][name], plain[name]
    return len(unread)


def copy_registers(module: dict[str, Any], fanout: int = FANOUT) -> int:
    """Gives every plain flip-flop that feeds more than `fanout` multipliers copies of itself.

    Rewrites one module of a yosys JSON netlist in place; answers the copies it made.
    """
    cells: dict[str, Cell] = module["cells"]
    loads: dict[Bit, dict[str, list[str]]] = {}  # net -> multiplier -> its pins
    highest = 1
    for name, c in cells.items():
        for pin, bits in c["connections"].items():
            highest = max([highest, *(b for b in bits if isinstance(b, int))])
            if c["type"] == "MULT18X18D" and pin[0] in _INPUTS and pin[1:].isdigit():
                loads.setdefault(bits[0], {}).setdefault(name, []).append(pin)
    made = 0
    for name, c in [(n, c) for n, c in cells.items() if c["type"] == "TRELLIS_FF" and _plain(c)]:
        fed = sorted(loads.get(c["connections"]["Q"][0], {}).items())
        for start in range(fanout, len(fed), fanout):
            made += 1
            net = highest + made
            copy = {**c, "connections": {**c["connections"], "Q": [net]}}
            cells[f"{name}_copy{start // fanout}"] = copy
            for multiplier, pins in fed[start : start + fanout]:
                cells[multiplier]["connections"] |= {pin: [net] for pin in pins}
    return made


def _plain(cell: Cell) -> bool:
    """A flip-flop with neither enable nor reset, on the rising edge."""
    p, pins = cell["parameters"], cell["connections"]
    no_enable = p.get("CEMUX") == "1" or "CE" not in pins
    no_reset = "LSR" not in pins or pins["LSR"] == ["0"]
    return no_enable and no_reset and p.get("CLKMUX", "CLK") == "CLK" and "DI" in pins


def _users(module: dict[str, Any]) -> Counter[Bit]:
    """How many cell inputs and output ports read each net."""
    count: Counter[Bit] = Counter()
    for c in module["cells"].values():
        for pin, bits in c["connections"].items():
            if c["port_directions"][pin] == "input":
                count.update(bits)
    for port in module["ports"].values():
        if port["direction"] == "output":
            count.update(port["bits"])
    return count


def _absorb_operands(cell: Cell, by_q: dict[Bit, Cell]) -> None:
    pins = cell["connections"]
    names = [f"{side}{i}" for side in _INPUTS for i in range(_WIDTH)]
    movable = all(isinstance(pins[n][0], str) or pins[n][0] in by_q for n in names)
    sources = {by_q[pins[n][0]]["connections"]["CLK"][0] for n in names if pins[n][0] in by_q}
    both = all(any(pins[f"{side}{i}"][0] in by_q for i in range(_WIDTH)) for side in _INPUTS)
    if not (movable and both and len(sources) == 1):
        return
    for n in names:
        if pins[n][0] in by_q:
            pins[n] = list(by_q[pins[n][0]]["connections"]["DI"])
    _clock(cell, sources.pop(), [f"REG_INPUT{side}" for side in _INPUTS])


@dataclass(frozen=True)
class Taken:
    """Flip-flops that a block's output register can stand in for, by the block's pin."""

    by_pin: dict[str, str]
    clock: Bit

    @property
    def flip_flops(self) -> set[str]:
        return set(self.by_pin.values())


def _find_output(
    cell: Cell,
    names: list[str],
    plain: dict[str, Cell],
    by_d: dict[Bit, list[str]],
    users: Counter[Bit],
) -> Taken | None:
    """The flip-flops after a block's output, where all of it that is used goes to such and nowhere else."""
    pins = cell["connections"]
    by_pin: dict[str, str] = {}
    for n in names:
        net = pins.get(n, ["x"])[0]
        if not users[net]:
            continue
        readers = by_d.get(net, [])
        if len(readers) != 1 or users[net] != 1:
            return None
        by_pin[n] = readers[0]
    clocks = {plain[ff]["connections"]["CLK"][0] for ff in by_pin.values()}
    return Taken(by_pin, clocks.pop()) if len(clocks) == 1 else None


def _move_output(cell: Cell, taken: Taken, plain: dict[str, Cell]) -> None:
    for pin, ff in taken.by_pin.items():
        cell["connections"][pin] = list(plain[ff]["connections"]["Q"])


def _clock(cell: Cell, clock: Bit, registers: list[str]) -> None:
    for register in registers:
        cell["parameters"] |= {
            f"{register}_CLK": "CLK0",
            f"{register}_CE": "CE0",
            f"{register}_RST": "RST0",
        }
    for pin, bits in (("CLK0", [clock]), ("CE0", ["1"]), ("RST0", ["0"])):
        cell["connections"][pin] = bits
        cell["port_directions"][pin] = "input"
