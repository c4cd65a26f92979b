"""Quantisation: rounding and saturation as stated, scales that fit, and laws of the integer network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analognet.digital.fixedpoint import Format, best_frac, round_shift, saturate, width
from analognet.digital.quantize import quantize
from analognet.digital.quantized import QuantizedNetwork
from analognet.errors import InputError, UsageError
from analognet.network import Activation, Dense, Network, classify

NAMES = ("linear", "relu", "leaky_relu:0.1", "leaky_relu:-0.25", "sigmoid", "tanh")


def small_network(
    shape: Sequence[int], activations: Sequence[str], seed: int = 0, rows: int = 40
) -> tuple[Network, np.ndarray]:
    """A random network and inputs for it, (rows, n_in) in [-1, 1]."""
    rng = np.random.default_rng(seed)
    layers = tuple(
        Dense(
            f"l{k}",
            rng.normal(0, 1.5 / np.sqrt(n_in), (n_out, n_in)),
            rng.normal(0, 0.3, n_out),
            Activation.parse(a),
        )
        for k, (n_in, n_out, a) in enumerate(zip(shape, shape[1:], activations, strict=False))
    )
    return Network("small", layers), rng.uniform(-1, 1, (rows, shape[0]))


def one_layer(weight: object, bias: object, activation: str = "linear") -> Network:
    return Network(
        "one", (Dense("l0", np.array(weight, float), np.array(bias, float), Activation.parse(activation)),)
    )


@given(st.integers(-(2**40), 2**40), st.integers(0, 20))
def test_rounding_is_half_up(value: int, shift: int) -> None:
    exact = (2 * value + (1 << shift)) // (2 << shift)  # floor(v / 2**s + 1/2) in whole numbers
    assert int(round_shift(np.array(value), shift)) == exact


def test_rounding_of_halves_goes_towards_plus_infinity() -> None:
    assert round_shift(np.array([-3, -1, 1, 3]), 1).tolist() == [-1, 0, 1, 2]
    assert Format(8, 1).quantise([-0.75, -0.25, 0.25, 0.75]).tolist() == [-1, 0, 1, 2]


@given(st.integers(-(2**30), 2**30), st.integers(2, 16))
def test_saturation_is_the_nearest_number_of_the_range(value: int, bits: int) -> None:
    got = int(saturate(np.array(value), bits))
    assert -(1 << (bits - 1)) <= got < 1 << (bits - 1)
    assert got == min(max(value, -(1 << (bits - 1))), (1 << (bits - 1)) - 1)


@given(st.integers(-(2**50), 2**50), st.integers(-(2**50), 2**50))
def test_width_holds_the_range_and_one_bit_less_does_not(a: int, b: int) -> None:
    low, high = min(a, b), max(a, b)
    bits = width(low, high)
    assert -(1 << (bits - 1)) <= low <= high < 1 << (bits - 1)
    assert bits == 1 or not (-(1 << (bits - 2)) <= low and high < 1 << (bits - 2))


def test_encoding_saturates_values_far_outside() -> None:
    assert Format(8, 7).quantise([1e300, -1e300, 1.0, -1.0]).tolist() == [127, -128, 127, -128]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20), st.integers(2, 16))
def test_best_scale_is_no_worse_than_its_neighbours(values: list[float], bits: int) -> None:
    def error(frac: int) -> float:
        f = Format(bits, frac)
        return float(np.mean((f.real(f.quantise(values)) - np.array(values)) ** 2))

    best = best_frac(values, bits)
    if any(abs(v) > 1e-6 for v in values):
        assert error(best) <= min(error(best - 1), error(best + 1)) * (1 + 1e-9)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    weight_bits=st.integers(2, 16),
    activation_bits=st.integers(2, 16),
    first=st.sampled_from(NAMES),
    last=st.sampled_from(NAMES),
)
def test_no_sum_overflows_its_proven_width(
    seed: int, weight_bits: int, activation_bits: int, first: str, last: str
) -> None:
    network, x = small_network((5, 4, 3), (first, last), seed)
    q = quantize(network, x, weight_bits=weight_bits, activation_bits=activation_bits)
    for layer in q.layers:
        limit = 1 << (layer.acc_bits - 1)
        half = (1 << layer.shift) >> 1
        for row, bias in zip(layer.weight.tolist(), layer.bias.tolist(), strict=True):
            # the worst inputs: all products at their highest, and all at their lowest
            high = sum(max(w * layer.x_low, w * layer.x_high, 0) for w in row)
            low = sum(min(w * layer.x_low, w * layer.x_high, 0) for w in row)
            assert -limit <= low
            assert high < limit
            assert -limit <= low + bias + half
            assert high + bias + half < limit
        assert layer.shift >= 0
    outputs = q(q.encode(x))
    last_layer = q.layers[-1]
    assert outputs.min() >= last_layer.y_low
    assert outputs.max() <= last_layer.y_high


@pytest.mark.parametrize("activation", NAMES)
def test_sixteen_bits_come_close_to_the_float_network(activation: str) -> None:
    network, x = small_network((6, 7, 3), (activation, "linear"), 5)
    q = quantize(network, x, weight_bits=16, activation_bits=16)
    assert np.abs(q.decode(q(x)) - network(x)).max() < 0.01


def test_calling_with_reals_encodes_them() -> None:
    network, x = small_network((6, 7, 3), ("relu", "linear"))
    q = quantize(network, x)
    assert (q(x) == q(q.encode(x))).all()
    assert (q.trace(x)[-1] == q(x)).all()


def test_integers_outside_the_input_format_saturate_like_the_port() -> None:
    network, x = small_network((2, 2), ("linear",))
    q = quantize(network, x)
    assert (q(np.array([[1000, -1000]])) == q(np.array([[127, -128]]))).all()


def test_layer_by_hand() -> None:
    # inputs s8.7, weight 0.5 = 64 in s8.7, bias 0.25: y = 0.5 x + 0.25
    q = quantize(one_layer([[0.5]], [0.25]), np.array([[0.99], [-0.99]]))
    layer = q.layers[0]
    raw = 0.5 * layer.x.real(64) + 0.25
    assert q.decode(q(np.array([[64]])))[0, 0] == pytest.approx(raw, abs=layer.y.step)


def test_argmax_takes_the_first_of_equals() -> None:
    q = quantize(one_layer([[0.0], [0.0], [0.0]], [0.5, 0.5, 0.25]), np.array([[0.5]]))
    assert q.classes(np.array([[0.5]])).tolist() == [0]


def test_table_is_the_activation_rounded() -> None:
    network, x = small_network((4, 3), ("sigmoid",))
    layer = quantize(network, x).layers[0]
    z = layer.pre.real(np.arange(layer.pre.low, layer.pre.high + 1))
    exact = 1 / (1 + np.exp(-z))
    assert np.abs(layer.y.real(layer.table) - exact).max() <= layer.y.step  # the top value saturates
    assert (np.diff(layer.table) >= 0).all()


@pytest.mark.parametrize("bits", [0, 1, 17, -3])
def test_bits_outside_the_range_are_refused(bits: int) -> None:
    network, x = small_network((2, 2), ("linear",))
    with pytest.raises(UsageError, match=f"--weight-bits {bits}: allowed are 2 to 16"):
        quantize(network, x, weight_bits=bits)
    with pytest.raises(UsageError, match=f"--activation-bits {bits}"):
        quantize(network, x, activation_bits=bits)


@pytest.mark.parametrize("x", [np.zeros((0, 2)), np.zeros((3, 5)), np.full((2, 2), np.nan), np.zeros(2)])
def test_calibration_data_that_does_not_fit_is_refused(x: np.ndarray) -> None:
    network, _ = small_network((2, 2), ("linear",))
    with pytest.raises(InputError, match=r"the network takes \(N, 2\)"):
        quantize(network, x)


@pytest.mark.parametrize("scale", [1e-30, 1e-6, 1e6, 1e30])
def test_huge_and_tiny_weights_keep_their_classes(scale: float) -> None:
    network, x = small_network((5, 3), ("linear",))
    scaled = Network(
        "s", tuple(Dense(v.name, v.weight * scale, v.bias * scale, v.activation) for v in network.layers)
    )
    q = quantize(scaled, x)
    assert (q.classes(x) == classify(network(x))).mean() > 0.9


def test_all_zero_weights_are_no_error() -> None:
    q = quantize(one_layer([[0.0, 0.0]], [0.0]), np.zeros((3, 2)))
    assert (q(np.zeros((3, 2))) == 0).all()


def test_bias_beyond_every_accumulator_is_refused() -> None:
    with pytest.raises(InputError, match="need an accumulator of more than 48 bits"):
        quantize(one_layer([[1e-9]], [1e16], "sigmoid"), np.array([[0.5]]))


@pytest.mark.parametrize(
    ("name", "points"), [("digits", 0.3), ("digits_sigmoid", 0.3), ("digits_deep", 0.3), ("iris", 0.3)]
)
def test_int8_keeps_the_accuracy_of_the_examples(name: str, points: float) -> None:
    from conftest import EXAMPLES

    from analognet.data import load_data
    from analognet.loading import load

    model = load(EXAMPLES / name / f"{name}.safetensors")
    assert model.dataset is not None
    train, test = load_data(model.dataset, split="train"), load_data(model.dataset)
    q: QuantizedNetwork = quantize(model.network, train.x)
    exact = (classify(model.network(test.x)) == test.y).mean()
    assert 100 * (exact - (q.classes(test.x) == test.y).mean()) <= points
