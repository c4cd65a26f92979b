"""What value a resistor can really have: exact, an E-series value, or a digital potentiometer's step."""

from __future__ import annotations

import re
from typing import Final

import eseries
import numpy as np

from analognet.errors import UsageError
from analognet.names import printable
from analognet.network import Array

SERIES: Final = {"E24": eseries.E24, "E96": eseries.E96, "E192": eseries.E192}
_POT = re.compile(r"pot([1-9][0-9]?)")
POT_BITS: Final = range(4, 13)


def check_series(series: str) -> str:
    """The canonical name of a series. Raises UsageError with what there is."""
    if series == "exact" or series in SERIES or pot_bits(series) is not None:
        return series
    raise UsageError(
        f"resistor series '{printable(series)}' is unknown; there are exact, {', '.join(SERIES)}, "
        f"and pot{POT_BITS[0]} to pot{POT_BITS[-1]} (digital potentiometers of that many bits)"
    )


def pot_bits(series: str) -> int | None:
    """The bits of a `potN` series, None for any other."""
    found = _POT.fullmatch(series)
    bits = int(found.group(1)) if found else -1
    return bits if bits in POT_BITS else None


def realise(ohms: Array, series: str, min_ohm: float, max_ohm: float) -> Array:
    """The nearest resistances one can have, shape as `ohms`; the nearest in ratio, infinite stays.

    An n-bit potentiometer used as a rheostat has 2^n - 1 equally spaced values from min_ohm, one
    step and the wiper, to max_ohm.
    """
    finite = np.isfinite(ohms)
    out = np.array(ohms, dtype=np.float64)
    if series == "exact" or not finite.any():
        return out
    bits = pot_bits(series)
    values = (
        _decades(series, min_ohm, max_ohm) if bits is None else np.linspace(min_ohm, max_ohm, 2**bits - 1)
    )
    out[finite] = _nearest_in_ratio(ohms[finite], values)
    return out


def _decades(series: str, low: float, high: float) -> Array:
    decade = np.array(eseries.series(SERIES[series]), dtype=np.float64)
    decade /= decade[0]
    first, last = int(np.floor(np.log10(low))), int(np.ceil(np.log10(high)))
    # round: 10 ** -3 * 1.02 must be the decimal that a catalogue prints
    values = np.array([float(f"{m:.3g}e{e}") for e in range(first, last + 1) for m in decade])
    inside = values[(values >= low * (1 - 1e-9)) & (values <= high * (1 + 1e-9))]
    return np.unique(inside)


def _nearest_in_ratio(wanted: Array, values: Array) -> Array:
    log_values = np.log(values)
    log_wanted = np.log(wanted)
    upper = np.clip(np.searchsorted(log_values, log_wanted), 1, len(values) - 1)
    take_lower = log_wanted - log_values[upper - 1] < log_values[upper] - log_wanted
    nearest: Array = values[np.where(take_lower, upper - 1, upper)]
    return nearest
