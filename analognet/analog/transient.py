"""One inference in the time domain: from the operating point of one input to that of the next.

Every input is an ideal voltage source that ramps from its old to its new value. A run has
settled when every layer's outputs have come within a band of the operating point of the new
input, which is computed apart by `simulate.operating_points`: the end of a transient says
nothing of the kind, as a neuron may still be crawling across its rectifier's dead zone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from analognet.analog import bench, build, ngspice
from analognet.analog.amplifiers import Amplifier, amplifiers
from analognet.analog.circuit import Shunt
from analognet.analog.netlist import supplies
from analognet.analog.settling import Settling, decision_time, slewing_time, worst_settling
from analognet.analog.simulate import check_layers, operating_points, starts
from analognet.analog.stages import macro_constants
from analognet.analog.transitions import RISE_S, Transition
from analognet.errors import SimulatorError, UsageError
from analognet.network import Array
from analognet.workers import Threads, Workers

if TYPE_CHECKING:
    from analognet.design import Design

# Trapezoidal rule. Against reltol=1e-6 trtol=1, settling times move by less than 1 % at a sixth of
# the processor time; with ngspice's own trtol=7 an op-amp that stops slewing goes 30 mV too far
# (docs/time_and_energy.md).
OPTIONS: Final = "reltol=1e-4 vntol=1e-6 abstol=1e-9 trtol=2"
# Transistors: the trapezoidal rule, damped by xmu < 1/2, as without it a chip that has settled rings from
# step to step by millivolts. Gear's method needs twice the steps for the same error. Against reltol=1e-6
# trtol=1 method=gear, latencies and energies move by less than 1 % (docs/sky130_time.md).
CHIP_OPTIONS: Final = "reltol=2e-5 vntol=1e-6 abstol=1e-12 trtol=1 method=trap xmu=0.48"
STEPS: Final = 50  # of a run, at least
CHIP_STEPS: Final = 8  # the truncation error rules; a settled chip needs no more
GROWTH: Final = 4.0  # of the run's length where it had not settled
LIMIT: Final = 1000.0  # of the first length: where a run is given up
_TAIL: Final = 0.95  # a run must have settled within this part of its length

Observe = Callable[["Waveforms"], Any]


@dataclass(frozen=True, eq=False)
class Waveforms:
    """What one run answers. time: (T,) s; inputs_v: (T, n_in); layers_v: (T, n) V of each layer's
    outputs, against the signal common; vectors: every saved vector by its ngspice name; transition: what was simulated.
    """

    transition: Transition
    time: Array
    inputs_v: Array
    layers_v: tuple[Array, ...]
    vectors: Mapping[str, Array]
    amplifiers: tuple[Amplifier, ...]

    def __getitem__(self, name: str) -> Array:
        return self.vectors[name]


@dataclass(frozen=True, eq=False)
class Inference:
    """One transition, measured. observed: what the caller's `observe` made of the waveforms."""

    transition: Transition
    settling: Settling
    cpu_s: float
    runs: int
    observed: Any = field(default=None)


def simulate_transitions(
    design: Design,
    transitions: Sequence[Transition],
    lengths_s: Sequence[float],
    *,
    observe: Callable[[Waveforms, Settling], Any] | None = None,
    rise_s: float = RISE_S,
    limit_s: float | None = None,
    temperature: float = bench.NOMINAL_C,
    jobs: int = 2,
    workers: Workers | None = None,
    timeout_s: float = 3600.0,
    progress: Callable[[int, int], None] | None = None,
    recall: Callable[[int], Inference | None] | None = None,
    keep: Callable[[int, Inference], None] | None = None,
) -> tuple[Inference, ...]:
    """Simulate transitions in ngspice, one deck each, in the order given.

    lengths_s: how long each run is at first, a chip's `GROWTH` times that; one that has not settled is run
    again, `GROWTH` times as long, until limit_s (default: `LIMIT` times the first length). workers: who does the
    transitions, by default `jobs` threads, each waiting for its ngspice; the operating points are found here
    in any case. observe(waveforms, settling) is called once a transition, by the worker that did it.
    progress(done, total) counts transitions. recall(k) gives transition k where it is known already;
    keep(k, inference) is called for the others.
    Raises UsageError where the op-amps have no dynamics, ToolMissing, SimulatorError.
    """
    part = design.cells[design.technology.opamp]
    if "gbw" not in part.figures:
        raise UsageError(
            f"{design.technology.opamp} has no bandwidth: a latency needs an op-amp with parameters gbw and slew; "
            "choose another technology or --opamp"
        )
    ends = np.stack([t.end for t in transitions])
    target = operating_points(
        design.analog,
        design.circuit,
        design.netlist,
        design.cells,
        ends,
        temperature=temperature,
        jobs=jobs,
        timeout_s=timeout_s,
        hidden=True,
        files=design.dc_files,
        conditions=design.start_conditions(temperature),
    )
    conditions = design.start_conditions(temperature)
    begins = np.stack([t.start for t in transitions])
    near = {} if conditions is None else starts(design.analog, design.cells, begins, conditions)
    study = _Study(
        design,
        tuple(transitions),
        tuple(float(s) for s in lengths_s),
        (*target.hidden_v, target.outputs_v),
        near,
        observe,
        rise_s,
        limit_s,
        temperature,
        timeout_s,
    )
    found: dict[int, Inference] = {}
    left: list[int] = []
    for k in range(len(transitions)):
        known = recall(k) if recall else None
        if known is None:
            left.append(k)
        else:
            found[k] = known
    if progress and found:
        progress(len(found), len(transitions))
    with closing((workers or Threads(jobs)).each(_measured, study, left)) as done:
        for place, inference in done:
            k = left[place]
            found[k] = inference
            if keep:
                keep(k, inference)
            if progress:
                progress(len(found), len(transitions))
    return tuple(found[k] for k in range(len(transitions)))


