"""A cell's whole characterisation: its studies at every point and for every mismatch sample."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from analognet.analog.cell_area import cell_area
from analognet.analog.cells import Cell
from analognet.analog.characterized import FAMILIES
from analognet.characterize import activations, drivers, opamps, rectifiers, steps, supports
from analognet.characterize.fixture import Fixture
from analognet.characterize.points import Point
from analognet.characterize.study import Measured, Study
from analognet.errors import UsageError
from analognet.workers import in_threads

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Characterization:
    """points: what was measured where; samples: of the mismatch run, at the nominal point, sample k
    with seed `seed + k`. In a sample every instance on a bench is another chip: figures spread as they
    should, but two of them do not belong together.
    """

    fixture: Fixture
    area_m2: float
    points: tuple[tuple[Point, Measured], ...]
    samples: tuple[Measured, ...]
    seed: int

    @property
    def cell(self) -> Cell:
        return self.fixture.cell


def studies(cell: Cell) -> tuple[Study, ...]:
    """What is measured of a cell, by its family. Raises UsageError for a family without benches."""
    if cell.family == "support":
        common = supports.COMMON if supports.makes_common(cell) else ()
        return (*(supports.BIAS if supports.lines_of(cell) else ()), *common)
    found = {
        "opamp": (*opamps.STUDIES, *steps.STUDIES),
        "amplifier": (*opamps.STUDIES, *steps.STUDIES, *rectifiers.STUDIES),
        "activation": (*activations.STUDIES, *(drivers.STUDIES if cell.activation == "linear" else ())),
    }
    if cell.family not in found:
        raise UsageError(
            f"cell '{cell.name}' is of family {cell.family}; what can be characterised is "
            f"{', '.join(FAMILIES)}"
        )
    return found[cell.family]


def characterize(
    fixture: Fixture,
    points: Sequence[Point],
    *,
    samples: int = 50,
    seed: int = 1,
    jobs: int = 2,
    progress: Progress | None = None,
) -> Characterization:
    """Measure a cell at every point, and at the nominal one once for every mismatch sample.

    Raises UsageError, InputError, ToolMissing, or SimulatorError naming cell and point.
    """
    chosen = studies(fixture.cell)
    varied = [study for study in chosen if study.mismatch]
    others = [n for study in chosen for n in study.bench(fixture, Point()).names]
    where = list(dict.fromkeys([*points, Point()]))
    found = in_threads(lambda point: fixture.rest(point, others), where, jobs, None)
    rest = dict(zip(where, found, strict=True))
    work: list[tuple[Study, Point, int | None]] = [
        (study, point, None) for point in points for study in chosen
    ]
    work += [(study, Point(), seed + k) for k in range(samples) for study in varied]

    def measure(task: tuple[Study, Point, int | None]) -> Measured:
        study, point, chip = task
        bench = study.bench(fixture, point)
        return study.read(fixture, point, fixture.run(bench, point, chip, rest[point]))

    measured = in_threads(measure, work, jobs, progress)
    size = len(chosen)
    at_points = [_joined(measured[k * size : (k + 1) * size]) for k in range(len(points))]
    varying, size = measured[len(points) * size :], len(varied)
    return Characterization(
        fixture,
        cell_area(fixture.cell, fixture.cells, fixture.technology),
        tuple(zip(points, at_points, strict=True)),
        tuple(_joined(varying[k * size : (k + 1) * size]) for k in range(samples)) if varied else (),
        seed,
    )


def _joined(parts: Sequence[Measured]) -> Measured:
    whole = Measured({})
    for part in parts:
        whole = whole.merged(part)
    return whole
