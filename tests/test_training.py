"""Training for the circuit: the layers against the circuit, and what fine-tuning gains on it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import EXAMPLES, TOPOLOGIES, random_network, test_set

from analognet import convert
from analognet.analog import solver
from analognet.analog.variation import Spread, board, default_spread
from analognet.cli.app import run
from analognet.data import Dataset, load_data
from analognet.design import Design, open_design
from analognet.errors import InputError, ToolMissing, UsageError
from analognet.network import Array
from analognet.training import Board, CircuitLayer, fine_tune, limits
from analognet.training.layers import FIELDS

NOTHING = Spread(*[0.0] * 12)
CASES = [
    (("relu", "linear"), "split", "board", 1e-3),
    (("relu", "linear"), "signed", "board", 1e-3),
    (("relu", "linear"), "dual_rail", "board", 1e-3),
    (("tanh", "leaky_relu:0.1", "linear"), "split", "board", 6e-3),
    (("sigmoid", "linear"), "signed", "board", 6e-3),
    (("sigmoid", "tanh", "linear"), "dual_rail", "ideal", 1e-4),
]


def made_of(
    activations: tuple[str, ...], topology: str, technology: str = "board", **options: object
) -> Design:
    network = random_network([4, *[6] * (len(activations) - 1), 3], activations, seed=3)
    return convert(
        network, technology=technology, topology=topology, input_range=(-1.0, 1.0), overrides=options
    )


def forward(design: Design, spread: Spread, volts: Array, boards: int = 0, seed: int = 6) -> Array:
    """Outputs (N, n_out) in volts without spread, or (boards, N, n_out) of boards drawn."""
    from tinygrad.engine.jit import TinyJit
    from tinygrad.tensor import Tensor

    dense = design.network.layers
    layers = [CircuitLayer.of(b, d) for b, d in zip(limits(design, spread), dense, strict=True)]
    v = Tensor(volts.astype(np.float32)).realize()

    def run(*drawn: Tensor) -> Tensor:
        h = v
        for i, layer in enumerate(layers):
            h = layer(h, Board(*drawn[FIELDS * i : FIELDS * (i + 1)]) if drawn else None)
        return h.realize()

    if not boards:
        answer: Array = run().numpy().astype(np.float64)
        return answer
    rng, compiled = np.random.default_rng(seed), TinyJit(run)
    shapes = [(d.n_out, d.n_in) for d in dense]
    return np.stack([compiled(*map(Tensor, Board.draws(shapes, rng))).numpy() for _ in range(boards)])


X = np.random.default_rng(1).uniform(-1.0, 1.0, (30, 4))


@pytest.mark.parametrize(
    ("activations", "topology", "technology", "most", "series"),
    [
        (*CASES[0], "E24"),
        *(pytest.param(*case, "exact", marks=pytest.mark.slow) for case in CASES),
        # a signed neuron's balance resistor is rounded too, which the layers leave out
        *(pytest.param(*c, "E24", marks=pytest.mark.slow) for c in CASES[1:] if c[1] != "signed"),
    ],
)
def test_the_layers_are_the_nominal_circuit(
    activations: tuple[str, ...], topology: str, technology: str, most: float, series: str
) -> None:
    """Rounded resistors, real transfer curves: within what finite gain and leakage make of it."""
    design = made_of(activations, topology, technology, series=series)
    circuit = solver.solve(design.analog, design.cells, X).outputs_v
    model = forward(design, NOTHING, X * design.analog.scale_in)
    assert np.abs(model - circuit).max() < most
    if series == "E24":  # the rounding matters more than what the model leaves out
        floats = design.network(X) * design.analog.scale_out
        assert np.abs(model - circuit).max() < 0.3 * np.abs(floats - circuit).max()


@pytest.mark.slow
def test_the_layers_clip_where_the_circuit_does() -> None:
    design = made_of(("relu", "linear"), "split", opamp="lm358", full_scale=2.0)
    x = 4.0 * X
    found = solver.solve(design.analog, design.cells, x)
    assert found.clipped.sum() > 3
    model = forward(design, NOTHING, x * design.analog.scale_in)
    free = design.analog.outputs_v(x)
    assert np.abs(free - found.outputs_v).max() > 0.5
    # the first op-amps' clipping is left out, and there is no knee
    assert np.abs(model - found.outputs_v).max() < 0.35 * np.abs(free - found.outputs_v).max()


@pytest.mark.slow
@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize(("tolerance", "vos"), [(0.02, 0.0), (0.0, 3e-3)])
def test_boards_of_the_layers_spread_as_boards_of_the_circuit(
    topology: str, tolerance: float, vos: float
) -> None:
    design = made_of(("relu", "linear") if topology != "signed" else ("linear", "linear"), topology)
    spread = Spread(tolerance, 0.0, vos, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    count, volts = 200, X[:5] * design.analog.scale_in
    modelled = forward(design, spread, volts, count)
    real = []
    for k in range(count):
        one = board(design, spread, 2, k)
        system = solver.equations(
            solver.hardware(design.analog, design.cells, one.temperature, one.factors, one.rails), 1e-6
        )
        real.append(system.solve(volts)[0][-1])
    ratio = modelled.std(axis=0) / np.stack(real).std(axis=0)
    assert 0.8 < ratio.mean() < 1.25
    assert ratio.min() > 0.65
    assert ratio.max() < 1.5


@pytest.mark.slow
def test_gradients_reach_every_weight_and_pass_the_rounding() -> None:
    from tinygrad.tensor import Tensor

    design = made_of(("relu", "tanh", "linear"), "split", series="E24")
    layers = [
        CircuitLayer.of(b, d) for b, d in zip(limits(design, NOTHING), design.network.layers, strict=True)
    ]
    for layer in layers:
        layer.weight.requires_grad = True
    v = Tensor((X * design.analog.scale_in).astype(np.float32))
    for layer in layers:
        v = layer(v, None)
    v.square().sum().backward()
    for layer in layers:
        assert layer.weight.grad is not None
        slope = layer.weight.grad.numpy()
        assert np.isfinite(slope).all()
        assert (slope != 0).mean() > 0.7


@pytest.mark.slow
def test_fine_tuning_makes_boards_better() -> None:
    """On boards of the solver, not of the model that it was trained with; and never the test split."""
    design = convert(EXAMPLES / "digits" / "digits.safetensors", overrides={"opamp": "lm358"})
    spread = default_spread(design, vos_sigma=20e-3)
    training = load_data("digits", split="train")
    tuned = fine_tune(design, training, epochs=30, spread=spread, rate=5e-3, seed=3)
    assert tuned.after > tuned.before
    again = fine_tune(design, training, epochs=1, spread=spread, seed=3)
    twice = fine_tune(design, training, epochs=1, spread=spread, seed=3)
    assert np.array_equal(again.network.layers[0].weight, twice.network.layers[0].weight)
    better = convert(tuned.network, technology=design.technology, calibrate=training)
    test = test_set("digits")
    assert mean_accuracy(better, test, spread) > mean_accuracy(design, test, spread) + 0.004


def mean_accuracy(design: Design, data: Dataset, spread: Spread) -> float:
    from analognet.analog.montecarlo import monte_carlo

    assert data.y is not None
    return monte_carlo(design, data.x, data.y, 30, 1, spread, sensitivity_boards=0).mean


@pytest.mark.slow
def test_the_command_writes_a_design_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    model = str(EXAMPLES / "iris" / "iris.safetensors")
    assert run(["convert", model, "--opamp", "lm358", "--out", "made"]) == 0
    capsys.readouterr()
    assert run(["finetune", "made", "--epochs", "2", "--rate", "0.01", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["metrics"]["finetune"]
    assert told["accuracy_before"] <= told["accuracy_after"]
    assert told["epochs"] == 2
    old, new = open_design(tmp_path / "made"), open_design(tmp_path / "made-tuned")
    assert new.technology == old.technology
    same = np.array_equal(new.network.layers[0].weight, old.network.layers[0].weight)
    assert same == (told["epoch_kept"] == 0)
    assert run(["simulate", "--data", "iris", "--monte-carlo", "3", "--trim-adc", "10", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert "10-bit ADC" in answer["provenance"]["monte_carlo"]["calibration"]
    assert answer["provenance"]["monte_carlo"]["device"] is None


def test_without_training_data_there_is_nothing_to_learn_from() -> None:
    with pytest.raises(InputError, match="network 'random' has no training data at hand; convert it with"):
        made_of(("relu", "linear"), "split").training_data()


def test_what_cannot_be_fine_tuned(monkeypatch: pytest.MonkeyPatch) -> None:
    design = made_of(("relu", "linear"), "split")
    y = np.zeros(30, dtype=np.int64)
    with pytest.raises(InputError, match="fine-tuning needs labels"):
        fine_tune(design, Dataset("x", X, None, ""), epochs=1)
    with pytest.raises(UsageError, match="allowed is 1 to 10000 epochs"):
        fine_tune(design, Dataset("x", X, y, ""), epochs=0)
    with pytest.raises(UsageError, match="rate 0: allowed is above 0"):
        fine_tune(design, Dataset("x", X, y, ""), epochs=1, rate=0.0)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ToolMissing, match="clang"):
        fine_tune(design, Dataset("x", X, y, ""), epochs=1)
