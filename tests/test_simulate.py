"""ngspice against the mathematics: laws that hold exactly, and whole data sets beside the float network."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from conftest import (
    ACTIVATIONS,
    EXAMPLES,
    TOPOLOGIES,
    dense,
    example,
    inputs,
    ngspice,
    random_network,
    test_set,
    with_opamp,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analognet.analog import simulate as sweeps
from analognet.analog.layers import AnalogLayer
from analognet.analog.simulate import plausible_error, similar_first
from analognet.data import Dataset
from analognet.design import Design, convert
from analognet.errors import AnalogNetError, InputError, SimulatorError, UsageError
from analognet.network import Array, Network, classify
from analognet.simulation import choose_data, simulate

# --- laws


def linear_layer(topology: str, technology: str = "ideal") -> Design:
    network = Network("n", (dense([[1.5, -0.75, 0.5], [-2.0, 0.25, -1.0]], [0.5, -0.25]),))
    return convert(network, technology=technology, topology=topology, input_range=(-1.0, 1.0))


def first_noise_gain(layer: AnalogLayer) -> Array:
    """(n_out,) 1 + G+ / G_f of the first op-amps of a split layer; 1 where there is none."""
    ratio = np.divide(
        layer.g_pos.sum(axis=1), layer.g_f_pos, out=np.zeros(layer.n_out), where=layer.g_f_pos > 0
    )
    return np.asarray(1 + ratio)


def finite_gain(design: Design, x: Array, a0: float) -> Array:
    """(N, n_out) volts of one linear layer whose op-amps have gain a0: every stage over 1 + NG/a0."""
    layer, v = design.analog.layers[0], x * design.analog.scale_in
    v = np.hstack([v, np.full((len(v), 1), design.technology.reference)])
    i_pos, i_neg = v @ layer.g_pos.T, v @ layer.g_neg.T
    last = 1 + layer.noise_gain / a0
    if layer.topology == "split":
        first = 1 + first_noise_gain(layer) / a0
        return np.asarray((i_pos * layer.positive_share / first - i_neg) / layer.g_f / last)
    if layer.topology == "dual_rail":  # its inverters have a noise gain of 2
        return np.asarray((i_pos / (1 + 2 / a0) - i_neg) / layer.g_f / last)
    at_plus = layer.g_pos.sum(axis=1) + layer.balance_pos
    return np.asarray((i_pos / at_plus * layer.noise_gain - i_neg / layer.g_f) / last)


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("a0", [1e4, 1e5, 1e6, 1e7])
def test_finite_gain_follows_its_closed_form(a0: float, topology: str) -> None:
    design = with_opamp(linear_layer(topology), a0=a0)
    x = inputs(20, 3)
    found = ngspice(design, x).outputs_v
    wanted = finite_gain(design, x, a0)
    error = np.abs(found - design.network(x) * design.analog.scale_out).max()
    np.testing.assert_allclose(found, wanted, atol=max(1e-3 * error, 2e-9))
    assert 0.1 < error * a0 / design.technology.full_scale < 20


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_error_of_a_network_is_inverse_to_the_gain(topology: str) -> None:
    design = convert(
        random_network((4, 8, 3), ("relu", "linear"), seed=4), technology="ideal", topology=topology
    )
    x = inputs(30, 4)
    wanted = design.network(x) * design.analog.scale_out
    error = [
        np.abs(ngspice(with_opamp(design, a0=a0), x).outputs_v - wanted).max() for a0 in (1e4, 1e5, 1e6, 1e7)
    ]
    for a, b in itertools.pairwise(error):
        assert a / b == pytest.approx(10, rel=0.03)


@pytest.mark.parametrize("technology", ["ideal", "board"])
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_a_linear_network_superposes(technology: str, topology: str) -> None:
    design = convert(
        random_network((4, 5, 3), ("linear", "linear")), technology=technology, topology=topology
    )
    a, b = 0.5 * inputs(10, 4, seed=2), 0.5 * inputs(10, 4, seed=3)
    y = ngspice(design, np.concatenate([a, b, a + b, np.zeros((1, 4))])).outputs_v
    difference = y[20:30] - y[:10] - y[10:20] + y[30]
    assert np.abs(difference).max() < (1e-8 if technology == "ideal" else 5e-6)


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_offset_appears_at_the_output_times_the_noise_gain(topology: str) -> None:
    vos = 1e-3
    design = linear_layer(topology, "board")
    x = 0.3 * inputs(5, 3)
    moved = ngspice(with_opamp(design, vos=vos), x).outputs_v - ngspice(design, x).outputs_v
    layer = design.analog.layers[0]
    wanted = layer.noise_gain.copy()
    if topology == "split":  # the first op-amp's offset arrives inverted
        wanted -= np.where(layer.g_link > 0, first_noise_gain(layer) * layer.g_link / layer.g_f, 0)
    if topology == "dual_rail":  # each inverter's offset, twice, through the weights behind it
        wanted -= 2 * layer.g_pos.sum(axis=1) / layer.g_f
    np.testing.assert_allclose(moved, np.broadcast_to(vos * wanted, moved.shape), rtol=2e-3)


def test_bias_current_flows_through_the_feedback_resistor() -> None:
    ib = 1e-7
    design = linear_layer("split", "board")
    negative = Network("n", (dense([[-1.0, -2.0]]),))  # one op-amp, its + input at common
    design = convert(negative, topology="split", input_range=(-1.0, 1.0))
    x = np.zeros((1, 2))
    quiet = with_opamp(design, ib=0.0, ios=0.0)
    loud = with_opamp(design, ib=ib, ios=0.0)
    moved = (ngspice(loud, x).outputs_v - ngspice(quiet, x).outputs_v)[0, 0]
    assert moved == pytest.approx(ib / design.analog.layers[0].g_f[0], rel=1e-3)


def test_power_is_what_the_parts_draw() -> None:
    design = linear_layer("split", "board")
    points = ngspice(design, np.zeros((1, 3)))
    part, t = design.cells[design.technology.opamp], design.technology
    quiescent = design.tally.opamps * part.defaults["iq"] * (t.vdd - t.vss)
    assert points.power_w is not None
    assert quiescent < points.power_w[0] < quiescent * 1.5
    assert ngspice(linear_layer("split"), np.zeros((1, 3))).power_w is None


# --- every kind of network


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_node_of_an_ideal_circuit_is_where_the_mathematics_has_it(
    activation: str, topology: str
) -> None:
    network = random_network((4, 6, 5, 3), (activation, activation, "linear"), seed=8)
    design = convert(network, technology="ideal", topology=topology)
    x = inputs(25, 4)
    points = ngspice(design, x, hidden=True)
    nodes = [*points.hidden_v, points.outputs_v]
    assert len(nodes) == 3
    for found, (_, wanted) in zip(nodes, design.analog.voltages(x), strict=True):
        np.testing.assert_allclose(found, wanted, atol=5e-5)
    np.testing.assert_allclose(points.outputs_v / design.analog.scale_out, network(x), atol=2e-4)
    assert points.clipped == 0


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_kind_of_board_stays_within_its_stated_errors(activation: str, topology: str) -> None:
    network = random_network((4, 6, 3), (activation, "linear"), seed=9)
    design = convert(network, topology=topology)
    x = inputs(25, 4)
    points = ngspice(design, x, hidden=True)
    error = np.abs(points.outputs_v - design.analog.outputs_v(x))
    assert (error <= plausible_error(design.analog, design.cells, 27.0)).all()
    limit = 20e-3 if activation in ("sigmoid", "tanh") else 5e-3
    assert error.max() < limit
    hidden = design.analog.voltages(x)[0][1]
    assert np.abs(points.hidden_v[0] - hidden).max() < limit


def test_one_sided_supplies_of_inputs_do_not_matter() -> None:
    network = random_network((3, 4, 2), ("relu", "linear"))
    for low, high in ((0.0, 255.0), (-8.0, -3.0), (100.0, 101.0)):
        design = convert(network, technology="ideal", input_range=(low, high))
        x = inputs(10, 3, low, high)
        found = ngspice(design, x).outputs_v / design.analog.scale_out
        np.testing.assert_allclose(found, network(x), atol=1e-5 * np.abs(network(x)).max())


WEIGHT = st.one_of(st.just(0.0), st.floats(-2, 2), st.floats(-1e3, 1e3), st.sampled_from([1e-12, -1e9]))


@st.composite
def networks(draw: st.DrawFn) -> Network:
    shape = draw(st.lists(st.integers(1, 4), min_size=2, max_size=4))
    layers = []
    for i, (n_in, n_out) in enumerate(itertools.pairwise(shape)):
        weight = draw(
            st.lists(st.lists(WEIGHT, min_size=n_in, max_size=n_in), min_size=n_out, max_size=n_out)
        )
        bias = draw(st.lists(WEIGHT, min_size=n_out, max_size=n_out))
        layers.append(dense(weight, bias, draw(st.sampled_from(ACTIVATIONS)), name=f"l{i}"))
    return Network("any", tuple(layers))


BOUNDS = st.sampled_from([(-1.0, 1.0), (0.0, 1.0), (-3.0, -1.0), (0.0, 255.0), (-1e-3, 5e-4)])


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(networks(), BOUNDS, st.sampled_from(TOPOLOGIES), st.sampled_from(["ideal", "board"]))
def test_any_network_converts_and_agrees_or_is_refused(
    network: Network, bounds: tuple[float, float], topology: str, technology: str
) -> None:
    design, refusal = None, ""
    try:
        design = convert(network, technology=technology, topology=topology, input_range=bounds)
    except AnalogNetError as e:
        refusal = str(e)
    if design is None:
        assert "layer 'l" in refusal
        return
    x = inputs(6, network.n_in, *bounds)
    x[:4] = np.where(np.eye(network.n_in, dtype=bool)[[0, -1]].repeat(2, axis=0), *bounds)
    x[1:4:2] = bounds[0] + bounds[1] - x[1:4:2]  # corners of the range too
    points = ngspice(design, x)  # holds itself to the bound on plausible errors, or raises
    if not np.allclose(design.analog(x), network(x), rtol=1e-6):
        return  # small weights were dropped or raised to the largest resistor's: nodes may stand elsewhere
    assert points.clipped == 0
    error = np.abs(points.outputs_v - design.analog.outputs_v(x))
    assert (error <= plausible_error(design.analog, design.cells, 27.0)).all()
    if technology == "ideal":
        # 1/A0 and the input's and resistors' nine figures, through as many gains as there are layers
        gain = np.prod(
            [
                1 + (layer.noise_gain + first_noise_gain(layer) * layer.g_link / layer.g_f).max()
                for layer in design.analog.layers
            ]
        )
        assert error.max() < 1e-6 * gain + 1e-6


# --- the shipped examples


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_ideal_agrees_on_every_iris_image(topology: str) -> None:
    design, data = example("iris", "ideal", topology), test_set("iris")
    result = simulate(design, data, jobs=1)
    assert result.metrics["agreement"] == 1.0
    assert np.abs(result.outputs - result.reference).max() * design.analog.scale_out < 2e-5
    np.testing.assert_array_equal(result.predictions, classify(design.network(data.x)))


@pytest.mark.slow
@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("name", ["digits", "digits_deep", "digits_sigmoid"])
def test_ideal_agrees_on_every_digit(name: str, topology: str) -> None:
    design, data = example(name, "ideal", topology), test_set("digits")
    result = simulate(design, data)
    assert result.metrics["images"] == 450
    assert result.metrics["agreement"] == 1.0
    assert np.abs(result.outputs_v - result.reference * design.analog.scale_out).max() < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("name", ["digits", "digits_deep", "digits_sigmoid"])
def test_board_is_within_a_point_of_float_on_every_digit(name: str, topology: str) -> None:
    result = simulate(example(name, "board", topology), test_set("digits"))
    accuracy, reference = result.metrics["accuracy"], result.metrics["reference_accuracy"]
    assert result.metrics["images"] == 450
    assert isinstance(accuracy, float)
    assert isinstance(reference, float)
    assert abs(accuracy - reference) <= 0.01


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_board_agrees_on_iris(topology: str) -> None:
    result = simulate(example("iris", "board", topology), test_set("iris"), jobs=1)
    assert result.metrics["agreement"] == 1.0


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_board_is_within_two_points_of_float_on_mnist_images(mnist: Dataset) -> None:
    """Few of them; `python benchmarks/core.py` has 200."""
    result = simulate(example("mnist"), mnist, images=60)
    accuracy, reference = result.metrics["accuracy"], result.metrics["reference_accuracy"]
    assert isinstance(accuracy, float)
    assert isinstance(reference, float)
    assert abs(accuracy - reference) <= 0.02


def test_figures_follow_from_the_arrays() -> None:
    design, data = example("iris"), test_set("iris")
    result = simulate(design, data, images=20, jobs=2)
    m, error = result.metrics, result.outputs_v - result.reference * design.analog.scale_out
    assert m["images"] == 20 == len(result.outputs_v)
    assert m["output_error_v_max"] == pytest.approx(np.abs(error).max())
    assert m["output_error_v_rms"] == pytest.approx(np.sqrt((error**2).mean()))
    assert result.labels is not None
    assert m["accuracy"] == (result.predictions == result.labels).mean()
    np.testing.assert_allclose(result.outputs * design.analog.scale_out, result.outputs_v)
    np.testing.assert_array_equal(result.reference, design.network(data.x[:20]))
    assert m.provenance["data"]["sha256"] == data.digest
    assert m["opamps"] == design.tally.opamps


def test_chunks_and_jobs_do_not_change_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    design, x = example("iris", "ideal"), test_set("iris").x
    whole = simulate(design, test_set("iris"), jobs=1)
    monkeypatch.setattr(sweeps, "CHUNK", 7)
    seen: list[tuple[int, int]] = []
    parts = simulate(
        design, test_set("iris"), jobs=2, progress=lambda done, total: seen.append((done, total))
    )
    np.testing.assert_allclose(parts.outputs_v, whole.outputs_v, atol=1e-9)
    assert seen[-1] == (len(x), len(x))
    assert all(a[0] <= b[0] for a, b in itertools.pairwise(seen))


def test_one_image_of_every_kind() -> None:
    design = example("iris")
    result = simulate(design, Dataset("one", test_set("iris").x[:1], None, ""), jobs=2)
    assert result.outputs_v.shape == (1, 3)
    assert result.metrics["accuracy"] is None
    assert result.metrics["agreement"] == 1.0


def test_the_order_of_a_sweep_is_a_permutation() -> None:
    design = example("digits", "ideal")
    order = similar_first(design.analog, test_set("digits").x[:60])
    assert sorted(order.tolist()) == list(range(60))


@pytest.mark.parametrize("celsius", [-40.0, 125.0])
def test_temperature_moves_a_transistor_pair_and_no_ideal_cell(celsius: float) -> None:
    network = random_network((3, 4, 2), ("sigmoid", "linear"))
    x = inputs(10, 3)
    for technology in ("ideal", "board"):
        design = convert(network, technology=technology)
        moved = np.abs(ngspice(design, x, temperature=celsius).outputs_v - ngspice(design, x).outputs_v).max()
        assert moved < 1e-9 if technology == "ideal" else moved > 1e-3


# --- a result that cannot be believed is no result


def test_an_output_that_disagrees_with_the_mathematics_is_an_error() -> None:
    design = example("iris", "ideal")
    layer = design.analog.layers[1]
    wrong = replace(design.analog, layers=(design.analog.layers[0], replace(layer, g_neg=layer.g_neg * 1.05)))
    with pytest.raises(SimulatorError) as caught:
        sweeps.operating_points(
            wrong, design.circuit, design.netlist, design.cells, test_set("iris").x, jobs=1
        )
    words = str(caught.value)
    assert words.startswith("ngspice's output y")
    assert "where the mathematics says" in words
    assert words.endswith("apart: no result is given")


def test_inputs_that_clip_are_counted_and_said() -> None:
    network = Network("n", (dense([[3.0]], activation="relu"), dense([[1.0]])))
    design = convert(network, calibrate=Dataset("small", np.array([[0.0], [0.5], [1.0]]), None, ""))
    x = np.array([[0.1], [1.0], [1.9]])  # 1.9 is 4.75 V, inside the rails; the sum behind it is not
    result = simulate(design, Dataset("x", x, None, ""), jobs=1)
    assert "1 of 3 inputs drive a node beyond the op-amp's swing: it clips" in result.notes
    assert result.metrics.details["clipped"] == 1
    assert any("more than the full scale of 2.5 V: nodes may clip; scale" in n for n in result.notes)


def test_inputs_beyond_the_rails_are_refused() -> None:
    design = example("iris")
    x = np.array([[5.1, 3.5, 1.4, 0.2]])  # centimetres: not divided by 8
    with pytest.raises(InputError) as caught:
        simulate(design, Dataset("cm", x, None, ""))
    assert "inputs reach 5.1, which is 12.9 V and beyond the supplies (-5 to 5 V)" in str(caught.value)
    assert "analognet convert MODEL --input-range=" in str(caught.value)


# --- which data


def test_what_is_simulated_without_data(tmp_path: object) -> None:
    network = random_network((3, 2), ("linear",))
    bare = convert(network, input_range=(-2.0, 3.0))
    data, notes = choose_data(bare, None, None, seed=1)
    assert data.x.shape == (100, 3)
    assert -2.0 <= data.x.min() < -1.8
    assert 2.8 < data.x.max() <= 3.0
    assert notes == ["random inputs from -2 to 3; give --data for an accuracy"]
    np.testing.assert_array_equal(choose_data(bare, None, None, 1)[0].x, data.x)
    assert not np.array_equal(choose_data(bare, None, None, 2)[0].x, data.x)
    own = Dataset("own", inputs(7, 3), None, "d")
    kept, notes = choose_data(convert(network, calibrate=own), None, None, 0)
    assert notes[0] == "simulated on the data it was calibrated with"
    assert len(kept) == 7
    assert choose_data(example("iris"), None, None, 0)[0].name == "iris"


def test_numbers_of_images() -> None:
    design = example("iris")
    assert len(choose_data(design, "iris", 5, 0)[0]) == 5
    data, notes = choose_data(design, "iris", 500, 0)
    assert len(data) == 50
    assert notes == ["iris has 50 inputs, not 500"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"images": 0}, "--images 0: at least 1 input is needed"),
        ({"images": -3}, "--images -3: at least 1 input is needed"),
        ({"seed": -1}, "--seed -1: a seed is a whole number from 0 to 2^63 - 1"),
        ({"temperature": 126.0}, "--temperature 126: technology board holds from -40 to 125 C"),
        ({"temperature": float("nan")}, "--temperature nan: technology board holds"),
        ({"jobs": 0}, "--jobs 0: at least 1 is needed"),
    ],
)
def test_values_that_are_refused(options: dict[str, float], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        simulate(example("iris"), "iris", **options)  # type: ignore[arg-type]
    assert words in str(caught.value)


def test_examples_are_all_tested() -> None:
    shipped = {p.stem for p in EXAMPLES.glob("*/*.safetensors")}
    assert shipped == {"iris", "digits", "digits_deep", "digits_sigmoid", "mnist", "mnist_chip"}
