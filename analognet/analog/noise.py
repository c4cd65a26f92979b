"""Noise from every source to every output, by the adjoint method and by ngspice's `.noise`.

One solution of the transposed circuit gives the transfer from every current in the circuit to one
output: with (G + j w C)^T t = e_out, a noise current of density S between nodes a and b adds
|t_a - t_b|^2 S to the output's density. All sources are independent, so densities add, and products
t_a t_b* between outputs give their covariance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.sparse.linalg import splu
from threadpoolctl import threadpool_limits

from analognet.analog import bench, build, ngspice, solver
from analognet.analog.bench import NOMINAL_C
from analognet.analog.netlist import supplies
from analognet.analog.solver.hardware import nine_digits
from analognet.analog.solver.small_signal import linearise
from analognet.analog.solver.stamps import SmallSignal
from analognet.analog.variation import check_temperature
from analognet.errors import UsageError
from analognet.network import Array

if TYPE_CHECKING:
    from analognet.design import Design

LOWEST_HZ: Final = 1.0
PER_DECADE: Final = 20
ABOVE_GBW: Final = 100.0  # the band ends this far above the op-amp's gain-bandwidth product
BAND_LIMITS_HZ: Final = (1e-3, 1e13)
TOP: Final = 12  # contributors named


@dataclass(frozen=True)
class Contributor:
    """A part and a kind of noise, with V rms and the share of the power at one output."""

    part: str
    kind: str
    v_rms: float
    share: float


@dataclass(frozen=True, eq=False)
class Noise:
    """Noise at the outputs at one operating point.

    frequency: (f,) Hz; density: (f, n_out) V^2/Hz; v_rms: (n_out,); covariance: (n_out, n_out) V^2;
    kinds: kind -> (n_out,) V rms of all sources of a kind; contributors: the largest at the noisiest
    output; settled: share of the
    noisiest output's power that lies in the band's last octave.
    """

    band_hz: tuple[float, float]
    frequency: Array
    density: Array
    v_rms: Array
    covariance: Array
    kinds: Mapping[str, Array]
    contributors: tuple[Contributor, ...]
    settled: float
    full_scale_v: float
    temperature: float

    @property
    def worst(self) -> int:
        """The noisiest output."""
        return int(np.argmax(self.v_rms))

    @property
    def snr_db(self) -> Array:
        """(n_out,) power of a full-scale sine over that of the noise."""
        return snr_db(self.v_rms, self.full_scale_v)

    @property
    def effective_bits(self) -> Array:
        """(n_out,) (SNR - 1.76 dB) / 6.02 dB, IEEE 1241's definition with noise alone."""
        return (self.snr_db - 1.76) / 6.02


def snr_db(v_rms: Array, full_scale_v: float) -> Array:
    ratio: Array = 20.0 * np.log10(full_scale_v / np.sqrt(2.0) / v_rms)
    return ratio


def check_band(design: Design, band: tuple[float, float] | None) -> tuple[float, float]:
    """The band, or from 1 Hz to where no op-amp has gain. Raises UsageError for one that is none."""
    part = design.cells[design.technology.opamp]
    if band is None:
        return LOWEST_HZ, ABOVE_GBW * part.figures.get("gbw", 1e7)
    low, high = band
    least, most = BAND_LIMITS_HZ
    if not (np.isfinite([low, high]).all() and least <= low < high <= most):
        raise UsageError(
            f"noise band {low:g},{high:g} Hz: write two frequencies, the lower one first, within {least:g} to {most:g}"
        )
    return float(low), float(high)


def frequencies(band: tuple[float, float], per_decade: int = PER_DECADE) -> Array:
    points = int(np.ceil(np.log10(band[1] / band[0]) * per_decade)) + 1
    return np.geomspace(band[0], band[1], points)


def noise(
    design: Design,
    x: Array,
    *,
    temperature: float = NOMINAL_C,
    band: tuple[float, float] | None = None,
    jobs: int = 2,
) -> Noise:
    """Noise at the operating point of one input x (n_in,) in units, by the adjoint method.

    Raises UsageError for a temperature, band or input that is not allowed, SimulatorError where there is
    no operating point.
    """
    check_temperature(design, temperature)
    span = check_band(design, band)
    system = solver.equations(solver.hardware(design.analog, design.cells, temperature))
    circuit = linearise(system, _one_input(design, x))
    f = frequencies(span)
    return _noise_of(circuit, f, integrate(circuit, f, jobs), span, design.technology.full_scale, temperature)


def _one_input(design: Design, x: Array) -> Array:
    x = np.asarray(x, dtype=np.float64)
    if x.shape != (design.analog.n_in,) or not np.isfinite(x).all():
        raise UsageError(f"input has shape {x.shape}; noise needs one of ({design.analog.n_in},), finite")
    return x * design.analog.scale_in


@dataclass(frozen=True, eq=False)
class Integrals:
    """density (f, n_out) V^2/Hz; power (n_out, sources) and covariance (n_out, n_out) V^2 over the band."""

    density: Array
    power: Array
    covariance: Array


