"""The columns of the table: each cell from the stage that measured it, or the reason why it is empty."""

from __future__ import annotations

from typing import Any, Final

from analognet.comparison.accuracy import effective_bits
from analognet.comparison.ends import input_adcs
from analognet.comparison.plan import Subject
from analognet.comparison.stages import Outcome
from analognet.digital.synthesis import TARGETS
from analognet.metrics import wilson
from analognet.report.value import ROWS
from analognet.units import engineering

MANY_TRANSITIONS: Final = 10  # from so many on their worst is taken for the worst
ADCS: Final = "board"  # the converters that bring voltages to a digital network: parts one can buy
Cell = dict[str, Any]


def cell(
    value: float | None,
    band: tuple[float, float] | list[float] | None = None,
    n: int | None = None,
    note: str | None = None,
    missing: str | None = None,
) -> Cell:
    """One cell. band: (low, high) of its uncertainty; n: over how many; missing: why there is no value."""
    low, high = (None, None) if band is None or value is None else (float(band[0]), float(band[1]))
    return {"value": value, "low": low, "high": high, "n": n, "note": note, "missing": missing}


def words(text: str) -> Cell:
    return {"value": None, "text": text, "low": None, "high": None, "n": None, "note": None, "missing": None}


def columns(chosen: Subject, found: Outcome) -> list[dict[str, Any]]:
    """Every column, in the order float, integer, FPGAs, circuits."""
    made = [_float(chosen, found, name) for name in _of_kind(found, "float ")]
    if not made:
        made.append(_no_float(chosen, found))
    made.append(_integer(chosen, found))
    for target in chosen.settings.fpgas:
        made.append(_fpga(chosen, found, target))
    for name in chosen.technologies:
        made.append(_analog(chosen, found, name))
    return made


def _of_kind(found: Outcome, prefix: str) -> list[str]:
    return [name.split("/")[0] for name in found.results if name.startswith(prefix)]


def _value(found: Outcome, stage: str) -> dict[str, Any] | None:
    result = found.results.get(stage)
    return None if result is None else dict(result.value)


def _why(chosen: Subject, found: Outcome, stage: str) -> str:
    """Why a stage's figures are missing."""
    column = stage.split("/")[0]
    gap = next((g for g in (*found.gaps, *chosen.gaps) if g.stage in (stage, f"{column}/convert")), None)
    return "not measured" if gap is None else f"not measured: {gap.reason}"


def _judged(cells: dict[str, Cell], value: dict[str, Any], note: str | None = None) -> None:
    n = value["images"]
    if value["accuracy"] is None:
        cells["accuracy"] = cell(None, missing="the data have no labels")
    else:
        cells["accuracy"] = cell(value["accuracy"], value["accuracy_ci95"], n, note)
    cells["agreement"] = cell(value["agreement"], value["agreement_ci95"], n, note)


def _bits(value: dict[str, Any], noise: float = 0.0) -> Cell:
    rms = (value["error_rms"] ** 2 + noise**2) ** 0.5
    found = effective_bits(rms, value["range"])
    return cell(found, n=value["images"], missing=None if found is not None else "no error to speak of")


def _operations(chosen: Subject, energy: Cell) -> Cell:
    if energy["value"] is None:
        return cell(None, missing=energy["missing"])
    per = 1.0 / (2 * chosen.network.macs)
    band = None if energy["low"] is None else (energy["low"] * per, energy["high"] * per)
    return cell(energy["value"] * per, band)


def _plus(base: Cell, amount: float, note: str) -> Cell:
    """A cell with a fixed amount added, its band with it."""
    if base["value"] is None:
        return cell(None, missing=base["missing"])
    band = None if base["low"] is None else (base["low"] + amount, base["high"] + amount)
    return cell(base["value"] + amount, band, base["n"], note)


