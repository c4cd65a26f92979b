"""The figures of docs/time_and_energy.md: `python docs/make_time_figures.py`, some minutes.

The red points of the efficiency figure come from the transient runs made here.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import analognet
from analognet import plots_choice, plots_time, storage
from analognet.analog.simulate import operating_points
from analognet.drawing import draw_cell, draw_network
from analognet.explore import explore, parse_grid
from analognet.inference import transient

ROOT = Path(__file__).resolve().parents[1]
IMG = ROOT / "docs" / "img"


def keep(name: str, data: bytes) -> None:
    IMG.mkdir(exist_ok=True)
    storage.write_file(IMG / name, data)
    print(name)


def model(name: str) -> Path:
    return ROOT / "examples" / name / f"{name}.safetensors"


def main() -> None:
    design = analognet.convert(model("digits"))
    study = transient(design, "digits", transitions=20, keep_waveforms=True)
    keep("time_study.png", plots_time.study_figure(design, study))
    chosen = next(i for i in study.inferences if i.transition.kind == "from zero")
    keep(
        "time_waveforms.png",
        plots_time.waveform_figure(design, chosen.observed.waves, 1.2 * chosen.settling.latency_01_s),
    )
    x = chosen.transition.end
    points = operating_points(
        design.analog, design.circuit, design.netlist, design.cells, x[None], hidden=True, jobs=1
    )
    layers = [v[0] for v in (*points.hidden_v, points.outputs_v)]
    keep("time_voltages.png", plots_time.network_figure(design, x, layers))
    rows = []
    for name, opamp in (
        ("digits", "opa4192"),
        ("digits", "tlv9154"),
        ("iris", "opa4192"),
        ("digits_sigmoid", "opa4192"),
    ):
        other = analognet.convert(model(name), overrides={"opamp": opamp})
        measured = transient(other, other.dataset, transitions=6).metrics
        per_mac = float(measured.details["transient"]["joules_per_mac"])
        joules = float(measured["energy_j"])  # type: ignore[arg-type]
        rows.append((f"{name}, {opamp}", per_mac, joules, "1 % of full scale, without converters"))
    keep("time_efficiency.png", plots_choice.efficiency_figure(rows))
    with tempfile.TemporaryDirectory() as directory:
        grid = parse_grid("opamp=opa4192,tlv9154,tl074h,lm358,opa2810,opa1654;full_scale=1,2.5;r_f=10e3,30e3")
        found = explore(model("digits"), grid, Path(directory), data="digits", images=100, jobs=2)
    keep("time_sweep.png", plots_choice.exploration_figure(found))
    keep("time_neuron.svg", draw_network(design)["layer0"])
    keep("time_network.svg", draw_network(design)["network"])
    for cell in ("rectifier_diode", "act_sigmoid_bjt"):
        keep(f"time_cell_{cell}.svg", draw_cell(design.cells[cell]))


if __name__ == "__main__":
    main()
