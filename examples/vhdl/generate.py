"""Writes examples/vhdl/digits: the VHDL of the digits network, with vectors to simulate it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from analognet.data import load_data
from analognet.digital import flow, vhdl
from analognet.loading import load

HERE = Path(__file__).resolve().parent
VECTORS = 20


def main() -> None:
    model = load(HERE.parent / "digits" / "digits.safetensors")
    made = flow.design(model.network, load_data("digits", split="train").x, lanes=(32, 10))
    x = made.quantized.encode(load_data("digits").x[:VECTORS])
    wanted = np.column_stack([made.quantized(x), made.quantized.classes(x)])
    files = made.files | vhdl.render_testbench(made.quantized, made.plan, VECTORS)
    files |= {"inputs.txt": vhdl.vectors(x), "expected.txt": vhdl.vectors(wanted)}
    place = HERE / "digits"
    place.mkdir(exist_ok=True)
    for name, text in files.items():
        (place / name).write_text(text)


if __name__ == "__main__":
    main()