def _float(chosen: Subject, found: Outcome, name: str) -> dict[str, Any]:
    value = _value(found, f"{name}/time")
    assert value is not None
    one, many = (value["batches"][str(b)] for b in (1, chosen.settings.batch))
    cells: dict[str, Cell] = {}
    _judged(cells, value, "float32")
    cells["bits"] = _bits(value)
    inside, around = one["inside_s"], one["around_s"]
    cells["latency_s"] = cell(inside["median"], (inside["p5"], inside["p95"]), inside["shots"])
    cells["latency_digital_in_s"] = cell(around["median"], (around["p5"], around["p95"]), around["shots"])
    size = chosen.settings.batch
    rates = {1: one["inside_s"], size: many["inside_s"]}
    best = max(rates, key=lambda b: b / rates[b]["median"])
    t = rates[best]
    cells["throughput_hz"] = cell(
        best / t["median"], (best / t["p95"], best / t["p5"]), t["shots"], f"batch of {best}"
    )
    full = one if best == 1 else many
    spent, source = full["energy_j"], full["energy_from"]
    energy = cell(spent, note=f"batch of {best}; {source}", missing=source if spent is None else None)
    cells["energy_j"] = energy
    cells["energy_digital_in_j"] = energy
    cells["energy_per_op_j"] = _operations(chosen, energy)
    _with_adcs(chosen, cells, around["median"])
    power = full.get("power_w")
    cells["power_w"] = cell(power, note=source, missing=source if power is None else None)
    machine = value["machine"]
    device = name.removeprefix("float ")
    on = f"{machine['processor']}, {machine['cores']} cores" if device == "CPU" else device
    load = value.get("load")
    busy = load is not None and load > machine["cores"]
    cells["resources"] = words(on)
    cells["programmable"] = words("any network, at once")
    return {
        "id": name,
        "kind": "float",
        "title": f"Float, tinygrad {device}",
        "about": f"float32 in tinygrad on this machine's {device}: {on}"
        + (f"; timed while the machine was busy (load {load:.1f}): too long" if busy else ""),
        "busy": busy,
        "cells": _filled(cells, "does not apply to a program"),
    }


def _no_float(chosen: Subject, found: Outcome) -> dict[str, Any]:
    stage = next((g.stage for g in found.gaps if g.stage.startswith("float ")), "float CPU/time")
    return {
        "id": stage.split("/")[0],
        "kind": "float",
        "title": "Float, tinygrad",
        "about": "float32 in tinygrad",
        "cells": _filled({}, _why(chosen, found, stage)),
    }


def _with_adcs(chosen: Subject, cells: dict[str, Cell], duration_s: float) -> None:
    """The rows of a digital network whose inputs arrive as voltages."""
    adcs = input_adcs(chosen.network, duration_s, ADCS)["analog_in"]
    told = f"with {chosen.network.n_in} ADCs"
    cells["latency_analog_in_s"] = _plus(cells["latency_digital_in_s"], adcs["time_s"], told)
    cells["energy_analog_in_j"] = _plus(cells["energy_digital_in_j"], adcs["energy_j"], told)


def _integer(chosen: Subject, found: Outcome) -> dict[str, Any]:
    value = _value(found, "integer/accuracy")
    cells: dict[str, Cell] = {}
    why = _why(chosen, found, "integer/accuracy")
    if value is not None:
        _judged(cells, value)
        cells["bits"] = _bits(value)
        floor = cell(
            value["floor_j"], note=f"operations and memory reads alone, 45 nm: {value['floor_source']}"
        )
        cells["energy_j"] = floor
        cells["energy_per_op_j"] = _operations(chosen, floor)
        bits = value["bits"]
        cells["resources"] = words(f"weights {bits['weights']}, activations {bits['activations']} bit")
        cells["programmable"] = words("any weights")
        why = "a method, not a machine: see the FPGAs"
    return {
        "id": "integer",
        "kind": "integer",
        "title": "Integer, 8 bit",
        "about": "weights and activations of 8 bits; the energy is the floor of any chip of 45 nm",
        "cells": _filled(cells, why),
    }


def _fpga(chosen: Subject, found: Outcome, target: str) -> dict[str, Any]:
    name = f"fpga {target}"
    value, integer = _value(found, f"{name}/device"), _value(found, "integer/accuracy")
    cells: dict[str, Cell] = {}
    why = _why(chosen, found, f"{name}/device")
    if value is not None:
        why = "does not apply to an FPGA, or is not known"
        _proven(chosen, found, cells, target, value, integer)
        _fpga_figures(chosen, cells, value)
        used = ", ".join(f"{n} {kind}" for kind, n in value["used"].items() if n)
        cells["resources"] = words(f"{used}; multipliers {'+'.join(map(str, value['lanes']))}")
        cells["programmable"] = words("weights are in memory: a new bitstream")
    return {
        "id": name,
        "kind": "fpga",
        "title": f"FPGA, {TARGETS[target].name.upper()}",
        "about": TARGETS[target].device,
        "cells": _filled(cells, why),
    }


