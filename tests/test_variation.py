"""Fabricated boards: what is drawn, that it is drawn again, and that ngspice agrees with each."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from analognet import Activation, Dense, Network, convert, pieces
from analognet.analog import solver
from analognet.analog.boards import board_netlist
from analognet.analog.montecarlo import MonteCarlo, monte_carlo
from analognet.analog.referee import spice_voltages
from analognet.analog.solver.hardware import nine_digits
from analognet.analog.variation import SOURCES, Board, Spread, board, default_spread
from analognet.design import Design
from analognet.errors import InputError, UsageError
from analognet.metrics import wilson

NOTHING = Spread(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def small(topology: str = "split", activation: str = "relu", **overrides: object) -> Design:
    rng = np.random.default_rng(4)
    layers = (
        Dense("a", rng.normal(0, 1, (5, 3)), rng.normal(0, 0.2, 5), Activation.parse(activation)),
        Dense("b", rng.normal(0, 1, (3, 5)), rng.normal(0, 0.2, 3), Activation("linear")),
    )
    return convert(Network("small", layers), technology="board", topology=topology, overrides=overrides)


def labelled(design: Design, n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(5).uniform(-1, 1, (n, design.analog.n_in))
    return x, design.network(x).argmax(axis=1)


def on_its_rails(design: Design, drawn: Board) -> Design:
    vdd, vss, reference = drawn.rails
    technology = design.technology.model_copy(update={"vdd": vdd, "vss": vss, "reference": reference})
    return dataclasses.replace(design, analog=dataclasses.replace(design.analog, technology=technology))


@pytest.mark.parametrize(
    ("topology", "activation"),
    [
        ("split", "relu"),
        ("signed", "relu"),
        ("dual_rail", "relu"),
        ("split", "sigmoid"),
        *(
            pytest.param(topology, activation, marks=pytest.mark.slow)
            for topology in ("split", "signed", "dual_rail")
            for activation in ("leaky_relu:0.1", "tanh")
        ),
    ],
)
def test_a_board_in_ngspice_is_the_board_of_the_solver(topology: str, activation: str) -> None:
    design = small(topology, activation)
    drawn = board(design, default_spread(design, temperature_span=60.0, resistor_tolerance=0.02), 11, 3)
    rails = tuple(float(f"{v:.9g}") for v in drawn.rails)
    drawn = dataclasses.replace(drawn, rails=rails, temperature=float(f"{drawn.temperature:.9g}"))
    volts = nine_digits(labelled(design, 4)[0] * design.analog.scale_in)
    _, layers, _ = spice_voltages(
        on_its_rails(design, drawn), volts, drawn.temperature, board_netlist(design, drawn)
    )
    x = volts / design.analog.scale_in
    found = solver.solve(
        design.analog, design.cells, x, temperature=drawn.temperature, factors=drawn.factors,
        rails=drawn.rails, hidden=True,
    )  # fmt: skip
    for a, b in zip(layers, (*found.hidden_v, found.outputs_v), strict=True):
        assert np.abs(a - b).max() <= 1e-9
    nominal = solver.solve(design.analog, design.cells, x)
    assert np.abs(nominal.outputs_v - found.outputs_v).max() > 1e-4  # it is another board


def test_a_flat_netlist_of_a_board() -> None:
    """A network with more nets than ngspice's subcircuits can have pins is written without them."""
    rng = np.random.default_rng(6)
    wide = Network("wide", (Dense("a", rng.normal(0, 0.05, (2, 1010)), np.zeros(2), Activation("relu")),))
    design = convert(wide, technology="board")
    drawn = board(design, default_spread(design, supply_tolerance=0.0, reference_tolerance=0.0), 1, 0)
    volts = nine_digits(rng.uniform(-1, 1, (2, 1010)) * design.analog.scale_in)
    _, layers, _ = spice_voltages(design, volts, 27.0, board_netlist(design, drawn))
    found = solver.solve(design.analog, design.cells, volts / design.analog.scale_in, factors=drawn.factors)
    assert np.abs(layers[-1] - found.outputs_v).max() <= 1e-9


