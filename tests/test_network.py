"""The float reference, and its refusals."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import dense
from hypothesis import given
from hypothesis import strategies as st

from analognet.errors import InputError
from analognet.network import Activation, Dense, Network, classify


def test_calling_a_network_is_the_textbook_sum() -> None:
    network = Network("n", (dense([[1, -2], [3, 0.5]], [0.5, -1], "relu"), dense([[2, -1]], [0.25])))
    x = np.array([[1.0, 2.0], [-1.0, 0.5]])
    hidden = np.maximum(x @ np.array([[1, 3], [-2, 0.5]]) + [0.5, -1], 0)
    np.testing.assert_allclose(network(x), hidden @ np.array([[2.0], [-1.0]]) + 0.25)
    assert network.shape == (2, 2, 1)
    assert network.macs == 6
    z0, z1 = network.preactivations(x)
    np.testing.assert_allclose(np.maximum(z0, 0), hidden)
    np.testing.assert_allclose(z1, network(x))


@pytest.mark.parametrize(
    ("text", "z", "y"),
    [
        ("linear", -2.0, -2.0),
        ("relu", -2.0, 0.0),
        ("leaky_relu", -2.0, -0.02),
        ("leaky_relu:0.25", -2.0, -0.5),
        ("leaky_relu:-1", -2.0, 2.0),
        ("LeakyReLU:0.5 ", -2.0, -1.0),
        ("sigmoid", 0.0, 0.5),
        ("sigmoid", -1e4, 0.0),
        ("tanh", 0.5, 0.46211715726000975),
    ],
)
def test_activations(text: str, z: float, y: float) -> None:
    assert Activation.parse(text)(np.array([z]))[0] == pytest.approx(y, abs=1e-15)


def test_sigmoid_is_exact_without_overflow() -> None:
    z = np.linspace(-700, 700, 1401)
    with np.errstate(all="raise", under="ignore"):
        np.testing.assert_allclose(Activation("sigmoid")(z), 1 / (1 + np.exp(-z)), atol=1e-15)


@given(st.sampled_from(["leaky_relu:0.1", "leaky_relu:-0.5", "relu", "tanh", "sigmoid", "linear"]))
def test_text_form_of_an_activation_reads_back(text: str) -> None:
    assert str(Activation.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("gelu", "activation 'gelu' is not known; known are linear, relu, sigmoid, tanh, leaky_relu"),
        ("relu:0.1", "activation 'relu:0.1': only leaky_relu takes a slope"),
        ("leaky_relu:x", "activation 'leaky_relu:x': slope is not a number; write leaky_relu:0.1"),
        ("leaky_relu:", "slope is not a number"),
        ("leaky_relu:nan", "slope nan is not finite"),
        ("leaky_relu:1e999", "slope inf is not finite"),
        ("\x1b[31m", r"activation '\x1b[31m' is not known"),
        ("", "activation '' is not known"),
    ],
)
def test_wrong_activations_are_named(text: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        Activation.parse(text)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("weight", "bias", "words"),
    [
        (np.zeros(3), np.zeros(3), "layer 'l': weight has shape (3,); a dense layer has (n_out, n_in)"),
        (np.zeros((2, 3, 1)), np.zeros(2), "weight has shape (2, 3, 1)"),
        (np.zeros((0, 3)), np.zeros(0), "weight has shape (0, 3)"),
        (np.zeros((2, 3)), np.zeros(3), "bias has shape (3,); expected (2,)"),
        (np.full((2, 3), np.nan), np.zeros(2), "weight[0, 0] is nan; every value must be finite"),
        (np.zeros((2, 3)), np.array([0, np.inf]), "bias[1] is inf; every value must be finite"),
    ],
)
def test_layers_that_are_none(weight: np.ndarray, bias: np.ndarray, words: str) -> None:
    with pytest.raises(InputError) as caught:
        Dense("l", weight, bias, Activation("relu"))
    assert words in str(caught.value)


def test_a_layer_keeps_its_own_read_only_weights() -> None:
    weight = np.ones((1, 1))
    layer = Dense("l", weight, np.zeros(1), Activation("relu"))
    weight[0, 0] = 5.0
    assert layer.weight[0, 0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        layer.weight[0, 0] = 2.0


def test_layers_that_do_not_chain() -> None:
    with pytest.raises(InputError, match="layer 'b' takes 4 values, layer 'a' before it gives 2"):
        Network("n", (dense(np.ones((2, 3)), name="a"), dense(np.ones((1, 4)), name="b")))
    with pytest.raises(InputError, match="network 'n' has no layers"):
        Network("n", ())


def test_classes() -> None:
    assert classify(np.array([[0.1, 0.7, 0.2], [3.0, -1.0, 0.0]])).tolist() == [1, 0]
    assert classify(np.array([[0.2], [0.5], [0.51]])).tolist() == [0, 0, 1]