def _proven(
    chosen: Subject,
    found: Outcome,
    cells: dict[str, Cell],
    target: str,
    value: dict[str, Any],
    integer: dict[str, Any] | None,
) -> None:
    """Accuracy of VHDL: the integer network's where simulation found them equal bit for bit."""
    verified, wrong = value["verified"], value["mismatches"]
    if wrong is None:  # the same VHDL, proven for another device
        for other in chosen.settings.fpgas:
            there = _value(found, f"fpga {other}/device")
            if there is not None and there["lanes"] == value["lanes"] and there["mismatches"] is not None:
                verified, wrong = there["verified"], there["mismatches"]
    if integer is None or wrong is None or wrong:
        told = "was not simulated" if wrong is None else f"differs from the integers in {wrong} outputs"
        for key in ("accuracy", "agreement", "bits"):
            cells[key] = cell(None, missing=f"the VHDL {told}")
        return
    told = "equal to the integers bit for bit: " + ", ".join(
        f"{n} inputs in {tool}" for tool, n in verified.items()
    )
    _judged(cells, integer, told)
    cells["bits"] = _bits(integer)


def _fpga_figures(chosen: Subject, cells: dict[str, Cell], value: dict[str, Any]) -> None:
    spent, rate, static = value["energy"], value["throughput_hz"], value["energy"]["static_w"]
    how = "toggles of its netlist" if spent["activity_j"] is not None else "operations, times FPGA over ASIC"
    # a circuit's quiescent power is in its energy, so an FPGA's static power is in its own
    rest = static / rate if static is not None and rate else 0.0
    low, high = spent["band_j"]
    told = (
        f"{engineering(rest, 'J')} of it static power of the whole device" if rest else "without static power"
    )
    energy = cell(spent["nominal_j"] + rest, (low + rest, high + rest), note=f"estimate from {how}; {told}")
    cells["energy_j"] = cells["energy_digital_in_j"] = energy
    cells["energy_per_op_j"] = _operations(chosen, energy)
    cells["idle_w"] = cell(static, missing=None if static is not None else "static power is not known")
    clocks = value["fmax_seeds_hz"]
    if not clocks:
        told = "no open tool routes this device: counted, not placed"
        for key in ("latency_s", "throughput_hz", "latency_digital_in_s", "latency_analog_in_s", "power_w"):
            cells[key] = cell(None, missing=told)
        adcs = input_adcs(chosen.network, 0.0, ADCS)["analog_in"]
        cells["energy_analog_in_j"] = _plus(energy, adcs["energy_j"], f"with {chosen.network.n_in} ADCs")
        return
    cycles, interval = value["cycles"], value["interval_cycles"]
    seeds = f"{len(clocks)} seeds, {cycles} cycles"
    spread = (cycles / max(clocks), cycles / min(clocks)) if len(clocks) > 1 else None
    cells["latency_s"] = cells["latency_digital_in_s"] = cell(value["latency_s"], spread, len(clocks), seeds)
    rates = (min(clocks) / interval, max(clocks) / interval) if len(clocks) > 1 else None
    cells["throughput_hz"] = cell(value["throughput_hz"], rates, len(clocks), f"every {interval} cycles")
    _with_adcs(chosen, cells, value["latency_s"])
    cells["power_w"] = cell(
        energy["value"] * rate,
        (energy["low"] * rate, energy["high"] * rate),
        note="estimate" if rest else "estimate, without static power",
    )


def _analog(chosen: Subject, found: Outcome, name: str) -> dict[str, Any]:
    cells: dict[str, Cell] = {}
    solver, ngspice = (_value(found, f"{name}/{engine}") for engine in ("solver", "ngspice"))
    answers = solver or ngspice
    if answers is not None:
        told = "exact solver" if solver is not None else "ngspice"
        if solver is not None and ngspice is not None:
            told += f"; the first {ngspice['images']} in ngspice too"
        _judged(cells, answers, told)
        noise = _value(found, f"{name}/noise")
        cells["bits"] = _bits(answers, noise["noise_rms"] if noise else 0.0)
        if noise:
            cells["noise_v_rms"] = cell(noise["noise_v_rms"], note=_band_words(noise["band_hz"]))
            cells["noisy_accuracy"] = cell(
                noise["accuracy"],
                _wilson(noise["accuracy"], noise["images"]),
                noise["images"],
                missing=None if noise["accuracy"] is not None else "the data have no labels",
            )
    _analog_time(chosen, found, cells, name)
    _analog_boards(found, cells, name)
    if answers is not None and answers["area_m2"] is not None:
        cells["area_m2"] = cell(answers["area_m2"], note="strips and cells; no routing, no pads")
    bought = _value(found, f"{name}/parts")
    if bought:
        cells["cost"] = cell(bought["cost"], n=1, note="prices for orientation")
        cells["area_m2"] = cell(bought["area_m2"], note="estimate")
    design = chosen.designs.get(name)
    if design is not None:
        tally, kind = design.tally, design.technology.resistor.series
        packages = f", {bought['packages']} packages" if bought else ""
        cells["resources"] = words(f"{tally.opamps} op-amps, {tally.resistors} resistors{packages}")
        fixed = "fixed: weights are resistors" if not kind.startswith("pot") else "digital potentiometers"
        cells["programmable"] = words(fixed)
    chip = design is not None and bool(design.technology.process)
    if chip:
        cells["cost"] = cell(None, missing="a chip is not bought in parts")
        cells.setdefault("area_m2", cell(None, missing="the area of a cell is not known"))
    for key, stage in _STAGE_OF.items():
        if key not in cells:
            cells[key] = cell(None, missing=_why(chosen, found, f"{name}/{stage}"))
    about = design.technology.title if design is not None else "could not be built"
    part = design.technology.opamp.removeprefix("opamp_") if design is not None else None
    return {
        "id": name,
        "kind": "analog",
        "title": f"Circuit, {name}",
        "about": f"{about}, {part}" if part else about,
        "part": part,
        "chip": chip,
        "cells": _filled(cells, _why(chosen, found, f"{name}/convert")),
    }


