"""What an inference costs in energy: three estimates that share nothing, each with its band.

1. floor: the operations and memory reads alone, as an ASIC would spend them;
2. fpga: the floor times what an FPGA spends over an ASIC;
3. activity: the toggles of the netlist after synthesis, counted in simulation, times an energy
   per toggle, and the hard multipliers and block RAMs beside them.

Static power stands apart: it is spent whether the network runs or not.
"""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from analognet import resources
from analognet.digital import vcd
from analognet.digital.cell_models import cell_models
from analognet.digital.fixedpoint import Ints
from analognet.digital.netlist import check_netlist
from analognet.digital.quantized import QuantizedNetwork
from analognet.digital.schedule import Plan
from analognet.errors import InputError
from analognet.names import printable
from analognet.settings_file import read_toml

CONSTANTS = resources.digital() / "energy.toml"
ACTIVITY_VECTORS = 8


@dataclass(frozen=True)
class Activity:
    """Toggles of one inference in the netlist after synthesis, and that netlist's mismatches."""

    toggles: float
    vectors: int
    mismatches: int
    engine: str


@dataclass(frozen=True)
class Energy:
    """Joules of one inference; `None` where something was not measured. Bands are (low, high)."""

    floor_j: float
    fpga_j: float
    fpga_band_j: tuple[float, float]
    activity_j: float | None
    activity_band_j: tuple[float, float] | None
    static_w: float | None
    sources: tuple[str, ...]

    @property
    def nominal_j(self) -> float:
        """The estimate from activity where there is one, else the floor times the FPGA's factor."""
        return self.fpga_j if self.activity_j is None else self.activity_j

    @property
    def band_j(self) -> tuple[float, float]:
        return self.fpga_band_j if self.activity_band_j is None else self.activity_band_j

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "nominal_j": self.nominal_j, "band_j": list(self.band_j)}


def load_constants(path: Path | None = None) -> dict[str, Any]:
    """The constants of a TOML file in the form of `energy.toml`, which is the default.

    Raises InputError naming the file and what is wrong with it.
    """
    where = f"energy constants '{printable(path or CONSTANTS.name)}'"
    given = read_toml(path or CONSTANTS, where)
    own = tomllib.loads(CONSTANTS.read_text(encoding="utf-8"))
    for section in ("operations", "fpga", "toggle"):
        for key, value in own[section].items():
            held = given.get(section)
            found = held.get(key) if isinstance(held, dict) else None
            if type(value) is str and type(found) is str:
                continue
            if isinstance(found, bool) or not isinstance(found, int | float) or not 0 < found < 1e6:
                raise InputError(f"{where}: [{section}] {key} must be a number above 0")
    return given


def measure_activity(mapped: str, target: str, network: QuantizedNetwork, plan: Plan, x: Ints) -> Activity:
    """Simulate a mapped netlist on x (N, n_in) without pauses and count its toggles.

    Raises UsageError for a target whose cells have no models, SimulatorError where the
    simulation fails. Toggles of reset and of filling the pipeline are shared out over N.
    """
    some = x[:ACTIVITY_VECTORS]
    with TemporaryDirectory(prefix="analognet-activity-") as temporary:
        dump = Path(temporary) / "dump.vcd"
        sources = {"an_top.v": mapped, **cell_models(target)}
        checked = check_netlist(sources, network, plan, some, stalls=0, dump=dump)
        counted = vcd.toggles(dump, "an_tb.dut")
    total = sum(n for name, n in counted.items() if name.startswith("_"))  # nets, not ports
    return Activity(total / len(some), len(some), checked.mismatches, checked.engine)


def estimate(
    network: QuantizedNetwork,
    plan: Plan,
    *,
    target: str | None = None,
    block_rams: int = 0,
    activity: Activity | None = None,
    constants: dict[str, Any] | None = None,
) -> Energy:
    """The three figures for one inference."""
    c = constants or load_constants()
    floor = operation_floor(network, c)
    fpga = c["fpga"]
    sources = [c["operations"]["source"], fpga["source"]]
    device = c.get("device", {}).get(target, {})
    activity_j = band = None
    if activity is not None and device:
        t = c["toggle"]
        scale = (device["node_m"] / t["node_m"]) * (device["supply_v"] / t["supply_v"]) ** 2
        per_toggle = t["clb_j"] / t["luts_per_clb"] / t["rate"] * scale
        multiplies = _multiplies(network, c) if target != "ice40" else 0.0  # no hard multipliers there
        reads = block_rams * plan.interval * c["operations"]["read_64_8k_j"]
        activity_j = activity.toggles * per_toggle + multiplies + reads
        band = (activity_j / t["band"], activity_j * t["band"])
        sources.append(t["source"])
    if "static_source" in device:
        sources.append(device["static_source"])
    return Energy(
        floor_j=floor,
        fpga_j=floor * fpga["factor"],
        fpga_band_j=(floor * fpga["low"], floor * fpga["high"]),
        activity_j=activity_j,
        activity_band_j=band,
        static_w=device.get("static_w"),
        sources=tuple(sources),
    )


def operation_floor(network: QuantizedNetwork, constants: dict[str, Any]) -> float:
    """Joules of all multiplications, additions and weight reads of one inference in an ASIC."""
    c = constants["operations"]
    total = _multiplies(network, constants)
    for layer in network.layers:
        total += layer.weight.size * c["add_32_j"] * layer.acc_bits / 32
        bits = layer.weight.size * layer.weight_format.bits
        kib = bits / 8 / 1024
        read = c["read_64_8k_j"] if kib <= 8 else c["read_64_32k_j"] if kib <= 32 else c["read_64_1m_j"]
        total += bits / 64 * read
    return total


def _multiplies(network: QuantizedNetwork, constants: dict[str, Any]) -> float:
    one = float(constants["operations"]["multiply_8x8_j"])
    return sum(one * v.weight.size * v.weight_format.bits * v.x.bits / 64 for v in network.layers)
