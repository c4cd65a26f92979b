"""Quantisation-aware fine-tuning in tinygrad: the float weights learn what the integers will do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analognet import process
from analognet.data import Dataset
from analognet.digital import flow
from analognet.digital.fixedpoint import Format
from analognet.digital.quantize import requantize
from analognet.digital.quantized import TABLES, QuantizedLayer, QuantizedNetwork
from analognet.errors import InputError, UsageError
from analognet.network import Activation, Dense, Network

if TYPE_CHECKING:
    from tinygrad.tensor import Tensor

BATCH = 64
RATE = 2e-3


def improve(
    made: flow.Design, training: Dataset, *, epochs: int, seed: int = 1, lanes: tuple[int, ...] | None = None
) -> flow.Design:
    """The design with weights fine-tuned on labelled training data, in the same formats.

    Its float network stays the one that was given: that is what accuracy is held against.

    Kept are the weights of the epoch whose integer network is right most often on the training
    data, those before the first epoch among them: it never gets worse there. Raises InputError
    without labels, UsageError for a single output or epochs below 1, ToolMissing without clang.
    """
    _, quantized = fine_tune(made.network, made.quantized, training, epochs=epochs, seed=seed)
    return flow.rendered(made.network, quantized, lanes)


def fine_tune(
    network: Network, quantized: QuantizedNetwork, training: Dataset, *, epochs: int, seed: int = 1
) -> tuple[Network, QuantizedNetwork]:
    """(float network, integer network) after fine-tuning; see `improve`."""
    if training.y is None:
        raise InputError("fine-tuning needs labels; the training data has none")
    if network.n_out < 2 or epochs < 1:
        raise UsageError("fine-tuning is for classifiers of two classes or more, for 1 epoch or more")
    process.find_tool("clang")  # tinygrad compiles with it
    from tinygrad import nn
    from tinygrad.engine.jit import TinyJit
    from tinygrad.helpers import Context
    from tinygrad.tensor import Tensor

    x, y = training.x.astype(np.float32), training.y.astype(np.int32)
    batch = min(BATCH, len(x))
    weights = [Tensor(layer.weight.astype(np.float32)) for layer in network.layers]
    biases = [Tensor(layer.bias.astype(np.float32)) for layer in network.layers]
    optimizer = nn.optim.Adam([*weights, *biases], lr=RATE)

    def forward(h: Tensor) -> Tensor:
        for layer, w, b in zip(quantized.layers, weights, biases, strict=True):
            h = _layer(h, layer, w, b)
        return h

    @TinyJit
    def step(images: Tensor, labels: Tensor) -> Tensor:
        with Context(TRAINING=1):  # type: ignore[no-untyped-call]
            optimizer.zero_grad()
            loss = forward(images).sparse_categorical_crossentropy(labels).backward()
            return loss.realize(*optimizer.schedule_step())

    def now() -> tuple[Network, QuantizedNetwork]:
        layers = tuple(
            Dense(layer.name, w.numpy(), b.numpy(), layer.activation)
            for layer, w, b in zip(network.layers, weights, biases, strict=True)
        )
        tuned = Network(network.name, layers)
        return tuned, requantize(tuned, quantized)

    best, most = (network, quantized), int((quantized.classes(training.x) == y).sum())
    rng = np.random.default_rng(seed)
    steps = max(1, epochs * (len(x) // batch))
    done = 0
    for _ in range(epochs):
        for rows in rng.permutation(len(x))[: len(x) // batch * batch].reshape(-1, batch):
            optimizer.lr.assign([RATE * 0.5 * (1 + np.cos(np.pi * done / steps))]).realize()
            step(Tensor(x[rows]), Tensor(y[rows]))
            done += 1
        tuned = now()
        right = int((tuned[1].classes(training.x) == y).sum())
        if right > most:
            best, most = tuned, right
    return best


def _layer(h: Tensor, layer: QuantizedLayer, w: Tensor, b: Tensor) -> Tensor:
    """One layer with the rounding of its integers, whose gradient passes the rounding by."""
    z = _round(h, layer.x) @ _round(w, layer.weight_format).T + b
    y = _activate(_round(z, layer.pre), layer.activation)
    return _round(y, layer.y) if layer.activation.name in (*TABLES, "leaky_relu") else y


def _round(v: Tensor, form: Format) -> Tensor:
    inside = v.clip(form.low * form.step, form.high * form.step)
    return inside + (((inside / form.step) + 0.5).floor() * form.step - inside).detach()


def _activate(z: Tensor, activation: Activation) -> Tensor:
    if activation.name == "leaky_relu":
        return z.leaky_relu(activation.slope)
    if activation.name == "linear":
        return z
    result: Tensor = getattr(z, activation.name)()
    return result
