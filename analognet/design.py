"""A design: a network as a circuit, with all that a rerun needs; in memory and in its directory.

The directory holds plain values, never text that would be run: the circuit is built again from
them, and must come out as the netlist that stands beside them.
"""

from __future__ import annotations

import io
import json
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from analognet import resources, storage
from analognet.analog import build, conditions, netlist, pdk, rules
from analognet.analog.area import ChipArea, chip_area
from analognet.analog.cells import Cell, library, parse_cell
from analognet.analog.characterized import shipped_range
from analognet.analog.circuit import Circuit
from analognet.analog.compact.tables import Conditions
from analognet.analog.layers import AnalogNetwork
from analognet.analog.mapping import map_network
from analognet.analog.ranges import LayerRange, Range, data_ranges, interval_ranges
from analognet.analog.technology import Technology, load_technology, parse_technology
from analognet.data import Dataset, load_data
from analognet.errors import InputError, UsageError
from analognet.loading import LoadedModel, load
from analognet.loading.metadata import DATASETS
from analognet.names import did_you_mean, file_stem, printable
from analognet.network import Activation, Array, Dense, Network

KIND: Final = "analognet-design"
DEFAULT_INPUT_RANGE: Final = (-1.0, 1.0)
_CALIBRATION_ROWS: Final = 20_000  # of a user's data that a build directory keeps


