"""What the training scripts share: a plain tinygrad loop, and saving what AnalogNet needs to know.

A training script sees the training split alone. Weight decay keeps the weights small, because
in a circuit the sum of a neuron's weights is its noise gain.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tinygrad import Context, Tensor, TinyJit, nn

from analognet.data import load_data
from analognet.loading import load
from analognet.network import classify

Array = NDArray[np.float64]
SEED = 0


def train(
    model: Callable[[Tensor], Tensor],
    x: Array,
    y: NDArray[np.int64],
    *,
    epochs: int,
    batch: int,
    rate: float,
    weight_decay: float,
    augment: Callable[[Array, np.random.Generator], Array] | None = None,
    average: float = 0.0,
    density: Sequence[float] = (),
) -> None:
    """Train `model` in place with AdamW on x (N, n_in) and y (N,), the rate falling as a cosine.

    `augment` changes one epoch's x; `average` is the decay per step of a running mean of the
    weights, which replaces them at the end (0 for none); `density` is the share of each layer's
    weights that may stay: the smallest are taken out, more and more of them, over the first half.
    """
    rng = np.random.default_rng(SEED)
    parameters = nn.state.get_parameters(model)
    optimizer = nn.optim.AdamW(parameters, lr=rate, weight_decay=weight_decay)
    means = [Tensor(p.numpy()) for p in parameters]
    masks = [Tensor(np.ones(p.shape, dtype=np.float32)) for p in parameters]
    Tensor.realize(*parameters, *means, *masks)

    @TinyJit
    def step(images: Tensor, labels: Tensor) -> Tensor:
        with Context(TRAINING=1):
            optimizer.zero_grad()
            loss = model(images).sparse_categorical_crossentropy(labels).backward()
            updates = optimizer.schedule_step()
            cut = [p.assign(p * m) for p, m in zip(parameters, masks, strict=True)] if density else []
            moved = [
                m.assign(average * m + (1 - average) * p) for m, p in zip(means, parameters, strict=True)
            ]
            return loss.realize(*updates, *cut, *moved)

    steps = epochs * (len(x) // batch)
    done = 0
    for epoch in range(epochs):
        _prune(parameters, masks, density, min(1.0, 2 * epoch / epochs))
        seen = augment(x, rng) if augment else x
        order = rng.permutation(len(x))[: len(x) // batch * batch].reshape(-1, batch)
        for rows in order:
            optimizer.lr.assign([rate * 0.5 * (1 + math.cos(math.pi * done / steps))]).realize()
            loss = step(Tensor(seen[rows].astype(np.float32)), Tensor(y[rows].astype(np.int32)))
            done += 1
        if epoch % max(1, epochs // 10) == 0:
            print(f"epoch {epoch + 1}/{epochs}: loss {loss.item():.4f}", flush=True)
    for p, m in zip(parameters, means, strict=True):
        p.assign(m).realize()
    for p, m in zip(parameters, masks, strict=True):
        p.assign(p * m).realize()


def _prune(parameters: list[Tensor], masks: list[Tensor], density: Sequence[float], progress: float) -> None:
    """Take each layer's smallest weights out: a share that rises as 1 - (1 - progress)^3.

    M. Zhu and S. Gupta, To prune, or not to prune, 2017.
    """
    weights = [(p, m) for p, m in zip(parameters, masks, strict=True) if len(p.shape) == 2]
    for (p, mask), kept in zip(weights, density, strict=False):
        share = kept + (1 - kept) * (1 - progress) ** 3
        size = np.abs(p.numpy())
        limit = np.quantile(size, 1 - share)
        mask.assign(Tensor((size > limit).astype(np.float32) if share < 1 else np.ones_like(size))).realize()


def shifted(x: Array, rng: np.random.Generator) -> Array:
    """Each image (N, 784) moved by up to one pixel each way; half of them stay where they are."""
    images = np.pad(x.reshape(-1, 28, 28), ((0, 0), (1, 1), (1, 1)))
    dy, dx = rng.integers(0, 3, size=(2, len(x)))
    still = rng.random(len(x)) < 0.5
    dy[still] = dx[still] = 1
    windows = np.lib.stride_tricks.sliding_window_view(images, (28, 28), axis=(1, 2))
    return windows[np.arange(len(x)), dy, dx].reshape(len(x), 784)


def save(model: object, path: Path, dataset: str, activations: Sequence[str]) -> None:
    """Save float32 weights with activations, data set, and ranges over the training split.

    Prints the accuracy on the test split, of the file as AnalogNet reads it back.
    """
    weights = nn.state.get_state_dict(model)
    x = load_data(dataset, split="train").x
    said = {
        "activations": json.dumps(list(activations)),
        "dataset": json.dumps(dataset),
        "input_range": json.dumps([float(x.min()), float(x.max())]),
    }
    nn.state.safe_save(weights, str(path), said)
    network = load(path).network
    # rounded outwards, to keep the header readable
    ranges = [[_outwards(z.min(), -1), _outwards(z.max(), 1)] for z in network.preactivations(x)]
    nn.state.safe_save(weights, str(path), said | {"ranges": json.dumps(ranges)})
    path.chmod(0o644)  # tinygrad makes it executable
    test = load_data(dataset)
    correct = int((classify(load(path).network(test.x)) == test.y).sum())
    print(f"{path.name}: {correct} of {len(test)} test samples, {correct / len(test):.2%}")


def _outwards(value: float, sign: int) -> float:
    return sign * math.ceil(sign * value * 100) / 100
