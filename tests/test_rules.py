"""Electrical rules: circuits broken by hand are found and named, sound ones pass."""

from __future__ import annotations

import pytest
from conftest import ACTIVATIONS, TOPOLOGIES, example, random_network

from analognet.analog.cells import closure, library
from analognet.analog.circuit import Circuit, Group, Instance, Star, Subcircuit
from analognet.analog.rules import check, violations
from analognet.design import convert
from analognet.errors import InputError

CELLS = library()
PART = "opamp_ideal"
RAILS = (("com", "common"), ("ref", "in"), ("vdd", "supply"), ("vss", "supply"))


def r(name: str, a: str, b: str, ohms: float = 1e4) -> Star:
    return Star.single(name, a, b, ohms)


def amp(name: str, plus: str, minus: str, out: str) -> Instance:
    return Instance(name, "opamp", (plus, minus, out, "vdd", "vss"))


def circuit(*elements: Star | Instance, inner: tuple[Subcircuit, ...] = ()) -> Circuit:
    """A circuit from x0 to y0 with these elements at its top."""
    pins = (("x0", "in"), ("y0", "out"), *RAILS)
    top = Subcircuit("network", "test", pins, (Group("all", elements),))
    return Circuit("test", (), tuple(closure(CELLS, [PART], PART)), PART, (*inner, top))


INVERTER = (r("Rin", "x0", "n"), r("Rf", "y0", "n"), amp("Xa", "com", "n", "y0"))


def test_a_sound_circuit_passes() -> None:
    assert violations(circuit(*INVERTER)) == []
    check(circuit(*INVERTER))


@pytest.mark.parametrize(
    ("elements", "found"),
    [
        ((*INVERTER, r("Rx", "x0", "loose")), "floating node: only one element touches loose"),
        ((*INVERTER, amp("Xb", "com", "n", "y0")), "shorted outputs: y0 is driven by Xa, Xb"),
        ((*INVERTER, amp("Xb", "com", "n", "x0")), "shorted outputs: x0 is driven by pin x0, Xb"),
        ((*INVERTER, amp("Xb", "com", "n", "vdd")), "shorted outputs: vdd is driven by pin vdd, Xb"),
        (
            (*INVERTER, amp("Xb", "open", "n", "u"), r("Ru", "u", "x0")),
            "undriven input: nothing drives Xb.inp on open",
        ),
        ((*INVERTER, r("R1", "a", "b"), r("R2", "b", "a")), "no DC path: a and 1 other nets reach no driver"),
        (
            (*INVERTER, amp("Xb", "a", "b", "u"), r("R1", "a", "b"), r("Ru", "u", "x0")),
            "no DC path: a and 1 other nets reach no driver",
        ),
        ((r("R1", "x0", "ref"),), "no DC path: y0 and 0 other nets reach no driver"),
    ],
    ids=[
        "loose end",
        "two outputs",
        "onto an input",
        "onto a supply",
        "open input",
        "island",
        "pair",
        "output",
    ],
)
def test_a_broken_circuit_is_found_and_named(elements: tuple[Star | Instance, ...], found: str) -> None:
    broken = circuit(*elements)
    assert found in violations(broken)
    with pytest.raises(InputError) as caught:
        check(broken)
    assert str(caught.value).startswith("the circuit breaks electrical rules: ")
    assert found in str(caught.value)


def test_faults_inside_a_subcircuit_are_named_by_their_path() -> None:
    pins = (("a", "in"), ("b", "out"), *RAILS)
    inner = Subcircuit("block", "inner", pins, (Group("g", (r("R1", "a", "b"), r("R2", "a", "loose"))),))
    use = Instance("Xblock", "block", ("x0", "u", "com", "ref", "vdd", "vss"))
    broken = circuit(*INVERTER, use, r("Ru", "u", "n"), inner=(inner,))
    assert violations(broken) == ["floating node: only one element touches Xblock.loose"]


def test_many_faults_are_cut_and_counted() -> None:
    loose = [r(f"Rx{i}", "x0", f"loose{i}") for i in range(9)]
    with pytest.raises(InputError, match=r"loose4 \(and 4 more\)$"):
        check(circuit(*INVERTER, *loose))


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("technology", ["ideal", "board"])
def test_what_convert_builds_is_sound(technology: str, topology: str) -> None:
    for activation in ACTIVATIONS:
        network = random_network((3, 4, 2), (activation, "linear"))
        assert violations(convert(network, technology=technology, topology=topology).circuit) == []
    assert violations(example("digits", technology, topology).circuit) == []
