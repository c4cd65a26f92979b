"""When a waveform has settled: against a known final value, never against its own last point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analognet.analog.amplifiers import Amplifier
from analognet.network import Array, classify

SLEWING = 2.0  # |v(x) - v(c)| over the limiter's width, at which it carries tanh(2) = 96 % of the slew rate


@dataclass(frozen=True, eq=False)
class Settling:
    """One transition. coarse_s, fine_s: (n_out,) time after which an output stays within 1 % and
    0.1 % of the technology's full scale of its operating point, infinite where it did not;
    decision_s: time after which the class is that of the operating point; settled: every layer
    came within 0.1 %; reached_s: the length of the run; slewing_s: time, until the outputs were
    within 0.1 %, in which at least one op-amp was at its slew rate; swing_v: largest output step.
    """

    coarse_s: Array
    fine_s: Array
    decision_s: float
    settled: bool
    reached_s: float
    slewing_s: float
    swing_v: float

    @property
    def latency_1_s(self) -> float:
        return float(self.coarse_s.max())

    @property
    def latency_01_s(self) -> float:
        return float(self.fine_s.max())


def worst_settling(time: Array, values: Array, final: Array, band: float) -> Array:
    """(n,) time after which each of values (T, n) stays within band of final (n,); inf where it does not.

    Crossings are interpolated between the time points.
    """
    error = np.abs(values - final)
    found = np.zeros(values.shape[1])
    for k in range(values.shape[1]):
        outside = np.flatnonzero(error[:, k] > band)
        if len(outside):
            found[k] = _crossing(time, error[:, k] - band, int(outside[-1]))
    return found


def decision_time(time: Array, outputs: Array, final: Array) -> float:
    """Time after which outputs (T, n_out) name the class that final (n_out,) names; inf if they do not."""
    chosen = int(classify(final[None])[0])
    if outputs.shape[1] == 1:
        lead = (outputs[:, 0] - 0.5) * (1.0 if chosen else -1.0)
    else:
        lead = outputs[:, chosen] - np.delete(outputs, chosen, axis=1).max(axis=1)
    wrong = np.flatnonzero(classify(outputs) != chosen)
    return _crossing(time, -lead, int(wrong[-1])) if len(wrong) else 0.0


def _crossing(time: Array, value: Array, last: int) -> float:
    """Where value, above 0 at point `last`, goes through 0 on its way to the next point."""
    if last + 1 == len(time):
        return float("inf")
    high, low = max(float(value[last]), 0.0), min(float(value[last + 1]), 0.0)
    share = high / (high - low) if high > low else 0.0
    return float(time[last] + share * (time[last + 1] - time[last]))


def slewing_time(
    time: Array, vectors: Mapping[str, Array], amplifiers: Sequence[Amplifier], until: float, limit_v: float
) -> float:
    """Seconds before `until` in which at least one op-amp moves at its slew rate; nan if none tells.

    limit_v: the width of the macromodel's limiter.
    """
    told = [amp for amp in amplifiers if amp.in_macro]
    if not told:
        return float("nan")
    slewing = np.zeros(len(time), dtype=bool)
    for amp in told:
        slewing |= np.abs(vectors[amp.x] - vectors[amp.c]) > SLEWING * limit_v
    # a segment counts by half for each of its ends
    step = np.diff(np.minimum(time, until))
    return float(np.sum(step * 0.5 * (slewing[:-1].astype(float) + slewing[1:])))
