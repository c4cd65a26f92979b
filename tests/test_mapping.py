"""Weights to conductances: the identity that ties them together, ranges, and refusals."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from conftest import ACTIVATIONS, TOPOLOGIES, dense, inputs, random_network
from hypothesis import given
from hypothesis import strategies as st

from analognet.analog.cells import library
from analognet.analog.layers import AnalogNetwork
from analognet.analog.limits import swing
from analognet.analog.mapping import map_network
from analognet.analog.ranges import data_ranges, interval_ranges
from analognet.analog.technology import Technology, load_technology, parse_technology
from analognet.errors import AnalogNetError, InputError, UsageError
from analognet.network import Network

CELLS = library()
IDEAL, BOARD = load_technology("ideal"), load_technology("board")
RANGE = (-1.0, 1.0)


def mapped(
    network: Network,
    technology: Technology = IDEAL,
    topology: str = "split",
    input_range: tuple[float, float] = RANGE,
) -> AnalogNetwork:
    ranges = interval_ranges(network, input_range)
    return map_network(network, technology, CELLS, input_range, ranges, topology)


def changed(technology: Technology, **values: object) -> Technology:
    plain = technology.model_dump()
    for key, value in values.items():
        (plain["resistor"] if key in plain["resistor"] else plain)[key] = value
    return parse_technology(plain, "changed")


# --- the identity


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("technology", [IDEAL, BOARD], ids=["ideal", "board"])
def test_the_ideal_circuit_is_the_network(technology: Technology, activation: str, topology: str) -> None:
    network = random_network((5, 7, 3), (activation, "linear"))
    analog = mapped(network, changed(technology, max_ohm=1e12), topology)
    assert analog.dropped == 0
    x = inputs(50, 5)
    np.testing.assert_allclose(analog(x), network(x), rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(analog.outputs_v(x), network(x) * analog.scale_out, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("technology", [IDEAL, BOARD], ids=["ideal", "board"])
def test_conductances_give_the_weights_back(technology: Technology, topology: str) -> None:
    network = random_network((6, 5, 4), ("relu", "linear"), seed=3)
    analog = mapped(network, changed(technology, max_ohm=1e12), topology)
    for layer, wanted in zip(analog.layers, network.layers, strict=True):
        weight, bias = layer.unmap(technology.reference)
        np.testing.assert_allclose(weight, wanted.weight, rtol=1e-9)
        np.testing.assert_allclose(bias, wanted.bias, rtol=1e-9)


WEIGHTS = st.one_of(
    st.just(0.0),
    st.floats(-3, 3),
    st.floats(-1e6, 1e6),
    st.sampled_from([1e-300, -1e-30, 1e30, -1e300, 1e-9]),
)


@st.composite
def networks(draw: st.DrawFn) -> Network:
    shape = draw(st.lists(st.integers(1, 4), min_size=2, max_size=4))
    layers = []
    for i, (n_in, n_out) in enumerate(itertools.pairwise(shape)):
        weight = draw(
            st.lists(st.lists(WEIGHTS, min_size=n_in, max_size=n_in), min_size=n_out, max_size=n_out)
        )
        bias = draw(st.lists(WEIGHTS, min_size=n_out, max_size=n_out))
        layers.append(dense(weight, bias, draw(st.sampled_from(ACTIVATIONS)), name=f"l{i}"))
    return Network("any", tuple(layers))


@given(networks(), st.sampled_from(TOPOLOGIES), st.sampled_from(["exact", "E24", "E96", "pot6"]))
def test_any_network_maps_into_the_technologys_range_or_is_refused(
    network: Network, topology: str, series: str
) -> None:
    technology = changed(BOARD, series=series)
    low, high = technology.resistor.min_ohm, technology.resistor.max_ohm
    analog, refusal = None, ""
    try:
        with np.errstate(all="raise", under="ignore"):
            analog = mapped(network, technology, topology)
    except AnalogNetError as e:
        refusal = str(e)
    if analog is None:
        assert "layer 'l" in refusal
        return
    for layer, wanted in zip(analog.layers, network.layers, strict=True):
        conductances = (
            *(layer.g_pos, layer.g_neg, layer.g_f, layer.g_f_pos, layer.g_link),
            *(layer.balance_pos, layer.balance_neg),
        )
        for g in conductances:
            ohms = 1 / g[g > 0]
            assert np.isfinite(g).all()
            assert (g >= 0).all()
            assert ((ohms >= low * (1 - 1e-9)) & (ohms <= high * (1 + 1e-9))).all()
        assert not ((layer.g_pos > 0) & (layer.g_neg > 0)).any()
        present = (layer.g_pos[:, :-1] > 0) | (layer.g_neg[:, :-1] > 0)
        assert not (present & (wanted.weight == 0)).any()
        values = np.count_nonzero(wanted.weight) + np.count_nonzero(wanted.bias)
        assert layer.dropped == values - np.count_nonzero(layer.g_pos + layer.g_neg)


@given(networks(), st.sampled_from(TOPOLOGIES))
def test_the_identity_holds_for_any_network_that_maps_without_loss(network: Network, topology: str) -> None:
    try:
        analog = mapped(network, IDEAL, topology)
    except AnalogNetError:
        return
    if analog.dropped:
        return
    x = inputs(5, network.n_in)
    volts, wanted = analog.outputs_v(x), network(x) * analog.scale_out
    # every node is held to a few volts, so rounding of the sums is rounding of volts
    np.testing.assert_allclose(volts, wanted, rtol=1e-6, atol=1e-6 * IDEAL.full_scale)


# --- topologies


def test_signed_balances_both_inputs() -> None:
    network = random_network((9, 6, 2), ("relu", "linear"), seed=5)
    for layer in mapped(network, IDEAL, "signed").layers:
        plus = layer.g_pos.sum(axis=1) + layer.balance_pos
        minus = layer.g_neg.sum(axis=1) + layer.balance_neg + layer.g_f
        np.testing.assert_allclose(plus, minus, rtol=1e-12)
        assert not ((layer.balance_pos > 0) & (layer.balance_neg > 0)).any()


def test_a_balance_too_small_for_one_resistor_is_made_of_two() -> None:
    kind = BOARD.resistor
    # + input: gain 1; - input: feedback and a little more than nothing
    little = 0.2 * kind.feedback_ohm / kind.max_ohm * 3
    network = Network("n", (dense([[1.0 + little, -little * 1.5]]),))
    layer = mapped(network, BOARD, "signed").layers[0]
    plus = layer.g_pos.sum(axis=1) + layer.balance_pos
    minus = layer.g_neg.sum(axis=1) + layer.balance_neg + layer.g_f
    np.testing.assert_allclose(plus, minus, rtol=1e-9)


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_rounded_resistors_upset_the_identity_by_as_much_as_they_are_rounded(topology: str) -> None:
    network = random_network((8, 6, 3), ("relu", "linear"), seed=2)
    x = inputs(40, 8)
    errors = {}
    for series in ("E24", "E96", "E192", "exact"):
        analog = mapped(network, changed(IDEAL, series=series), topology)
        errors[series] = float(np.abs(analog(x) - network(x)).max())
    assert errors["E24"] > errors["E96"] > errors["E192"] > errors["exact"]
    assert errors["exact"] < 1e-9


def test_a_split_neuron_without_positive_weights_has_no_first_opamp() -> None:
    layer = mapped(Network("n", (dense([[-1.0, -2.0], [1.0, -1.0]]),))).layers[0]
    assert (layer.g_f_pos > 0).tolist() == [False, True]
    assert (layer.g_link > 0).tolist() == [False, True]


def test_dropped_weights_are_counted() -> None:
    network = Network("n", (dense([[1.0, 1e-9, 0.0], [1.0, -1e-9, 0.5]], [1e-9, 0.0]),))
    analog = mapped(network, BOARD)
    assert analog.dropped == 3
    assert mapped(network, IDEAL).dropped == 0


# --- ranges


@given(st.integers(0, 10_000), st.sampled_from(ACTIVATIONS), st.floats(-5, 4.9), st.floats(0.1, 5))
def test_interval_bounds_hold_for_every_input(seed: int, activation: str, low: float, width: float) -> None:
    network = random_network((4, 5, 3), (activation, "linear"), seed=seed, scale=2.0)
    bounds = (low, low + width)
    ranges = interval_ranges(network, bounds)
    x = inputs(60, 4, *bounds, seed=seed)
    for z, known in zip(network.preactivations(x), ranges, strict=True):
        assert known.z[0] - 1e-9 <= z.min()
        assert z.max() <= known.z[1] + 1e-9
        assert known.z[0] <= 0 <= known.z[1]


def test_known_ranges_take_the_bounds_place() -> None:
    network = random_network((4, 5, 3), ("relu", "linear"))
    wide = interval_ranges(network, RANGE)
    narrow = interval_ranges(network, RANGE, [(-0.1, 0.2), (-0.3, 0.4)])
    assert narrow[0].z == (-0.1, 0.2)
    assert narrow[1].z[1] <= 0.4 < wide[1].z[1]


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("activation", ["relu", "leaky_relu:0.1", "tanh"])
def test_calibrated_nodes_stay_inside_swing_and_full_scale(activation: str, topology: str) -> None:
    network = random_network((6, 10, 4), (activation, "linear"), seed=7, scale=3.0)
    x = inputs(300, 6)
    analog = map_network(network, BOARD, CELLS, RANGE, data_ranges(network, x), topology)
    low, high = swing(BOARD, CELLS)
    v = x * analog.scale_in
    assert np.abs(v).max() <= BOARD.full_scale
    for layer in analog.layers:
        for node in (layer.summing(v, BOARD.reference), layer.first_sums(v, BOARD.reference)):
            assert low <= node.min()
            assert node.max() <= high
        v = layer.activate(layer.summing(v, BOARD.reference))
        assert np.abs(v).max() <= BOARD.full_scale * (1 + 1e-9)


# --- refusals


def test_unknown_topology_and_series() -> None:
    network = random_network((2, 2), ("linear",))
    with pytest.raises(UsageError, match="topology 'ring' is unknown; there are split, signed, dual_rail"):
        mapped(network, topology="ring")
    with pytest.raises(InputError, match="resistor series 'E7' is unknown"):
        mapped(network, changed(BOARD, series="E7"))


@pytest.mark.parametrize(
    "bad", [(1.0, 1.0), (2.0, 1.0), (0.0, np.inf), (np.nan, 1.0), (0.0, 5e-324), (-1e200, 0.0)]
)
def test_input_ranges_that_are_none(bad: tuple[float, float]) -> None:
    network = random_network((2, 2), ("linear",))
    with pytest.raises(InputError, match="the lower end comes first, and the larger one lies from 1e-100"):
        map_network(network, IDEAL, CELLS, bad, interval_ranges(network, RANGE))


def test_a_range_for_each_layer() -> None:
    network = random_network((2, 2, 1), ("relu", "linear"))
    with pytest.raises(InputError, match="1 ranges were given for 2 layers"):
        map_network(network, IDEAL, CELLS, RANGE, interval_ranges(network, RANGE)[:1])


def test_full_scale_beyond_the_swing() -> None:
    with pytest.raises(InputError) as caught:
        mapped(random_network((2, 2), ("relu",)), changed(BOARD, full_scale=4.5))
    assert "full scale 4.5 V is beyond what opamp_opa4192 reaches on +5/-5 V" in str(caught.value)
    assert "headroom for rectifier_diode" in str(caught.value)


def test_weights_that_no_voltage_can_stand_for() -> None:
    network = Network("n", (dense([[1e308, 1e308]]),))
    with pytest.raises(InputError, match=r"layer 'l': pre-activations reach inf; up to 1e\+100 can be"):
        mapped(network)


def test_a_feedback_resistor_beyond_the_range() -> None:
    small = changed(BOARD, max_ohm=20e3)
    network = Network("n", (dense(np.full((1, 400), 1.0)), dense(np.full((400, 1), 1.0), name="wide")))
    with pytest.raises(InputError) as caught:
        mapped(network, small)
    assert "layer 'wide': needs a feedback resistor of" in str(caught.value)
    assert "technology board ends at 2e+04" in str(caught.value)


@pytest.mark.parametrize(
    ("slope", "words"),
    [
        ("50", "cell act_leaky_relu_diode has slopes from 0.0001 to 10, not 50"),
        ("1e-9", "cell act_leaky_relu_diode has slopes from 0.0001 to 10, not 1e-09"),
        ("-5", "cell act_leaky_relu_diode_neg has slopes from -1.9 to "),
    ],
)
def test_a_slope_that_its_cell_has_not(slope: str, words: str) -> None:
    network = random_network((2, 2), (f"leaky_relu:{slope}",))
    with pytest.raises(InputError) as caught:
        mapped(network, BOARD)
    assert str(caught.value).startswith("layer 'l0': ")
    assert words in str(caught.value)
    mapped(network, IDEAL)  # a formula has any slope


def test_a_cell_that_is_not_there() -> None:
    technology = replace_activation("act_relu_missing")
    with pytest.raises(InputError, match="cell 'act_relu_missing' is not among the cells"):
        mapped(random_network((2, 2), ("relu",)), technology, "signed")
    technology = changed(BOARD, inverter="nosuch")
    mapped(random_network((2, 2), ("relu",)), technology, "split")  # needs none
    with pytest.raises(InputError, match="cell 'nosuch' is not among the cells"):
        mapped(random_network((2, 2), ("relu",)), technology, "dual_rail")


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("inverter", "its family is inverter"),
        ("act_tanh_bjt", "its family is activation for tanh"),
        ("rectifier_diode", "its family is amplifier for relu"),
        ("opamp_opa4192", "its family is opamp"),
    ],
)
def test_a_cell_of_another_kind(cell: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        mapped(random_network((2, 2), ("relu",)), replace_activation(cell), "signed")
    assert str(caught.value) == f"cell '{cell}' stands where an activation for relu is needed; {words}"


def test_an_inverter_that_is_none() -> None:
    for cell in ("opamp_opa4192", "act_relu_diode"):
        with pytest.raises(InputError, match=f"cell '{cell}' stands where an inverter is needed; its family"):
            mapped(random_network((2, 2), ("relu",)), changed(BOARD, inverter=cell), "dual_rail")


def replace_activation(cell: str) -> Technology:
    plain = BOARD.model_dump()
    plain["activations"]["relu"] = cell
    return parse_technology(plain, "test")


def test_noise_gain_is_what_the_minus_input_carries() -> None:
    network = Network("n", (dense([[-2.0, -3.0]]),))
    layer = mapped(network, IDEAL, "dual_rail").layers[0]
    gain = (layer.g_neg / layer.g_f[:, None]).sum()
    assert layer.noise_gain[0] == pytest.approx(1 + gain)
    assert replace(layer, g_link=layer.g_f).noise_gain[0] == pytest.approx(2 + gain)
