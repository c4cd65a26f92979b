"""The stages of the digital side: the integer network, and its VHDL on each FPGA."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from analognet.comparison.accuracy import judged
from analognet.comparison.settings import Settings
from analognet.comparison.stages import Advance, Stage
from analognet.comparison.store import Result
from analognet.data import Dataset
from analognet.digital import energy, flow, synthesis, tools
from analognet.digital import sweep as sweeping
from analognet.digital.cache import digest
from analognet.digital.schedule import DEFAULT_LANES
from analognet.network import Array, Network

LANE: Final = "digital"
BITS: Final = 8
SMALL_BUDGET: Final = 4  # multipliers a layer where a device has no hard ones
SWEEP_BITS: Final = (4, 6, 8)
SWEEP_LANES: Final = (1, 4, 32)


def stages(network: Network, calibration: Array, data: Dataset, settings: Settings) -> list[Stage]:
    """The integer network, then each device. calibration: (N, n_in) inputs that choose the scales."""
    made = flow.design(network, calibration, weight_bits=BITS, activation_bits=BITS)
    base: dict[str, Any] = {
        "weights": digest(made.files),
        "data": data.digest,
        "tools": dict(tools.versions()),
        "bits": BITS,
    }
    heavy = network.macs / 2400
    found = [
        Stage(
            "integer/accuracy",
            f"int{BITS}: accuracy",
            base,
            lambda advance: integer(made, data),
            0.2,
            LANE,
        )
    ]
    proven: set[tuple[int, ...]] = set()
    for target in settings.fpgas:
        seeds = settings.seeds if synthesis.TARGETS[target].nextpnr else ()
        lanes = lanes_for(network, target)
        verify = 0 if lanes in proven else settings.verify  # the same VHDL is proven once
        proven.add(lanes)
        found.append(
            Stage(
                f"fpga {target}/device",
                f"FPGA {target}: VHDL proven, synthesised, placed",
                base | {"target": target, "verify": verify, "seeds": list(seeds)},
                _device(network, calibration, data, target, verify, seeds),
                18.0 + 14.0 * len(seeds) * max(1.0, heavy**0.5 / 2),
                LANE,
            )
        )
    if not settings.quick:
        found.append(
            Stage(
                "integer/alternatives",
                "FPGA ecp5: widths and multipliers to choose from",
                base | {"sweep": [SWEEP_BITS, SWEEP_LANES]},
                lambda advance: alternatives(network, calibration, data, advance),
                50.0 * max(1.0, heavy**0.5 / 2),
                LANE,
            )
        )
    return found


def integer(made: flow.Design, data: Dataset) -> Result:
    """The integer network's answers, and what its operations and memory reads cost an ASIC at least."""
    q = made.quantized
    outputs = q.decode(q(q.encode(data.x)))
    value, predictions = judged(made.network, data, outputs)
    value |= {
        "bits": {"weights": BITS, "activations": BITS, "outputs": q.layers[-1].y.bits},
        "floor_j": energy.operation_floor(q, energy.load_constants()),
        "floor_source": energy.load_constants()["operations"]["source"],
    }
    return Result(value, {"predictions": predictions})


def lanes_for(network: Network, target: str) -> tuple[int, ...]:
    """A multiplier for every neuron, as a circuit has an op-amp for each, where the device has as many;
    else the most that divide a layer's neurons, up to a budget.
    """
    neurons = tuple(layer.n_out for layer in network.layers)
    multipliers = synthesis.TARGETS[target].capacity["DSP"]
    if sum(neurons) <= multipliers:
        return neurons
    budget = DEFAULT_LANES if multipliers else SMALL_BUDGET
    return tuple(max(d for d in range(1, min(n, budget) + 1) if n % d == 0) for n in neurons)


def _device(
    network: Network,
    calibration: Array,
    data: Dataset,
    target: str,
    verify: int,
    seeds: tuple[int, ...],
) -> Callable[[Advance], Result]:
    def work(advance: Advance) -> Result:
        made = flow.design(
            network,
            calibration,
            weight_bits=BITS,
            activation_bits=BITS,
            lanes=lanes_for(network, target),
        )
        steps = 0

        def say(_: str) -> None:
            nonlocal steps
            steps += 1
            advance(min(steps, 4), 5)

        found = flow.examine(made, data, verify=verify, synth=target, seeds=seeds or synthesis.SEEDS, say=say)
        return Result(_facts(found))

    return work


def _facts(found: flow.Result) -> dict[str, Any]:
    """What a comparison takes from a design that was examined: figures, and no time of the tools."""
    metrics, details = found.metrics, found.metrics.details
    device = found.device
    assert device is not None
    return {
        "device": device.device,
        "lanes": details["lanes"],
        "cycles": metrics["cycles"],
        "interval_cycles": details["interval_cycles"],
        "fmax_hz": metrics["fmax_hz"],
        "fmax_seeds_hz": list(device.fmax_hz),
        "latency_s": metrics["latency_s"],
        "throughput_hz": details["throughput_hz"],
        "energy": details["energy"],
        "used": device.used,
        "available": device.available,
        "mismatches": metrics["mismatches"],
        "verified": _verified(details["verification"]),
        "images": metrics["images"],
    }


def _verified(proof: dict[str, Any] | None) -> dict[str, int]:
    """Inputs simulated, by simulator; empty where this VHDL was proven for another device."""
    if proof is None:
        return {}
    return {"GHDL": proof["vectors"], **{check["engine"]: check["vectors"] for check in proof["verilog"]}}


def alternatives(network: Network, calibration: Array, data: Dataset, advance: Advance) -> Result:
    """Widths and multipliers on an ECP5, at the clock of a typical design there: no routing of each."""
    clock = synthesis.TARGETS["ecp5"].clock_mhz * 1e6
    done = 0

    def say(_: str) -> None:
        nonlocal done
        done += 1
        advance(min(done, 8), 9)

    points = sweeping.sweep(
        network, calibration, data, bits=SWEEP_BITS, lanes=SWEEP_LANES, target="ecp5", clock_hz=clock, say=say
    )
    front = {p.label for p in sweeping.pareto(points)}
    rows = [
        {
            "label": p.label,
            "accuracy": 1 - p.error,
            "latency_s": p.latency_s,
            "energy_j": p.energy_j,
            "energy_band_j": list(p.energy_band_j),
            "front": p.label in front,
        }
        for p in points
    ]
    return Result({"rows": rows, "clock_hz": clock, "target": "ecp5"})


def calibration_rows(data: Dataset, most: int = 5000) -> Array:
    """Every so manyth row, so that sorted data is sampled throughout."""
    return np.asarray(data.x[:: -(-len(data) // most)])
