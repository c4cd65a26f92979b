"""A program of its own, started by `processors`: times a network on one tinygrad device.

    python -I tinygrad_child.py devices            lists the devices that open, as JSON
    python -I tinygrad_child.py measure            reads request.json and request.npz, writes answer.npz

It imports nothing of AnalogNet, so that what is timed shares a process with nothing else.
"""

import ctypes
import importlib
import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

RAPL = Path("/sys/class/powercap")
SKIPPED = ("PYTHON", "NULL", "DISK", "NPY", "TINYFS", "WEBGPU")
WARM_UP = 5
SHOTS = 200  # timed calls, fewer where one takes long


def devices() -> list[str]:
    """Names of the devices that open here, the processor first."""
    known: Any = importlib.import_module("tinygrad.device")
    found = []
    for name in ["CPU", *(d for d in known.ALL_DEVICES if d != "CPU")]:
        if name in SKIPPED:
            continue
        try:
            known.Device[name]  # opening it is the test
        except Exception:  # each backend has its own way to fail
            continue
        found.append(name)
    return found


def measure(request: dict[str, Any], arrays: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    tinygrad: Any = importlib.import_module("tinygrad")
    Device, Tensor, TinyJit = tinygrad.Device, tinygrad.Tensor, tinygrad.TinyJit

    device, activations = request["device"], request["activations"]
    layers = [
        (
            Tensor(arrays[f"{i}_weight"].T.copy(), device=device).realize(),
            Tensor(arrays[f"{i}_bias"], device=device).realize(),
            kind,
        )
        for i, kind in enumerate(activations)
    ]

    def forward(x: Any) -> Any:
        for weight, bias, (name, slope) in layers:
            x = x @ weight + bias
            if name == "leaky_relu":
                x = (x > 0).where(x, slope * x)
            elif name != "linear":
                x = getattr(x, name)()
        return x

    rows = arrays["x"]
    answer: dict[str, Any] = {"batches": {}}
    outputs = []
    for batch in request["batches"]:
        step = TinyJit(lambda x: forward(x).realize())
        block = np.ascontiguousarray(np.resize(rows, (batch, rows.shape[1])))
        resident = Tensor(block, device=device).realize()

        def inside(step: Any = step, resident: Any = resident) -> None:
            step(resident)
            Device[device].synchronize()

        def around(step: Any = step, block: Any = block) -> None:
            step(Tensor(block, device=device).realize()).numpy()

        answer["batches"][str(batch)] = {
            "inside_s": spread(inside),
            "around_s": spread(around),
            **energy(device, inside, batch, request["energy_s"]),
        }
    batch = max(request["batches"])
    step = TinyJit(lambda x: forward(x).realize())
    for at in range(0, len(rows), batch):
        block = rows[at : at + batch]
        full = np.ascontiguousarray(np.resize(block, (batch, rows.shape[1])))
        outputs.append(step(Tensor(full, device=device).realize()).numpy()[: len(block)].copy())
    return answer, {"outputs": np.concatenate(outputs)}


def spread(call: Callable[[], None]) -> dict[str, float]:
    """Seconds of one call: median, 5th and 95th percentile, and how many were timed."""
    for _ in range(WARM_UP):
        call()
    start = time.perf_counter()
    call()
    shots = max(20, min(SHOTS, int(3.0 / max(time.perf_counter() - start, 1e-7))))
    times = np.empty(shots)
    for k in range(shots):
        start = time.perf_counter()
        call()
        times[k] = time.perf_counter() - start
    low, middle, high = (float(v) for v in np.percentile(times, [5, 50, 95]))
    return {"median": middle, "p5": low, "p95": high, "shots": shots}


def energy(device: str, call: Callable[[], None], batch: int, least_s: float) -> dict[str, Any]:
    """Joules of one inference from the machine's own counter, or why there is none."""
    counter, where = (graphics(), "NVML") if device in ("CUDA", "NV") else (rapl(), "RAPL")
    if counter is None:
        return {"energy_j": None, "energy_from": f"no {where} energy counter can be read here"}
    calls, start, before = 0, time.perf_counter(), counter()
    while time.perf_counter() - start < least_s:
        call()
        calls += 1
    spent, took = counter() - before, time.perf_counter() - start
    if not (math.isfinite(spent) and spent > 0):
        return {"energy_j": None, "energy_from": f"the {where} counter did not advance"}
    return {
        "energy_j": spent / (calls * batch),
        "power_w": spent / took,
        "energy_from": f"{where} counter over {calls} calls, the idle power of the whole package included",
    }


def rapl() -> Callable[[], float] | None:
    """Joules of all processor packages since boot, or None."""
    files = sorted(RAPL.glob("intel-rapl:[0-9]/energy_uj")) if RAPL.is_dir() else []
    try:
        for file in files:
            int(file.read_text())
    except (OSError, ValueError):
        return None
    return (lambda: sum(int(f.read_text()) for f in files) * 1e-6) if files else None


def graphics() -> Callable[[], float] | None:
    """Joules of the first NVIDIA device since its driver was loaded, or None."""
    try:
        nvml = ctypes.CDLL("libnvidia-ml.so.1")
        handle, total = ctypes.c_void_p(), ctypes.c_ulonglong()
        if nvml.nvmlInit_v2() or nvml.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(handle)):
            return None
        if nvml.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(total)):
            return None
    except (OSError, AttributeError):
        return None

    def joules() -> float:
        nvml.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(total))
        return total.value * 1e-3

    return joules


def main(what: str) -> None:
    if what == "devices":
        Path("answer.json").write_text(json.dumps(devices()))
        return
    request = json.loads(Path("request.json").read_text())
    with np.load("request.npz", allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    answer, outputs = measure(request, arrays)
    np.savez("answer.npz", **outputs)
    Path("answer.json").write_text(json.dumps(answer, allow_nan=False))


if __name__ == "__main__":
    main(sys.argv[1])