@dataclass(frozen=True, eq=False)
class Design:
    """What `convert` answers.

    network: the float network; analog: its conductances; ranges: what the scales were chosen
    for; calibration: where they came from: `data`, `metadata` or `interval`; dataset: the
    built-in set that calibrated it; samples: a user's own data that did; cells: the library it
    was built from; source: model digest and the like; notes: what the user should know; corner,
    mismatch, nominal: of a chip, see `under`.
    """

    network: Network
    analog: AnalogNetwork
    cells: Mapping[str, Cell]
    ranges: tuple[LayerRange, ...]
    calibration: str
    dataset: str | None
    samples: Dataset | None
    source: Mapping[str, str]
    notes: tuple[str, ...] = field(default=())
    corner: str = "tt"
    mismatch: int | None = None
    nominal: AnalogNetwork | None = None

    def __getstate__(self) -> dict[str, Any]:
        """For another process: circuit and netlist, large and made from the fields, are made again there."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @property
    def technology(self) -> Technology:
        return self.analog.technology

    @property
    def stem(self) -> str:
        """The name of its files: safe on every file system."""
        return file_stem(self.network.name)

    @cached_property
    def circuit(self) -> Circuit:
        return build.build(self.analog, self.cells)

    @cached_property
    def tally(self) -> build.Tally:
        return build.tally(self.circuit, self.cells)

    @cached_property
    def area(self) -> ChipArea | None:
        """Of a chip, in m^2; None for a board, or cells of unknown area."""
        if self.nominal is not None:  # strips do not grow with temperature
            return replace(self, analog=self.nominal, nominal=None).area
        return chip_area(self.analog, self.circuit, self.cells)

    @cached_property
    def netlist(self) -> str:
        """The subcircuits, without a bench."""
        return netlist.render(self.circuit)

    @cached_property
    def files(self) -> dict[str, str]:
        """What must lie beside a deck of this design: a process's models, and how ngspice reads them.

        Raises ToolMissing without the process's design kit.
        """
        return self._files(substrate=True)

    @cached_property
    def dc_files(self) -> dict[str, str]:
        """The same for operating points and transients, which need less of each transistor."""
        return self._files(substrate=False)

    def _files(self, substrate: bool) -> dict[str, str]:
        if not self.circuit.process:
            return {}
        mismatch = self.mismatch is not None
        models = pdk.models(self.circuit.devices, self.corner, mismatch=mismatch, substrate=substrate)
        seed = "" if self.mismatch is None else f".options seed={self.mismatch + 1}\n"
        return {netlist.MODELS: seed + models, ".spiceinit": pdk.SPICEINIT}

    def under(self, corner: str, temperature: float, mismatch: int | None = None) -> Design:
        """This design as a chip from a corner of its process, at a temperature in Celsius.

        Its resistors take the values they have there; mismatch: seed of a chip whose devices all
        differ. A technology without a process is returned as it is. Raises UsageError for a corner or
        a temperature that the technology does not have, or its cells were not characterised at.
        """
        lowest, highest = self.technology.temperature
        if not lowest <= temperature <= highest:
            raise UsageError(
                f"--temperature {temperature:g}: technology {self.technology.name} "
                f"holds from {lowest:g} to {highest:g} C"
            )
        if corner not in self.technology.corners:
            raise UsageError(
                f"--corner '{printable(corner)}': technology {self.technology.name} has "
                f"{', '.join(self.technology.corners)}"
            )
        strip = self.technology.resistor.strip
        if strip is None:
            return self
        if self.nominal is not None:
            raise ValueError("these conditions would come on top of others")
        known = shipped_range({cell.name: cell for cell in self.circuit.cells})
        if known is not None:
            known.check(corner, temperature, self.technology.vdd - self.technology.vss)
        analog = conditions.scaled(self.analog, strip.factor(temperature, corner))
        if mismatch is not None:
            analog = conditions.mismatched(analog, strip, [mismatch])
        return replace(self, analog=analog, corner=corner, mismatch=mismatch, nominal=self.analog)

    def at_supply(self, volts: float) -> Design:
        """This chip on another supply, in volts from rail to rail; its signals stay what they are.

        Raises UsageError for a technology without a process, whose rails its file states, and for a
        supply that its cells were not characterised at.
        """
        technology = self.technology
        if not technology.process:
            raise UsageError(
                f"--supply {volts:g}: technology {technology.name} has the rails of its file, "
                f"{technology.vss:g} and {technology.vdd:g} V; a chip's supply alone can be chosen"
            )
        known = shipped_range({cell.name: cell for cell in self.circuit.cells})
        nominal = technology.vdd - technology.vss
        spread = technology.supply_tolerance
        low, high = (nominal * (1 - spread), nominal * (1 + spread)) if known is None else known.supply
        if not low - 1e-9 <= volts <= high + 1e-9:
            raise UsageError(
                f"--supply {volts:g}: the cells were characterised from {low:.4g} to {high:.4g} V"
            )
        rails = {"vdd": technology.vdd * volts / nominal, "vss": technology.vss * volts / nominal}
        return replace(self, analog=replace(self.analog, technology=technology.model_copy(update=rails)))

    def conditions(self, temperature: float) -> Conditions:
        """Where on its process's map this chip is, at a temperature in Celsius."""
        return Conditions(self.corner, temperature, self.technology.vdd, self.technology.vss)

    def start_conditions(self, temperature: float) -> Conditions | None:
        """For which the compact model knows every net of this chip; None where its devices differ."""
        if not self.technology.process or self.mismatch is not None:
            return None
        return self.conditions(temperature)

    def example_input(self) -> Array:
        """(n_in,) one input in units: the first calibration sample, or three quarters up the range."""
        if self.samples is not None:
            first: Array = self.samples.x[0]
            return first
        low, high = self.analog.input_range
        return np.full(self.analog.n_in, low + 0.75 * (high - low))

    def training_data(self) -> Dataset:
        """What the circuit was scaled with: its own samples, or its built-in set's training split.

        Raises InputError where there is neither.
        """
        if self.samples is not None:
            return self.samples
        if self.dataset is None:
            raise InputError(
                f"network '{printable(self.network.name)}' has no training data at hand; "
                "convert it with --calibrate DATA"
            )
        return load_data(self.dataset, self.network.n_in, self.network.n_out, split="train")

    @cached_property
    def transient_netlist(self) -> str:
        """The subcircuits with what matters in the time domain alone; without a bench."""
        if self.technology.resistor.strip is None:
            return self.netlist
        return netlist.render(build.build(self.analog, self.cells, distributed=True))

    def standalone_netlist(self) -> str:
        """`network.cir`: the netlist with a bench, complete for `ngspice -b`."""
        return "".join(self.standalone_pieces())

    def standalone_pieces(self) -> Iterator[str]:
        """The same text in pieces: of a large network it is hundreds of megabytes."""
        x = self.example_input()
        t = self.technology
        yield from netlist.pieces(self.circuit)
        yield "\n"
        yield netlist.standalone_bench(
            self.circuit,
            (t.vdd, t.vss, t.reference),
            x * self.analog.scale_in,
            self.network(x[None])[0] * self.analog.scale_out,
        )

    @cached_property
    def netlist_sha256(self) -> str:
        """Of `network.cir`."""
        return storage.digest_of(piece.encode("ascii") for piece in self.standalone_pieces())


