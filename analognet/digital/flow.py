"""The digital way through the house: network, integers, VHDL, proof, device, energy, `Metrics`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from analognet import storage
from analognet.data import Dataset
from analognet.digital import energy, netlist, pynq, simulate, synthesis, tools, vhdl
from analognet.digital.fixedpoint import Ints
from analognet.digital.quantize import quantize
from analognet.digital.quantized import QuantizedNetwork
from analognet.digital.schedule import Plan, plan
from analognet.errors import UsageError
from analognet.metrics import Metrics, wilson
from analognet.names import printable
from analognet.network import Array, Network, classify

KIND = "analognet-digital"
VERIFY = 100
VECTORS_KEPT = 100  # in the directory, for run.sh
GHDL_WORK = 2_500_000  # multiplications that GHDL simulates in about half a minute; the rest is Verilator's
Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Design:
    """A network as VHDL: the float and the integer network, the lanes, and the files."""

    network: Network
    quantized: QuantizedNetwork
    plan: Plan
    files: dict[str, str]


@dataclass(frozen=True, eq=False)
class Result:
    """What was found out about a design. Not done is None."""

    design: Design
    data: Dataset
    metrics: Metrics
    verification: simulate.Verification | None
    verilog: str | None
    netlists: tuple[netlist.Checked, ...]
    device: synthesis.Synthesis | None
    energy: energy.Energy


def design(
    network: Network,
    calibration: Array,
    *,
    weight_bits: int = 8,
    activation_bits: int = 8,
    lanes: tuple[int, ...] | None = None,
) -> Design:
    """Quantise a network on calibration data (N, n_in) and render its VHDL.

    Raises UsageError, InputError: see `quantize` and `schedule.plan`.
    """
    quantized = quantize(network, calibration, weight_bits=weight_bits, activation_bits=activation_bits)
    return rendered(network, quantized, lanes)


def rendered(network: Network, quantized: QuantizedNetwork, lanes: tuple[int, ...] | None) -> Design:
    """The design of a network that is quantised already."""
    shape = plan(quantized, lanes)
    return Design(network, quantized, shape, vhdl.render(quantized, shape))


def examine(
    made: Design,
    data: Dataset,
    *,
    verify: int = VERIFY,
    synth: str | None = None,
    seeds: tuple[int, ...] = synthesis.SEEDS,
    constants: Path | None = None,
    seed: int = 1,
    provenance: dict[str, Any] | None = None,
    say: Say = lambda _: None,
) -> Result:
    """Prove a design on the first `verify` inputs of `data`, synthesise it, and count its energy.

    Mismatches are an answer (`metrics["mismatches"]`), not an error. Raises UsageError for a
    device that is too small, ToolMissing, SimulatorError.
    """
    if verify < 0:
        raise UsageError(f"--verify {verify}: at least 0")
    target = None if synth is None else synthesis.pick_target(synth)
    if target is not None:
        synthesis.check_room(made.quantized, target)
    figures = energy.load_constants(constants)
    x = made.quantized.encode(data.x)
    proof, checks, verilog = None, [], None
    if verify or target is not None:
        with simulate.GhdlBench(made.files, made.quantized, made.plan) as bench:
            if verify:
                few = ghdl_share(made, min(verify, len(x)))
                say(f"GHDL simulates {few} inputs")
                proof = simulate.verify(bench, x[:few], seed=seed)
            verilog = bench.synthesised()
    if verify and verilog is not None:
        some = x[:verify]
        engine = netlist.pick_engine(made.plan, len(some))
        say(f"{engine} simulates the Verilog that GHDL wrote on {len(some)} inputs")
        checks.append(
            netlist.check_netlist(
                {"an_top.v": verilog}, made.quantized, made.plan, some, engine=engine, seed=seed
            )
        )
    device, activity = None, None
    if target is not None and verilog is not None:
        say(f"synthesis for {target.device}" + (", then place and route: minutes" if target.nextpnr else ""))
        device = synthesis.synthesise(verilog, target, seeds=seeds)
        if target.name in tools.NEXTPNR and _small(made.plan):
            say("iverilog simulates the netlist after synthesis and counts toggles")
            activity = _activity(verilog, target, made, x, device.netlist)
    spent = energy.estimate(
        made.quantized,
        made.plan,
        target=synth,
        block_rams=device.used["BRAM"] if device else 0,
        activity=activity,
        constants=figures,
    )
    metrics = _metrics(made, data, x, proof, checks, device, activity, spent, provenance or {}, seed)
    return Result(made, data, metrics, proof, verilog, tuple(checks), device, spent)


def ghdl_share(made: Design, vectors: int) -> int:
    """How many of the inputs GHDL takes itself; a netlist simulator takes all of them."""
    return max(simulate.CYCLE_VECTORS, min(vectors, GHDL_WORK // made.quantized.macs))


def _small(shape: Plan) -> bool:
    """Whether Icarus Verilog simulates the netlist's cells in about a minute."""
    return shape.cycles * sum(shape.lanes) < 60_000