_STAGE_OF: Final = {
    "accuracy": "solver",
    "agreement": "solver",
    "bits": "solver",
    "latency_s": "transient",
    "throughput_hz": "transient",
    "energy_j": "transient",
    "noise_v_rms": "noise",
    "noisy_accuracy": "noise",
    "boards_accuracy": "boards",
    "yield": "boards",
    "cost": "parts",
    "area_m2": "parts",
}


def _wilson(p: float | None, n: int) -> tuple[float, float] | None:
    return None if p is None else wilson(round(p * n), n)


def _band_words(band: list[float]) -> str:
    return f"{band[0]:.3g} to {band[1]:.3g} Hz"


def _analog_time(chosen: Subject, found: Outcome, cells: dict[str, Cell], name: str) -> None:
    value = _value(found, f"{name}/transient")
    if value is None:
        for key in _TIMED:
            cells[key] = cell(None, missing=_why(chosen, found, f"{name}/transient"))
        return
    n, idle = value["transitions"], value["idle_power_w"]
    cells["idle_w"] = cell(idle, missing=None if idle is not None else "not measured")
    if value["latency_s"] is None:
        for key in _TIMED:
            cells.setdefault(
                key, cell(None, missing=f"{value['unsettled']} of {n} transitions did not settle")
            )
        return
    settling, spent = value["latency_1_percent_s"], value["energy_1_percent_j"]
    worst = value["latency_s"]
    guess = value["estimate"]
    longest, told, few = worst, "worst of n transitions", False
    if guess is not None and guess["worst_s"]:
        longest = max(worst, guess["worst_s"])
        told += f"; upper end: worst of {guess['transitions']} by the estimate"
    elif n < MANY_TRANSITIONS:
        told, few = f"worst of {n} transitions: too few to know how much longer others take", True
    cells["latency_s"] = cell(worst, (settling["median"], longest), n, told) | {"few": few}
    cells["throughput_hz"] = cell(1 / worst, (1 / longest, 1 / settling["median"]), n, told) | {"few": few}
    # the power hardly changes with time: what takes longer takes as much more
    energy = cell(value["energy_j"], (spent["median"], value["energy_span_j"][1] * longest / worst), n)
    cells["energy_j"] = energy
    cells["energy_per_op_j"] = _operations(chosen, energy)
    ends = value["converters"]
    for way in ("digital_in", "analog_in"):
        told = f"{ends['set']} converters"
        cells[f"energy_{way}_j"] = _plus(energy, ends[way]["energy_j"], told)
        cells[f"latency_{way}_s"] = _plus(cells["latency_s"], ends[way]["time_s"], told)
    cells["power_w"] = cell(value["power_w"], n=n)


_TIMED: Final = (
    *("latency_s", "throughput_hz", "energy_j", "energy_per_op_j", "power_w"),
    *("latency_digital_in_s", "energy_digital_in_j", "latency_analog_in_s", "energy_analog_in_j"),
)


def _analog_boards(found: Outcome, cells: dict[str, Cell], name: str) -> None:
    value = _value(found, f"{name}/boards")
    if value is None:
        return
    p, n = value["accuracy_percentiles"], value["boards"]
    cells["boards_accuracy"] = cell(
        value["accuracy_mean"], (p["5"], p["95"]), n, f"{value['images']} inputs on each"
    )
    cells["yield"] = cell(value["yield"], value["yield_ci95"], n, f"at least {100 * value['limit']:.2f} %")


def _filled(cells: dict[str, Cell], why: str) -> dict[str, Cell]:
    return {row.key: cells.get(row.key, cell(None, missing=why)) for row in ROWS}
