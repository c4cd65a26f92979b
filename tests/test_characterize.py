"""Characterisation: benches against a circuit with known answers, laws, limits, datasheets."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT

from analognet.analog import pdk
from analognet.analog.cell_area import cell_area
from analognet.analog.cells import parse_cell
from analognet.analog.characterized import DATASHEETS, Range, characterized_range
from analognet.characterize import activations, reading
from analognet.characterize.datasheet import Datasheet, datasheet, shown
from analognet.characterize.figures import FIGURES, figure, known
from analognet.characterize.library import Kit, open_kit
from analognet.characterize.limits import Limits, read_limits
from analognet.characterize.measure import Characterization, characterize, studies
from analognet.characterize.plots import datasheet_figure
from analognet.characterize.points import Point, grid
from analognet.characterize.study import Measured
from analognet.characterize.sweep import Sweep
from analognet.cli.app import run
from analognet.errors import InputError, SimulatorError, ToolMissing, UsageError

try:
    pdk.find()
except ToolMissing as e:
    pytest.skip(str(e), allow_module_level=True)

PLAIN = ROOT / "tests" / "sky130_cells" / "plain.toml"
NOMINAL = [Point()]


@cache
def kit() -> Kit:
    return open_kit(PLAIN)


@cache
def nominal(name: str) -> dict[str, float | None]:
    """What is measured of one of the tests' own cells at the nominal point."""
    found = characterize(kit().fixture(name), NOMINAL, samples=0)
    return dict(found.points[0][1].values)


# --- a circuit whose figures are known exactly

OFFSET, GAIN, POLE_HZ, COMMON, ON_VDD, ROUT = 2e-3, 1e4, 100.0, 1e-4, 1e-3, 2e3
KNOWN = f"""* Op-amp: one pole, and errors of known size
*@ family opamp
*@ source made for a test
*@ pin inp in +
*@ pin inn in -
*@ pin out out output
*@ pin vdd supply +
*@ pin vss supply -
.subckt opamp_known inp inn out vdd vss
Rm mid 0 1
Vos inp x {OFFSET}
Ggain 0 y x inn {GAIN / 1e6}
Gcm 0 y inp 0 {COMMON * GAIN / 1e6}
Gvdd 0 y vdd 0 {ON_VDD * GAIN / 1e6}
Ivdd y 0 {0.9 * ON_VDD * GAIN / 1e6}
Rpole y 0 1e6
Cpole y 0 {1 / (2 * np.pi * 1e6 * POLE_HZ)}
Ebuf z 0 y 0 1
Rout z out {ROUT}
Rq vdd vss 18e3
.ends
"""


@pytest.fixture
def exact(tmp_path: Path) -> Kit:
    text = PLAIN.read_text().replace('"opamp_plain"', '"opamp_known"')
    (tmp_path / "plain.toml").write_text(text)
    for path in PLAIN.parent.glob("*_plain.cir"):
        if path.stem != "opamp_plain":
            (tmp_path / path.name).write_text(path.read_text())
    (tmp_path / "opamp_known.cir").write_text(KNOWN)
    return open_kit(tmp_path / "plain.toml")


