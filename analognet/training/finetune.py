"""Fine-tuning a network so that it survives its circuit: every batch runs on a board of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from analognet import process
from analognet.analog.variation import Spread, check_seed, default_spread
from analognet.data import Dataset
from analognet.errors import InputError, UsageError
from analognet.network import Dense, Network
from analognet.training.layers import FIELDS, Board, CircuitLayer, limits

if TYPE_CHECKING:
    from tinygrad.tensor import Tensor

    from analognet.design import Design

BATCH: Final = 128
MOST_EPOCHS: Final = 10_000
RATE: Final = 1e-3
TRIALS: Final = 8  # boards on which an epoch's weights are judged
JUDGED: Final = 8192  # training images that they are judged on
Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Tuned:
    """network: the fine-tuned weights; before, after: mean accuracy on training images over boards as the
    layers model them; epoch: the one whose weights were kept, 0 for those given.
    """

    network: Network
    before: float
    after: float
    epoch: int


def fine_tune(
    design: Design,
    training: Dataset,
    *,
    epochs: int,
    spread: Spread | None = None,
    rate: float = RATE,
    seed: int = 1,
    progress: Progress | None = None,
) -> Tuned:
    """Weights fine-tuned on labelled data, at the scales of the design, on boards that differ by spread.

    Kept are the weights of the epoch that is right most often on `TRIALS` boards, always the same, those
    given among them: so it never gets worse there. Convert the network again: its scales may be better.
    Raises InputError without labels, UsageError for a single output, and for epochs, a rate or a seed that
    are not allowed, ToolMissing without clang.
    """
    if training.y is None:
        raise InputError("fine-tuning needs labels; the training data has none")
    if design.network.n_out < 2:
        raise UsageError("fine-tuning is for classifiers of two classes or more")
    if not 1 <= epochs <= MOST_EPOCHS:
        raise UsageError(f"--epochs {epochs}: allowed is 1 to {MOST_EPOCHS} epochs")
    check_seed(seed)
    if not 0.0 < rate <= 1.0:
        raise UsageError(f"rate {rate:g}: allowed is above 0 and up to 1")
    process.find_tool("clang")  # tinygrad compiles with it
    from tinygrad import nn
    from tinygrad.engine.jit import TinyJit
    from tinygrad.helpers import Context
    from tinygrad.tensor import Tensor

    bounds = limits(design, spread or default_spread(design))
    layers = [CircuitLayer.of(b, dense) for b, dense in zip(bounds, design.network.layers, strict=True)]
    shapes = [(dense.n_out, dense.n_in) for dense in design.network.layers]
    optimizer = nn.optim.Adam([p for layer in layers for p in (layer.weight, layer.bias)], lr=rate)
    volts = (training.x * design.analog.scale_in).astype(np.float32)
    classes = training.y.astype(np.int32)
    per_unit = design.analog.scale_out

    def logits(v: Tensor, draws: tuple[Tensor, ...]) -> Tensor:
        for i, layer in enumerate(layers):
            v = layer(v, Board(*draws[FIELDS * i : FIELDS * (i + 1)]))
        return v / per_unit

    @TinyJit
    def step(v: Tensor, labels: Tensor, *draws: Tensor) -> Tensor:
        with Context(TRAINING=1):  # type: ignore[no-untyped-call]
            optimizer.zero_grad()
            loss = logits(v, draws).sparse_categorical_crossentropy(labels).backward()
            return loss.realize(*optimizer.schedule_step())

    @TinyJit
    def answers(v: Tensor, *draws: Tensor) -> Tensor:
        return logits(v, draws).argmax(1).realize()

    rng = np.random.default_rng(seed)
    trials = [Board.draws(shapes, np.random.default_rng((seed, k))) for k in range(TRIALS)]
    judged = rng.permutation(len(volts))[:JUDGED]
    judged_volts = Tensor(volts[judged]).realize()

    def judge() -> float:
        for layer in layers:
            layer.round()
        right = [answers(judged_volts, *map(Tensor, trial)).numpy() == classes[judged] for trial in trials]
        return float(np.mean(right))

    def now() -> Network:
        return Network(design.network.name, tuple(
            Dense(dense.name, layer.weight.numpy(), layer.bias.numpy(), dense.activation)
            for layer, dense in zip(layers, design.network.layers, strict=True)
        ))  # fmt: skip

    batch = min(BATCH, len(volts))
    per_epoch = len(volts) // batch
    before = judge()
    best = Tuned(design.network, before, before, 0)
    for epoch in range(epochs):
        for i, rows in enumerate(rng.permutation(len(volts))[: per_epoch * batch].reshape(-1, batch)):
            done = epoch * per_epoch + i
            optimizer.lr.assign([rate * 0.5 * (1.0 + np.cos(np.pi * done / (epochs * per_epoch)))]).realize()
            step(Tensor(volts[rows]), Tensor(classes[rows]), *map(Tensor, Board.draws(shapes, rng)))
            if progress:
                progress(done + 1, epochs * per_epoch)
        reached = judge()
        if reached > best.after:
            best = Tuned(now(), before, reached, epoch + 1)
    return best