def convert(
    model: str | Path | LoadedModel | Network,
    *,
    activations: str | None = None,
    technology: str | Path | Technology = "board",
    topology: str | None = None,
    calibrate: str | Path | Dataset | None = None,
    input_range: Range | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Design:
    """Turn a trained network into a circuit that has passed the electrical rule checks.

    model: a file, `module:callable`, or a network at hand. calibrate: data whose ranges choose
    the scales (a built-in set means its training split); without it the model's own metadata
    does, else interval bounds over input_range. overrides: technology values by name
    (`opamp`, `full_scale`, `feedback_ohm`, `series` ...), and `cells`: activation -> cell. topology:
    the technology's own where none is asked for.

    Raises InputError, UsageError; nothing is written.
    """
    loaded = _loaded(model, activations)
    network = loaded.network
    process, cells = _technology(technology, overrides or {})
    notes = list(loaded.notes)
    chosen, samples, dataset, origin = _calibration_data(calibrate, network)
    bounds = input_range or loaded.input_range
    ranges: tuple[LayerRange, ...]
    if samples is not None:
        ranges = data_ranges(network, samples.x)
        if bounds is None:
            bounds = (min(0.0, float(samples.x.min())), max(0.0, float(samples.x.max())))
            bounds = bounds if bounds[0] < bounds[1] else DEFAULT_INPUT_RANGE
    else:
        if bounds is None:
            bounds = DEFAULT_INPUT_RANGE
            notes.append(
                f"nothing says what range the inputs have: {bounds[0]:g} to {bounds[1]:g} is assumed; "
                "give --calibrate DATA or --input-range LOW,HIGH"
            )
        known = loaded.ranges if input_range is None else None
        origin = "metadata" if known is not None else "interval"
        ranges = interval_ranges(network, bounds, known)
    analog = map_network(network, process, cells, bounds, ranges, topology or process.topology)
    if analog.dropped:
        total = sum(np.count_nonzero(layer.weight) + np.count_nonzero(layer.bias) for layer in network.layers)
        notes.append(
            f"{analog.dropped} of {total} weights and biases need more than "
            f"{process.resistor.weight_span[1]:.3g} Ohm and were dropped"
        )
    keep = samples if chosen else None
    if keep is not None and len(keep) > _CALIBRATION_ROWS:
        rows = keep.x[:_CALIBRATION_ROWS]
        keep = Dataset(keep.name, rows, None if keep.y is None else keep.y[:_CALIBRATION_ROWS], keep.digest)
    design = Design(
        network=network,
        analog=analog,
        cells=cells,
        ranges=ranges,
        calibration=origin,
        dataset=dataset or (loaded.dataset if samples is None else None),
        samples=keep,
        source={"model_sha256": loaded.digest, **({"data_sha256": samples.digest} if samples else {})},
        notes=tuple(notes),
    )
    rules.check(design.circuit)
    return design


def reconverted(design: Design, network: Network, training: Dataset) -> Design:
    """The design of other weights of the same shape: same parts, topology and inputs, ranges of training data.

    Raises InputError where they cannot be realised.
    """
    ranges = data_ranges(network, training.x)
    analog = map_network(
        network, design.technology, design.cells, design.analog.input_range, ranges, design.analog.topology
    )
    source = {"model_sha256": _weights_digest(network), "data_sha256": training.digest}
    made = replace(
        design, network=network, analog=analog, ranges=ranges, calibration="data", source=source, notes=()
    )
    rules.check(made.circuit)
    return made


def _loaded(model: str | Path | LoadedModel | Network, activations: str | None) -> LoadedModel:
    if isinstance(model, LoadedModel):
        return model
    if isinstance(model, Network):
        return LoadedModel(model, _weights_digest(model))
    return load(model, activations)


def _weights_digest(network: Network) -> str:
    return storage.digest(b"".join(layer.weight.tobytes() + layer.bias.tobytes() for layer in network.layers))


def _technology(
    technology: str | Path | Technology, overrides: Mapping[str, Any]
) -> tuple[Technology, Mapping[str, Cell]]:
    own = None if isinstance(technology, Technology) else Path(technology)
    if not isinstance(technology, Technology):
        technology = load_technology(technology)
    directories = [resources.sky130() if technology.process else resources.cells()]
    if own is not None and own.suffix == ".toml" and list(own.parent.glob("*.cir")):
        directories.append(own.parent)
    cells = library(*directories)
    values = technology.model_dump()
    changed = bool(overrides)
    overrides = dict(overrides)
    for activation, name in overrides.pop("cells", {}).items():
        _choose_cell(values, cells, activation, name)
    for key, value in overrides.items():
        place = values["resistor"] if key in values["resistor"] else values
        if key not in place:
            raise UsageError(f"technology {technology.name} has no value '{printable(key)}' to set")
        place[key] = value
    opamp = str(values["opamp"])
    wrong = UsageError if "opamp" in overrides else InputError  # what was typed, or a file of the user's
    values["opamp"] = opamp if opamp in cells else f"opamp_{opamp}"
    if values["opamp"] not in cells or cells[values["opamp"]].family != "opamp":
        parts = ", ".join(sorted(n.removeprefix("opamp_") for n, c in cells.items() if c.family == "opamp"))
        raise wrong(
            f"op-amp '{printable(opamp)}' is not among the cells; there are {parts}"
            f"{did_you_mean(opamp, parts.split(', '))}"
        )
    if "a0" not in cells[values["opamp"]].figures:
        raise InputError(f"op-amp '{printable(opamp)}' has no parameter a0, its open-loop gain")
    if changed:
        try:
            technology = parse_technology(values, f"technology {technology.name}")
        except InputError as e:
            raise UsageError(str(e)) from None
    part = cells[technology.opamp]
    least, most = part.ratings.get("supply", (0.0, np.inf))[:2]
    if not least <= technology.vdd - technology.vss <= most:
        raise wrong(
            f"op-amp {technology.opamp} works on {least:g} to {most:g} V, "
            f"technology {technology.name} gives it {technology.vdd - technology.vss:g} V"
        )
    return technology, cells


def _choose_cell(values: dict[str, Any], cells: Mapping[str, Cell], activation: str, name: str) -> None:
    """Let a named cell compute an activation, in place of what the technology has for it."""
    cell = cells.get(name)
    if cell is None or cell.activation is None or cell.activation != activation.removesuffix("_neg"):
        fitting = sorted(n for n, c in cells.items() if c.activation == activation.removesuffix("_neg"))
        raise UsageError(
            f"cell '{printable(name)}' does not compute {printable(activation)}; "
            f"there are {', '.join(fitting) or 'none that do'}{did_you_mean(name, fitting)}"
        )
    if cell.family == "amplifier":
        values["amplifiers"][activation] = name
    else:
        values["activations"][activation] = name
        values["amplifiers"].pop(activation, None)


def _calibration_data(
    calibrate: str | Path | Dataset | None, network: Network
) -> tuple[bool, Dataset | None, str | None, str]:
    """(keep it in the directory, the data, name of the built-in set, origin)."""
    if calibrate is None:
        return False, None, None, "interval"
    if isinstance(calibrate, Dataset):
        return True, calibrate, None, "data"
    if str(calibrate) in DATASETS:
        # the training split: what the circuit is scaled by must not be what it is tested on
        data = load_data(calibrate, network.n_in, network.n_out, split="train")
        return False, data, str(calibrate), "data"
    return True, load_data(calibrate, network.n_in, network.n_out), None, "data"


def versions() -> dict[str, str]:
    """Versions of what a result depends on, ngspice apart."""
    packages = {name: version(name) for name in ("analognet", "numpy", "tinygrad", "PySpice")}
    return {**packages, "python": platform.python_version()}


def save(design: Design, directory: Path) -> None:
    """Write a design's directory whole or not at all. Raises UsageError or InputError."""
    used = {name: design.cells[name].text for name in sorted(c.name for c in design.circuit.cells)}
    tensors = {}
    for i, layer in enumerate(design.network.layers):
        tensors[f"{i}.weight"], tensors[f"{i}.bias"] = layer.weight.copy(), layer.bias.copy()
    description = {
        "schema": 1,
        "activations": [_activation_values(layer.activation) for layer in design.network.layers],
        "technology": design.technology.model_dump(),
        "topology": design.analog.topology,
        "input_range": list(design.analog.input_range),
        "ranges": [{"z": list(r.z), "partial": list(r.partial)} for r in design.ranges],
        "calibration": design.calibration,
        "dataset": design.dataset,
        "source": dict(design.source),
        "versions": versions(),
    }
    names = {
        "network": design.network.name,
        "layers": {f"layer{i}": layer.name for i, layer in enumerate(design.network.layers)},
        "inputs": "x0 ... x<n_in - 1>, in the order of the model's inputs",
        "outputs": "y0 ... y<n_out - 1>, in the order of the model's outputs",
    }
    files: dict[str, bytes | Iterator[bytes]] = {
        "network.cir": (piece.encode("ascii") for piece in design.standalone_pieces()),
        "design.json": storage.to_json(description).encode(),
        "names.json": storage.to_json(names).encode(),
        "weights.safetensors": save_tensors(tensors),
        "weights.json": storage.to_json(_sidecar(design)).encode(),
        **{f"cells/{name}.cir": cell.encode("ascii") for name, cell in used.items()},
        **{name: text.encode() for name, text in design.files.items()},
    }
    if design.samples is not None:
        buffer = io.BytesIO()
        if design.samples.y is None:
            np.savez_compressed(buffer, x=design.samples.x)
        else:
            np.savez_compressed(buffer, x=design.samples.x, y=design.samples.y)
        files["calibration.npz"] = buffer.getvalue()
    storage.write_directory(directory, KIND, files)


def open_design(directory: Path) -> Design:
    """Read a design's directory back. Raises InputError naming what is wrong with it."""
    where = f"build directory '{printable(directory)}'"
    files = storage.read_directory(directory, KIND, unread=("network.cir",))
    try:
        description = json.loads(files["design.json"])
        names = json.loads(files["names.json"])
        tensors = load_tensors(files["weights.safetensors"])
        cells = {
            Path(name).stem: parse_cell(data.decode("ascii"), Path(name).stem)
            for name, data in files.items()
            if name.startswith("cells/")
        }
        layers = tuple(
            Dense(
                str(names["layers"][f"layer{i}"]),
                tensors[f"{i}.weight"],
                tensors[f"{i}.bias"],
                Activation(**values),
            )
            for i, values in enumerate(description["activations"])
        )
        network = Network(str(names["network"]), layers)
        technology = parse_technology(description["technology"], "technology")
        ranges = tuple(LayerRange(tuple(r["z"]), tuple(r["partial"])) for r in description["ranges"])
        low, high = (float(v) for v in description["input_range"])
        analog = map_network(network, technology, cells, (low, high), ranges, description["topology"])
        design = Design(
            network=network,
            analog=analog,
            cells=cells,
            ranges=ranges,
            calibration=str(description["calibration"]),
            dataset=description["dataset"],
            samples=_samples(directory, files, network),
            source=dict(description["source"]),
        )
    except (UsageError, InputError) as e:  # what convert would call a wrong option is a damaged file here
        raise InputError(f"{where}: {e}; run analognet convert again") from None
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError, SafetensorError) as e:
        raise InputError(
            f"{where} cannot be read ({printable(repr(e))}); run analognet convert again"
        ) from None
    if storage.digest_of(storage.file_pieces(directory / "network.cir")) != design.netlist_sha256:
        raise InputError(
            f"{where}: network.cir is not what this AnalogNet builds from it; run analognet convert again"
        )
    return design


def _sidecar(design: Design) -> dict[str, Any]:
    """What makes the weights a model of their own, which `load` takes without being told more.

    A file beside them, since the order of a safetensors file's own metadata changes from run to run.
    """
    entries: dict[str, Any] = {
        "activations": [str(layer.activation) for layer in design.network.layers],
        "input_range": list(design.analog.input_range),
        "ranges": [list(r.z) for r in design.ranges],
    }
    return entries | ({"dataset": design.dataset} if design.dataset else {})


def _samples(directory: Path, files: Mapping[str, bytes], network: Network) -> Dataset | None:
    if "calibration.npz" not in files:
        return None
    return load_data(directory / "calibration.npz", network.n_in, network.n_out)


def _activation_values(activation: Activation) -> dict[str, Any]:
    return {"name": activation.name, "slope": activation.slope}
