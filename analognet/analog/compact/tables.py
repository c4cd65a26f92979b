"""One cell's answers at DC, tabulated by ngspice and interpolated.

An amplifier is tabulated inside a feedback loop, for its open-loop gain is too large to interpolate:
with v_d = v(inp) - v(inn) and a fixed kappa, the bench imposes s = v_d + kappa v_out. Along s both
the amplifying part (slope 1 / kappa) and, in a rectifier, the part that is off (slope 0) are smooth,
and any loop of gain beta closes on it with a derivative of order beta / kappa:
v_out = O(s, i_out, v(inp)), s = v_d + kappa v_out.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
from scipy.ndimage import map_coordinates, spline_filter

from analognet import storage
from analognet.analog import ngspice, pdk
from analognet.analog.bench import OPTIONS
from analognet.analog.cells import Cell, closure
from analognet.analog.netlist import MODELS, opamp_role, wrap
from analognet.analog.technology import Technology
from analognet.errors import InputError, SimulatorError
from analognet.network import Array

KAPPA: Final = 0.2
KNEE_V: Final = 2e-3  # s is sampled densely within this of 0
LARGEST_V: Final = 0.8  # |s| up to which a cell is tabulated
POINTS: Final = 101  # of s, and of an activation's input
CURRENTS: Final = 7
KNEE_A: Final = 2e-6  # output currents are sampled densely within this of 0
COMMON_MODES: Final = 5
MODE_V: Final = 0.5  # |v(inp)| up to which an amplifier is tabulated
_TITLE: Final = "* cell table"


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
    """Tabulate an op-amp or rectifying amplifier: `v_out` V, `i_com` A into the signal common, `i_dd` A.

    Raises ToolMissing, SimulatorError.
    """
    currents = _axis(i_max, KNEE_A, CURRENTS)
    modes = np.linspace(-MODE_V, MODE_V, COMMON_MODES)
    lines, wanted = [], []
    for k, (i, v) in enumerate((i, v) for i in currents.tolist() for v in modes.tolist()):
        nets = {"inp": f"p{k}", "inn": f"n{k}", "out": f"o{k}"}
        lines += [f"Vp{k} p{k} 0 {v:.9g}", f"Bn{k} n{k} 0 V=v(p{k})-v(s)+{KAPPA:g}*v(o{k})"]
        lines += _copy(cells, name, technology, k, nets, i)
        wanted += [f"v(o{k})", *_currents(k)]
    return _tabulate(
        technology,
        cells,
        name,
        conditions,
        lines,
        wanted,
        i_max,
        (-MODE_V, MODE_V),
        (CURRENTS, COMMON_MODES),
    )


def activation_table(
    technology: Technology,
    cells: Mapping[str, Cell],
    name: str,
    params: Mapping[str, float],
    conditions: Conditions,
    i_max: float,
) -> Table:
    """Tabulate an activation cell over its input voltage: `v_out`, `i_com`, `i_dd`, and `i_in` A into it."""
    currents = _axis(i_max, KNEE_A, CURRENTS)
    lines, wanted = [], []
    for k, i in enumerate(currents.tolist()):
        lines.append(f"Vp{k} p{k} s 0")
        lines += _copy(cells, name, technology, k, {"in": f"p{k}", "out": f"o{k}"}, i, params)
        wanted += [f"v(o{k})", *_currents(k), f"i(vp{k})"]
    return _tabulate(technology, cells, name, conditions, lines, wanted, i_max, None, (CURRENTS,))


def _copy(
    cells: Mapping[str, Cell],
    name: str,
    technology: Technology,
    k: int,
    nets: Mapping[str, str],
    current: float,
    params: Mapping[str, float] | None = None,
) -> list[str]:
    """One instance of the cell with its own supply and common, loaded with a current."""
    own = {"vdd": f"vdd{k}", "com": f"com{k}"} | dict(nets)
    pins = [own.get(pin, pin) for pin in cells[name].pin_names]
    given = [f"{key}={value:.9g}" for key, value in sorted((params or {}).items())]
    return [
        f"Vdd{k} vdd{k} vdd 0",
        f"Vcom{k} com{k} 0 0",
        *wrap([f"Xcell{k}", *pins, name, *given]),
        f"Iload{k} o{k} 0 {current:.9g}",
    ]


def _currents(k: int) -> tuple[str, str]:
    return f"i(vcom{k})", f"i(vdd{k})"


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

    current, voltage, i_dd: (points,) A into the common, V, A from the upper rail (bias included).
    """

    current: Array
    voltage: Array
    i_dd: Array

    def __call__(self, current: Array) -> Array:
        """(N,) volts of the common for currents (N,) into it."""
        return np.asarray(np.interp(current, self.current, self.voltage))

    def supply(self, current: Array) -> Array:
        """(N,) amperes that bias and common draw from the upper rail."""
        return np.asarray(np.interp(current, self.current, self.i_dd))


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
    lines = []
    for name in technology.supports:
        given = [f"{key}={value:.9g}" for key, value in sorted(params.get(name, {}).items())]
        lines += wrap([f"X{name}", *cells[name].pin_names, name, *given])
    step = 2 * largest_a / (POINTS - 1)
    lines += ["Iload 0 com 0", f".options {OPTIONS}", f".temp {conditions.temperature:.9g}"]
    lines += [f".dc Iload {-largest_a:.9g} {largest_a + step / 2:.9g} {step:.9g}"]
    wanted = ["v(com)", "i(vdd)"]
    lines += [f".save {' '.join(wanted)}", ".end"]
    files = {MODELS: pdk.models(sizes, conditions.corner, substrate=False), ".spiceinit": pdk.SPICEINIT}
    found = _measured("\n".join([*head, *lines]) + "\n", files, wanted)
    return Common(np.linspace(-largest_a, largest_a, POINTS), found["v(com)"], -found["i(vdd)"])