@dataclass(frozen=True, eq=False)
class _Study:
    """What all transitions have in common, as a worker needs it.

    goals: every layer's (N, n) V; near: of a chip, net -> (N,) V to look for the operating points around.
    """

    design: Design
    transitions: tuple[Transition, ...]
    lengths_s: tuple[float, ...]
    goals: tuple[Array, ...]
    near: Mapping[str, Array]
    observe: Callable[[Waveforms, Settling], Any] | None
    rise_s: float
    limit_s: float | None
    temperature: float
    timeout_s: float


def _measured(study: _Study, k: int) -> Inference:
    goal = tuple(layer[k] for layer in study.goals)
    limit = study.limit_s or LIMIT * study.lengths_s[k]
    # a chip's estimate leaves out its common, and an end at rest costs few steps
    first = study.lengths_s[k] * (GROWTH if study.design.technology.process else 1.0)
    length, cpu, runs = min(first, limit), 0.0, 0
    start = {net: float(volts[k]) for net, volts in study.near.items()}
    while True:
        waves, spent = run(
            study.design,
            study.transitions[k],
            length,
            study.rise_s,
            study.temperature,
            study.timeout_s,
            start=start,
        )
        cpu, runs = cpu + spent, runs + 1
        _check_begin(study.design, waves, study.temperature)
        settling = measure(study.design, waves, goal)
        if settling.settled or length >= limit:
            break
        length = min(length * GROWTH, limit)
    seen = study.observe(waves, settling) if study.observe else None
    return Inference(study.transitions[k], settling, cpu, runs, seen)


def _check_begin(design: Design, waves: Waveforms, temperature: float) -> None:
    """Hold the operating point that a run begins at to the mathematics. Raises SimulatorError."""
    first = {i: layer[:1] for i, layer in enumerate(waves.layers_v)}
    try:
        check_layers(design.analog, design.cells, waves.transition.start[None], first, temperature)
    except SimulatorError as e:
        raise SimulatorError(
            f"transition '{waves.transition.kind}' {waves.transition.rows}, before the step: {e}"
        ) from None


def options_of(design: Design) -> str:
    """ngspice's options for transients of a design."""
    return CHIP_OPTIONS if design.technology.process else OPTIONS


def run(
    design: Design,
    transition: Transition,
    length_s: float,
    rise_s: float = RISE_S,
    temperature: float = bench.NOMINAL_C,
    timeout_s: float = 3600.0,
    options: str | None = None,
    start: Mapping[str, float] | None = None,
) -> tuple[Waveforms, float]:
    """One `.tran` of one transition; answers its waveforms and ngspice's processor time.

    start: net -> V near which ngspice looks for the operating point it begins at.
    """
    amps = amplifiers(design.circuit, design.cells)
    text, wanted = deck(
        design, transition, amps, length_s, rise_s, temperature, options or options_of(design), start
    )
    done = ngspice.run_deck(text, wanted, timeout_s=timeout_s, files=design.dc_files)
    time = done.vectors["time"]
    if time[-1] < length_s * (1 - 1e-6):
        raise SimulatorError(f"ngspice's transient ended at {time[-1]:.3g} s of {length_s:.3g} s")
    scale = design.analog.scale_in
    part = np.clip(time / rise_s, 0.0, 1.0)[:, None]
    common = done.vectors[f"v({design.circuit.common})"][:, None] if design.circuit.common else 0.0
    layers = tuple(
        np.stack([done.vectors[probe] for probe in probes], axis=1) - common
        for probes in output_probes(design)
    )
    return (
        Waveforms(
            transition,
            time,
            (transition.start * (1 - part) + transition.end * part) * scale,
            layers,
            done.vectors,
            amps,
        ),
        done.cpu_s,
    )


