"""What a comparison is of, and its stages."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from analognet.comparison import analog, at_rest, digital, processors
from analognet.comparison.settings import LARGE_MACS, QUICK_FPGAS, Settings, choose
from analognet.comparison.stages import LEFT_OUT, LEFT_OUT_LARGE, Advance, Gap, Stage, gap_of
from analognet.comparison.store import Result
from analognet.data import Dataset, load_data
from analognet.design import Design, convert, versions
from analognet.errors import AnalogNetError, UsageError
from analognet.loading import LoadedModel, load
from analognet.loading.metadata import DATASETS
from analognet.names import printable
from analognet.network import Network
from analognet.simulation import provenance

IDEAL: Final = "ideal"
_LONGEST_NAME: Final = 40


@dataclass(frozen=True, eq=False)
class Subject:
    """model, data: as the caller named them, data None where it was at hand; loaded: the network;
    inputs: the images of every column;
    calibration: what chooses the integers' scales; technologies: as named, by column; designs: those that
    could be built; gaps: those that could not; devices: of tinygrad; limited: whether the data has more inputs.
    """

    model: str
    data: str | None
    loaded: LoadedModel
    inputs: Dataset
    calibration: Dataset
    technologies: Mapping[str, str]
    designs: Mapping[str, Design]
    settings: Settings
    gaps: tuple[Gap, ...]
    devices: tuple[str, ...]
    topology: str | None
    activations: str | None
    calibrate: str | None
    limited: bool
    notes: tuple[str, ...] = field(default=())

    @property
    def network(self) -> Network:
        return self.loaded.network


def subject(
    model: str | Path,
    data: str | Path | Dataset,
    technologies: Sequence[str],
    *,
    quick: bool,
    activations: str | None,
    topology: str | None,
    calibrate: str | None,
    images: int | None,
    seed: int,
    fpgas: Sequence[str] | None,
) -> Subject:
    """Load and convert all that is compared. A technology that cannot be converted to is a gap.

    Raises InputError and UsageError for the model, the data and the options, which nothing can do without.
    """
    if images is not None and images < 2:
        raise UsageError(f"--images {images}: at least 2 inputs are needed")
    if not technologies or len(set(technologies)) != len(technologies):
        raise UsageError("--technology: give one or more, each once")
    if not 0 <= seed < 2**63:
        raise UsageError(f"--seed {seed}: a seed is a whole number from 0 to 2^63 - 1")
    names = _column_names(technologies)
    loaded = load(model, activations)
    network = loaded.network
    settings = choose(network, quick, seed, fpgas)
    with ThreadPoolExecutor(max_workers=1) as beside:  # a child looks for devices meanwhile
        devices = beside.submit(processors.find_devices)
        inputs = data if isinstance(data, Dataset) else load_data(data, network.n_in, network.n_out)
        if len(inputs) < 2:
            raise UsageError("a comparison needs data with at least 2 inputs")
        limited = images is not None and images < len(inputs)
        inputs = inputs if images is None else inputs.first(images)
        calibration, told = _calibration(inputs, network)
        designs, gaps = _designs(loaded, names, topology, calibrate)
        return Subject(
            model=str(model),
            data=None if isinstance(data, Dataset) else str(data),
            loaded=loaded,
            inputs=inputs,
            calibration=calibration,
            technologies=names,
            designs=designs,
            settings=settings,
            gaps=gaps,
            devices=devices.result(),
            topology=topology,
            activations=activations,
            calibrate=calibrate,
            limited=limited,
            notes=(*loaded.notes, *told),
        )


def _designs(
    loaded: LoadedModel, names: Mapping[str, str], topology: str | None, calibrate: str | None
) -> tuple[dict[str, Design], tuple[Gap, ...]]:
    """A design for each column and for ideal parts, and a gap for each column that has none."""
    designs: dict[str, Design] = {}
    gaps = []
    for name, technology in ({IDEAL: IDEAL} | dict(names)).items():
        try:
            made = convert(loaded, technology=technology, topology=topology, calibrate=calibrate)
            provenance(made)  # a process whose design kit is missing says so here
            designs[name] = made
        except AnalogNetError as e:
            if name in names:
                gaps.append(gap_of(f"{name}/convert", f"{name}: conversion", e))
    return designs, tuple(gaps)


def _calibration(inputs: Dataset, network: Network) -> tuple[Dataset, list[str]]:
    """The training split where the data has one, else the data itself, and then it is said."""
    if inputs.name in DATASETS or Path(inputs.name).is_dir():
        return load_data(inputs.name, network.n_in, network.n_out, split="train"), []
    return inputs, ["the integers' scales are calibrated on the data they are evaluated on"]


def _column_names(technologies: Sequence[str]) -> dict[str, str]:
    """Column -> technology as named: a file's column is its stem, as text that is safe anywhere."""
    names: dict[str, str] = {}
    for given in technologies:
        name = printable(Path(given).stem if given.endswith(".toml") else given, _LONGEST_NAME)
        name = name.replace("/", "_")
        if name in names:
            raise UsageError(f"--technology: two are called '{name}'")
        names[name] = given
    return names


