"""Figures and files of the digital side: energy, activity, sweep, PYNQ files, the command."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer
from conftest import EXAMPLES, example
from test_quantize import small_network
from typer.testing import CliRunner

from analognet.cli.vhdl import sweep as sweep_command
from analognet.cli.vhdl import vhdl as vhdl_command
from analognet.data import Dataset
from analognet.design import save as save_design
from analognet.digital import energy, flow, sweep, vcd
from analognet.digital.quantize import quantize
from analognet.digital.schedule import plan
from analognet.errors import InputError, SimulatorError, SpecificationMissed, UsageError

DIGITS = EXAMPLES / "digits" / "digits.safetensors"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def app() -> typer.Typer:
    made = typer.Typer(pretty_exceptions_enable=False)
    made.command("vhdl")(vhdl_command)
    made.command("sweep")(sweep_command)
    return made


def labelled(shape: tuple[int, ...] = (6, 4, 3)) -> tuple[flow.Design, Dataset]:
    network, x = small_network(shape, ["relu"] * (len(shape) - 2) + ["linear"])
    y = np.argmax(network(x), axis=1)
    return flow.design(network, x), Dataset("mine", x, y, "0")


VCD = """$timescale 1ps $end
$scope module an_tb $end
$var wire 1 c clk $end
$scope module dut $end
$var wire 1 ! _1_ $end
$var wire 4 " _2_ [3:0] $end
$scope module deeper $end
$var wire 1 % hidden $end
$upscope $end
$upscope $end
$upscope $end
$enddefinitions $end
$dumpvars
x!
bx "
0c
$end
#1
1!
b101 "
#2
1c
0!
b110 "
#3
0c
1%
#4
1c
1!
b1 "
"""


def test_toggles_are_changes_between_known_values(tmp_path: Path) -> None:
    path = tmp_path / "dump.vcd"
    path.write_text(VCD)
    # x to 1 is no toggle; 1 to 0 to 1 are two; 0101 to 0110 two bits, 0110 to 0001 three
    assert vcd.toggles(path, "an_tb.dut") == {"_1_": 2, "_2_": 5}


def test_samples_are_the_values_before_the_edge(tmp_path: Path) -> None:
    path = tmp_path / "dump.vcd"
    path.write_text(VCD)
    rows = vcd.sample(path, "clk", ["_1_", "_2_"])
    assert rows == [{"_1_": "1", "_2_": "101"}, {"_1_": "0", "_2_": "110"}]
    with pytest.raises(SimulatorError):
        vcd.sample(path, "clk", ["absent"])


def test_operation_floor_by_hand() -> None:
    network, x = small_network((8, 4), ("linear",))
    q = quantize(network, x)
    constants = energy.load_constants()
    one = 0.2e-12 + 0.1e-12 * q.layers[0].acc_bits / 32
    assert energy.operation_floor(q, constants) == pytest.approx(32 * one + 32 * 8 / 64 * 10e-12)


def test_energy_bands_enclose_the_figures() -> None:
    made, _ = labelled()
    activity = energy.Activity(1000.0, 8, 0, "iverilog")
    spent = energy.estimate(made.quantized, made.plan, target="ecp5", activity=activity)
    assert spent.floor_j < spent.fpga_band_j[0] < spent.fpga_j < spent.fpga_band_j[1]
    assert spent.activity_j is not None
    assert spent.activity_band_j is not None
    assert spent.activity_band_j[0] < spent.activity_j < spent.activity_band_j[1]
    # 1000 toggles of 5.9 pJ / 8 / 0.125 scaled from 150 nm and 1.5 V to 40 nm and 1.1 V
    toggles = 1000 * 5.9e-12 * (40 / 150) * (1.1 / 1.5) ** 2
    assert spent.activity_j == pytest.approx(toggles + made.quantized.macs * 0.2e-12)
    assert spent.nominal_j == spent.activity_j
    assert len(spent.sources) == 4
    bare = energy.estimate(made.quantized, made.plan)
    assert (bare.activity_j, bare.static_w, bare.nominal_j) == (None, None, bare.fpga_j)


def test_constants_are_a_file_a_user_can_edit(tmp_path: Path) -> None:
    own = tmp_path / "energy.toml"
    text = energy.CONSTANTS.read_text()
    own.write_text(text.replace("factor = 14.0", "factor = 28.0"))
    made, _ = labelled()
    once = energy.estimate(made.quantized, made.plan)
    twice = energy.estimate(made.quantized, made.plan, constants=energy.load_constants(own))
    assert twice.fpga_j == pytest.approx(2 * once.fpga_j)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("factor = 14.0", ""), r"\[fpga\] factor must be a number above 0"),
        (("factor = 14.0", "factor = -1"), r"\[fpga\] factor must be a number above 0"),
        (("factor = 14.0", "factor = nan"), r"\[fpga\] factor must be a number above 0"),
        (("factor = 14.0", "factor = true"), r"\[fpga\] factor must be a number above 0"),
        (("[fpga]", "[fpga"), "cannot be read"),
    ],
)
def test_wrong_constants_are_refused(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    own = tmp_path / "energy.toml"
    own.write_text(energy.CONSTANTS.read_text().replace(*change))
    with pytest.raises(InputError, match=message):
        energy.load_constants(own)


def test_constants_that_are_not_there() -> None:
    with pytest.raises(InputError, match=r"absent\.toml': no such file"):
        energy.load_constants(Path("absent.toml"))


def test_examine_reports_every_stage() -> None:
    made, data = labelled()
    result = flow.examine(made, data, verify=10)
    assert result.metrics["mismatches"] == 0
    assert result.metrics["cycles"] == made.plan.cycles
    assert result.metrics["reference_accuracy"] == 1.0
    assert result.metrics["fmax_hz"] is None
    stages = result.metrics.details["accuracy_stages"]
    assert stages["rtl_images"] == 10
    assert stages["quantised"] == result.metrics["accuracy"]


def test_mismatches_are_counted_and_the_first_is_named() -> None:
    made, data = labelled()
    text = made.files["an_layer0.vhd"]
    broken = replace(made, files={**made.files, "an_layer0.vhd": text.replace("an_relu(", "(", 1)})
    assert broken.files != made.files
    result = flow.examine(broken, data, verify=20)
    wrong = result.metrics["mismatches"]
    assert isinstance(wrong, int)
    assert wrong > 0
    assert "layer 0, neuron" in result.metrics.details["verification"]["first_mismatch"]


def test_directory_holds_all_a_rerun_needs(tmp_path: Path) -> None:
    made, data = labelled()
    flow.save(flow.examine(made, data, verify=5), tmp_path / "out")
    done = subprocess.run(
        ["sh", "vhdl/run.sh"], cwd=tmp_path / "out", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "40 vectors, 0 mismatches" in done.stdout
    names = {p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*") if p.is_file()}
    assert {"verilog/an_top.v", "pynq/an_pynq.vhd", "pynq/analognet_pynq.py"} <= names
    assert {"pynq/build_overlay.tcl", "metrics.json", "names.json", "vhdl/run.sh"} <= names
    assert "NOT RUN" in (tmp_path / "out/pynq/build_overlay.tcl").read_text()
    assert str(tmp_path) not in (tmp_path / "out/verilog/an_top.v").read_text()


def test_a_directory_of_the_user_is_not_replaced(tmp_path: Path) -> None:
    made, data = labelled()
    (tmp_path / "thesis.txt").write_text("mine")
    result = flow.examine(made, data, verify=0)
    with pytest.raises(UsageError, match="holds something else"):
        flow.save(result, tmp_path)


def point(label: str, error: float, latency: float, area: float, joules: float) -> sweep.Point:
    return sweep.Point(label, 8, (1,), error, 1, 1, None, latency, joules, (joules / 3, joules * 3), area, {})


def test_pareto_front() -> None:
    points = [
        point("best", 0.1, 1.0, 0.1, 1.0),
        point("beaten", 0.2, 1.0, 0.1, 1.0),
        point("small", 0.3, 2.0, 0.01, 1.0),
        point("twin", 0.1, 1.0, 0.1, 1.0),
    ]
    assert [p.label for p in sweep.pareto(points)] == ["best", "small", "twin"]


@pytest.mark.slow
def test_plot_takes_analog_points_and_is_deterministic() -> None:
    points = [point("a", 0.1, 1e-6, 0.1, 1e-9), point("b", 0.05, 1e-5, 0.2, 2e-9)]
    analog = sweep.analog_point("board", {"metrics": {"accuracy": 0.9, "latency_s": 1e-5, "power_w": 0.5}})
    assert analog.energy_j == pytest.approx(5e-6)
    first = sweep.plot(points, [analog])
    assert first == sweep.plot(points, [analog])
    assert b"<svg" in first
    assert first != sweep.plot(points)


@pytest.mark.slow
def test_sweep_over_bits_and_lanes() -> None:
    made, data = labelled()
    points = sweep.sweep(made.network, data.x, data, bits=(3, 8), lanes=(1, 4, 4), clock_hz=1e8)
    assert [(p.bits, p.lanes) for p in points] == [(3, (1, 1)), (3, (4, 3)), (8, (1, 1)), (8, (4, 3))]
    assert points[2].error <= points[0].error
    assert points[1].latency_s < points[0].latency_s
    assert {p["pareto"] for p in sweep.to_json(points)} <= {True, False}


def test_sweep_needs_labels_and_a_clock() -> None:
    made, data = labelled()
    with pytest.raises(UsageError, match="needs data with labels"):
        sweep.sweep(made.network, data.x, replace(data, y=None), bits=(8,), lanes=(1,))
    with pytest.raises(UsageError, match="give the sweep a clock"):
        sweep.sweep(made.network, data.x, data, bits=(8,), lanes=(1,), target="xc7")


def test_command_prints_one_json_object(tmp_path: Path) -> None:
    arguments = [
        "vhdl",
        str(DIGITS),
        "--verify",
        "6",
        "--lanes",
        "32,10",
        "--out",
        str(tmp_path / "o"),
        "--json",
    ]
    done = CliRunner().invoke(app(), arguments, catch_exceptions=False)
    assert done.exit_code == 0
    body = json.loads(done.stdout)
    assert body["schema"] == 1
    assert body["metrics"]["mismatches"] == 0
    assert body["metrics"]["cycles"] == 119
    assert body["metrics"]["images"] == 450
    assert "ghdl" in body["provenance"]["tools"]
    assert (tmp_path / "o" / "vhdl" / "an_top.vhd").exists()


def test_command_takes_a_directory_of_convert(tmp_path: Path) -> None:
    design = example("iris")
    save_design(design, tmp_path / "iris")
    arguments = ["vhdl", str(tmp_path / "iris"), "--verify", "50", "--out", str(tmp_path / "o"), "--json"]
    done = CliRunner().invoke(app(), arguments, catch_exceptions=False)
    body = json.loads(done.stdout)
    assert body["metrics"]["mismatches"] == 0
    assert body["metrics"]["images"] == 50


def test_command_prints_a_table(tmp_path: Path) -> None:
    arguments = [
        "vhdl",
        str(DIGITS),
        "--verify",
        "4",
        "--lanes",
        "4",
        "--bits",
        "4",
        "--out",
        str(tmp_path / "o"),
    ]
    done = CliRunner().invoke(app(), arguments, catch_exceptions=False)
    assert done.exit_code == 0
    assert "clock cycles of one inference" in done.stdout
    assert "lanes are 4,2" in done.stderr
    assert "--finetune 10 trains against it" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--bits", "1"], "--weight-bits 1: allowed are 2 to 16"),
        (["--bits", "17"], "allowed are 2 to 16"),
        (["--lanes", "7"], "divides no layer"),
        (["--lanes", "4,4"], "does not divide layer 1"),
        (["--synth", "\x1b[31m"], "allowed are ecp5, ice40, xc7"),
        (["--verify", "-1"], "at least 0"),
    ],
)
def test_command_refuses_wrong_usage(tmp_path: Path, arguments: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        CliRunner().invoke(
            app(), ["vhdl", str(DIGITS), "--out", str(tmp_path / "o"), *arguments], catch_exceptions=False
        )
    assert "\x1b" not in str(caught.value)
    assert not (tmp_path / "o").exists()


def test_command_fails_on_mismatches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = flow.design

    def wrong(*args: object, **options: object) -> flow.Design:
        made = right(*args, **options)  # type: ignore[arg-type]
        text = made.files["an_layer0.vhd"].replace("an_relu(", "(", 1)
        return replace(made, files={**made.files, "an_layer0.vhd": text})

    monkeypatch.setattr(flow, "design", wrong)
    arguments = ["vhdl", str(DIGITS), "--verify", "4", "--out", str(tmp_path / "o")]
    with pytest.raises(
        SpecificationMissed, match=r"mismatches against the integer reference; the first is at.*layer 0"
    ):
        CliRunner().invoke(app(), arguments, catch_exceptions=False)


@pytest.mark.slow
def test_sweep_command(tmp_path: Path) -> None:
    plot = tmp_path / "plot.svg"
    analog = tmp_path / "board.json"
    analog.write_text(json.dumps({"metrics": {"accuracy": 0.9, "latency_s": 1e-5, "energy_j": 1e-6}}))
    arguments = [
        "sweep",
        str(EXAMPLES / "iris" / "iris.safetensors"),
        "--bits",
        "8",
        "--lanes",
        "1,2",
        "--clock",
        "100",
    ]
    arguments += ["--analog", str(analog), "--out", str(plot), "--json"]
    done = CliRunner().invoke(app(), arguments, catch_exceptions=False)
    assert len(json.loads(done.stdout)["points"]) == 2
    assert "board" in plot.read_text()
    analog.write_text("[]")
    with pytest.raises(InputError, match="is not what analognet simulate --json writes"):
        CliRunner().invoke(app(), arguments, catch_exceptions=False)


@pytest.mark.slow
def test_fine_tuning_wins_back_what_four_bits_lose(tmp_path: Path) -> None:
    arguments = ["vhdl", str(DIGITS), "--bits", "4", "--verify", "4", "--out", str(tmp_path / "o"), "--json"]
    plain = json.loads(CliRunner().invoke(app(), arguments, catch_exceptions=False).stdout)["metrics"]
    tuned = json.loads(
        CliRunner().invoke(app(), [*arguments, "--finetune", "10"], catch_exceptions=False).stdout
    )["metrics"]
    assert tuned["mismatches"] == 0
    assert tuned["reference_accuracy"] == plain["reference_accuracy"]
    assert plain["reference_accuracy"] - plain["accuracy"] > 0.005
    assert tuned["accuracy"] > plain["accuracy"]


def test_plan_is_recomputed_from_the_same_network() -> None:
    made, _ = labelled()
    assert plan(made.quantized) == made.plan