def _activity(verilog: str, target: synthesis.Target, made: Design, x: Ints, known: str) -> energy.Activity:
    mapped = synthesis.mapped_netlist(verilog, target, known)
    return energy.measure_activity(mapped, target.name, made.quantized, made.plan, x)


def _metrics(
    made: Design,
    data: Dataset,
    x: Ints,
    proof: simulate.Verification | None,
    checks: list[netlist.Checked],
    device: synthesis.Synthesis | None,
    activity: energy.Activity | None,
    spent: energy.Energy,
    provenance: dict[str, Any],
    seed: int,
) -> Metrics:
    shape, q = made.plan, made.quantized
    classes, reference = q.classes(x), classify(made.network(data.x))
    fmax = device.fmax_median_hz if device else None
    values: dict[str, Any] = {
        "images": len(x),
        "agreement": float((classes == reference).mean()),
        "latency_s": shape.cycles / fmax if fmax else None,
        "energy_j": spent.nominal_j,
        "fmax_hz": fmax,
        "cycles": shape.cycles,
        "mismatches": None if proof is None else _mismatches(proof, checks, activity, shape),
    }
    accuracy: dict[str, float | None] = {"float": None, "quantised": None, "rtl": None}
    if data.y is not None:
        right = int((classes == data.y).sum())
        accuracy["float"] = float((reference == data.y).mean())
        accuracy["quantised"] = right / len(x)
        values |= {
            "reference_accuracy": accuracy["float"],
            "accuracy": accuracy["quantised"],
            "accuracy_ci95": wilson(right, len(x)),
        }
        if proof is not None and proof.mismatches == 0 and not any(check.mismatches for check in checks):
            n = max(proof.vectors, *(check.vectors for check in checks))
            accuracy["rtl"] = float((classes[:n] == data.y[:n]).mean())
    details: dict[str, Any] = {
        "accuracy_stages": accuracy | {"rtl_images": max([0, *(check.vectors for check in checks)])},
        "bits": {
            "weights": q.layers[0].weight_format.bits,
            "activations": q.layers[0].x.bits,
            "outputs": q.layers[-1].y.bits,
        },
        "lanes": list(shape.lanes),
        "interval_cycles": shape.interval,
        "throughput_hz": fmax / shape.interval if fmax else None,
        "energy": spent.to_dict(),
        "energy_static_j": spent.static_w * shape.interval / fmax if fmax and spent.static_w else None,
        "verification": None if proof is None else _proof(proof, checks, activity, seed),
        "synthesis": None if device is None else _device(device),
        "layers": [_layer(k, made) for k in range(len(q.layers))],
    }
    method = (
        "accuracy of the integer reference on all inputs; GHDL and netlist simulation equal it bit for bit on the "
        "verified ones; latency is the cycle count over the median Fmax; energy without static power"
    )
    return Metrics(
        values,
        {
            "method": method,
            "tools": tools.versions(),
            "data": printable(data.name),
            "data_digest": data.digest,
        }
        | provenance,
        details,
    )


