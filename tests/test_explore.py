"""Sweeps: the grid, resuming, points that cannot be built, and the Pareto front."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import EXAMPLES

from analognet.cli.app import run
from analognet.design_points import Point
from analognet.errors import UsageError
from analognet.explore import Exploration, explore, pareto, parse_grid
from analognet.plots_choice import efficiency_figure, exploration_figure

MODEL = EXAMPLES / "iris" / "iris.safetensors"


def sweep(directory: Path, grid: str, **options: object) -> Exploration:
    settings: dict[str, object] = {"data": "iris", "images": 10, "transitions": 2, "jobs": 1} | options
    return explore(MODEL, parse_grid(grid), directory, **settings)  # type: ignore[arg-type]


def test_grid_is_read() -> None:
    grid = parse_grid("opamp=opa4192, tlv9154; full_scale=1,2.5;r_f=10e3")
    assert grid == {"opamp": ["opa4192", "tlv9154"], "full_scale": [1.0, 2.5], "r_f": [10e3]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("colour=red", "axes"),
        ("opamp", "write AXIS=VALUE"),
        ("full_scale=big", "numbers"),
        ("full_scale=-1", "above 0"),
        ("full_scale=nan", "above 0"),
        ("opamp=", "one or more"),
        ("opamp=a,a", "each once"),
        ("opamp=a;opamp=b", "twice"),
    ],
)
def test_a_bad_grid_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_grid(text)


@pytest.mark.slow
def test_a_sweep_is_resumed_and_a_broken_file_measured_again(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    first = sweep(tmp_path, "opamp=opa4192,tlv9154", progress=lambda a, b: seen.append((a, b)))
    files = sorted(tmp_path.glob("*.piece"))
    assert first.measured == len(files) == 2
    assert seen[-1] == (2, 2)
    again = sweep(tmp_path, "opamp=opa4192,tlv9154")
    assert again.measured == 0
    assert [p.values for p in again.points] == [p.values for p in first.points]
    files[0].write_text("{")
    assert sweep(tmp_path, "opamp=opa4192,tlv9154").measured == 1
    other = sweep(tmp_path, "opamp=opa4192", images=5)
    assert other.measured == 1


@pytest.mark.slow
def test_what_cannot_be_built_is_a_point_that_says_why(tmp_path: Path) -> None:
    found = sweep(tmp_path, "full_scale=2.5,4.8")
    assert found.points[0].refused is None
    assert "full scale" in str(found.points[1].refused)
    assert found.front == (0,)


@pytest.mark.slow
def test_two_processes_find_what_one_does(tmp_path: Path) -> None:
    one = sweep(tmp_path / "a", "opamp=opa4192,tlv9154", jobs=1)
    two = sweep(tmp_path / "b", "opamp=opa4192,tlv9154", jobs=2)
    assert [p.values for p in one.points] == [p.values for p in two.points]


@pytest.mark.slow
def test_latency_by_ngspice_on_request(tmp_path: Path) -> None:
    estimated = sweep(tmp_path, "opamp=opa4192").points[0].values
    measured = sweep(tmp_path, "opamp=opa4192", latency="ngspice").points[0].values
    assert estimated["latency_s"] == pytest.approx(measured["latency_s"], rel=0.25)
    assert estimated["energy_j"] == pytest.approx(measured["energy_j"], rel=0.25)
    with pytest.raises(UsageError, match="estimate, ngspice"):
        sweep(tmp_path, "opamp=opa4192", latency="guess")


def point(accuracy: float, latency: float, energy: float, cost: float | None) -> Point:
    return Point({}, {"accuracy": accuracy, "latency_s": latency, "energy_j": energy, "cost": cost})


def test_pareto_front() -> None:
    points = [
        point(0.9, 1.0, 1.0, 1.0),
        point(0.9, 2.0, 2.0, 2.0),  # beaten by the first
        point(0.8, 0.5, 2.0, 2.0),  # faster
        point(0.95, 3.0, 3.0, 3.0),  # better
        point(0.99, 0.1, 0.1, None),  # not measured in everything
        point(0.9, 1.0, 1.0, 1.0),  # as good as the first
    ]
    assert pareto(points) == (0, 2, 3, 5)
    assert pareto([]) == ()


def test_figures_are_drawn() -> None:
    found = Exploration((point(0.9, 1e-6, 1e-6, 100.0), point(0.8, 2e-6, 2e-6, 200.0)), (0,), 2)
    assert exploration_figure(found)[:4] == b"\x89PNG"
    assert efficiency_figure([("one", 1e-10, 1e-7, "8 bit")])[:4] == b"\x89PNG"


@pytest.mark.slow
def test_a_sweep_is_told_in_words_with_the_images_there_were(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["convert", str(MODEL)]) == 0
    arguments = [
        "simulate",
        "--sweep",
        "opamp=opa4192,nope",
        "--images",
        "500",
        "--transient",
        "2",
        "--jobs",
        "1",
    ]
    capsys.readouterr()
    assert run(arguments) == 0
    told = capsys.readouterr()
    for words in (
        "accuracy 100.00 %",
        "latency to 1 % 5",
        "energy 1",
        "parts and board",
        "refused: op-amp 'nope'",
    ):
        assert words in told.out
    assert "latency_s" not in told.out
    assert "the data have 50 inputs, not 500" in told.err
    assert run([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"]["images"] == 50
