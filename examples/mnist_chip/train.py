"""MNIST, 784-64-10 with ReLU and few weights, for a small chip: each weight left out is a resistor strip
less. Needs clang, and MNIST: downloaded, or in $ANALOGNET_DATA/mnist.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tinygrad import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from training import SEED, save, shifted, train

from analognet.data import load_data


class Model:
    def __init__(self) -> None:
        self.l1 = nn.Linear(784, 64)
        self.l2 = nn.Linear(64, 10)

    def __call__(self, x: Tensor) -> Tensor:
        return self.l2(self.l1(x).relu())


if __name__ == "__main__":
    Tensor.manual_seed(SEED)
    model = Model()
    data = load_data("mnist", split="train")
    assert data.y is not None
    train(
        model,
        data.x,
        data.y,
        epochs=30,
        batch=128,
        rate=2e-3,
        weight_decay=0.05,
        augment=shifted,
        average=0.999,
        density=(0.1, 0.6),
    )
    save(model, Path(__file__).with_name("mnist_chip.safetensors"), "mnist", ["relu", "linear"])
