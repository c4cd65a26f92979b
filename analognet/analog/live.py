"""A circuit that stays loaded: ngspice inside this process, through PySpice's shared library.

The deck is parsed once. Each call runs one `.dc` sweep in which every input is an EXTERNAL
source: ngspice asks us for its voltage, and tells us when a point is done.

PySpice's ffi handle is used and not its `run`, which raises on harmless lines ("gmin stepping")
although the vectors exist; so the return code says nothing, and the vectors are checked here.
"""

from __future__ import annotations

import logging
import sys
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from analognet.analog import bench, build, ngspice
from analognet.analog.netlist import supplies
from analognet.errors import InputError, SimulatorError, ToolMissing
from analognet.names import printable
from analognet.network import Array

if TYPE_CHECKING:
    from analognet.design import Design

MAX_POINTS = 100_000
_LIBRARY = {"linux": "libngspice.so.0", "darwin": "libngspice.dylib"}
_lock = threading.RLock()  # ngspice is one per process, and so is what it has loaded
_shared: Any = None
_loaded: LiveCircuit | None = None


def live(design: Design) -> LiveCircuit:
    """A design as a function of arrays. Raises ToolMissing where libngspice is not there."""
    return LiveCircuit(design)


class LiveCircuit:
    """Calling it answers outputs (N, n_out) in the network's units for inputs (N, n_in) or (n_in,).

    Several may be alive; ngspice holds one at a time, so alternating between two parses again.
    """

    def __init__(self, design: Design, temperature: float = bench.NOMINAL_C) -> None:
        self.design = design
        self._outputs = build.output_nets(design.analog)
        technology = design.technology
        lines = [
            design.netlist,
            *supplies(design.circuit, technology.vdd, technology.vss, technology.reference),
            *(f"V{n} {n} 0 external" for n in build.input_nets(design.analog)),
            "Vidx idx 0 0",
            f".options {bench.OPTIONS}",
            f".temp {temperature:.9g}",
            f".save {' '.join(f'v({n})' for n in self._outputs)}",
            ".end",
        ]
        self._deck = "\n".join(lines)
        with _lock:
            self._make_current()

    def __call__(self, x: ArrayLike) -> Array:
        """Raises InputError for inputs of the wrong shape, SimulatorError with ngspice's words."""
        return self.volts(x) / self.design.analog.scale_out

    def volts(self, x: ArrayLike) -> Array:
        """Output voltages (N, n_out) for inputs (N, n_in) or (n_in,) in the network's units."""
        inputs = np.atleast_2d(np.asarray(x, dtype=np.float64))
        n_in = self.design.analog.n_in
        if inputs.ndim != 2 or inputs.shape[1] != n_in or not 0 < len(inputs) <= MAX_POINTS:
            raise InputError(
                f"inputs have shape {np.shape(x)}; expected (N, {n_in}) with N up to {MAX_POINTS}"
            )
        if not np.isfinite(inputs).all():
            raise InputError("inputs hold values that are not finite")
        with _lock:
            self._make_current()
            spice = _shared
            spice.start(inputs * self.design.analog.scale_in)
            spice.command(f"dc vidx 0 {len(inputs) - 1} 1")
            outputs = np.stack([spice.vector(n, len(inputs)) for n in self._outputs], axis=1)
            spice.command("destroy all")  # or each call's plot would stay in memory
        return outputs

    def _make_current(self) -> None:
        global _loaded, _shared
        if _shared is None:
            _shared = _open_library()
        if _loaded is not self:
            if _loaded is not None:
                _shared.command("remcirc")
            _loaded = None
            _shared.load(self._deck)
            _loaded = self


def _open_library() -> Any:
    logging.getLogger("PySpice").setLevel(logging.CRITICAL)
    # imported here: PySpice takes half a second, and only live circuits need it
    from PySpice.Spice.NgSpice.Shared import NgSpiceShared, ffi

    class Shared(NgSpiceShared):  # type: ignore[misc]
        """PySpice's binding of libngspice, with our inputs, and our own eye on what it says."""

        LIBRARY_PATH = _LIBRARY.get(sys.platform, "libngspice.so")

        def __init__(self) -> None:
            self._inputs = np.zeros((1, 1))
            self._at = 0
            self._words: list[str] = []
            self._died = False
            super().__init__(send_data=True)

        def start(self, inputs_v: Array) -> None:
            self._inputs, self._at = inputs_v, 0

        def command(self, text: str) -> None:
            self._words.clear()
            self._ngspice_shared.ngSpice_Command(text.encode("ascii"))
            self._raise_faults()

        def load(self, deck: str) -> None:
            self._words.clear()
            lines = [ffi.new("char[]", line.encode("ascii")) for line in deck.splitlines()]
            array = ffi.new("char*[]", [*lines, ffi.NULL])
            self._ngspice_shared.ngSpice_Circ(array)
            self._raise_faults()

        def vector(self, name: str, points: int) -> Array:
            info = self._ngspice_shared.ngGet_Vec_Info(name.encode("ascii"))
            if info == ffi.NULL or info.v_length != points or info.v_realdata == ffi.NULL:
                raise SimulatorError(f"ngspice gave no {points} values of v({name}): {self._said()}")
            values = np.frombuffer(ffi.buffer(info.v_realdata, points * 8), dtype=np.float64).copy()
            if not np.isfinite(values).all():
                raise SimulatorError(f"ngspice gave values of v({name}) that are not finite: {self._said()}")
            return values

        def _raise_faults(self) -> None:
            if self._died:
                raise SimulatorError(f"ngspice gave up and cannot go on in this process: {self._said()}")
            if fault := ngspice.fault_in("\n".join(self._words)):
                raise SimulatorError(f"ngspice: {fault}")

        def _said(self) -> str:
            return printable(" | ".join(self._words[-6:]), 600) or "it printed nothing"

        @staticmethod
        def _send_char(message: Any, ngspice_id: int, user_data: Any) -> int:
            words = ffi.from_handle(user_data)._words
            words.append(ffi.string(message).decode("utf-8", errors="replace").partition(" ")[2])
            del words[:-200]
            return 0

        @staticmethod
        def _send_data(data: Any, number_of_vectors: int, ngspice_id: int, user_data: Any) -> int:
            ffi.from_handle(user_data)._at += 1  # a point of the sweep is done
            return 0

        @staticmethod
        def _exit(exit_status: int, immediate: bool, quit_exit: bool, ngspice_id: int, user_data: Any) -> int:
            ffi.from_handle(user_data)._died = True
            return exit_status

        @staticmethod
        def _get_vsrc_data(voltage: Any, time: float, node: Any, ngspice_id: int, user_data: Any) -> int:
            self = ffi.from_handle(user_data)
            column = int(ffi.string(node)[2:])  # the source Vx12 drives column 12
            voltage[0] = self._inputs[min(self._at, len(self._inputs) - 1), column]
            return 0

    try:
        ffi.dlopen(Shared.LIBRARY_PATH)  # PySpice, where it fails here once, cannot be asked again
        return Shared()
    except OSError as e:
        raise ToolMissing(
            f"{Shared.LIBRARY_PATH} was not found ({printable(e)}); install it: "
            "apt-get install libngspice0 (Debian, Ubuntu) or brew install libngspice (macOS)"
        ) from None