def test_benches_find_the_figures_of_a_known_op_amp(exact: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analognet.characterize.measure.cell_area", lambda *_: 0.0)  # it has no devices
    v = characterize(exact.fixture("opamp_known"), NOMINAL, samples=0).points[0][1].values
    load = 100e3 / (100e3 + ROUT)  # the loaded gain
    gain = GAIN * load
    assert v["a0_db"] == pytest.approx(20 * np.log10(gain), abs=0.01)
    assert v["gbw_hz"] == pytest.approx(gain * POLE_HZ, rel=1e-3)
    f_load = 1 / (2 * np.pi * 2e-12 * ROUT * load)  # the pole that load and output resistance make
    for key, noise_gain in (("phase_margin_deg", 1.0), ("phase_margin_4_deg", 4.0)):
        f = gain * POLE_HZ / noise_gain
        lag = np.degrees(np.arctan(f / POLE_HZ) + np.arctan(f / f_load))
        assert v[key] == pytest.approx(180 - lag, abs=0.1)
    assert v["offset_v"] == pytest.approx(-OFFSET, rel=1e-3)  # vos drives + down, at a gain just below 1
    assert v["cmrr_db"] == pytest.approx(-20 * np.log10(COMMON), abs=0.02)
    assert v["cmrr_100k_db"] == pytest.approx(-20 * np.log10(COMMON), abs=0.02)
    assert v["psrr_vdd_db"] == pytest.approx(-20 * np.log10(ON_VDD), abs=0.02)
    assert v["psrr_vss_db"] is None or v["psrr_vss_db"] > 150
    # ripple on vdd alone moves the common by half of it, and with it all that is measured against it
    assert v["supply_a"] is not None
    # an output resistance against 10 mV of error: I R_out / (1 + A0) = 10 mV lies beyond the sweep
    assert v["source_a"] == pytest.approx(2e-3 * 0.9**2)
    assert v["sink_a"] == pytest.approx(2e-3 * 0.9**2)
    assert v["swing_low_v"] == pytest.approx(-0.9)
    assert v["common_high_v"] == pytest.approx(0.9)  # 0.1 mV a volt never reaches 5 mV
    # one pole at noise gain 4: to 0.1 % in ln(1000) time constants
    tau = 4 / (2 * np.pi * gain * POLE_HZ)
    assert v["settling_s"] == pytest.approx(np.log(1000) * tau, rel=0.05)


# --- the plain cells against what was measured of them by hand


def test_op_amp_figures_are_those_measured_by_hand() -> None:
    v = nominal("opamp_plain")
    for key, wanted, tolerance in (
        ("a0_db", 67.1, 0.1),
        ("gbw_hz", 8.3e6, 0.1e6),
        ("phase_margin_deg", 61.0, 1.0),
        ("offset_v", 0.19e-3, 0.01e-3),
        ("noise_v_rms", 111e-6, 4e-6),
        ("slew_up_v_s", 5.3e6, 0.3e6),
        ("swing_low_v", 0.02 - 0.9, 0.01),
        ("swing_high_v", 1.77 - 0.9, 0.01),
        ("supply_a", 50.5e-6, 0.5e-6),
    ):
        assert v[key] == pytest.approx(wanted, abs=tolerance), key
    assert set(v) <= set(FIGURES)


def test_relu_op_amp_figures() -> None:
    v = nominal("relu_plain")
    assert v["knee_v"] == pytest.approx(4e-3, abs=0.5e-3)
    assert 0 < v["floor_v"] < 6e-3  # type: ignore[operator]
    # current into an off output lifts it, current out of it lowers it
    assert v["floor_sink_v"] < v["floor_v"] < v["floor_source_v"]  # type: ignore[operator]
    assert v["supply_off_a"] == pytest.approx(10e-6, abs=1e-6)
    assert v["supply_off_a"] < v["supply_a"]  # type: ignore[operator]
    assert v["com_a"] == pytest.approx(38e-6, abs=2e-6)
    assert v["recovery_s"] is not None
    assert "swing_low_v" not in v


def test_sigmoid_figures() -> None:
    v = nominal("act_plain")
    assert v["slope_1_v"] == pytest.approx(13.6, abs=0.3)
    assert v["fit_error_max"] == pytest.approx(0.0141, abs=1e-3)
    assert v["fit_error_rms"] == pytest.approx(0.0062, abs=5e-4)
    assert v["out_ohm"] == pytest.approx(100e3, rel=0.03)
    assert v["bandwidth_hz"] == pytest.approx(1 / (2 * np.pi * 100e3 * 2e-12), rel=0.05)


def test_support_figures() -> None:
    v = nominal("vcm_plain")
    assert v["common_ohm"] == pytest.approx(1.0, rel=1e-6)
    assert v["common_sink_a"] == pytest.approx(4e-3)  # the end of the sweep: 4 mV of error
    assert v["common_step_v"] == pytest.approx(1e-3, rel=1e-3)
    v = nominal("bias_plain")
    assert v["line_v_vbn"] == pytest.approx(-0.244, abs=2e-3)
    assert v["bias_a_opamp_plain.5"] == pytest.approx(9.5e-6, rel=0.02)
    assert v["startup_s"] is not None
    assert all(known(key) for key in v)


def test_every_figure_says_what_it_is() -> None:
    for name in kit().own:
        for key in nominal(name):
            assert figure(key).unit
            assert figure(key).meaning
    with pytest.raises(KeyError):
        figure("bias_a_")


# --- reading curves


def test_crossing_and_within() -> None:
    x = np.linspace(-1, 1, 21)
    assert reading.crossing(x, x**3, 0.5**3) == pytest.approx(0.5, abs=0.01)
    assert reading.crossing(x, x, 2.0) is None
    assert reading.within(x, x, 0.25, 0.0) == pytest.approx((-0.25, 0.25))
    assert reading.within(x, x, 5.0, 0.0) == (-1.0, 1.0)
    assert reading.within(x, x + 1, 0.5, 0.0) is None


def test_settled_reads_an_exponential_and_does_not_trust_a_noisy_end() -> None:
    t = np.linspace(0, 20, 20001)
    decay = np.where(t < 1, 0, np.exp(-(t - 1)))
    assert reading.settled(t, decay, 1e-3, 1.0, 20.0) == pytest.approx(np.log(1000), rel=1e-3)
    assert reading.settled(t, 0 * t, 1e-3, 1.0, 20.0) == 0.0
    assert reading.settled(t, decay + 2e-3 * (t > 19), 1e-3, 1.0, 20.0) is None
    assert reading.settled(t, decay + 1.0, 1e-3, 1.0, 20.0) is None


def test_noise_integral_of_one_pole_is_pi_half_of_its_band() -> None:
    f = np.logspace(0, 7, 1401)
    density = 1e-8 / np.sqrt(1 + (f / 1e3) ** 2)
    assert reading.integrated(f, density) == pytest.approx(1e-8 * np.sqrt(np.pi / 2 * 1e3), rel=2e-3)


def test_fit_recovers_the_curve_it_was_given() -> None:
    fixture = kit().fixture("act_plain")
    x = np.linspace(-0.6, 0.6, 181)
    y = 0.01 + 0.45 / (1 + np.exp(-12.0 * (x - 0.02)))
    fitted, values = activations.fit(fixture, x, y)
    assert fitted == pytest.approx(y, abs=1e-9)
    assert values["slope_1_v"] == pytest.approx(12.0)
    assert values["centre_v"] == pytest.approx(0.02)
    assert values["span_v"] == pytest.approx(0.45)
    assert values["fit_error_max"] < 1e-8  # type: ignore[operator]


def test_sweep_reads_the_whole_range_upwards() -> None:
    sweep = Sweep(-0.5, 0.5, 11, 0.2)
    path = np.concatenate([np.linspace(0.2, 0.5, 4)[:-1], np.linspace(0.5, -0.5, 11)])
    assert sweep.card() == f".dc Vidx 0 {len(path) - 1} 1"
    assert sweep.read({"v(sw)": path})["v(sw)"] == pytest.approx(np.linspace(-0.5, 0.5, 11))


# --- points


def test_grid_has_every_corner_and_says_which_points() -> None:
    t = kit().technology
    points = grid(t)
    assert points[0] == Point()
    assert len(points) == len(set(points))
    assert {(p.corner, p.temperature) for p in points} >= {
        (c, temp) for c in ("tt", "ss", "ff", "sf", "fs") for temp in (-40.0, 27.0, 125.0)
    }
    assert {p.supply for p in points} == {0.9, 1.0, 1.1}
    assert [p for p in points if p.corner == "hh"] == [Point("hh")]
    assert len(grid(t, full=True)) == len(t.corners) * 9
    assert grid(t, ["ss"], full=True)[0].corner == "ss"
    with pytest.raises(UsageError, match=r"corner 'typical': technology plain has tt, ss, ff, sf, fs, hh"):
        grid(t, ["typical"])


def test_supply_and_temperature_reach_the_circuit() -> None:
    found = characterize(kit().fixture("bias_plain"), [Point(), Point("ss", 125.0, 1.1)], samples=0)
    (_, warm), (_, hot) = found.points
    assert warm.values["line_v_vbn"] - hot.values["line_v_vbn"] > 0.09  # type: ignore[operator]


# --- mismatch


def test_mismatch_samples_repeat_with_their_seed() -> None:
    runs = [
        characterize(kit().fixture("opamp_plain"), [], samples=2, seed=seed).samples for seed in (5, 5, 6)
    ]
    offsets = [[m.values["offset_v"] for m in samples] for samples in runs]
    assert offsets[0] == offsets[1]
    assert offsets[0][1] == offsets[2][0]  # sample k has seed + k
    assert offsets[0][0] != offsets[0][1]


@pytest.mark.slow
def test_offset_spreads_as_the_pair_and_the_mirror_say() -> None:
    found = characterize(kit().fixture("opamp_plain"), [], samples=50)
    offsets = np.array([m.values["offset_v"] for m in found.samples])
    # 1.13 mV were measured by hand, also from 50 samples: each is good for 10 %
    assert offsets.std(ddof=1) == pytest.approx(1.13e-3, rel=0.35)
    assert abs(offsets.mean() - nominal("opamp_plain")["offset_v"]) < 4 * offsets.std() / np.sqrt(50)


# --- area


def test_area_follows_its_stated_method() -> None:
    t, cells = kit().technology, kit().cells
    pair, mirror, tail, out, sink = 4 * 20 * 1.58, 6 * 5 * 4.58, 2 * 5 * 1.58, 3 * 8 * 1.38, 8 * 5 * 1.58
    mim, poly = 2 * 20.84**2, 0.83 * 6.08
    wanted = 2 * (pair + mirror + tail + out + sink) + mim + poly
    assert cell_area(cells["opamp_plain"], cells, t) == pytest.approx(wanted * 1e-12)


def test_area_of_parameters_inner_cells_and_resistors() -> None:
    t, cells = kit().technology, dict(kit().cells)
    head = "* x\n*@ family activation\n*@ activation relu\n*@ source test\n" + "".join(
        f"*@ pin {p} {r} x\n"
        for p, r in (("in", "in"), ("out", "out"), ("com", "common"), ("vdd", "supply"), ("vss", "supply"))
    )
    body = "*@ param r Ohm value\n.subckt act_x in out com vdd vss params: r=1e5\n"
    cells["act_x"] = parse_cell(
        head + body + "Ra in out {r/(1-0.5)}\nXa in out out vdd vss opamp\n.ends\n", "act_x"
    )
    assert t.resistor.strip is not None
    for ohms in (1e5, 3e5):
        wanted = t.resistor.strip.area(np.array([2 * ohms]))[0] + cell_area(cells["opamp_plain"], cells, t)
        assert cell_area(cells["act_x"], cells, t, {"r": ohms}) == pytest.approx(wanted)
    for line, words in (
        ("Ra in out {r/q}", r"\{r/q\} is no number or expression"),
        ("Ca in out 1e-12", "Ca: no area is known"),
    ):
        cells["act_x"] = parse_cell(head + body + f"{line}\n.ends\n", "act_x")
        with pytest.raises(InputError, match=words):
            cell_area(cells["act_x"], cells, t)


# --- datasheets and limits


def made_up(values: list[dict[str, float | None]]) -> Characterization:
    points = grid(kit().technology)[: len(values)]
    measured = tuple((p, Measured(v)) for p, v in zip(points, values, strict=True))
    samples = tuple(Measured({"offset_v": x}) for x in (1e-3, -1e-3, 2e-3))
    return Characterization(kit().fixture("opamp_plain"), 1.5e-9, measured, samples, 1)


def sheet(limits: dict[str, object], values: list[dict[str, float | None]] | None = None) -> Datasheet:
    values = values or [{"a0_db": 67.0, "offset_v": 1e-4}, {"a0_db": 60.0, "offset_v": 9e-4}]
    return datasheet(made_up(values), Limits.model_validate(limits))


@pytest.mark.parametrize(
    ("limits", "fault"),
    [
        ({"opamp": {"a0_db": {"min": 59}}}, None),
        ({"opamp": {"a0_db": {"min": 61}}}, "a0_db: 60 dB at tt, -40 C, 100 % supply is below 61 dB"),
        ({"opamp": {"a0_db": {"max": 66}}}, "a0_db: 67 dB at tt, 27 C, 100 % supply is above 66 dB"),
        ({"opamp": {"offset_v": {"sigma": 1e-3}}}, "offset_v: sigma 1.53 mV is above 1 mV"),
        ({"opamp": {"offset_v": {"sigma": 2e-3}}}, None),
        ({"opamp": {"area_m2": {"max": 1e-9}}}, "area_m2: 1500 um2 at None is above 1000 um2"),
        ({"opamp": {"a0_db": {"min": 61}}, "opamp_plain": {"a0_db": {"min": 50}}}, None),
        ({"amplifier": {"a0_db": {"min": 99}}}, None),
    ],
)
def test_limits_are_held_to(limits: dict[str, object], fault: str | None) -> None:
    found = sheet(limits)
    assert found.faults == ([] if fault is None else [f"opamp_plain: {fault}"])
    assert found.to_values()["passed"] is (fault is None)
    assert ("**fail**" in found.to_markdown()) is (fault is not None)


def test_what_was_not_reached_fails_a_limit_and_is_no_number() -> None:
    found = sheet({"opamp": {"settling_s": {"max": 1.0}}}, [{"settling_s": 1e-6}, {"settling_s": None}])
    assert found.faults == ["opamp_plain: settling_s: not reached at tt, -40 C, 100 % supply"]
    row = found.to_values()["figures"]["settling_s"]
    assert row["not_reached"] == ["tt, -40 C, 100 % supply"]
    assert row["max"] == 1e-6
    assert "not reached at 1 points" in found.to_markdown()


def test_a_limit_of_a_cell_that_is_not_measured_of_it() -> None:
    with pytest.raises(InputError, match="limits of cell 'opamp_plain': floor_v is not measured of it"):
        sheet({"opamp_plain": {"floor_v": {"max": 1.0}}})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[opamp]\na0_db = {}", "opamp.a0_db: Value error, a limit has min, max or sigma"),
        ("[opamp]\na0_db = {min = 2, max = 1}", "opamp.a0_db: Value error, min is above max"),
        ("[opamp]\na0_db = {least = 2}", "opamp.a0_db.least: Extra inputs are not permitted"),
        ("[opamp]\na0_db = {min = nan}", "opamp.a0_db.min: Input should be a finite number"),
        ("[opamp]\nspeed = {min = 1}", "opamp: 'speed' is not measured; figures are area_m2"),
        ("[opamp_x]\na0_db = {min = 1}", "'opamp_x' is neither a family (opamp, amplifier"),
        ("[opamp", "cannot be read"),
    ],
)
def test_limits_files_that_are_wrong(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "limits.toml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_limits(path, kit().cells)
    assert str(caught.value).startswith("limits file 'limits.toml'")
    assert words in str(caught.value)


def test_shipped_limits_can_be_read() -> None:
    read_limits(ROOT / "sky130" / "limits.toml", open_kit_or_empty().cells)


def test_values_as_a_person_reads_them() -> None:
    assert [shown(v, u) for v, u in ((1.5e-9, "m2"), (67.05, "dB"), (-1.2e-3, "V"), (None, "V"))] == [
        "1500 um2",
        "67.05 dB",
        "-1.2 mV",
        "",
    ]


# --- what is refused


def test_technologies_and_cells_that_cannot_be_characterised(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="technology board is built of bought parts"):
        open_kit("board")
    with pytest.raises(UsageError, match="cell 'opamp_none' is not there; there are act_plain, bias_plain"):
        kit().fixture("opamp_none")
    for path in PLAIN.parent.glob("*"):
        if path.stem != "vcm_plain":
            (tmp_path / path.name).write_text(path.read_text())
    with pytest.raises(InputError, match="technology plain: cell 'vcm_plain' is not among the cells"):
        open_kit(tmp_path / "plain.toml")
    with pytest.raises(UsageError, match="is of family inverter; what can be characterised is opamp"):
        studies(replace(kit().cells["opamp_plain"], family="inverter"))


def test_a_pin_that_nothing_drives_and_a_header_that_says_too_little(tmp_path: Path) -> None:
    fixture = kit().fixture("opamp_plain")
    text = fixture.cell.text.replace("vdd vss vbn\n", "vdd vss vbx\n").replace("pin vbn", "pin vbx")
    cell = parse_cell(text.replace(" vbn vss vss", " vbx vss vss"), "opamp_plain")
    broken = replace(fixture, cell=cell, cells={**fixture.cells, "opamp_plain": cell})
    with pytest.raises(InputError, match="pin vbx is driven by no support cell of technology plain; they"):
        characterize(broken, NOMINAL, samples=0)
    fixture = kit().fixture("act_plain")
    cell = parse_cell(fixture.cell.text.replace("*@ s_in", "* s_in"), "act_plain")
    broken = replace(fixture, cell=cell, cells={**fixture.cells, "act_plain": cell})
    with pytest.raises(InputError, match=r"cell 'act_plain': no '\*@ s_in' line"):
        characterize(broken, NOMINAL, samples=0)


def test_a_cell_without_a_working_point_is_an_error_that_names_it_and_the_point() -> None:
    fixture = kit().fixture("opamp_plain")
    text = fixture.cell.text.replace(".ends", "I1 0 nowhere 1e-6\nC1 nowhere 0 1e-12\n.ends")
    cell = parse_cell(text, "opamp_plain")
    broken = replace(fixture, cell=cell, cells={**fixture.cells, "opamp_plain": cell})
    with pytest.raises(SimulatorError, match="cell 'opamp_plain' at tt, 27 C, 100 % supply: ngspice"):
        characterize(broken, NOMINAL, samples=0)


# --- the command


def test_command_writes_datasheets_and_answers_by_its_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["characterize", str(PLAIN), "--cells", "vcm_plain", "--corners", "hh", "--samples", "2"]
    assert run([*arguments, "--out", str(tmp_path / "a"), "--json"]) == 0
    body = json.loads(capsys.readouterr().out)
    assert body["schema"] == 1
    assert body["metrics"]["passed"] is True
    assert body["provenance"]["pdk"] == pdk.find().version
    assert {p.name for p in (tmp_path / "a").iterdir()} == {f"vcm_plain.{e}" for e in ("json", "md", "png")}
    assert json.loads((tmp_path / "a" / "vcm_plain.json").read_text()) == body["metrics"]["cells"][0]

    for path in PLAIN.parent.glob("*"):
        (tmp_path / path.name).write_text(path.read_text())
    (tmp_path / "limits.toml").write_text("[vcm_plain]\ncommon_ohm = {max = 0.5}\n")
    arguments[1] = str(tmp_path / "plain.toml")
    assert run([*arguments, "--out", str(tmp_path / "b"), "--no-plots"]) == 1
    out, err = capsys.readouterr()
    assert "at most 500 mOhm: FAIL" in out
    assert "limits missed: vcm_plain: common_ohm: 1 Ohm at hh, 27 C, 100 % supply is above 500 mOhm" in err
    assert (tmp_path / "b" / "vcm_plain.json").is_file()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--samples", "1"], "--samples 1: 0, or from 2 to 10000"),
        (["--seed", "-1"], "--seed -1"),
        (["--jobs", "0"], "--jobs 0"),
        (["--cells", "opamp_nowhere"], "cell 'opamp_nowhere' is not there"),
        (["--corners", "tt,typical"], "corner 'typical'"),
    ],
)
def test_options_that_are_wrong(options: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["characterize", str(PLAIN), *options]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.slow
def test_figure_is_the_same_bytes_each_time() -> None:
    found = characterize(kit().fixture("vcm_plain"), NOMINAL, samples=2)
    made = datasheet(found, Limits({}))
    png = datasheet_figure(made)
    assert png.startswith(b"\x89PNG")
    assert png == datasheet_figure(made)


@pytest.mark.slow
def test_an_output_buffer_inverts_into_its_load() -> None:
    found = characterize(open_kit("sky130").fixture("out_buffer"), NOMINAL, samples=0).points[0][1].values
    assert found["gain"] == pytest.approx(1.0, abs=1e-3)
    assert found["load_error_v"] is not None
    assert found["nominal_error_v"] is not None
    assert found["nominal_error_v"] <= found["load_error_v"] < 1e-3


# --- the range of what was characterised


def test_range_is_what_all_cells_have_in_common(tmp_path: Path) -> None:
    for name, corners, cold in (("a", ["tt", "ss"], -40.0), ("b", ["ss", "tt", "ff"], 0.0)):
        conditions = {
            "corners": corners,
            "temperature_c": [cold, 125.0],
            "supply": [0.9, 1.1],
            "supply_v": 2.0,
        }
        (tmp_path / f"{name}.json").write_text(json.dumps({"conditions": conditions}))
    found = characterized_range(tmp_path, ["a", "b"])
    assert found == Range(("tt", "ss"), (0.0, 125.0), (1.8, 2.2))
    found.check("ss", 125.0, 2.2)
    for point, words in (
        (("ff", 27.0, 2.0), "corner 'ff' was not characterised; tt, ss were"),
        (("tt", -40.0, 2.0), "temperature -40 C: the cells were characterised from 0 to 125 C"),
        (("tt", 27.0, 1.6), "supply 1.6 V: the cells were characterised from 1.8 to 2.2 V"),
    ):
        with pytest.raises(UsageError, match=words):
            found.check(*point)
    assert characterized_range(tmp_path, ["a", "c"]) is None
    assert characterized_range(tmp_path, []) is None
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(InputError, match=r"datasheet 'a\.json' cannot be read"):
        characterized_range(tmp_path, ["a"])


# --- goldens: the shipped cells' datasheets


SHEETS = ROOT / "sky130" / DATASHEETS


def open_kit_or_empty() -> Kit:
    """The shipped cells; the tests' own technology stands in while none are shipped."""
    return open_kit("sky130") if list((ROOT / "sky130").glob("*.cir")) else kit()


def shipped() -> tuple[str, ...]:
    return open_kit("sky130").own if list((ROOT / "sky130").glob("*.cir")) else ()


@cache
def kit_of_shipped() -> Kit:
    return open_kit("sky130")


def test_every_shipped_cell_has_a_datasheet(refresh_goldens: bool) -> None:
    """Made by `analognet characterize sky130 --out sky130/datasheets`, or by --refresh-goldens."""
    if refresh_goldens and shipped():
        assert run(["characterize", "sky130", "--out", str(SHEETS)]) in (0, 1)
    assert {p.stem for p in SHEETS.glob("*.json")} == set(shipped())
    for name in shipped():
        golden = json.loads((SHEETS / f"{name}.json").read_text())
        text = (SHEETS / f"{name}.md").read_text()
        assert text.startswith(f"# {name}\n")
        assert all(f"- {fault}\n" in text for fault in golden["faults"])
        limits = {
            k: v.model_dump(exclude_none=True)
            for k, v in kit_of_shipped().limits.of(kit_of_shipped().cells[name]).items()
        }
        recorded = {k: row["limit"] for k, row in golden["figures"].items() if row["limit"]}
        assert recorded == {k: v for k, v in limits.items() if k in golden["figures"]}, "limits changed since"


# cells that do not: strict, so that a cell put right has to leave this list
SHORT = {
    "opamp_miller": "phase margin 22.9 deg at noise gain 1 in corner ll, where 30 are asked for",
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=[pytest.mark.xfail(strict=True, reason=SHORT[n])] if n in SHORT else [])
        for n in shipped()
    ],
)
def test_shipped_cell_keeps_its_limits(name: str) -> None:
    assert json.loads((SHEETS / f"{name}.json").read_text())["faults"] == []