def deck(
    design: Design,
    transition: Transition,
    amps: Sequence[Amplifier],
    length_s: float,
    rise_s: float,
    temperature: float,
    options: str = OPTIONS,
    start: Mapping[str, float] | None = None,
) -> tuple[str, list[str]]:
    """The deck of one transition, and the vectors it saves; start as in `run`."""
    technology, analog = design.technology, design.analog
    lines = [
        f"* bench: a step from one input vector to another, {rise_s:.9g} s rise time",
        *supplies(design.circuit, technology.vdd, technology.vss, technology.reference),
    ]
    for j, (a, b) in enumerate(
        zip(
            (transition.start * analog.scale_in).tolist(),
            (transition.end * analog.scale_in).tolist(),
            strict=True,
        )
    ):
        shape = f"{a:.9g}" if a == b else f"PWL(0 {a:.9g} {rise_s:.9g} {b:.9g})"
        lines.append(f"Vx{j} x{j} 0 {shape}")
    wanted = ["time", *(p for probes in output_probes(design) for p in probes), *bench.SUPPLY_CURRENTS]
    wanted += [f"v({design.circuit.common})"] if design.circuit.common else []
    wanted += [f"i(vx{j})" for j in range(analog.n_in)]
    wanted += [f"v(xnet.{net})" for net in summing_nets(design)]
    wanted += [p for amp in amps for p in amp.probes]
    wanted = list(dict.fromkeys(wanted))
    least = CHIP_STEPS if technology.process else STEPS
    lines += [f".nodeset v({net})={volts:.9g}" for net, volts in (start or {}).items()]
    lines += [
        f".options {options}",
        f".temp {temperature:.9g}",
        f".tran {length_s / STEPS:.9g} {length_s:.9g} 0 {length_s / least:.9g}",
        f".save {' '.join(wanted)}",
        ".end",
    ]
    return f"{design.transient_netlist}\n" + "\n".join(lines) + "\n", wanted


def output_probes(design: Design) -> list[list[str]]:
    """ngspice's names of every layer's output voltages."""
    return [build.layer_probes(design.analog, i) for i in range(len(design.analog.layers))]


def summing_nets(design: Design) -> list[str]:
    """The nets that a layer's resistors meet at, by path below `xnet`."""
    tops = {s.name: s for s in design.circuit.subcircuits}
    nets = []
    for i in range(len(design.analog.layers)):
        sub = tops[f"layer{i}"]
        inner = {
            n for e in sub.elements() if not isinstance(e, Shunt) for n in (*e.nets, getattr(e, "hub", ""))
        }
        inner -= {"", *sub.pin_names}
        nets += [f"xlayer{i}.{n}" for n in sorted(inner)]
    return nets


def measure(design: Design, waves: Waveforms, goal: Sequence[Array]) -> Settling:
    """Settling of one run against the operating point's layer outputs, each (n,) V."""
    full_scale = design.technology.full_scale
    macro = design.cells.get("opamp_macro")
    limit_v = macro_constants(macro.text if macro else "").limit_v
    outputs, final = waves.layers_v[-1], goal[-1]
    coarse = worst_settling(waves.time, outputs, final, 0.01 * full_scale)
    fine = worst_settling(waves.time, outputs, final, 0.001 * full_scale)
    hidden = all(
        bool((np.abs(v[-1] - g) <= 0.001 * full_scale).all())
        for v, g in zip(waves.layers_v[:-1], goal, strict=False)
    )
    latency = float(fine.max())
    settled = hidden and bool(latency <= _TAIL * waves.time[-1])
    return Settling(
        coarse_s=coarse,
        fine_s=fine,
        decision_s=decision_time(
            waves.time, outputs / design.analog.scale_out, final / design.analog.scale_out
        ),
        settled=settled,
        reached_s=float(waves.time[-1]),
        slewing_s=slewing_time(
            waves.time, waves.vectors, waves.amplifiers, min(latency, waves.time[-1]), limit_v
        ),
        swing_v=float(np.abs(outputs[0] - final).max()),
    )
