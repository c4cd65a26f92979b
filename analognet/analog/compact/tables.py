"""One cell's answers at DC, tabulated by ngspice and interpolated.

An amplifier is tabulated inside a feedback loop, for its open-loop gain is too large to interpolate:
with v_d = v(inp) - v(inn) and a fixed kappa, the bench imposes s = v_d + kappa v_out. Along s both
the amplifying part (slope 1 / kappa) and, in a rectifier, the part that is off (slope 0) are smooth,
and any loop of gain beta closes on it with a derivative of order beta / kappa:
v_out = O(s, i_out, v(inp)), s = v_d + kappa v_out.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from scipy.ndimage import map_coordinates, spline_filter

from analognet import storage
from analognet.analog import ngspice, pdk
from analognet.analog.bench import OPTIONS
from analognet.analog.cells import Cell, closure
from analognet.analog.compact.inner import inner_nets
from analognet.analog.netlist import MODELS, opamp_role, wrap
from analognet.analog.technology import Technology
from analognet.errors import InputError
from analognet.network import Array
from analognet.workers import in_threads

KAPPA: Final = 0.2
KNEE_V: Final = 2e-3  # s is sampled densely within this of 0
LARGEST_V: Final = 0.8  # |s| up to which a cell is tabulated
POINTS: Final = 101  # of s, and of an activation's input
CURRENTS: Final = 7
KNEE_A: Final = 2e-6  # output currents are sampled densely within this of 0
COMMON_MODES: Final = 5
MODE_V: Final = 0.5  # |v(inp)| up to which an amplifier is tabulated
_TITLE: Final = "* cell table"
_RECIPE: Final = "2"  # part of a cached table's key: raise it when what is stored changes


_only_known: ContextVar[bool] = ContextVar("only_known", default=False)


class NotTabulated(Exception):
    """A table that is not in the cache, where nobody wants it to be made."""


def known(make: Callable[[], object]) -> bool:
    """Whether all tables that `make` asks for are in the cache; none is made."""
    token = _only_known.set(True)
    try:
        make()
    except NotTabulated:
        return False
    finally:
        _only_known.reset(token)
    return True


@dataclass(frozen=True)
class Conditions:
    """Where on the process's map a chip is: corner, temperature in Celsius, supplies in volts."""

    corner: str
    temperature: float
    vdd: float
    vss: float


@dataclass(frozen=True, eq=False)
class Table:
    """Values over (position along the knee axis, i_out, third axis).

    values: name -> (POINTS, n_i, n_p) array; i_max: largest amperes out of the cell, of either sign;
    p_range: of the third axis, v(inp) in volts, None for a cell that has none.
    """

    values: Mapping[str, Array]
    i_max: float
    p_range: tuple[float, float] | None

    @cached_property
    def _splines(self) -> dict[str, Array]:
        return {name: spline_filter(v, order=3, mode="nearest") for name, v in self.values.items()}

    def __call__(self, name: str, s: Array, i_out: Array, v_p: Array | None = None) -> Array:
        """Interpolate one quantity at points of equal shape; beyond the table its edge holds."""
        shape = self.values[name].shape
        axes = [
            _about_zero(s, LARGEST_V, KNEE_V, shape[0]),
            _about_zero(i_out, self.i_max, KNEE_A, shape[1]),
        ]
        if self.p_range is not None and v_p is not None:
            axes.append(_position(v_p, self.p_range, shape[2]))
        flat = np.stack([np.broadcast_to(a, s.shape).ravel() for a in axes])
        found: Array = map_coordinates(self._splines[name], flat, order=3, mode="nearest", prefilter=False)
        return found.reshape(s.shape)


def _about_zero(value: Array, largest: float, knee: float, points: int) -> Array:
    """Positions on an axis that `_axis` made."""
    end = float(np.arcsinh(largest / knee))
    found: Array = (np.arcsinh(np.clip(value, -largest, largest) / knee) / end + 1) / 2 * (points - 1)
    return found


def _axis(largest: float, knee: float, points: int) -> Array:
    """(points,) values from -largest to largest, dense within `knee` of 0."""
    return np.asarray(knee * np.sinh(np.linspace(-1, 1, points) * np.arcsinh(largest / knee)))


def _position(value: Array, span: tuple[float, float], points: int) -> Array:
    return np.clip((value - span[0]) / (span[1] - span[0]), 0.0, 1.0) * (points - 1)


def knee_axis() -> Array:
    """(POINTS,) values of s: dense about 0, out to `LARGEST_V` on either side."""
    return _axis(LARGEST_V, KNEE_V, POINTS)


