"""Models of an FPGA's cells, to simulate what synthesis made of a design.

Yosys has most of them. For the multiplier and the block RAM of the ECP5 it has only the pins;
theirs are in `templates/`.
"""

from __future__ import annotations

import re

from analognet.digital import text, tools
from analognet.errors import UsageError


def cell_models(target: str) -> dict[str, str]:
    """Simulation models of the cells of a mapped netlist: Yosys' own, in the dialect of Icarus 11.

    Raises UsageError for a target whose models Yosys does not have.
    """
    share = tools.yosys_share() / target
    if target == "ecp5":
        parts = [(share / name).read_text() for name in ("common_sim.vh", "ccu2c_sim.vh", "cells_sim.v")]
        parts[2] = re.sub(r"\(\* blackbox \*\)\nmodule DP16KD.*?\nendmodule\n", "", parts[2], flags=re.DOTALL)
        lines = [line for part in parts for line in part.splitlines()]
        listing = "\n".join(line for line in lines if not line.strip().startswith(("`include", "$error")))
        names = [f"INITVAL_{n:02X}" for n in range(64)]
        memory = text.fill(
            "ecp5_memory.v",
            parameters="\n".join(f"  parameter [319:0] {name} = 320'b0;" for name in names),
            initial="\n".join(
                f"      memory[{16 * n} + i] = {name}[20 * i +: 18];" for n, name in enumerate(names)
            ),
        )
        multiplier = text.template("ecp5_multiplier.v")
        return {"cells.v": listing, "ecp5_multiplier.v": multiplier, "ecp5_memory.v": memory}
    if target == "ice40":
        return {"cells.v": "`define NO_ICE40_DEFAULT_ASSIGNMENTS\n" + (share / "cells_sim.v").read_text()}
    raise UsageError(f"netlists of {target} cannot be simulated here: Yosys has no models of its block RAM")