def _mismatches(
    proof: simulate.Verification, checks: list[netlist.Checked], activity: energy.Activity | None, shape: Plan
) -> int:
    """Outputs that differ anywhere, and a cycle count or interval off its closed form as one each."""
    wrong = proof.mismatches + sum(check.mismatches for check in checks)
    wrong += activity.mismatches if activity else 0
    wrong += proof.cycles != shape.cycles
    return wrong + (proof.interval is not None and proof.interval != shape.interval)


def _proof(
    proof: simulate.Verification, checks: list[netlist.Checked], activity: energy.Activity | None, seed: int
) -> dict[str, Any]:
    return {
        "vectors": proof.vectors,
        "outputs": proof.outputs,
        "ghdl_mismatches": proof.mismatches,
        "first_mismatch": str(proof.first) if proof.first else None,
        "cycles_simulated": proof.cycles,
        "interval_simulated": proof.interval,
        "stalls_percent": simulate.STALLS,
        "seed": seed,
        "wall_s": proof.wall_s,
        "verilog": [{"engine": c.engine, "vectors": c.vectors, "mismatches": c.mismatches} for c in checks],
        "netlist": None
        if activity is None
        else {"engine": activity.engine, "vectors": activity.vectors, "mismatches": activity.mismatches},
        "toggles": None if activity is None else activity.toggles,
    }


def _device(device: synthesis.Synthesis) -> dict[str, Any]:
    return {
        "target": device.target,
        "device": device.device,
        "used": device.used,
        "available": device.available,
        "cells": device.cells,
        "seeds": list(device.seeds),
        "fmax_hz": list(device.fmax_hz),
        "wall_s": device.wall_s,
        "cached": device.cached,
    }


def _layer(k: int, made: Design) -> dict[str, Any]:
    layer, shape = made.quantized.layers[k], made.plan.layers[k]
    return {
        "shape": [layer.n_in, layer.n_out],
        "activation": str(layer.activation),
        "x": str(layer.x),
        "weights": str(layer.weight_format),
        "accumulator_bits": layer.acc_bits,
        "shift": layer.shift,
        "y": str(layer.y),
        "lanes": shape.lanes,
        "passes": shape.passes,
        "interval_cycles": shape.interval,
    }


def save(result: Result, directory: Path) -> None:
    """Write VHDL, testbench, vectors, netlist, reports and the PYNQ files as a directory.

    Raises UsageError where the directory holds something else, InputError where it cannot be
    written.
    """
    made = result.design
    x = made.quantized.encode(result.data.x[:VECTORS_KEPT])
    bench = vhdl.render_testbench(made.quantized, made.plan, len(x))
    wanted = np.asarray(simulate.expected(made.quantized, x))
    vectors = {"inputs.txt": vhdl.vectors(x), "expected.txt": vhdl.vectors(wanted)}
    files = {f"vhdl/{name}": text for name, text in {**made.files, **bench, **vectors}.items()}
    files |= {f"pynq/{name}": text for name, text in pynq.render(made.quantized, made.plan).items()}
    if result.verilog is not None:
        files["verilog/an_top.v"] = _without_paths(result.verilog)
    if result.device is not None:
        files |= {f"synthesis/{name}": text for name, text in result.device.reports.items()}
    names = {f"layer{k}": layer.name for k, layer in enumerate(made.network.layers)}
    files["names.json"] = storage.to_json({"network": made.network.name, "layers": names})
    files["metrics.json"] = storage.to_json(json.loads(result.metrics.to_json()))
    storage.write_directory(directory, KIND, {name: text.encode() for name, text in files.items()})


def _without_paths(verilog: str) -> str:
    """GHDL's netlist without its comments, which name places in source files."""
    return "".join(line for line in verilog.splitlines(keepends=True) if not line.lstrip().startswith("/*"))
