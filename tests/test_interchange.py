"""Other tools' formats: LTspice's dialect, waveforms read back, cells as elements."""

from __future__ import annotations

import csv
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import example
from conftest import test_set as data_set

from analognet.analog.cells import library
from analognet.analog.ngspice import parse_raw
from analognet.analog.transient import Waveforms, run
from analognet.analog.transitions import choose_transitions
from analognet.errors import InputError, UsageError
from analognet.interchange.elements import cell_elements, evaluate
from analognet.interchange.ltspice import ltspice_netlist, ltspice_violations
from analognet.interchange.waveforms import ltspice_raw, named, save_waveforms


@pytest.fixture(scope="module")
def waves() -> Waveforms:
    design = example("iris")
    chosen = choose_transitions(design.analog, data_set("iris").x, 2)[0]
    return run(design, chosen, 1e-6)[0]


@pytest.mark.parametrize("name", ["iris", "digits_sigmoid", "digits_deep"])
def test_ltspice_netlist_holds_nothing_of_ngspice_alone(name: str) -> None:
    design = example(name)
    text = ltspice_netlist(design)
    assert ltspice_violations(text) == []
    assert "noisy" not in text
    assert "noiseless" in text
    assert ".control" not in text
    assert text.rstrip().endswith(".end")
    assert ".op" in text
    assert text.isascii()
    assert text == ltspice_netlist(design)


def test_ltspice_transition() -> None:
    design = example("iris")
    chosen = choose_transitions(design.analog, data_set("iris").x, 2)[0]
    text = ltspice_netlist(design, transition=chosen, length_s=2e-6)
    assert ".tran 2e-06" in text
    assert "Vx0 x0 0 PWL(0 " in text


def test_parameters_of_an_instance_are_announced() -> None:
    text = ltspice_netlist(example("digits_sigmoid"))
    line = next(row for row in text.splitlines() if row.startswith("Xact0 "))
    assert " params: s_in=" in line


@pytest.mark.parametrize(
    "line",
    [
        "R1 a b 1k noisy=0",
        "B1 a 0 V=v(x) > 0 ? 1 : 0",
        "B1 a 0 V=v(x)^2",
        "B1 a 0 V=v(x)**2",
        "B1 a 0 V=pwl(v(x),0,0,1,1)",
        "A1 a b model",
        ".control",
        ".include x.cir",
    ],
)
def test_foreign_constructs_are_found(line: str) -> None:
    assert ltspice_violations(f"* title\n{line}\n")


def test_a_cell_that_ltspice_cannot_take_is_refused() -> None:
    design = example("iris")
    macro = design.cells["opamp_macro"]
    bad = replace(macro, text=macro.text.replace("Cc c 0 {cc}", "Cc c 0 {cc}\nBq q 0 V=v(x)^2"))
    with pytest.raises(InputError, match="LTspice cannot take"):
        ltspice_netlist(replace(design, cells={**design.cells, "opamp_macro": bad}))


def test_raw_is_read_back_exactly(tmp_path: Path, waves: Waveforms) -> None:
    save_waveforms(tmp_path / "w.raw", waves, "iris")
    found = parse_raw((tmp_path / "w.raw").read_bytes())
    for name, values in named(waves).items():
        assert np.array_equal(found[name], values)


def test_ltspice_raw_has_its_header_and_its_precision(waves: Waveforms) -> None:
    vectors = named(waves)
    data = ltspice_raw(vectors, "iris")
    marker = "Binary:\n".encode("utf-16-le")
    head, _, body = data.partition(marker)
    text = head.decode("utf-16-le")
    assert "Flags: real forward" in text
    assert f"No. Points: {len(waves.time)}" in text
    row = 8 + 4 * (len(vectors) - 1)
    assert len(body) == row * len(waves.time)
    last = struct.unpack_from("<d", body, row * (len(waves.time) - 1))[0]
    assert last == waves.time[-1]
    first_input = struct.unpack_from("<f", body, 8)[0]
    assert first_input == np.float32(waves.inputs_v[0, 0])


def test_npz_and_csv(tmp_path: Path, waves: Waveforms) -> None:
    save_waveforms(tmp_path / "w.npz", waves, "iris")
    save_waveforms(tmp_path / "w.csv", waves, "iris")
    with np.load(tmp_path / "w.npz") as held:
        assert np.array_equal(held["time"], waves.time)
        assert np.array_equal(held["v(y0)"], waves.layers_v[-1][:, 0])
    with (tmp_path / "w.csv").open() as f:
        table = list(csv.reader(f))
    assert table[0][0] == "time s"
    assert table[0][-1] == "i(vref) A"
    assert float(table[-1][0]) == pytest.approx(waves.time[-1])
    with pytest.raises(UsageError, match=r"\.raw, \.npz or \.csv"):
        save_waveforms(tmp_path / "w.wav", waves, "iris")


def test_everything_adds_the_inner_nodes(waves: Waveforms) -> None:
    assert len(named(waves, everything=True)) > len(named(waves))


@pytest.mark.parametrize("name", sorted(n for n, c in library().items() if c.family != "model"))
def test_every_cell_is_read_as_elements(name: str) -> None:
    cell = library()[name]
    found = cell_elements(cell)
    assert len({e.name.lower() for e in found}) == len(found)
    for e in found:
        if e.kind in "rc":
            assert e.value is not None
            assert e.value > 0, e.name
    if cell.family in ("activation", "inverter"):
        assert sum(e.kind == "r" for e in found) == cell.resistors


def test_arithmetic_is_evaluated_and_nothing_else() -> None:
    assert evaluate("{2*a/(1+b)}", {"a": 3.0, "b": 1.0}, "here") == 3.0
    assert evaluate("1k", {}, "here") == 1000.0
    assert evaluate("2meg", {}, "here") == 2e6
    assert evaluate("{-sqrt(4)+2**3}", {}, "here") == 6.0
    for text in ("{__import__('os')}", "{a.b}", "{c}", "{1/0}", "{'a'*3}", "{[1]}"):
        with pytest.raises(InputError, match="no arithmetic"):
            evaluate(text, {"a": 1.0}, "here")
