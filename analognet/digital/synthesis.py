"""Synthesis, placement and routing: what a design takes of a device, and how fast it runs there."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from analognet.digital import tools, vhdl
from analognet.digital.cache import digest, load_cached, store_cached
from analognet.digital.dsp_registers import absorb_registers, copy_registers
from analognet.digital.quantized import QuantizedNetwork
from analognet.errors import UsageError
from analognet.kept_logs import cache_directory
from analognet.names import did_you_mean
from analognet.workers import in_threads

SEEDS: Final = (1, 2, 3)
RESOURCES: Final = ("LUT", "FF", "DSP", "BRAM")


@dataclass(frozen=True)
class Target:
    """A device: what it holds, and the commands for it.

    capacity: units of each resource; cells: how many units one netlist cell takes.
    bram_bits: bits of one block RAM. nextpnr: arguments, empty where no open tool routes it.
    """

    name: str
    device: str
    synth: str
    capacity: dict[str, int]
    cells: dict[str, tuple[str, float]]
    bram_bits: int
    io: int  # pins of the package
    nextpnr: tuple[str, ...] = ()
    pins: str = ""  # constraints beside the netlist
    clock_mhz: int = 0


def _cells(**groups: Sequence[str]) -> dict[str, tuple[str, float]]:
    return {cell: (resource, 1.0) for resource, names in groups.items() for cell in names}


# capacities: Lattice DS1044 (ECP5), Lattice DS1040 (iCE40 HX), Xilinx DS190 (Zynq-7000)
TARGETS: Final = {
    "ecp5": Target(
        name="ecp5",
        device="Lattice ECP5 LFE5UM-85F, CABGA381, speed grade 6",
        synth="synth_ecp5 -top an_top",
        capacity={"LUT": 83640, "FF": 83640, "DSP": 156, "BRAM": 208},
        cells=_cells(LUT=["LUT4"], FF=["TRELLIS_FF"], DSP=["MULT18X18D"], BRAM=["DP16KD", "PDPW16KD"])
        | {"CCU2C": ("LUT", 2.0), "TRELLIS_DPR16X4": ("LUT", 6.0)},
        bram_bits=18432,
        io=365,
        nextpnr=(
            "--85k",
            "--package",
            "CABGA381",
            "--speed",
            "6",
            "--lpf-allow-unconstrained",
        ),
        clock_mhz=150,
    ),
    "ice40": Target(
        name="ice40",
        device="Lattice iCE40 HX8K, CT256",
        synth="synth_ice40 -top an_top",
        capacity={"LUT": 7680, "FF": 7680, "DSP": 0, "BRAM": 32},
        cells=_cells(
            LUT=["SB_LUT4"],
            FF=["SB_DFF", "SB_DFFE", "SB_DFFSR", "SB_DFFESR", "SB_DFFSS", "SB_DFFESS"],
            DSP=["SB_MAC16"],
            BRAM=["SB_RAM40_4K"],
        ),
        bram_bits=4096,
        io=206,
        nextpnr=("--hx8k", "--package", "ct256", "--pcf-allow-unconstrained", "--pcf", "pins"),
        pins="set_io aclk J3\n",
        clock_mhz=110,
    ),
    "xc7": Target(
        name="xc7",
        device="Xilinx XC7Z020 (PYNQ-Z2)",
        synth="synth_xilinx -family xc7 -flatten -top an_top",
        capacity={"LUT": 53200, "FF": 106400, "DSP": 220, "BRAM": 280},
        cells=_cells(
            LUT=["LUT1", "LUT2", "LUT3", "LUT4", "LUT5", "LUT6", "SRL16E", "SRLC32E"],
            FF=["FDRE", "FDSE", "FDCE", "FDPE"],
            DSP=["DSP48E1"],
            BRAM=["RAMB18E1"],
        )
        | {"RAMB36E1": ("BRAM", 2.0), "RAM32M": ("LUT", 4.0), "RAM64M": ("LUT", 4.0)},
        bram_bits=18432,
        io=125,
    ),
}


@dataclass(frozen=True)
class Synthesis:
    """Resources of a design on a device, and its clock after routing.

    used and available: units per resource of `RESOURCES`; after routing as nextpnr counts
    them, else as the netlist's cells add up. fmax_hz: one per seed, in the order of `seeds`;
    empty where nothing was routed. netlist: its JSON text, empty where the rest comes from the cache.
    """

    target: str
    device: str
    used: dict[str, int]
    available: dict[str, int]
    cells: dict[str, int]
    seeds: tuple[int, ...] = ()
    fmax_hz: tuple[float, ...] = ()
    wall_s: float = 0.0
    cached: bool = False
    reports: dict[str, str] = field(default_factory=dict)  # file name -> text
    netlist: str = ""

    @property
    def fmax_median_hz(self) -> float | None:
        return statistics.median(self.fmax_hz) if self.fmax_hz else None


def pick_target(name: str) -> Target:
    """The target of that name. Raises UsageError."""
    if name not in TARGETS:
        raise UsageError(f"--synth {name!a}: allowed are {', '.join(TARGETS)}{did_you_mean(name, TARGETS)}")
    return TARGETS[name]


def check_room(network: QuantizedNetwork, target: Target) -> None:
    """Raises UsageError where the weights alone are more than all block RAM and look-up tables hold."""
    bits = sum(layer.weight.size * layer.weight_format.bits for layer in network.layers)
    have = target.capacity["BRAM"] * target.bram_bits + target.capacity["LUT"] * 16
    if bits > have:
        blocks = -(-bits // target.bram_bits)
        raise UsageError(
            f"does not fit {target.device}: the weights need {blocks} of {target.capacity['BRAM']} BRAM "
            f"({bits} bits; look-up tables add {target.capacity['LUT'] * 16})"
        )


def synthesise(
    verilog: str,
    target: Target,
    *,
    seeds: Sequence[int] = SEEDS,
    route: bool = True,
    timeout_s: float = tools.PLACE_AND_ROUTE_S,
) -> Synthesis:
    """Synthesise the Verilog of an_top and, with `route` and where the target has nextpnr, route it.

    Results are cached by the content of everything that goes in, tool versions included.
    Raises UsageError where the design does not fit, SimulatorError where a tool fails or
    runs over its limit, ToolMissing.
    """
    # what this module and the netlist pass do is part of the recipe, so their text is too
    steps = [Path(__file__).with_name(n).read_text() for n in ("synthesis.py", "dsp_registers.py")]
    key = digest(verilog, asdict(target), list(seeds), route, tools.versions(), steps)
    place = cache_directory() / "synthesis" / f"{key}.json"
    known = load_cached(place)
    if known is not None:
        known |= {"seeds": tuple(known["seeds"]), "fmax_hz": tuple(known["fmax_hz"]), "cached": True}
        return Synthesis(**known)
    with TemporaryDirectory(prefix="analognet-synth-") as temporary:
        directory = Path(temporary)
        netlist, cells, log, wall = _yosys(verilog, target, directory)
        used = _used(cells, target)
        check_fit(used, target)
        reports = {"yosys.log": log, "cells.json": json.dumps(cells, indent=1, sort_keys=True) + "\n"}
        fmax: list[float] = []
        if target.nextpnr and route:
            (directory / "netlist.json").write_text(netlist)
            routed = in_threads(lambda seed: _route(directory, target, seed, timeout_s), seeds, 2)
            for seed, (report, route_log, seconds) in zip(seeds, routed, strict=True):
                reports[f"nextpnr_seed{seed}.log"] = route_log
                fmax.append(report.fmax_hz)
                used |= report.used
                wall += seconds
    result = Synthesis(
        target=target.name,
        device=target.device,
        used=used,
        available=target.capacity,
        cells=cells,
        seeds=tuple(seeds) if fmax else (),
        fmax_hz=tuple(fmax),
        wall_s=wall,
        reports=reports,
    )
    store_cached(place, asdict(result))
    return replace(result, netlist=netlist)


def mapped_netlist(verilog: str, target: Target, known: str = "") -> str:
    """The Verilog of the netlist that is placed and routed: cells of the target, each net once.

    Names of the source are dropped, so that every net has a single name and its toggles are
    counted once. known: that netlist as JSON, where it is at hand.
    """
    with TemporaryDirectory(prefix="analognet-synth-") as temporary:
        directory = Path(temporary)
        netlist = json.loads(known or _yosys(verilog, target, directory)[0])
        netlist["modules"][vhdl.TOP]["netnames"] = {}
        (directory / "mapped.json").write_text(json.dumps(netlist))
        _passes(directory, ["read_json mapped.json", "write_verilog -noattr mapped.v"])
        try:
            return (directory / "mapped.v").read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise tools.failure("yosys left no Verilog that can be read", "yosys", directory) from None


def check_fit(used: dict[str, int], target: Target) -> None:
    """Raises UsageError naming every resource that the device has too little of."""
    short = [f"{used[r]} of {target.capacity[r]} {r}" for r in RESOURCES if used[r] > target.capacity[r]]
    if short:
        raise UsageError(
            f"does not fit {target.device}: needs {', '.join(short)}; fewer --lanes take less logic, "
            "fewer --bits less memory"
        )


def _passes(directory: Path, passes: list[str]) -> tuple[str, float]:
    (directory / "request.json").write_text(json.dumps(passes))
    done = tools.call(tools.yosys_command("request.json"), directory, tools.SYNTHESIS_S, name="yosys")
    return done.stdout, done.wall_s


def _yosys(verilog: str, target: Target, directory: Path) -> tuple[str, dict[str, int], str, float]:
    """Netlist as JSON text, its cells by type, the log, seconds."""
    (directory / "an_top.v").write_text(verilog)
    log, wall = _passes(
        directory, ["read_verilog -sv an_top.v", target.synth, "check -assert", "write_json netlist.json"]
    )
    try:
        netlist = json.loads((directory / "netlist.json").read_text())
        module = netlist["modules"][vhdl.TOP]
        pins = sum(len(port["bits"]) for port in module["ports"].values())
        if not all(isinstance(cell["type"], str) for cell in module["cells"].values()):
            raise TypeError
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise tools.failure("yosys left no netlist that can be read", "yosys", directory) from None
    if target.nextpnr and pins > target.io:
        raise UsageError(
            f"does not fit {target.device}: needs {pins} of {target.io} pins; fewer lanes in the first layer "
            "take fewer inputs at a time"
        )
    if target.name == "ecp5":
        absorb_registers(module)
        copy_registers(module)
    count: dict[str, int] = {}
    for cell in module["cells"].values():
        if not cell["type"].startswith("$"):
            count[cell["type"]] = count.get(cell["type"], 0) + 1
    return json.dumps(netlist), dict(sorted(count.items())), log, wall


def _used(cells: dict[str, int], target: Target) -> dict[str, int]:
    used = dict.fromkeys(RESOURCES, 0.0)
    for cell, n in cells.items():
        resource, units = target.cells.get(cell, ("", 0.0))
        if resource:
            used[resource] += n * units
    return {r: int(u) for r, u in used.items()}


def _routed_use(report: Mapping[str, Any], target: Target) -> dict[str, int]:
    """nextpnr's own counts, where it counts the same thing."""
    names = {
        "ecp5": {"TRELLIS_COMB": "LUT", "TRELLIS_FF": "FF", "MULT18X18D": "DSP", "DP16KD": "BRAM"},
        "ice40": {"ICESTORM_LC": "LUT", "ICESTORM_RAM": "BRAM"},
    }[target.name]
    return {names[k]: int(v["used"]) for k, v in report["utilization"].items() if k in names}


@dataclass(frozen=True)
class _Routed:
    """What nextpnr's report says."""

    fmax_hz: float
    used: dict[str, int]


def _route(directory: Path, target: Target, seed: int, timeout_s: float) -> tuple[_Routed, str, float]:
    work = directory / f"seed{seed}"
    work.mkdir()
    (work / "pins").write_text(target.pins)
    (work / "netlist.json").write_text((directory / "netlist.json").read_text())
    argv = [
        *tools.nextpnr_command(target.name),
        *target.nextpnr,
        *("--json", "netlist.json", "--freq", str(target.clock_mhz), "--seed", str(seed)),
        *("--timing-allow-fail", "--report", "report.json"),
    ]
    done = tools.call(argv, work, timeout_s, name="nextpnr", wasm=True)
    try:
        report = json.loads((work / "report.json").read_text())
        fmax = 1e6 * min(float(clock["achieved"]) for clock in report["fmax"].values())
        routed = _Routed(fmax, _routed_use(report, target))
        if not 0 < fmax < 1e12:
            raise ValueError
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        fault = f"nextpnr for {target.name} left no report that can be read"
        raise tools.failure(fault, "nextpnr", work) from None
    return routed, done.stderr, done.wall_s
