"""The float network on this machine's processors, by way of tinygrad: time, energy, answers."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from analognet import process
from analognet.comparison.accuracy import judged
from analognet.comparison.stages import Advance
from analognet.comparison.store import Result
from analognet.data import Dataset
from analognet.errors import SimulatorError
from analognet.names import printable
from analognet.network import Network

PROCESSOR: Final = "CPU"
LOOK_S: Final = 60.0
MEASURE_S: Final = 600.0
_CHILD: Final = Path(__file__).with_name("tinygrad_child.py")
_PASSED: Final = ("LD_LIBRARY_PATH", "CUDA_PATH", "CUDA_VISIBLE_DEVICES")  # where a driver is found


def find_devices() -> tuple[str, ...]:
    """tinygrad's devices that open on this machine; none where it has no compiler and no accelerator."""
    with TemporaryDirectory(prefix="analognet-") as temporary:
        try:
            return tuple(str(d) for d in _child("devices", PROCESSOR, Path(temporary), LOOK_S))
        except SimulatorError:
            return ()


def measure(network: Network, data: Dataset, device: str, batches: tuple[int, ...], quick: bool) -> Result:
    """Time and answers of the float32 network on one device.

    value: `batches`, batch -> seconds of a call with the inputs in the device's memory (`inside_s`) and
    from and to the host's (`around_s`), joules an inference or the reason why there are none; accuracy
    and the like of `judged`. arrays: predictions (N,). Raises SimulatorError with the program's words.
    """
    arrays: dict[str, Any] = {"x": data.x.astype(np.float32)}
    for i, layer in enumerate(network.layers):
        arrays[f"{i}_weight"] = layer.weight.astype(np.float32)
        arrays[f"{i}_bias"] = layer.bias.astype(np.float32)
    request = {
        "device": device,
        "batches": sorted(batches),
        "activations": [(layer.activation.name, layer.activation.slope) for layer in network.layers],
        "energy_s": 0.5 if quick else 2.0,
    }
    with TemporaryDirectory(prefix="analognet-") as temporary:
        directory = Path(temporary)
        (directory / "request.json").write_text(json.dumps(request))
        np.savez(directory / "request.npz", **arrays)
        answer = _child("measure", device, directory, MEASURE_S)
        with np.load(directory / "answer.npz", allow_pickle=False) as file:
            outputs = file["outputs"].astype(np.float64)
    if outputs.shape != (len(data), network.n_out) or not np.isfinite(outputs).all():
        raise SimulatorError(f"tinygrad on {device} answered with shape {outputs.shape} or values not finite")
    value, predictions = judged(network, data, outputs)
    return Result({**answer, **value, "machine": machine()}, {"predictions": predictions})


def stage(network: Network, data: Dataset, device: str, batches: tuple[int, ...], quick: bool) -> Any:
    """The function of a stage."""

    def work(advance: Advance) -> Result:
        return measure(network, data, device, batches, quick)

    return work


def machine() -> Mapping[str, Any]:
    """What a time on this machine depends on."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), name)
    except OSError:
        pass
    return {"processor": printable(name), "cores": os.cpu_count(), "system": platform.system()}


def _child(what: str, device: str, directory: Path, timeout_s: float) -> Any:
    env = {name: os.environ[name] for name in _PASSED if name in os.environ}
    done = process.run(
        [sys.executable, "-I", _CHILD, what],
        cwd=directory,
        timeout_s=timeout_s,
        memory_bytes=None,  # drivers reserve more address space than they use
        env={**env, "DEV": device},
    )
    if done.timed_out:
        raise SimulatorError(f"tinygrad on {device} ran over its limit of {timeout_s:g} s and was ended")
    if done.returncode != 0:
        words = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise SimulatorError(
            f"tinygrad on {device} failed ({done.signal_name or done.returncode}): "
            f"{printable(words[-1] if words else 'it wrote nothing', 300)}"
        )
    return json.loads((directory / "answer.json").read_text())
