"""What the tests of the core share: networks made for a test, designs converted once, goldens."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from analognet.analog.simulate import OperatingPoints, operating_points
from analognet.data import DIRECTORY_VARIABLE, Dataset, load_data
from analognet.design import Design, convert
from analognet.network import Activation, Array, Dense, Network

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
NETLISTS = ROOT / "netlists"
FAKES = Path(__file__).parent / "fakes"
TOPOLOGIES = ("split", "signed", "dual_rail")
ACTIVATIONS = ("linear", "relu", "leaky_relu:0.1", "leaky_relu:-0.5", "sigmoid", "tanh")

# the same examples in every run; HYPOTHESIS_PROFILE=explore looks at new ones
settings.register_profile("same", derandomize=True, deadline=None, database=None)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--refresh-goldens", action="store_true", help="rewrite netlists/*.cir; read the difference"
    )


@pytest.fixture
def refresh_goldens(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--refresh-goldens"))


def dense(weight: object, bias: object = None, activation: str = "linear", name: str = "l") -> Dense:
    """One layer from nested lists; no bias is a bias of zeros."""
    w = np.array(weight, dtype=np.float64)
    b = np.zeros(len(w)) if bias is None else np.array(bias, dtype=np.float64)
    return Dense(name, w, b, Activation.parse(activation))


def random_network(
    shape: Sequence[int], activations: Sequence[str], seed: int = 0, scale: float = 1.0
) -> Network:
    """Normal weights of standard deviation scale / sqrt(n_in), biases of 0.3 scale."""
    rng = np.random.default_rng(seed)
    layers = []
    for i, (n_in, n_out) in enumerate(itertools.pairwise(shape)):
        weight = rng.normal(0.0, scale / np.sqrt(n_in), (n_out, n_in))
        layers.append(
            Dense(f"l{i}", weight, rng.normal(0.0, 0.3 * scale, n_out), Activation.parse(activations[i]))
        )
    return Network("random", tuple(layers))


def inputs(n: int, n_in: int, low: float = -1.0, high: float = 1.0, seed: int = 1) -> Array:
    return np.random.default_rng(seed).uniform(low, high, (n, n_in))


def with_opamp(design: Design, **values: float) -> Design:
    """The design with other defaults in its op-amp's cell, its mapping unchanged."""
    part = design.cells[design.technology.opamp]
    text = part.text
    for key, value in values.items():
        head, found, tail = text.partition(f" {key}={_as_written(text, key)}")
        assert found, f"{part.name} has no parameter {key}"
        text = f"{head} {key}={value!r}{tail}"
    changed = replace(part, text=text, defaults={**part.defaults, **values})
    return replace(design, cells={**design.cells, part.name: changed})


def _as_written(text: str, key: str) -> str:
    start = text.index(f" {key}=", text.index("params:")) + len(key) + 2
    return text[start:].split()[0]


def ngspice(design: Design, x: Array, *, hidden: bool = False, temperature: float = 27.0) -> OperatingPoints:
    """Operating points of a design for inputs x (N, n_in) in units."""
    return operating_points(
        design.analog,
        design.circuit,
        design.netlist,
        design.cells,
        x,
        hidden=hidden,
        jobs=1,
        temperature=temperature,
    )


@cache
def example(name: str, technology: str = "board", topology: str = "split") -> Design:
    """A shipped network, converted once in a test process."""
    return convert(EXAMPLES / name / f"{name}.safetensors", technology=technology, topology=topology)


@cache
def test_set(name: str) -> Dataset:
    return load_data(name)


test_set.__test__ = False  # type: ignore[attr-defined]  # a function of the tests, not a test


@pytest.fixture
def mnist() -> Dataset:
    """MNIST's test set from the directory that ANALOGNET_DATA names."""
    directory = os.environ.get(DIRECTORY_VARIABLE)
    if not directory or not (Path(directory) / "mnist").is_dir():
        pytest.skip(f"MNIST is not at hand: set {DIRECTORY_VARIABLE} to a directory that holds mnist/")
    return load_data("mnist")


@pytest.fixture
def fake_ngspice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Call with the name of a script in tests/fakes: it is then the only `ngspice` on PATH."""

    def install(script: str) -> None:
        directory = tmp_path / "fake-bin"
        directory.mkdir(exist_ok=True)
        program = directory / "ngspice"
        program.unlink(missing_ok=True)
        program.write_text((FAKES / script).read_text())
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{directory}{os.pathsep}/usr/bin{os.pathsep}/bin")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    return install
