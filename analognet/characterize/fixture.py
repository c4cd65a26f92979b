"""A cell on a test board: its technology's own bias and signal common around it, and ngspice.

A bench may hold several boards ("domains"): each with rails, bias generator and common of its own,
so that what one is excited with does not reach another. Voltages are read against the common.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analognet.analog import netlist, ngspice, pdk
from analognet.analog.cells import Cell, closure
from analognet.analog.circuit import Circuit
from analognet.analog.technology import Technology
from analognet.characterize.points import Point
from analognet.errors import InputError, SimulatorError
from analognet.network import Array

OPTIONS = "reltol=1e-6 vntol=1e-9 abstol=1e-14"
TRANSIENT_OPTIONS = "reltol=1e-4 vntol=1e-7 abstol=1e-13"
TIMEOUT_S = 120.0
SWEEP = "v(v-sweep)"  # how ngspice names the swept source's voltage
Plots = Mapping[str, Mapping[str, Array]]  # analysis -> vector -> values


@dataclass(frozen=True)
class Bench:
    """What is measured in one run.

    lines: elements; analyses: cards; wanted: analysis -> vectors; names: cells beside the one under
    test and the supports.
    """

    lines: Sequence[str]
    analyses: Sequence[str]
    wanted: Mapping[str, Sequence[str]]
    names: Sequence[str] = ()
    options: str = OPTIONS


def _outputs(cell: Cell) -> list[str]:
    return [net for net, role in cell.pins if role == "out"]


@dataclass(frozen=True)
class Fixture:
    """The cell under test, and what it is measured with."""

    cell: Cell
    technology: Technology
    cells: Mapping[str, Cell]

    @property
    def driven(self) -> tuple[str, ...]:
        """Nets that the technology's support cells drive."""
        return tuple(net for name in self.technology.supports for net in _outputs(self.cells[name]))

    def domain(self, tag: str, point: Point, vdd: str = "", vss: str = "", held: bool = False) -> list[str]:
        """Rails and supports of one board, its nets called `<net>_<tag>`.

        vdd, vss: what else their sources do (`ac 1`, or a waveform in place of the DC value); held: the
        common is an ideal source's and not the technology's own.
        """
        high, low = point.rails(self.technology)
        lines = [
            f"Vdd_{tag} vdd_{tag} 0 {vdd if vdd.startswith('pwl') else f'{high:.9g} {vdd}'}".rstrip(),
            f"Vss_{tag} vss_{tag} 0 {vss if vss.startswith('pwl') else f'{low:.9g} {vss}'}".rstrip(),
        ]
        for name in self.technology.supports:
            if not (held and "com" in _outputs(self.cells[name])):
                lines.append(self.instance(name, f"{name}_{tag}", tag))
        if held or "com" not in self.driven:
            lines.append(f"Vcom_{tag} com_{tag} 0 0")
        return lines

    def instance(self, name: str, tag: str, domain: str, **nets: str) -> str:
        """One cell on a board: pins on the nets given, all others on the board's nets of their names.

        Raises InputError for a pin that nothing on the board drives.
        """
        cell = self.cells[name]
        known = {n: f"{n}_{domain}" for n in ("vdd", "vss", "com", *self.driven)} | nets
        for pin in cell.pin_names:
            if pin not in known:
                raise InputError(
                    f"cell '{name}': pin {pin} is driven by no support cell of technology "
                    f"{self.technology.name}; they drive {', '.join(self.driven) or 'nothing'}"
                )
        values = [f"{k}={v:.9g}" for k, v in self._parameters(cell).items()]
        return " ".join([f"X{tag}", *(known[p] for p in cell.pin_names), name, *values])

    def metered(self, tag: str, domain: str, *pins: str, **nets: str) -> list[str]:
        """The cell under test with 0 V sources in some of its pins: `i(vm_<pin>_<tag>)` flows into it."""
        lines, inner = [], dict(nets)
        for pin in pins:
            inner[pin] = f"m_{pin}_{tag}"
            lines.append(f"Vm_{pin}_{tag} {nets.get(pin, f'{pin}_{domain}')} {inner[pin]} 0")
        return [*lines, self.instance(self.cell.name, tag, domain, **inner)]

    def _parameters(self, cell: Cell) -> dict[str, float]:
        """What the mapping would give an activation's parameters."""
        known = {"s_out": self.technology.full_scale}
        for key in ("s_in", "slope"):
            if key in cell.ratings:
                known[key] = sum(cell.ratings[key][:2]) / len(cell.ratings[key][:2])
        return {k: v for k, v in known.items() if k in cell.defaults}

    def deck(self, bench: Bench, point: Point) -> str:
        """The whole deck. Pure."""
        t = self.technology
        names = dict.fromkeys([t.opamp, *t.supports, self.cell.name, *bench.names])
        circuit = self._circuit([n for n in names if n in self.cells])
        # a device's own value is asked for as `@x[id]` and comes back as `i(@x[id])`
        asked = (v[2:-1] if v.startswith("i(@") else v for vectors in bench.wanted.values() for v in vectors)
        saved = [v for v in dict.fromkeys(asked) if v not in ("time", "frequency", SWEEP)]
        return "\n".join(
            [
                netlist.render(circuit),
                *(part for line in bench.lines for part in netlist.wrap(line.split())),
                f".options {bench.options}",
                f".temp {point.temperature:.9g}",
                *bench.analyses,
                *(f".save {vector}" for vector in saved),
                ".end",
                "",
            ]
        )

    def _circuit(self, names: Sequence[str]) -> Circuit:
        t = self.technology
        found = tuple(closure(self.cells, names, t.opamp))
        return Circuit(f"{self.cell.name} under test", (), found, t.opamp, (), t.process)

    def run(self, bench: Bench, point: Point, seed: int | None = None) -> Plots:
        """Run a bench. seed: of one chip whose devices all differ.

        Raises ToolMissing, InputError, or SimulatorError naming cell and point.
        """
        names = [n for n in (self.technology.opamp, *self.technology.supports) if n in self.cells]
        circuit = self._circuit([*names, self.cell.name, *bench.names])
        models = pdk.models(circuit.devices, point.corner, mismatch=seed is not None)
        chip = "" if seed is None else f".options seed={seed + 1}\n"
        files = {netlist.MODELS: chip + models, ".spiceinit": pdk.SPICEINIT}
        try:
            return ngspice.run_analyses(
                self.deck(bench, point), bench.wanted, timeout_s=TIMEOUT_S, files=files
            )
        except SimulatorError as e:
            chip = "" if seed is None else f", mismatch sample {seed}"
            raise SimulatorError(f"cell '{self.cell.name}' at {point}{chip}: {e}") from None
