"""Where ngspice begins on a chip: it saves time and changes no answer."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import EXAMPLES

from analognet import convert, load_data
from analognet.analog import bench, ngspice, pdk, simulate
from analognet.analog.compact.inner import inner_nets
from analognet.analog.compact.start import start_voltages
from analognet.design import Design
from analognet.errors import SimulatorError, ToolMissing

try:
    pdk.find()
except ToolMissing as e:
    pytest.skip(str(e), allow_module_level=True)

SAME_V = 1e-7


@pytest.fixture(scope="module")
def iris() -> Design:
    return convert(EXAMPLES / "iris" / "iris.safetensors", technology="sky130")


@pytest.fixture(scope="module")
def x() -> np.ndarray:
    return load_data("iris", 4, 3).x[::15]


def points(design: Design, x: np.ndarray, *, started: bool) -> simulate.OperatingPoints:
    return simulate.operating_points(
        design.analog,
        design.circuit,
        design.netlist,
        design.cells,
        x,
        files=design.dc_files,
        hidden=True,
        conditions=design.start_conditions(27.0) if started else None,
    )


def same(a: simulate.OperatingPoints, b: simulate.OperatingPoints) -> None:
    for one, other in zip((*a.hidden_v, a.outputs_v), (*b.hidden_v, b.outputs_v), strict=True):
        assert np.abs(one - other).max() < SAME_V
    assert a.power_w is not None
    assert b.power_w is not None
    assert np.abs(a.power_w / b.power_w - 1).max() < 1e-5


def test_inner_nets_are_those_that_ngspice_has(iris: Design) -> None:
    assert inner_nets(iris.cells, "amp_relu", "opamp_miller") == (
        "t",
        "fx",
        "fa",
        "x",
        "a",
        "gx",
        "ga",
        "h",
        "co",
    )
    nets = inner_nets(iris.cells, "act_sigmoid", "opamp_miller")
    assert nets[:2] == ("t", "sum")
    assert "xamp.xpart.fx" in nets
    leaky = inner_nets(iris.cells, "act_leaky_relu", "opamp_miller")
    assert {"y", "mix", "xrect.x", "xamp.xpart.y"} <= set(leaky)


@pytest.fixture(scope="module")
def plain(iris: Design, x: np.ndarray) -> simulate.OperatingPoints:
    return points(iris, x, started=False)


@pytest.mark.slow
def test_starting_points_change_no_answer(
    iris: Design, x: np.ndarray, plain: simulate.OperatingPoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    decks: list[str] = []
    real = ngspice.run_deck

    def seen(deck: str, *args: object, **kwargs: object) -> ngspice.SpiceRun:
        decks.append(deck)
        return real(deck, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(simulate, "STARTS_PAY", 0)
    monkeypatch.setattr(ngspice, "run_deck", seen)
    started = points(iris, x, started=True)
    assert any("Bhold" in deck for deck in decks)
    same(started, plain)


@pytest.mark.slow
@pytest.mark.parametrize("wrong_v", [-0.3, 0.3])
def test_wrong_starting_points_give_the_same_answer_or_an_error(
    iris: Design,
    x: np.ndarray,
    plain: simulate.OperatingPoints,
    wrong_v: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def wrong(*args: object) -> dict[str, np.ndarray]:
        return {k: v + wrong_v for k, v in start_voltages(*args).items()}  # type: ignore[arg-type]

    monkeypatch.setattr(simulate, "starts", wrong)
    try:
        started = points(iris, x, started=True)
    except SimulatorError:
        return
    same(started, plain)


@pytest.mark.slow
def test_starting_points_are_near_and_save_iterations(iris: Design, x: np.ndarray) -> None:
    start = start_voltages(iris.analog, iris.cells, x, iris.conditions(27.0))
    wanted = [f"v({net})" for net in start]
    iterations = []
    for held in (None, start):
        v = x * iris.analog.scale_in
        deck = bench.sweep(iris.circuit, iris.technology, v, wanted, 27.0, held)
        deck = iris.netlist + "\n" + deck.replace(".end\n", ".options acct\n.end\n")
        run = ngspice.run_deck(deck, wanted, files=iris.dc_files)
        iterations.append(int(run.log.split("Total iterations =")[1].split()[0]))
    assert iterations[1] < 40 * len(x)
    assert iterations[1] < iterations[0] / 4
    for net in ("y0", "xnet.l0_y0", "xnet.xlayer0.p0", "xnet.xlayer1.n2", "xnet.com", "xnet.vbn"):
        assert np.abs(run.vectors[f"v({net})"][1::2] - start[net]).max() < 1e-3


def test_a_single_input_has_a_start(
    iris: Design, x: np.ndarray, plain: simulate.OperatingPoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulate, "STARTS_PAY", 0)
    one = points(iris, x[:1], started=True)
    assert np.abs(one.outputs_v - plain.outputs_v[:1]).max() < SAME_V


def test_starts_do_not_pay_for_a_few_inputs(iris: Design, x: np.ndarray) -> None:
    assert simulate.starts(iris.analog, iris.cells, x[:2], iris.conditions(27.0)) == {}


def test_no_starts_where_devices_differ(iris: Design) -> None:
    assert iris.under("tt", 27.0, mismatch=1).start_conditions(27.0) is None
    assert convert(EXAMPLES / "iris" / "iris.safetensors").start_conditions(27.0) is None