def test_a_board_without_spread_is_the_netlist() -> None:
    design = small()
    drawn = board(design, NOTHING, 1, 0)
    x = labelled(design, 5)[0]
    plain = solver.solve(design.analog, design.cells, x)
    same = solver.solve(design.analog, design.cells, x, factors=drawn.factors, rails=drawn.rails)
    assert np.array_equal(plain.outputs_v, same.outputs_v)
    assert drawn.rails == (design.technology.vdd, design.technology.vss, design.technology.reference)


def test_board_k_is_the_same_whatever_is_drawn_beside_it() -> None:
    design = small()
    spread = default_spread(design)
    first = board(design, spread, 7, 5)
    again = board(design, spread, 7, 5)
    alone = board(design, spread.only("offset"), 7, 5)
    assert all(np.array_equal(first.factors[k], again.factors[k]) for k in first.factors)
    assert set(alone.factors) == {k for k in first.factors if k.endswith(".vos")}
    assert all(np.array_equal(first.factors[k], alone.factors[k]) for k in alone.factors)
    other = board(design, spread, 7, 6)
    assert not np.array_equal(first.factors["layer0.rp"], other.factors["layer0.rp"])


def test_the_spread_that_is_asked_for_is_drawn() -> None:
    design = small()
    spread = default_spread(design, resistor_tolerance=0.03, resistor_tempco=0.0, vos_sigma=1e-3, tcvos=0.0)
    boards = [board(design, spread, 1, k) for k in range(400)]
    resistors = np.concatenate([b.factors["layer0.rp"].ravel() for b in boards])
    offsets = np.concatenate([b.factors["layer0.xamp.xamp.vos"] for b in boards])
    n = len(resistors)
    assert abs(resistors.std() - 0.01) < 4 * 0.01 / np.sqrt(2 * n)
    assert abs(resistors.mean() - 1.0) < 4 * 0.01 / np.sqrt(n)
    assert np.abs(resistors - 1.0).max() <= 0.03 + 1e-12
    assert abs(offsets.std() - 1e-3) < 4 * 1e-3 / np.sqrt(2 * len(offsets))


def test_defaults_come_from_technology_and_part() -> None:
    spread = default_spread(small(opamp="lm358", full_scale=2.0))
    assert spread.resistor_tolerance == 0.001
    assert spread.vos_sigma == 2.3e-3
    assert set(spread.active) == set(SOURCES) - {"temperature", "strips", "cells"}  # the last two are chips'


def run(design: Design, n: int = 12, **options: object) -> MonteCarlo:
    x, y = labelled(design)
    spread = default_spread(design, vos_sigma=5e-3)
    return monte_carlo(design, x, y, n, 3, spread, **options)  # type: ignore[arg-type]


def test_monte_carlo_does_not_depend_on_the_workers() -> None:
    design = small()
    one, two = run(design, jobs=1, sensitivity_boards=2), run(design, jobs=2, sensitivity_boards=2)
    assert np.array_equal(one.accuracy, two.accuracy)
    assert one.sensitivity == two.sensitivity


def test_monte_carlo_counts_what_the_solver_answers() -> None:
    design = small()
    x, y = labelled(design)
    spread = default_spread(design, vos_sigma=5e-3)
    result = run(design, n=3, sensitivity_boards=0)
    for k in range(3):
        drawn = board(design, spread, 3, k)
        found = solver.solve(design.analog, design.cells, x, factors=drawn.factors, rails=drawn.rails)
        assert result.accuracy[k] == (found.outputs_v.argmax(axis=1) == y).mean()


