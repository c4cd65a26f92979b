"""The nets inside a cell, by the paths that ngspice gives them."""

from __future__ import annotations

from collections.abc import Mapping

from analognet.analog.cells import OPAMP_ROLE, Cell, logical_lines

_NETS = {"r": 2, "c": 2}  # an element's nets; those of an instance end where its subcircuit's name stands


def inner_nets(cells: Mapping[str, Cell], name: str, opamp: str) -> tuple[str, ...]:
    """Nets of a cell that are no pins, the cells inside it opened up: `x`, `xamp.xpart.x`.

    What a design kit's devices hold inside stays out. opamp: the part behind the role.
    """
    pins = set(cells[name].pin_names)
    found: dict[str, None] = {}
    deeper: list[str] = []
    for line in logical_lines(cells[name].text):
        words = line.lower().split()
        if not words or words[0][0] not in "rcx":
            continue
        plain = [w for w in words[1:] if "=" not in w]
        count = _NETS.get(words[0][0], len(plain) - 1)
        found |= dict.fromkeys(net for net in plain[:count] if net not in pins)
        if words[0][0] == "x":
            path, of = (f"{words[0]}.xpart", opamp) if plain[-1] == OPAMP_ROLE else (words[0], plain[-1])
            if of in cells:
                deeper += [f"{path}.{net}" for net in inner_nets(cells, of, opamp)]
    return (*found, *deeper)
