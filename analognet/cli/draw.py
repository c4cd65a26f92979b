"""analognet draw: schematics, and one input on its way through the network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from analognet import plots_time, storage
from analognet.analog import transient
from analognet.analog.circuit import Instance
from analognet.analog.simulate import operating_points
from analognet.analog.timing import estimate
from analognet.analog.transitions import Transition
from analognet.cli import console, options
from analognet.design import Design
from analognet.errors import InputError, UsageError
from analognet.interchange.ltspice import ltspice_netlist
from analognet.interchange.waveforms import save_waveforms
from analognet.metrics import Metrics
from analognet.network import Array
from analognet.simulation import choose_data, provenance


def draw(
    directory: options.Directory = None,
    data: options.Data = None,
    image: Annotated[
        int | None, typer.Option(help="Also draw the node voltages of this input, by ngspice.")
    ] = None,
    waveforms: Annotated[
        bool, typer.Option(help="Also simulate the step from the zero input to --image, draw and keep it.")
    ] = False,
    ltspice: Annotated[bool, typer.Option(help="Also write the netlist for LTspice.")] = False,
    out: Annotated[Path | None, typer.Option(help="Directory. Default: drawings/ in the design's.")] = None,
    json: options.Json = False,
) -> None:
    """Draw a design: cells and layers as SVG; with --image, its voltages; with --waveforms, its time course."""
    from analognet.drawing import draw_cell, draw_network  # takes a third of every command's start to load

    if waveforms and image is None:
        raise UsageError("--waveforms needs --image N, the input to step to")
    design, where = console.find_design(directory)
    target = out or where / "drawings"
    files: dict[str, bytes] = {f"{stem}.svg": data for stem, data in draw_network(design).items()}
    placed = [e for s in design.circuit.subcircuits for e in s.elements() if isinstance(e, Instance)]
    for cell in design.circuit.cells:
        params = next((dict(e.params) for e in placed if e.of == cell.name), None)
        files[f"cell_{cell.name}.svg"] = draw_cell(cell, params)
    if ltspice:
        files["ltspice.cir"] = ltspice_netlist(design).encode("ascii")
    if image is not None:
        files["voltages.png"] = plots_time.network_figure(design, *_voltages(design, data, image))
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise InputError(f"{target} cannot be made: {e.strerror}") from None
    for name, content in files.items():
        storage.write_file(target / name, content)
    names = sorted(files)
    if waveforms and image is not None:
        names += _waveforms(design, data, image, target)
    if json:
        metrics = Metrics({}, provenance(design), {"directory": str(target), "files": names})
        console.out.print(metrics.to_json())
        return
    console.table(f"{target}", [(name, "") for name in names])


def _chosen(design: Design, data: str | None, image: int) -> Array:
    chosen, _ = choose_data(design, data, None, 0)
    if not 0 <= image < len(chosen):
        raise UsageError(f"--image {image}: {chosen.name} has inputs 0 to {len(chosen) - 1}")
    x: Array = chosen.x[image]
    return x


def _voltages(design: Design, data: str | None, image: int) -> tuple[Array, list[Array]]:
    x = _chosen(design, data, image)
    points = operating_points(
        design.analog, design.circuit, design.netlist, design.cells, x[None], jobs=1, hidden=True
    )
    return x, [v[0] for v in (*points.hidden_v, points.outputs_v)]


def _waveforms(design: Design, data: str | None, image: int, target: Path) -> list[str]:
    x = _chosen(design, data, image)
    low, high = design.analog.input_range
    zero = 0 * x + min(max(0.0, low), high)
    step = Transition(f"from zero to input {image}", zero, x, (None, image))
    length = estimate(design, [step]).lengths_s[0]
    waves, _ = transient.run(design, step, length)
    storage.write_file(target / "waveforms.png", plots_time.waveform_figure(design, waves))
    title = f"AnalogNet {design.stem}: {step.kind}"
    for name, in_ltspice in (("waveforms.raw", False), ("ltspice.raw", True)):
        save_waveforms(target / name, waves, title, ltspice=in_ltspice)
    save_waveforms(target / "waveforms.npz", waves, title)
    save_waveforms(target / "waveforms.csv", waves, title)
    return ["ltspice.raw", "waveforms.csv", "waveforms.npz", "waveforms.png", "waveforms.raw"]