def integrate(circuit: SmallSignal, f: Array, jobs: int) -> Integrals:
    """Solve the adjoint circuit at every frequency and integrate what each source gives each output."""
    n_out = len(circuit.outputs)
    units = np.zeros((circuit.g.shape[0], n_out), dtype=np.complex128)
    units[circuit.outputs, np.arange(n_out)] = 1.0
    sources = circuit.sources
    grounded = np.zeros((1, n_out), dtype=np.complex128)

    def at(frequency: float) -> tuple[Array, Array]:
        matrix = (circuit.g + 2j * np.pi * frequency * circuit.c).tocsc()
        adjoint = np.vstack([splu(matrix).solve(units, "T"), grounded])  # node -1 is the ground
        transfer = (adjoint[sources.a] - adjoint[sources.b]).T  # V/A
        each = (transfer.real**2 + transfer.imag**2) * sources.density
        return each, ((transfer * sources.density) @ transfer.conj().T).real

    density = np.empty((len(f), n_out))
    power, covariance = np.zeros((n_out, len(sources.density))), np.zeros((n_out, n_out))
    weight = _log_weights(f)
    with threadpool_limits(limits=1, user_api="blas"), ThreadPoolExecutor(max_workers=jobs) as pool:
        for k, (each, products) in enumerate(pool.map(at, f.tolist())):
            density[k] = each.sum(axis=1)
            power += weight[k] * each
            covariance += weight[k] * products
    return Integrals(density, power, covariance)


def _noise_of(
    circuit: SmallSignal,
    f: Array,
    found: Integrals,
    band: tuple[float, float],
    full_scale: float,
    temperature: float,
) -> Noise:
    sources = circuit.sources
    weight = _log_weights(f)
    v_rms = np.sqrt(weight @ found.density)
    by_label = np.stack(
        [np.bincount(sources.label, row, minlength=len(sources.labels)) for row in found.power]
    )
    kinds: dict[str, Array] = {}
    for kind in dict.fromkeys(k for _, k in sources.labels):
        chosen = np.array([k == kind for _, k in sources.labels])
        kinds[kind] = np.sqrt(by_label[:, chosen].sum(axis=1))
    worst = int(np.argmax(v_rms))
    order = np.argsort(-by_label[worst])[:TOP]
    total = float(v_rms[worst] ** 2)
    top = tuple(
        _contributor(sources.labels[i], float(by_label[worst, i]), total)
        for i in order
        if by_label[worst, i] > 0
    )
    last_octave = f >= band[1] / 2.0
    settled = float((weight[last_octave] @ found.density[last_octave]).max() / total) if total else 0.0
    return Noise(
        band, f, found.density, v_rms, found.covariance, kinds, top, settled, full_scale, temperature
    )


def _contributor(label: tuple[str, str], power: float, total: float) -> Contributor:
    part, kind = label
    return Contributor(part, kind, float(np.sqrt(power)), power / total)


def _log_weights(f: Array) -> Array:
    """Weights of the trapezoidal rule in log f: the integral of S is that of f S over log f."""
    log_f = np.log(f)
    step = np.zeros_like(f)
    step[1:] += np.diff(log_f) / 2.0
    step[:-1] += np.diff(log_f) / 2.0
    return step * f


def noise_deck(
    design: Design,
    x: Array,
    outputs: Sequence[int],
    sweep: str,
    answer: Sequence[str],
    temperature: float,
    netlist: str | None = None,
    start: Mapping[str, float] | None = None,
) -> str:
    """A deck of ngspice's `.noise` at outputs, one after another, for one input x (n_in,) in units.

    sweep: of frequency, as `.noise` takes it; answer: commands that write the raw file, where plots noise1 and
    noise2 are of the first output, noise3 and noise4 of the next; start: net -> V, where to look for the
    operating point. Raises UsageError for an input that is none.
    """
    volts = nine_digits(_one_input(design, x))
    technology = design.technology
    against = f",{design.circuit.common}" if design.circuit.common else ""
    nets = build.output_nets(design.analog)
    lines = [
        netlist or design.netlist,
        *supplies(design.circuit, technology.vdd, technology.vss, technology.reference),
        *(f"Vx{j} x{j} 0 {v:.9g}{' ac 1' if j == 0 else ''}" for j, v in enumerate(volts.tolist())),
        *(f".nodeset v({net})={v:.9g}" for net, v in (start or {}).items()),
        f".options {bench.OPTIONS}",
        f".temp {temperature:.9g}",
        ".control",
        "set filetype=binary",
        *(f"noise v({nets[output]}{against}) vx0 {sweep}" for output in outputs),
        *answer,
        "quit 0",
        ".endc",
        ".end",
    ]
    return "\n".join(lines) + "\n"


def spice_noise(
    design: Design,
    x: Array,
    outputs: Sequence[int] | None = None,
    *,
    temperature: float = NOMINAL_C,
    band: tuple[float, float] | None = None,
    timeout_s: float = 600.0,
    netlist: str | None = None,
    start: Mapping[str, float] | None = None,
) -> dict[int, tuple[Array, Array, float]]:
    """ngspice's `.noise` at the same operating point: output -> (frequency, density in V^2/Hz, V rms).

    start: see `noise_deck`. Raises UsageError, ToolMissing or SimulatorError.
    """
    check_temperature(design, temperature)
    low, high = check_band(design, band)
    chosen = range(design.analog.n_out) if outputs is None else outputs
    sweep = f"dec {PER_DECADE} {low:.9g} {high:.9g}"
    spectra = ["onoise_spectrum", *(f"onoise_{k}" for k in range(1, len(chosen)))]
    answer = [
        "setplot noise1",
        *(f"let {spectra[k]} = noise{2 * k + 1}.onoise_spectrum" for k in range(1, len(chosen))),
        f"write out.raw {' '.join(spectra)}",
    ]
    deck = noise_deck(design, x, chosen, sweep, answer, temperature, netlist, start)
    run = ngspice.run_deck(deck, ["frequency", *spectra], timeout_s=timeout_s, files=design.files)
    f = np.real(run.vectors["frequency"])
    found: dict[int, tuple[Array, Array, float]] = {}
    for output, vector in zip(chosen, spectra, strict=True):
        density = np.real(run.vectors[vector]) ** 2
        found[output] = (f, density, float(np.sqrt(_log_weights(f) @ density)))
    return found