def amplifier_table(
    technology: Technology,
    cells: Mapping[str, Cell],
    name: str,
    conditions: Conditions,
    i_max: float,
) -> Table:
    """Tabulate an op-amp or rectifying amplifier: `v_out` V, `i_com` A into the signal common, `i_dd` A,
    and V at its inner nets, by their names.

    Raises ToolMissing, SimulatorError.
    """
    benches = [
        [
            f"Vp p 0 {v:.9g}",
            f"Bn n 0 V=v(p)-v(s)+{KAPPA:g}*v(o)",
            *_loaded(cells[name], {"inp": "p", "inn": "n", "out": "o"}, i),
        ]
        for i in _axis(i_max, KNEE_A, CURRENTS).tolist()
        for v in np.linspace(-MODE_V, MODE_V, COMMON_MODES).tolist()
    ]
    quantities = {"v_out": ("v(o)", 1.0), **_CURRENTS, **_inside(technology, cells, name)}
    values = _tabulate(technology, cells, name, conditions, benches, quantities)
    shape = (POINTS, CURRENTS, COMMON_MODES)
    return Table({key: v.reshape(shape) for key, v in values.items()}, i_max, (-MODE_V, MODE_V))


def activation_table(
    technology: Technology,
    cells: Mapping[str, Cell],
    name: str,
    params: Mapping[str, float],
    conditions: Conditions,
    i_max: float,
) -> Table:
    """Tabulate an activation cell over its input voltage: as an amplifier, and `i_in` A into it."""
    benches = [
        ["Vp p s 0", *_loaded(cells[name], {"in": "p", "out": "o"}, i, params)]
        for i in _axis(i_max, KNEE_A, CURRENTS).tolist()
    ]
    quantities = {"v_out": ("v(o)", 1.0), **_CURRENTS, "i_in": ("i(vp)", -1.0)}
    quantities |= _inside(technology, cells, name)
    return Table(_tabulate(technology, cells, name, conditions, benches, quantities), i_max, None)


# what a bench reads besides the output, and its sign: A into the common, A from the upper rail
_CURRENTS: Final = {"i_com": ("i(vcom)", 1.0), "i_dd": ("i(vcell)", -1.0)}


def _loaded(
    cell: Cell, nets: Mapping[str, str], current: float, params: Mapping[str, float] | None = None
) -> list[str]:
    """A cell with its own supply and common, loaded with a current."""
    own = {"vdd": "own", "com": "common"} | dict(nets)
    given = [f"{key}={value:.9g}" for key, value in sorted((params or {}).items())]
    return [
        "Vcell own vdd 0",
        "Vcom common 0 0",
        *wrap(["Xcell", *(own.get(pin, pin) for pin in cell.pin_names), cell.name, *given]),
        f"Iload o 0 {current:.9g}",
    ]


def _inside(technology: Technology, cells: Mapping[str, Cell], name: str) -> dict[str, tuple[str, float]]:
    return {net: (f"v(xcell.{net})", 1.0) for net in inner_nets(cells, name, technology.opamp)}


def bias_lines(technology: Technology, cells: Mapping[str, Cell]) -> list[str]:
    """Instances of those support cells that drive bias lines; the common is ideal in a cell's bench."""
    lines = []
    for name in technology.supports:
        pins = dict(cells[name].pins)
        if pins.get("com") != "out":
            nets = ["0" if n == "com" else n for n in cells[name].pin_names]
            lines.append(" ".join([f"X{name}", *nets, name]))
    return lines


def deck_head(
    technology: Technology,
    cells: Mapping[str, Cell],
    names: Sequence[str],
    conditions: Conditions,
    bias: bool = True,
) -> tuple[list[str], dict[str, frozenset[tuple[float, float]]]]:
    """Cells, supplies and bias of a cell's bench, and the devices that its models must cover."""
    used = closure(cells, [*names, *technology.supports], technology.opamp)
    lines = [_TITLE, f".include {MODELS}"]
    sizes: dict[str, frozenset[tuple[float, float]]] = {}
    for cell in used:
        lines += cell.text.strip().splitlines()
        if cell.name == technology.opamp:
            lines += opamp_role(cell)
        for device, found in cell.devices.items():
            sizes[device] = sizes.get(device, frozenset()) | found
    lines += [f"Vdd vdd 0 {conditions.vdd:.9g}", f"Vss vss 0 {conditions.vss:.9g}"]
    return [*lines, *(bias_lines(technology, cells) if bias else [])], dict(sorted(sizes.items()))


@dataclass(frozen=True, eq=False)
class Common:
    """The signal common of a chip: its voltage against the middle of the supplies, and what it takes.

    current, voltage, i_dd: (points,) A into the common, V, A from the upper rail (bias included);
    nets: name -> (points,) V, of the common, the bias lines and what is inside the support cells.
    """

    current: Array
    voltage: Array
    i_dd: Array
    nets: Mapping[str, Array]

    def __call__(self, current: Array) -> Array:
        """(N,) volts of the common for currents (N,) into it."""
        return np.asarray(np.interp(current, self.current, self.voltage))

    def supply(self, current: Array) -> Array:
        """(N,) amperes that bias and common draw from the upper rail."""
        return np.asarray(np.interp(current, self.current, self.i_dd))

    def net(self, name: str, current: Array) -> Array:
        """(N,) volts of one of the nets."""
        return np.asarray(np.interp(current, self.current, self.nets[name]))