def test_the_distribution() -> None:
    seen: list[tuple[int, int]] = []
    result = run(small(), n=12, sensitivity_boards=4, limit=0.97, progress=lambda a, b: seen.append((a, b)))
    a = result.accuracy
    assert result.boards == 12
    assert result.mean == pytest.approx(a.mean())
    assert result.sigma == pytest.approx(a.std(ddof=1))
    assert result.percentiles[50] == pytest.approx(np.median(a))
    met = int((a >= 0.97).sum())
    assert result.met == met / 12
    assert result.met_ci95 == wilson(met, 12)
    assert result.mean_ci95[0] < result.mean < result.mean_ci95[1]
    # Student's t at 11 degrees of freedom
    assert result.mean_ci95[1] - result.mean == pytest.approx(2.2010 * result.sigma / 12**0.5, rel=1e-4)
    assert result.sensitivity[0].source == "offset"  # 5 mV on every op-amp beat all else
    assert "bandwidth" not in [s.source for s in result.sensitivity]  # nothing at DC depends on it
    assert seen[-1][0] == seen[-1][1] == 1 + 12 + 4 * len(result.sensitivity)


def kept(directory: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in directory.iterdir()}


def test_a_checkpoint_goes_on_and_gives_the_same_bytes(tmp_path: Path) -> None:
    design = small()
    whole, part = tmp_path / "whole", tmp_path / "part"
    complete = run(design, n=20, sensitivity_boards=0, jobs=1, checkpoint=whole)
    assert len(kept(whole)) == 3

    def stop(done: int, total: int) -> None:
        if done >= 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(design, n=20, sensitivity_boards=0, jobs=1, checkpoint=part, progress=stop)
    assert len(kept(part)) == 1
    starts: list[int] = []
    resumed = run(
        design, n=20, sensitivity_boards=0, checkpoint=part, progress=lambda done, _: starts.append(done)
    )
    assert starts[0] == 9  # eight boards and the nominal one were not done again
    assert np.array_equal(resumed.accuracy, complete.accuracy)
    assert kept(part) == kept(whole)


def test_more_boards_go_on_from_fewer(tmp_path: Path) -> None:
    design = small()
    starts: list[int] = []
    few = run(design, n=12, sensitivity_boards=4, checkpoint=tmp_path)
    more = run(
        design, n=20, sensitivity_boards=9, checkpoint=tmp_path, progress=lambda done, _: starts.append(done)
    )
    assert starts[0] == 9  # the first chunk alone was whole
    again = run(
        design, n=12, sensitivity_boards=4, checkpoint=tmp_path, progress=lambda done, _: starts.append(done)
    )
    assert starts[-1] == 1 + 12 + 4 * len(few.sensitivity)
    assert np.array_equal(more.accuracy[:12], few.accuracy)
    assert np.array_equal(again.accuracy, few.accuracy)
    assert again.sensitivity == few.sensitivity


