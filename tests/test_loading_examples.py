"""The example models: they load as they are, and examples/README.md says the truth about them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from analognet.data import load_data
from analognet.loading import LoadedModel, load
from analognet.network import classify

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
ROW = re.compile(r"\| `(\S+)` \| (\S+) \| (\S+) \| ([\d,]+) \| ([\d.]+) % \| `python (\S+)` \|")
ROWS = {row[0]: row[1:] for row in ROW.findall((EXAMPLES / "README.md").read_text())}


def loaded(name: str) -> LoadedModel:
    model = load(EXAMPLES / name)
    assert model.dataset is not None
    if model.dataset == "mnist":
        directory = os.environ.get("ANALOGNET_DATA")
        if not directory or not (Path(directory) / "mnist").is_dir():
            pytest.skip("MNIST is not here: set ANALOGNET_DATA to a directory that holds mnist/")
    return model


def test_every_model_has_a_row() -> None:
    assert sorted(ROWS) == sorted(str(p.relative_to(EXAMPLES)) for p in EXAMPLES.glob("*/*.safetensors"))
    assert len(ROWS) == 6


@pytest.mark.parametrize("name", ROWS)
def test_row_is_true(name: str) -> None:
    shape, activations, samples, accuracy, script = ROWS[name]
    model = loaded(name)
    network = model.network
    assert "-".join(map(str, network.shape)) == shape
    assert ",".join(str(layer.activation) for layer in network.layers) == activations
    assert (EXAMPLES.parent / script).is_file()
    test = load_data(str(model.dataset), network.n_in, network.n_out)
    assert len(test) == int(samples.replace(",", ""))
    assert f"{100 * (classify(network(test.x)) == test.y).mean():.2f}" == accuracy
    assert model.notes == ()


@pytest.mark.slow
@pytest.mark.parametrize("name", ROWS)
def test_stated_ranges_are_those_of_the_training_split(name: str) -> None:
    model = loaded(name)
    x = load_data(str(model.dataset), split="train").x
    assert model.input_range == (x.min(), x.max())
    assert model.ranges is not None
    for (low, high), z in zip(model.ranges, model.network.preactivations(x), strict=True):
        assert low <= z.min() < low + 0.011
        assert high - 0.011 < z.max() <= high