def _tabulate(
    technology: Technology,
    cells: Mapping[str, Cell],
    name: str,
    conditions: Conditions,
    lines: Sequence[str],
    wanted: Sequence[str],
    i_max: float,
    p_range: tuple[float, float] | None,
    shape: tuple[int, ...],
) -> Table:
    head, sizes = deck_head(technology, cells, [name], conditions)
    samples = ",".join(f"{k},{s:.9g}" for k, s in enumerate(knee_axis().tolist()))
    deck = [*head, *lines, "Vidx idx 0 0", f"Bs s 0 V=pwl(v(idx),{samples})"]
    deck += [f".options {OPTIONS}", f".temp {conditions.temperature:.9g}", f".dc Vidx 0 {POINTS - 1} 1"]
    deck += [*wrap([".save", *wanted]), ".end"]
    files = {MODELS: pdk.models(sizes, conditions.corner, substrate=False), ".spiceinit": pdk.SPICEINIT}
    names = ("v_out", "i_com", "i_dd", "i_in")[: len(wanted) // int(np.prod(shape))]
    signs = {"i_dd": -1.0, "i_com": 1.0, "i_in": -1.0}
    found = _measured("\n".join(deck) + "\n", files, wanted)
    columns = np.stack([found[w] for w in wanted], axis=1).reshape(POINTS, int(np.prod(shape)), len(names))
    values = {
        key: signs.get(key, 1.0) * columns[:, :, k].reshape(POINTS, *shape) for k, key in enumerate(names)
    }
    if not all(np.isfinite(v).all() for v in values.values()):
        raise SimulatorError(f"cell {name}: its table holds values that are not finite")
    return Table(values, i_max, p_range)


def _measured(deck: str, files: Mapping[str, str], wanted: Sequence[str]) -> dict[str, Array]:
    """A deck's sweep, from the cache where the same text was run before."""
    key = storage.digest("\0".join([deck, *files.values()]).encode())
    path = pdk.cache_directory() / f"{key}.npz"
    cached = _load(path)
    if cached is not None and all(w in cached for w in wanted):
        return cached
    run = ngspice.run_deck(deck, wanted, points=POINTS, files=files, timeout_s=600.0)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **run.vectors)  # type: ignore[arg-type]  # numpy's stub takes keywords amiss
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        data = buffer.getvalue()
        storage.write_file(path, bytes.fromhex(storage.digest(data)) + data)
    except (OSError, InputError):
        pass  # as for the models: a cache that cannot be written costs time alone
    return run.vectors


def _load(path: Path) -> dict[str, Array] | None:
    """A cached sweep whose digest holds; None where there is none, or it was damaged."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    if data[:32].hex() != storage.digest(data[32:]):
        return None
    with np.load(io.BytesIO(data[32:]), allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}
