"""What loading a model answers with."""

from __future__ import annotations

from dataclasses import dataclass

from analognet.network import Network


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A network and what else its source says.

    digest: SHA-256, in hex, of the file, or of the recovered weights and activations for a
    Python model. input_range: (lowest, highest) input; ranges: the same for each layer's
    pre-activation over the training data; dimensionless, None where the source does not say.
    dataset: the built-in data set the model was trained for. notes: what a user must be told.
    """

    network: Network
    digest: str
    input_range: tuple[float, float] | None = None
    ranges: tuple[tuple[float, float], ...] | None = None
    dataset: str | None = None
    notes: tuple[str, ...] = ()
