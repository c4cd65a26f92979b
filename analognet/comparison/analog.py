"""The stages of one analog technology: every figure by the study that already measures it.

Nothing here knows a technology by name. What a technology cannot do (parts that cannot be bought,
cells the solver does not know, op-amps without dynamics) is an error of its study, and a gap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from analognet import simulation as simulations
from analognet.analog.bench import NOMINAL_C
from analognet.analog.compact import tabulated
from analognet.analog.montecarlo import SENSITIVITY_BOARDS
from analognet.comparison import at_rest, choices, in_time
from analognet.comparison.settings import Settings
from analognet.comparison.stages import Advance, Stage
from analognet.comparison.store import Result, key_of
from analognet.data import Dataset
from analognet.design import Design, versions
from analognet.errors import AnalogNetError, ToolMissing
from analognet.loading import LoadedModel

LANE: Final = "analog"
_TABLES_S: Final = 10.0  # seconds that a chip's cells take to be tabulated, at one corner and temperature
_TRANSIENTS: Final = 60.0  # operating points in transistors that one transient of them takes as long as


@dataclass(frozen=True, eq=False)
class Circuit:
    """One technology's column. name: the column's; design, data: what is measured on what; loaded,
    again: model and keywords that `convert` made the design from; model: what the design space converts
    again, by its name, None where it has none; jobs: processes or threads; checkpoints: where long studies
    keep what they have.
    """

    name: str
    design: Design
    data: Dataset
    settings: Settings
    loaded: LoadedModel
    model: str | None
    again: Mapping[str, Any]
    jobs: int
    checkpoints: Path

    @property
    def heavy(self) -> float:
        """Size, where 64-32-10 is 1."""
        return self.design.network.macs / 2400

    @property
    def chip(self) -> bool:
        return bool(self.design.technology.process)


def stages(circuit: Circuit) -> list[Stage]:
    """All of a technology's stages, in order."""
    s = circuit.settings
    if not s.solver_images >= s.ngspice_images:
        raise ValueError("the solver takes at least the images that ngspice takes")
    provenance = simulations.provenance(circuit.design)
    base = {
        "netlist": provenance["netlist_sha256"],
        "pdk": provenance.get("pdk"),
        "data": circuit.data.digest,
        "inputs": len(circuit.data),
        "seed": s.seed,
        "versions": versions(),
    }
    many = circuit.data.first(s.solver_images)
    return [
        *_nominal(circuit, many, base),
        *_in_time(circuit, base),
        *_conditions(circuit, many, base),
        *_boards(circuit, many, base),
        *_choices(circuit, many, base),
    ]


def _nominal(circuit: Circuit, many: Dataset, base: Mapping[str, Any]) -> list[Stage]:
    """The circuit as it was designed, at room temperature."""
    name, design, jobs = circuit.name, circuit.design, circuit.jobs
    few = circuit.data.first(in_ngspice(circuit))
    return [
        Stage(
            f"{name}/ngspice",
            f"{name}: operating points of {len(few)} inputs in ngspice",
            {**base, **_ngspice(), "images": len(few)},
            lambda advance: at_rest.operating_points(design, few, "ngspice", jobs, advance),
            _point_s(circuit, len(few)),
            LANE,
            _tables(circuit, [("tt", NOMINAL_C)]),
        ),
        Stage(
            f"{name}/solver",
            f"{name}: {len(many)} inputs by the exact solver",
            {**base, "images": len(many)},
            lambda advance: at_rest.operating_points(design, many, "solver", jobs, advance),
            0.5,
            LANE,
        ),
        Stage(
            f"{name}/noise",
            f"{name}: noise",
            {**base, "images": len(many)},
            lambda advance: at_rest.noise(design, many, circuit.settings, jobs, advance),
            (10.0 if circuit.chip else 0.5 + 0.5 * circuit.heavy),
            LANE,
        ),
        Stage(
            f"{name}/curves",
            f"{name}: transfer curves of its cells in ngspice",
            {**base, **_ngspice(), "points": at_rest.CURVE_POINTS},
            lambda advance: at_rest.curves(design),
            0.5,
            LANE,
        ),
    ]


def _in_time(circuit: Circuit, base: Mapping[str, Any]) -> list[Stage]:
    s = circuit.settings
    transitions = s.chip_transitions if circuit.chip else s.transitions
    each = _point_s(circuit, 1) * _TRANSIENTS if circuit.chip else 0.8 * max(1.0, circuit.heavy * 2)
    return [
        Stage(
            f"{circuit.name}/transient",
            f"{circuit.name}: {transitions} inferences in time, in ngspice",
            {**base, **_ngspice(), "transitions": transitions},
            lambda advance: in_time.transient(
                circuit.design, circuit.data, transitions, s.seed, circuit.jobs, advance
            ),
            transitions * each,
            LANE,
        )
    ]


def _conditions(circuit: Circuit, many: Dataset, base: Mapping[str, Any]) -> list[Stage]:
    """The same circuit where it is cold or hot, and at the corners of its process."""
    name, design, jobs = circuit.name, circuit.design, circuit.jobs
    technology = design.technology
    found = [
        Stage(
            f"{name}/temperature",
            f"{name}: temperature range",
            {**base, "images": len(many)},
            lambda advance: at_rest.temperatures(design, many, jobs),
            1.0,
            LANE,
            _tables(circuit, [("tt", celsius) for celsius in technology.temperature]),
        )
    ]
    corners = technology.corners
    if len(corners) > 1 and circuit.settings.corners:
        found.append(
            Stage(
                f"{name}/corners",
                f"{name}: {len(corners)} corners of its process",
                {**base, **_ngspice(), "images": len(many)},
                lambda advance: at_rest.corners(design, many, jobs, advance),
                0.5 * len(corners),
                LANE,
                _tables(circuit, [(corner, NOMINAL_C) for corner in corners if corner != "tt"]),
            )
        )
    return found


