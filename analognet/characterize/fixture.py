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
Plots = Mapping[str, Mapping[str, Array]]  # analysis -> vector -> values
Rest = Mapping[str, Mapping[str, float]]  # cell -> its pins' and inner nodes' volts


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


def _instances(lines: Sequence[str], cells: Mapping[str, Cell]) -> list[tuple[str, str, list[str]]]:
    """(instance in lower case, cell, nets) of each cell in a bench's lines."""
    found = []
    for line in lines:
        words = [w for w in line.split() if "=" not in w]
        if words[0][0] == "X" and words[-1] in cells:
            found.append((words[0].lower(), words[-1], [w.lower() for w in words[1:-1]]))
    return found


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
            lines.append(f"Vcom_{tag} com_{tag} 0 {(high + low) / 2:.9g}")
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

    def at_rest(self, name: str, tag: str, domain: str) -> list[str]:
        """A cell at its working point: an amplifier as a follower, an activation without input."""
        cell = self.cells[name]
        if cell.family == "activation":
            return [self.instance(name, tag, domain, **{"in": f"com_{domain}", "out": f"o_{tag}"})]
        nets = {"inp": f"i_{tag}", "inn": f"o_{tag}", "out": f"o_{tag}"}
        follower = self.instance(name, tag, domain, **nets)
        return [f"Vi_{tag} i_{tag} com_{domain} {self.level(name):.9g}", follower]

    def level(self, name: str) -> float:
        """The output voltage, against the common, at which an amplifier works: the middle of what it is
        used for.
        """
        return 0.4 * self.technology.full_scale if self.cells[name].family == "amplifier" else 0.0

    def rest(self, point: Point, names: Sequence[str] = ()) -> Rest:
        """Every node of the supports, the cell under test and further cells at their working points.

        An operating point that starts there needs three Newton iterations where it else needs dozens
        of continuation steps, and finds the same point in every copy of a cell.
        """
        chosen = [n for n in dict.fromkeys([self.cell.name, *names]) if n not in self.technology.supports]
        lines = [*self.domain("z", point), *(x for n in chosen for x in self.at_rest(n, f"u_{n}", "z"))]
        bench = Bench(lines, (".op", ".save all"), {}, tuple(chosen))
        try:
            found = ngspice.run_deck(
                self.deck(bench, point),
                [],
                timeout_s=TIMEOUT_S,
                files=self._files(bench, point, None),
                everything=True,
            ).vectors
        except SimulatorError as e:
            raise SimulatorError(f"cell '{self.cell.name}' at {point}: {e}") from None
        volts = {k[2:-1]: float(v[0]) for k, v in found.items() if k.startswith("v(") and "#" not in k}
        rest = {}
        for instance, name, nets in _instances(lines, self.cells):
            pins = dict(zip(self.cells[name].pin_names, (volts[n] for n in nets), strict=True))
            inner = {
                n.removeprefix(f"{instance}."): v for n, v in volts.items() if n.startswith(f"{instance}.")
            }
            rest[name] = {**inner, **pins}
        return rest

    def _start(self, bench: Bench, rest: Rest) -> list[str]:
        """`.nodeset` lines that start every known cell of a bench at its working point."""
        found = {}
        for instance, name, nets in _instances(bench.lines, self.cells):
            known = rest.get(name, {})
            pins = dict(zip(self.cells[name].pin_names, nets, strict=True))
            for node, volts in known.items():
                found[pins.get(node, f"{instance}.{node}")] = volts
        return [f".nodeset v({node})={volts:.9g}" for node, volts in found.items() if node != "0"]

    def deck(self, bench: Bench, point: Point, rest: Rest | None = None) -> str:
        """The whole deck. Pure."""
        t = self.technology
        names = dict.fromkeys([t.opamp, *t.supports, self.cell.name, *bench.names])
        circuit = self._circuit([n for n in names if n in self.cells])
        # a device's own value is asked for as `@x[id]` and comes back as `i(@x[id])`
        asked = (v[2:-1] if v.startswith("i(@") else v for vectors in bench.wanted.values() for v in vectors)
        saved = [v for v in dict.fromkeys(asked) if v not in ("time", "frequency")]
        return "\n".join(
            [
                netlist.render(circuit),
                *(part for line in bench.lines for part in netlist.wrap(line.split())),
                f".options {bench.options}",
                f".temp {point.temperature:.9g}",
                *bench.analyses,
                *(f".save {vector}" for vector in saved),
                *self._start(bench, rest or {}),
                ".end",
                "",
            ]
        )

    def _circuit(self, names: Sequence[str]) -> Circuit:
        t = self.technology
        found = tuple(closure(self.cells, names, t.opamp))
        return Circuit(f"{self.cell.name} under test", (), found, t.opamp, (), t.process)

    def _files(self, bench: Bench, point: Point, seed: int | None) -> dict[str, str]:
        names = [n for n in (self.technology.opamp, *self.technology.supports) if n in self.cells]
        circuit = self._circuit([*names, self.cell.name, *bench.names])
        models = pdk.models(circuit.devices, point.corner, mismatch=seed is not None)
        chip = "" if seed is None else f".options seed={seed + 1}\n"
        return {netlist.MODELS: chip + models, ".spiceinit": pdk.SPICEINIT}

    def run(self, bench: Bench, point: Point, seed: int | None = None, rest: Rest | None = None) -> Plots:
        """Run a bench. seed: of one chip whose devices all differ; rest: where to start, see `rest`.

        Raises ToolMissing, InputError, or SimulatorError naming cell and point.
        """
        files = self._files(bench, point, seed)
        deck = self.deck(bench, point, rest)
        try:
            return ngspice.run_analyses(deck, bench.wanted, timeout_s=TIMEOUT_S, files=files)
        except SimulatorError as e:
            chip = "" if seed is None else f", mismatch sample {seed}"
            raise SimulatorError(f"cell '{self.cell.name}' at {point}{chip}: {e}") from None
