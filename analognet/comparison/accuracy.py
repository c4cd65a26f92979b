"""What every column of a comparison says about its answers, computed the same way for all."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analognet.data import Dataset
from analognet.metrics import wilson
from analognet.network import Array, Network, classify


def judged(network: Network, data: Dataset, outputs: Array) -> tuple[dict[str, Any], NDArray[np.int64]]:
    """Figures and classes (n,) of outputs (n, n_out) in the network's units for the first n inputs.

    images; agreement with the float64 network and its interval; accuracy and its interval, None without
    labels; error_rms in the network's units; range: of the float network's outputs over those inputs.
    """
    n = len(outputs)
    reference = network(data.x[:n])
    wanted, given = classify(reference), classify(outputs)
    same = int((wanted == given).sum())
    value: dict[str, Any] = {
        "images": n,
        "agreement": same / n,
        "agreement_ci95": list(wilson(same, n)),
        "accuracy": None,
        "accuracy_ci95": None,
        "error_rms": float(np.sqrt(np.mean((outputs - reference) ** 2))),
        "range": float(np.ptp(reference)),
    }
    if data.y is not None:
        right = int((given == data.y[:n]).sum())
        value |= {"accuracy": right / n, "accuracy_ci95": list(wilson(right, n)), "right": right}
    return value, given


def effective_bits(error_rms: float, span: float) -> float | None:
    """Bits of an ideal quantiser over `span` whose error has this rms: log2(span / (rms sqrt 12)).

    A step of size q has the error q / sqrt 12. Source: W. R. Bennett, BSTJ 27 (1948) 446-472. None
    where there is no error or no span.
    """
    if error_rms <= 0 or span <= 0:
        return None
    return float(np.log2(span / (error_rms * np.sqrt(12.0))))
