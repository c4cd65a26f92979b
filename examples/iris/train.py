"""Iris, 4-8-3 with ReLU. Needs clang."""

from __future__ import annotations

import sys
from pathlib import Path

from tinygrad import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from training import SEED, save, train

from analognet.data import load_data


class Model:
    def __init__(self) -> None:
        self.l1 = nn.Linear(4, 8)
        self.l2 = nn.Linear(8, 3)

    def __call__(self, x: Tensor) -> Tensor:
        return self.l2(self.l1(x).relu())


if __name__ == "__main__":
    Tensor.manual_seed(SEED)
    model = Model()
    data = load_data("iris", split="train")
    assert data.y is not None
    train(model, data.x, data.y, epochs=400, batch=20, rate=2e-2, weight_decay=0.1)
    save(model, Path(__file__).with_name("iris.safetensors"), "iris", ["relu", "linear"])