def common_table(
    technology: Technology,
    cells: Mapping[str, Cell],
    params: Mapping[str, Mapping[str, float]],
    conditions: Conditions,
    largest_a: float,
) -> Common:
    """Tabulate the support cells together, with currents from -largest_a to largest_a into the common.

    params: of each support cell. Raises ToolMissing, SimulatorError.
    """
    head, sizes = deck_head(technology, cells, [], conditions, bias=False)
    lines, nets = [], []
    for name in technology.supports:
        nets += [pin for pin, role in cells[name].pins if role == "out"]
        nets += [f"x{name}.{net}" for net in inner_nets(cells, name, technology.opamp)]
        given = [f"{key}={value:.9g}" for key, value in sorted(params.get(name, {}).items())]
        lines += wrap([f"X{name}", *cells[name].pin_names, name, *given])
    step = 2 * largest_a / (POINTS - 1)
    lines += ["Iload 0 com 0", f".options {OPTIONS}", f".temp {conditions.temperature:.9g}"]
    lines += [f".dc Iload {-largest_a:.9g} {largest_a + step / 2:.9g} {step:.9g}"]
    wanted = [*(f"v({net})" for net in nets), "i(vdd)"]
    lines += [*wrap([".save", *wanted]), ".end"]
    files = {MODELS: pdk.models(sizes, conditions.corner, substrate=False), ".spiceinit": pdk.SPICEINIT}
    found = _measured(["\n".join([*head, *lines]) + "\n"], files, wanted)[0]
    volts = {net: found[f"v({net})"] for net in nets}
    return Common(np.linspace(-largest_a, largest_a, POINTS), volts["com"], -found["i(vdd)"], volts)


def _tabulate(
    technology: Technology,
    cells: Mapping[str, Cell],
    name: str,
    conditions: Conditions,
    benches: Sequence[Sequence[str]],
    quantities: Mapping[str, tuple[str, float]],
) -> dict[str, Array]:
    """Sweep s in each bench: quantity -> (POINTS, benches).

    One run for each bench and not one for all: where a cell's Newton iterations cycle, ngspice starts
    over with all that is in its deck.
    """
    head, sizes = deck_head(technology, cells, [name], conditions)
    samples = ",".join(f"{k},{s:.9g}" for k, s in enumerate(knee_axis().tolist()))
    wanted = [vector for vector, _ in quantities.values()]
    tail = ["Vidx idx 0 0", f"Bs s 0 V=pwl(v(idx),{samples})", f".options {OPTIONS}"]
    tail += [f".temp {conditions.temperature:.9g}", f".dc Vidx 0 {POINTS - 1} 1"]
    tail += [*wrap([".save", *wanted]), ".end"]
    files = {MODELS: pdk.models(sizes, conditions.corner, substrate=False), ".spiceinit": pdk.SPICEINIT}
    decks = ["\n".join([*head, *bench, *tail]) + "\n" for bench in benches]
    found = _measured(decks, files, wanted)
    return {
        key: sign * np.stack([run[vector] for run in found], axis=1)
        for key, (vector, sign) in quantities.items()
    }


def _measured(
    decks: Sequence[str], files: Mapping[str, str], wanted: Sequence[str]
) -> list[dict[str, Array]]:
    """Each deck's sweep, from the cache where the same texts were run before."""
    key = storage.digest("\0".join([_RECIPE, *decks, *files.values()]).encode())
    path = pdk.cache_directory() / f"{key}.npz"
    cached = _load(path, wanted, len(decks))
    if cached is not None:
        return cached
    if _only_known.get():
        raise NotTabulated

    def run(deck: str) -> dict[str, Array]:
        return ngspice.run_deck(deck, wanted, points=POINTS, files=files, timeout_s=600.0).vectors

    found = in_threads(run, decks, 2)
    buffer = io.BytesIO()
    stacked: dict[str, Any] = {w: np.stack([f[w] for f in found]) for w in wanted}
    np.savez_compressed(buffer, **stacked)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        data = buffer.getvalue()
        storage.write_file(path, bytes.fromhex(storage.digest(data)) + data)
    except (OSError, InputError):
        pass  # as for the models: a cache that cannot be written costs time alone
    return found


def _load(path: Path, wanted: Sequence[str], decks: int) -> list[dict[str, Array]] | None:
    """Cached sweeps whose digest holds; None where there are none, or they were damaged."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    if data[:32].hex() != storage.digest(data[32:]):
        return None
    with np.load(io.BytesIO(data[32:]), allow_pickle=False) as stored:
        table = {w: stored[w] for w in wanted}
    return [{w: table[w][k] for w in wanted} for k in range(decks)]