@pytest.mark.slow
def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import sys
            sys.path.insert(0, {str(Path(__file__).parent)!r})
            from pathlib import Path
            from test_variation import run, small
            result = run(small(), n=400, sensitivity_boards=0, checkpoint=Path(sys.argv[1]))
            print(result.mean)
            """
        )
    )
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    child = subprocess.Popen([sys.executable, str(script), str(killed)])
    deadline = time.monotonic() + 60
    while not list(killed.glob("*.piece")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert 1 <= len(list(killed.glob("*.piece"))) < 50
    for half in killed.glob(".*"):
        half.unlink()
    for path in (killed, whole):
        subprocess.run([sys.executable, str(script), str(path)], check=True, capture_output=True)
    assert kept(killed) == kept(whole)


def test_boards_of_another_run_are_not_taken(tmp_path: Path) -> None:
    design = small()
    run(design, n=2, sensitivity_boards=0, checkpoint=tmp_path)
    x, y = labelled(design)
    other = monte_carlo(design, x, y, 2, 4, default_spread(design), sensitivity_boards=0, checkpoint=tmp_path)
    assert len(kept(tmp_path)) == 2
    alone = monte_carlo(design, x, y, 2, 4, default_spread(design), sensitivity_boards=0)
    assert np.array_equal(other.accuracy, alone.accuracy)


@pytest.mark.parametrize("damage", ["cut", "empty", "one bit", "another file", "a directory", "no counts"])
def test_damaged_boards_are_done_again(damage: str, tmp_path: Path) -> None:
    design = small()
    run(design, n=10, sensitivity_boards=0, jobs=1, checkpoint=tmp_path)
    whole = kept(tmp_path)
    path = min(tmp_path.iterdir())
    held = path.read_bytes()
    if damage == "a directory":
        path.unlink()
        path.mkdir()
        assert pieces.get(path) is None
        path.rmdir()
    elif damage == "no counts":
        pieces.put(path, {"right": [1.5] * 8})
    else:
        flipped = held[:-30] + bytes([held[-30] ^ 1]) + held[-29:]
        path.write_bytes({"cut": held[:100], "empty": b"", "one bit": flipped}.get(damage, b"PK\3\4 no"))
    run(design, n=10, sensitivity_boards=0, jobs=1, checkpoint=tmp_path)
    assert kept(tmp_path) == whole


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"resistor_tolerance": -0.01}, r"resistor_tolerance -0.01: allowed is 0 to 0.5"),
        ({"resistor_tolerance": 0.7}, r"resistor_tolerance 0.7: allowed is 0 to 0.5"),
        ({"vos_sigma": float("nan")}, r"vos_sigma nan: allowed is 0 to 0.1 V"),
        ({"supply_tolerance": "5%"}, r"supply_tolerance 5%: allowed is 0 to 0.2"),
        ({"tolerance": 0.1}, r"'tolerance' is no spread; there are resistor_tolerance"),
    ],
)
def test_impossible_spreads(changes: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        default_spread(small(), **changes)


@pytest.mark.parametrize("seed", [-1, 1.5, "1", True, 2**63])
def test_impossible_seeds(seed: object) -> None:
    design = small()
    with pytest.raises(UsageError, match=r"a seed is a whole number from 0 to 2\^63 - 1"):
        board(design, default_spread(design), seed, 0)  # type: ignore[arg-type]


@pytest.mark.parametrize("n", [0, -3, 2.5, True, 10**7])
def test_impossible_numbers_of_boards(n: object) -> None:
    design = small()
    x, y = labelled(design, 4)
    with pytest.raises(UsageError, match="a whole number of boards from 1 to 1000000"):
        monte_carlo(design, x, y, n, 1, default_spread(design))  # type: ignore[arg-type]


def test_impossible_temperatures_limits_and_data() -> None:
    design = small()
    x, y = labelled(design, 4)
    spread = default_spread(design)
    with pytest.raises(UsageError, match=r"--temperature 126: technology board holds from -40 to 125 C"):
        monte_carlo(design, x, y, 1, 1, spread, temperature=126.0)
    with pytest.raises(UsageError, match=r"--temperature 120 \+- 10: technology board holds"):
        board(design, default_spread(design, temperature_span=20.0), 1, 0, 120.0)
    with pytest.raises(UsageError, match=r"limit 1.5: an accuracy is from 0 to 1"):
        monte_carlo(design, x, y, 1, 1, spread, limit=1.5)
    with pytest.raises(UsageError, match="--jobs 0: at least 1 is needed"):
        monte_carlo(design, x, y, 1, 1, spread, jobs=0)
    with pytest.raises(InputError, match=r"Monte Carlo needs inputs \(N, 3\) and classes \(N,\)"):
        monte_carlo(design, x, y[:2], 1, 1, spread)
    with pytest.raises(UsageError, match="source 'weather' is unknown"):
        spread.only("weather")
    with pytest.raises(UsageError, match="board -1: boards are numbered from 0"):
        board(design, spread, 1, -1)
