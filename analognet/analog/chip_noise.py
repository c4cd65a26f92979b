"""Noise of a chip: ngspice's `.noise` on the whole circuit, transistors' thermal and flicker noise in it.

The structural solver's adjoint method does not know transistors of a process; this asks ngspice for
each output. What two outputs share is not known then: they are taken as independent, which
overstates the noise of their difference where the hidden layer's noise dominates.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from analognet.analog import ngspice
from analognet.analog.bench import NOMINAL_C
from analognet.analog.compact.start import start_voltages
from analognet.analog.noise import TOP, Contributor, Noise, check_band, noise_deck, spice_noise
from analognet.errors import InputError, SimulatorError
from analognet.names import printable
from analognet.network import Array
from analognet.workers import in_threads

if TYPE_CHECKING:
    from analognet.design import Design

LARGEST_FOR_PARTS: Final = 5_000  # resistors: ngspice keeps every device's spectrum to sum them up
_TOTAL = re.compile(r"v\(onoise_total(?:\.[a-z]\.|_[a-z]\.)(.+)\)")
_POINTS: Final = 5  # per decade where the contributors are summed


def chip_noise(
    design: Design,
    x: Array,
    *,
    temperature: float = NOMINAL_C,
    band: tuple[float, float] | None = None,
    jobs: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> Noise:
    """Noise at every output at the operating point of one input x (n_in,) in units.

    Raises UsageError, ToolMissing, SimulatorError.
    """
    span = check_band(design, band)
    start = _start(design, x, temperature)

    def some(outputs: list[int]) -> dict[int, tuple[Array, Array, float]]:
        return spice_noise(design, x, outputs, temperature=temperature, band=span, start=start)

    n = design.analog.n_out
    shares = [list(range(k, n, jobs)) for k in range(min(jobs, n))]
    parts = in_threads(some, shares, jobs, progress)
    found = [parts[k % len(shares)][k] for k in range(n)]
    f = found[0][0]
    density = np.stack([d for _, d, _ in found], axis=1)
    v_rms = np.array([v for _, _, v in found])
    worst = int(v_rms.argmax())
    last = f >= span[1] / 2
    share = float(np.trapezoid(density[last, worst], f[last]) / v_rms[worst] ** 2) if last.sum() > 1 else 0.0
    return Noise(
        span,
        f,
        density,
        v_rms,
        np.diag(v_rms**2),
        {"all": v_rms},
        _contributors(design, x, worst, span, temperature, start),
        share,
        design.technology.full_scale,
        temperature,
    )


def _start(design: Design, x: Array, temperature: float) -> dict[str, float]:
    """Where to look for the operating point, which otherwise takes most of the time: net -> V."""
    conditions = design.start_conditions(temperature)
    if conditions is None:
        return {}
    try:
        held = start_voltages(design.analog, design.cells, x[None], conditions)
    except (InputError, SimulatorError):  # ngspice finds the way by itself, if slowly
        return {}
    return {net: float(volts[0]) for net, volts in held.items()}


def _contributors(
    design: Design,
    x: Array,
    output: int,
    band: tuple[float, float],
    temperature: float,
    start: Mapping[str, float],
) -> tuple[Contributor, ...]:
    """The cells and resistors that make the most of one output's noise; none for a large circuit."""
    if design.tally.resistors > LARGEST_FOR_PARTS:
        return ()
    sweep = f"dec {_POINTS} {band[0]:.9g} {band[1]:.9g} 1000"
    answer = ["setplot noise2", "write out.raw all"]
    deck = noise_deck(design, x, [output], sweep, answer, temperature, start=start)
    run = ngspice.run_deck(deck, ["v(onoise_total)"], files=design.files, everything=True)
    total = float(np.real(run.vectors["v(onoise_total)"][0])) ** 2
    power: dict[str, float] = {}
    for name, values in run.vectors.items():
        match = _TOTAL.fullmatch(name)
        # a device's own total has nothing behind its name; its parts (.id, _thermal) are in it
        if match and not re.search(r"(_thermal|_1overf|\.(1overf|id|ig[bds]|r[a-z]+))$", match.group(1)):
            part = _cell(match.group(1))
            power[part] = power.get(part, 0.0) + float(np.real(values[0])) ** 2
    ordered = sorted(power.items(), key=lambda item: -item[1])[:TOP]
    return tuple(
        Contributor(printable(part), "all", float(np.sqrt(p)), p / total) for part, p in ordered if p > 0
    )


def _cell(name: str) -> str:
    """`xlayer0.xamp3` for a transistor of that cell, the resistor's own name for a resistor."""
    path = name.removeprefix("xnet.").split(".")
    if path[0].startswith("xlayer") and len(path) > 1 and path[1].startswith(("xamp", "xact", "xsum")):
        return ".".join(path[:2])
    return ".".join(path) if path[0].startswith("xlayer") else path[0]
