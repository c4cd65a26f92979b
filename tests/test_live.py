"""Circuits that stay loaded in this process: the same answers as a subprocess, again and again."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from conftest import ACTIVATIONS, TOPOLOGIES, example, inputs, ngspice, random_network, test_set

import analognet
from analognet.design import convert
from analognet.errors import InputError


@pytest.mark.parametrize("technology", ["ideal", "board"])
@pytest.mark.parametrize("name", ["iris", "digits"])
def test_a_live_circuit_equals_a_subprocess(name: str, technology: str) -> None:
    design, x = example(name, technology), test_set(name).x[:20]
    np.testing.assert_allclose(
        analognet.live(design).volts(x), ngspice(design, x).outputs_v, rtol=0, atol=1e-7
    )


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_kind_of_network(activation: str, topology: str) -> None:
    design = convert(random_network((3, 4, 2), (activation, "linear"), seed=6), topology=topology)
    x = inputs(8, 3)
    # ngspice stops at a relative tolerance of 1e-6, and transistors come to it from where they were before
    limit = 1e-6 if activation in ("sigmoid", "tanh") else 1e-7
    np.testing.assert_allclose(
        analognet.live(design).volts(x), ngspice(design, x).outputs_v, rtol=0, atol=limit
    )


def test_calls_of_different_length_in_any_order() -> None:
    design, x = example("iris"), test_set("iris").x
    circuit = analognet.live(design)
    whole = circuit(x)
    assert whole.shape == (50, 3)
    for rows in (slice(0, 1), slice(3, 10), slice(49, 50), slice(0, 50), slice(20, 22)):
        np.testing.assert_allclose(circuit(x[rows]), whole[rows], atol=1e-6)
    np.testing.assert_allclose(circuit(x[::-1]), whole[::-1], atol=1e-6)
    np.testing.assert_allclose(whole, design.network(x), atol=0.05)


def test_one_vector_is_a_row() -> None:
    circuit = analognet.live(example("iris"))
    x = test_set("iris").x[4]
    assert circuit(x).shape == (1, 3)
    np.testing.assert_array_equal(circuit(x), circuit(x[None]))
    np.testing.assert_allclose(circuit(x.tolist()), circuit(x))


def test_units_and_volts() -> None:
    design = example("iris")
    circuit, x = analognet.live(design), test_set("iris").x[:3]
    np.testing.assert_allclose(circuit(x) * design.analog.scale_out, circuit.volts(x), rtol=1e-12)


def test_two_circuits_take_turns() -> None:
    first, second = analognet.live(example("iris")), analognet.live(example("iris", "ideal", "signed"))
    x = test_set("iris").x[:5]
    a, b = first(x), second(x)
    for _ in range(3):
        np.testing.assert_array_equal(first(x), a)
        np.testing.assert_array_equal(second(x), b)
    assert not np.array_equal(a, b)


def test_many_calls_leave_nothing_behind() -> None:
    circuit, x = analognet.live(example("iris", "ideal")), test_set("iris").x[:2]
    first = circuit(x)
    for _ in range(200):
        last = circuit(x)
    np.testing.assert_allclose(last, first, atol=1e-9)


@pytest.mark.parametrize(
    "x", [np.zeros(3), np.zeros((2, 5)), np.zeros((0, 4)), np.zeros((1, 1, 4)), 1.0, np.zeros((100_001, 4))]
)
def test_inputs_of_the_wrong_shape(x: object) -> None:
    circuit = analognet.live(example("iris"))
    with pytest.raises(InputError) as caught:
        circuit(x)  # type: ignore[arg-type]
    assert str(caught.value).startswith(
        f"inputs have shape {np.shape(x)}; expected (N, 4) with N up to 100000"
    )  # type: ignore[arg-type]
    assert circuit(np.zeros(4)).shape == (1, 3)  # and it still works


def test_inputs_that_are_not_finite() -> None:
    circuit = analognet.live(example("iris"))
    with pytest.raises(InputError, match="inputs hold values that are not finite"):
        circuit(np.array([0.1, np.nan, 0.1, 0.1]))


@pytest.mark.slow
def test_a_missing_library_says_how_to_install_it() -> None:
    """In a process of its own: a library is loaded once for good."""
    script = (
        "import analognet\n"
        "from analognet.analog import live\n"
        "from analognet.network import Activation, Dense, Network\n"
        "live._LIBRARY = dict.fromkeys(live._LIBRARY, 'libnosuch.so.0')\n"
        "network = Network('n', (Dense('l', [[1.0]], [0.0], Activation('linear')),))\n"
        "for _ in range(2):\n"
        "    try:\n"
        "        analognet.live(analognet.convert(network))\n"
        "    except analognet.AnalogNetError as e:\n"
        "        print(e.exit_code, e)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    for line in done.stdout.splitlines():
        assert line.startswith("4 libnosuch.so.0 was not found (")
        assert line.endswith(
            "install it: apt-get install libngspice0 (Debian, Ubuntu) or brew install libngspice (macOS)"
        )
    assert len(done.stdout.splitlines()) == 2