def _boards(circuit: Circuit, many: Dataset, base: Mapping[str, Any]) -> list[Stage]:
    """Boards or chips whose parts differ: at room temperature, and at the ends of the range."""
    s = circuit.settings
    found = [_of_boards(circuit, many, base, s.boards, NOMINAL_C, True)]
    if s.corner_boards:
        for celsius in circuit.design.technology.temperature:
            found.append(_of_boards(circuit, many, base, s.corner_boards, celsius, False))
    return found


def _of_boards(
    circuit: Circuit, many: Dataset, base: Mapping[str, Any], count: int, celsius: float, sources: bool
) -> Stage:
    """sources: whether each source of spread is tried alone too."""
    kind = "chips" if circuit.chip else "boards"
    at = "" if celsius == NOMINAL_C else f" at {celsius:g} C"
    # a study's own files are told apart by less than what decides a stage: each design and program its directory
    checkpoints = circuit.checkpoints / key_of(circuit.name, base)[:24]
    each = len(many) * (1.3e-4 if circuit.chip else 1.6e-5) * circuit.heavy**0.5

    def measure(advance: Advance) -> Result:
        return at_rest.boards(
            circuit.design,
            many,
            count,
            circuit.settings.seed,
            celsius,
            circuit.jobs,
            checkpoints,
            advance,
            SENSITIVITY_BOARDS if sources else 0,
        )

    own = {} if celsius == NOMINAL_C else {"celsius": celsius}
    return Stage(
        f"{circuit.name}/boards{at}",
        f"{circuit.name}: {count} {kind}{at or ' of parts with spread'}",
        {**base, "images": len(many), "boards": count, **own},
        measure,
        0.5 + count * each,
        LANE,
    )


def _choices(circuit: Circuit, many: Dataset, base: Mapping[str, Any]) -> list[Stage]:
    """What it is bought as, and what else it could be made of: of parts alone, a chip has none."""
    name, design, s = circuit.name, circuit.design, circuit.settings
    found = []
    if not circuit.chip:
        found.append(
            Stage(
                f"{name}/parts",
                f"{name}: parts and board",
                base,
                lambda advance: choices.parts(design),
                0.5 + 0.05 * circuit.heavy,
                LANE,
            )
        )
    if design.technology.resistor.series == "exact" and choices.buyable(design):
        found.append(
            Stage(
                f"{name}/bought",
                f"{name}: with {choices.BUYABLE_SERIES} resistors",
                {**base, "images": len(many), "series": choices.BUYABLE_SERIES},
                lambda advance: choices.bought(circuit.loaded, circuit.again, many, circuit.jobs),
                1.0,
                LANE,
            )
        )
    model = circuit.model
    if s.opamps and model is not None and "gbw" in design.cells[design.technology.opamp].defaults:
        checkpoints = circuit.checkpoints / key_of(name, base)[:24]

        def alternatives(advance: Advance) -> Result:
            return choices.alternatives(
                design, model, circuit.again, circuit.data, s, circuit.jobs, checkpoints, advance
            )

        designs = len(s.opamps) * (1 if s.quick else 2)
        found.append(
            Stage(
                f"{name}/alternatives",
                f"{name}: {designs} designs to choose from",
                {**base, **_ngspice(), "opamps": list(s.opamps), "images": s.opamp_images},
                alternatives,
                designs * (1.0 + 0.5 * _point_s(circuit, s.opamp_images)),
                # alone: it forks, and a fork while another thread is inside OpenBLAS hangs that thread
            )
        )
    return found


def in_ngspice(circuit: Circuit) -> int:
    """How many inputs ngspice takes: as many as it answers within minutes, and one at least."""
    s = circuit.settings
    most = min(s.chip_images if circuit.chip else s.ngspice_images, len(circuit.data))
    while most > 1 and simulations.choose_engine(circuit.design, most) != "ngspice":
        most //= 2
    return most


def _point_s(circuit: Circuit, images: int) -> float:
    """Seconds, roughly, of that many operating points in ngspice, on so many cores."""
    if circuit.chip:
        return simulations.chip_seconds(circuit.design, images) / min(circuit.jobs, 2)
    return images * 0.002 * max(1.0, circuit.heavy * 0.9)


def _tables(circuit: Circuit, places: Sequence[tuple[str, float]]) -> Callable[[], float] | None:
    """Seconds that a chip's cells take to be tabulated at these corners and temperatures, where they are not."""
    if not circuit.chip:
        return None

    def seconds() -> float:
        try:
            made = [circuit.design.under(corner, celsius) for corner, celsius in places]
            known = [
                tabulated(d.analog, d.cells, d.conditions(celsius))
                for d, (_, celsius) in zip(made, places, strict=True)
            ]
        except AnalogNetError:
            return 0.0  # the stage says itself why it cannot be measured
        return _TABLES_S * known.count(False)

    return seconds


def _ngspice() -> dict[str, str | None]:
    try:
        return {"ngspice": simulations.ngspice_version()}
    except ToolMissing:
        return {"ngspice": None}  # the stages that need it say so themselves