def compare(golden: dict[str, object], found: Characterization) -> None:
    """Every value at every measured point within 2 % of the golden's, or of the figure's own size."""
    recorded = {
        Point(p["corner"], p["temperature_c"], p["supply"]): p["values"]  # type: ignore[index]
        for p in golden["points"]  # type: ignore[attr-defined]
    }
    scale = {key: max(abs(row[k] or 0.0) for k in ("min", "max")) for key, row in golden["figures"].items()}  # type: ignore[attr-defined]
    for point, measured in found.points:
        assert set(measured.values) == set(recorded[point])
        for key, value in measured.values.items():
            wanted = recorded[point][key]
            assert (value is None) == (wanted is None), f"{key} at {point}"
            if value is not None:
                assert value == pytest.approx(wanted, rel=0.02, abs=0.02 * scale[key]), f"{key} at {point}"


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=pytest.mark.slow if n in ("bias_gen", "amp_relu", "act_leaky_relu") else [])
        for n in shipped()
    ],
)
def test_datasheet_is_what_is_measured_at_the_nominal_point(name: str) -> None:
    compare(
        json.loads((SHEETS / f"{name}.json").read_text()),
        characterize(open_kit("sky130").fixture(name), NOMINAL, samples=0),
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", shipped())
def test_datasheet_is_what_is_measured_at_other_points(name: str) -> None:
    """Every sixth point of corners, temperatures and supplies; `analognet characterize` measures all."""
    golden = json.loads((SHEETS / f"{name}.json").read_text())
    points = [Point(p["corner"], p["temperature_c"], p["supply"]) for p in golden["points"]][4::6]
    assert len({p.corner for p in points}) > 2
    assert len({p.temperature for p in points}) > 1
    compare(golden, characterize(open_kit("sky130").fixture(name), points, samples=0))


@pytest.mark.slow
def test_mismatch_of_the_opamp_is_the_datasheets() -> None:
    golden = json.loads((SHEETS / "opamp_miller.json").read_text())
    conditions = golden["conditions"]
    found = characterize(
        open_kit("sky130").fixture("opamp_miller"),
        [Point("tt", 27.0, 1.0)],
        samples=conditions["mismatch_samples"],
        seed=conditions["seed"],
    )
    again = datasheet(found, open_kit("sky130").limits).to_values()["figures"]
    for key, row in golden["figures"].items():
        if row["mismatch_sigma"]:
            assert again[key]["mismatch_sigma"] == pytest.approx(row["mismatch_sigma"], rel=0.05), key
