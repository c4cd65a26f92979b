"""Transitions that were measured, on disk: each in a file of its own as soon as it is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np

from analognet import pieces
from analognet.analog.settling import Settling
from analognet.analog.transient import OPTIONS, Inference, Waveforms
from analognet.analog.transitions import Transition
from analognet.energy import EnergyFlow

VERSION: Final = 1  # of what is measured and how; another one is measured again


@dataclass(frozen=True, eq=False)
class Observed:
    """What is kept of a transition's waveforms."""

    flow: EnergyFlow
    waves: Waveforms | None


@dataclass(frozen=True, eq=False)
class KeptInferences:
    """The transitions of a study in a directory. deciding: what all of them depend on beside their own
    inputs and lengths, in values with one text form.
    """

    directory: Path
    deciding: tuple[object, ...]
    transitions: Sequence[Transition]
    lengths_s: Sequence[float]

    def recall(self, k: int) -> Inference | None:
        """Transition k, if it is there and sound."""
        found = pieces.get(self._path(k))
        if found is None:
            return None
        values, arrays = found
        flow = EnergyFlow(
            arrays["time"],
            {name: arrays[f"source {name}"] for name in values["sources"]},
            {name: arrays[f"use {name}"] for name in values["uses"]},
        )
        measured: dict[str, Any] = {f.name: arrays[f"settling {f.name}"] for f in fields(Settling)}
        settling = Settling(**{key: v if v.ndim else v.item() for key, v in measured.items()})
        return Inference(self.transitions[k], settling, values["cpu_s"], values["runs"], Observed(flow, None))

    def keep(self, k: int, inference: Inference) -> None:
        """Write transition k. Raises InputError where the file system refuses."""
        flow: EnergyFlow = inference.observed.flow
        settling = inference.settling
        arrays = {f"settling {f.name}": np.asarray(getattr(settling, f.name)) for f in fields(Settling)}
        arrays |= {"time": flow.time}
        arrays |= {f"source {name}": power for name, power in flow.sources.items()}
        arrays |= {f"use {name}": power for name, power in flow.uses.items()}
        values = {
            "cpu_s": inference.cpu_s,
            "runs": inference.runs,
            "sources": list(flow.sources),
            "uses": list(flow.uses),
        }
        pieces.put(self._path(k), values, arrays)

    def _path(self, k: int) -> Path:
        return self.directory / f"{self._study}_{k}.piece"

    @cached_property
    def _study(self) -> str:
        """For the study as a whole: the operating point that a transition settles to is found in one
        sweep over all of them, and its last digits depend on what came before.
        """
        steps = b"".join(t.start.tobytes() + t.end.tobytes() for t in self.transitions)
        lengths = [float(s) for s in self.lengths_s]
        return pieces.name(VERSION, OPTIONS, *self.deciding, steps, lengths)
