"""MNIST, 784-128-10 with ReLU. Needs clang, and MNIST: downloaded, or in $ANALOGNET_DATA/mnist."""

from __future__ import annotations

import sys
from pathlib import Path

from tinygrad import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from training import SEED, save, shifted, train

from analognet.data import load_data


class Model:
    def __init__(self) -> None:
        self.l1 = nn.Linear(784, 128)
        self.l2 = nn.Linear(128, 10)

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
        epochs=40,
        batch=128,
        rate=2e-3,
        weight_decay=0.2,
        augment=shifted,
        average=0.999,
    )
    save(model, Path(__file__).with_name("mnist.safetensors"), "mnist", ["relu", "linear"])
