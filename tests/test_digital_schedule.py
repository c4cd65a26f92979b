"""Lanes: what divides, what does not, and the closed forms of cycles."""

from __future__ import annotations

import pytest
from test_quantize import small_network

from analognet.digital.quantize import quantize
from analognet.digital.quantized import QuantizedNetwork
from analognet.digital.schedule import parse_lanes, parse_numbers, plan
from analognet.errors import UsageError


def quantized(*shape: int) -> QuantizedNetwork:
    network, x = small_network(shape, ["relu"] * (len(shape) - 2) + ["linear"])
    return quantize(network, x)


@pytest.mark.parametrize(
    ("lanes", "taken"),
    [
        (None, (32, 10)),
        ((4,), (4, 2)),
        ((32,), (32, 10)),
        ((1,), (1, 1)),
        ((16, 5), (16, 5)),
        ((64, 320), (64, 320)),
    ],
)
def test_lanes_of_the_digits_shape(lanes: tuple[int, ...] | None, taken: tuple[int, ...]) -> None:
    assert plan(quantized(64, 32, 10), lanes).lanes == taken


@pytest.mark.parametrize(
    ("lanes", "message"),
    [
        ((3,), "--lanes 3 divides no layer's neurons"),
        ((64,), "--lanes 64 divides no layer's neurons"),
        ((5, 10), r"--lanes 5 does not divide layer 0, 64 inputs to 32 neurons"),
        ((32, 3), r"--lanes 3 does not divide layer 1"),
        ((96, 10), r"allowed are the divisors of 32, or 32 times a divisor of 64"),
        ((1, 2, 3), r"--lanes has 3 numbers; the network has 2 layers"),
        (
            (4, 80),
            r"layer 1 takes 8 inputs per cycle, so the lanes of layer 0 must be a multiple of 8; they are 4",
        ),
    ],
)
def test_lanes_that_do_not_divide_are_refused(lanes: tuple[int, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        plan(quantized(64, 32, 10), lanes)


@pytest.mark.parametrize("text", ["", "a", "0", "-4", "4,,2", "1.5", "4;2", "\x1b[31m"])
def test_lanes_that_are_no_numbers_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"--lanes '.*': write whole numbers above 0") as caught:
        parse_lanes(text)
    assert "\x1b" not in str(caught.value)


def test_numbers_name_their_option() -> None:
    assert parse_numbers("8, 4", "--bits") == (8, 4)
    with pytest.raises(UsageError, match="--bits 'x'"):
        parse_numbers("x", "--bits")


def test_closed_form_by_hand() -> None:
    shape = plan(quantized(64, 32, 10), (32, 10))
    # 64 beats; 7 to the first hidden value and 31 more; 7 to the first output and 9 more; 1 at the top
    assert shape.cycles == 64 + 7 + 31 + 7 + 9 + 1
    assert shape.interval == 65


def test_more_lanes_are_never_slower() -> None:
    q = quantized(64, 32, 10)
    cycles = [plan(q, lanes).cycles for lanes in ((1, 1), (4, 2), (16, 10), (32, 10), (64, 10), (2048, 320))]
    assert cycles == sorted(cycles, reverse=True)