def stages(chosen: Subject, *, jobs: int, checkpoints: Path) -> list[Stage]:
    """The stages of a comparison, cheap ones and those that others rest on first."""
    return [stage for stage in _every(chosen, jobs, checkpoints) if not _too_dear(chosen, stage)]


def _too_dear(chosen: Subject, stage: Stage) -> bool:
    """Nine syntheses of a large network, each of which takes minutes, for marks in a figure."""
    return chosen.network.macs > LARGE_MACS and stage.name == "integer/alternatives"


def _every(chosen: Subject, jobs: int, checkpoints: Path) -> list[Stage]:
    s = chosen.settings
    network, data = chosen.network, chosen.inputs
    common = {"data": data.digest, "images": len(data), "model": chosen.loaded.digest, "versions": versions()}
    found = [
        Stage(
            f"float {device}/time",
            f"float on {device}: time of an inference in tinygrad",
            common | {"batch": s.batch, "quick": s.quick, "machine": dict(processors.machine())},
            _loaded(processors.stage(network, data, device, (1, s.batch), s.quick)),
            4.0,  # alone, in no lane: what else runs would be in its time
        )
        for device in chosen.devices or (processors.PROCESSOR,)
    ]
    many = data.first(s.solver_images)
    if IDEAL in chosen.designs and IDEAL not in chosen.technologies:
        ideal = chosen.designs[IDEAL]
        found.append(
            Stage(
                f"{IDEAL}/solver",
                "ideal parts: the mapping alone",
                {"netlist": provenance(ideal)["netlist_sha256"], "data": data.digest, "images": len(many)},
                lambda advance: at_rest.operating_points(ideal, many, "solver", jobs, advance),
                0.5,
                analog.LANE,
            )
        )
    for name in chosen.technologies:
        if name in chosen.designs:
            circuit = analog.Circuit(
                name,
                chosen.designs[name],
                data,
                s,
                chosen.loaded,
                None if chosen.data is None else chosen.model,
                _again(chosen, name),
                jobs,
                checkpoints,
            )
            found += analog.stages(circuit)
    found += digital.stages(network, digital.calibration_rows(chosen.calibration), data, s)
    return sorted(found, key=_order)


def left_out(chosen: Subject, measured: Sequence[Stage], *, jobs: int, checkpoints: Path) -> tuple[Gap, ...]:
    """What is not measured by choice, as gaps: what a quick comparison has not, and what a large network gets not."""
    s, names = chosen.settings, {stage.name for stage in measured}
    if s.quick:
        whole = choose(chosen.network, False, s.seed, None if s.fpgas == QUICK_FPGAS else s.fpgas)
        chosen = replace(chosen, settings=whole)
    return tuple(
        Gap(stage.name, stage.title, LEFT_OUT_LARGE, "analognet vhdl-sweep")
        if _too_dear(chosen, stage)
        else Gap(stage.name, stage.title, LEFT_OUT, "run again without --quick")
        for stage in _every(chosen, jobs, checkpoints)
        if stage.name not in names
    )


def _order(stage: Stage) -> int:
    """Times of this machine first; what is dear after what is cheap, which is kept whatever happens; at the
    end what cannot have others beside it.
    """
    dear = any(part in stage.name for part in ("/boards", "/device", "/alternatives"))
    if not stage.lane:
        return 3 if dear else 0
    return 2 if dear else 1


def _loaded(work: Callable[[Advance], Result]) -> Callable[[Advance], Result]:
    """A timing with the machine's load beside it: where others work too, times come out too long."""

    def measured(advance: Advance) -> Result:
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
        found = work(advance)
        return Result({**found.value, "load": load}, found.arrays)

    return measured


def _again(chosen: Subject, name: str) -> dict[str, Any]:
    return {
        "technology": chosen.technologies[name],
        "topology": chosen.topology,
        "activations": chosen.activations,
        "calibrate": chosen.calibrate,
    }


def workers(jobs: int | None) -> int:
    """Processes or threads at a time. Raises UsageError."""
    if jobs is not None and jobs < 1:
        raise UsageError(f"--jobs {jobs}: at least 1 is needed")
    return jobs or os.cpu_count() or 1
