"""Handwritten digits of 8 x 8 pixels, 64-24-10 with a sigmoid. Needs clang."""

from __future__ import annotations

import sys
from pathlib import Path

from tinygrad import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from training import SEED, save, train

from analognet.data import load_data


class Model:
    def __init__(self) -> None:
        self.l1 = nn.Linear(64, 24)
        self.l2 = nn.Linear(24, 10)

    def __call__(self, x: Tensor) -> Tensor:
        return self.l2(self.l1(x).sigmoid())


if __name__ == "__main__":
    Tensor.manual_seed(SEED)
    model = Model()
    data = load_data("digits", split="train")
    assert data.y is not None
    train(model, data.x, data.y, epochs=100, batch=32, rate=5e-3, weight_decay=0.2)
    save(model, Path(__file__).with_name("digits_sigmoid.safetensors"), "digits", ["sigmoid", "linear"])
