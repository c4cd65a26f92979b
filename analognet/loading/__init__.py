"""From a model, in whatever form it comes, to a `Network`.

Importing this is cheap: tinygrad is only loaded for the models that need tracing.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analognet.errors import InputError, UsageError
from analognet.loading import metadata, weights
from analognet.loading.files import read_regular
from analognet.loading.loaded import LoadedModel
from analognet.names import printable
from analognet.network import Dense, Network

if TYPE_CHECKING:
    from analognet.loading.trace import Traced

__all__ = ["LoadedModel", "from_callable", "load"]

_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


def load(model: str | Path, activations: str | None = None) -> LoadedModel:
    """Load a `.safetensors` file, an `.onnx` file, or the tinygrad model that `module:callable` names.

    `activations` is comma-separated text, one per dense layer (`relu,linear`); without it the
    file's metadata, a sidecar `<stem>.json` or the trace of the model says which they are.
    Nothing here needs a compiler or a network connection. Raises InputError for a file that cannot
    be used, UsageError where `model` or `activations` are nothing that is known.

    Importing a module runs it: `module:callable` is for programs you trust, as with `python -m`.
    """
    path = Path(model)
    suffix = path.suffix.lower()
    if suffix == ".safetensors":
        return _load_safetensors(path, activations)
    if suffix == ".onnx":
        return _load_onnx(path, activations)
    if isinstance(model, str) and _MODULE.fullmatch(model):
        # here because tinygrad takes a second to import
        from analognet.loading import python_model

        with python_model.usable_device():
            found, name = python_model.import_model(model)
            return _from_traced(
                python_model.trace_model(found, None, _label(model)), name, activations, model
            )
    words = f"{_label(model)} is not known; give a .safetensors file, an .onnx file, or module:callable"
    if suffix in (".pt", ".pth", ".pkl", ".pickle", ".bin", ".ckpt"):
        raise InputError(
            f"{words}; a pickle can run any program when it is read: save the weights with nn.state.safe_save"
        )
    raise UsageError(words)


def from_callable(fn: Any, n_in: int | None = None, name: str = "network") -> LoadedModel:
    """A tinygrad model that is at hand: a callable, or a list of callables.

    `n_in` is the number of inputs, told from the model's tensors where it is None. Raises
    InputError when the model is not a chain of dense layers with known activations.
    """
    from analognet.loading import python_model

    with python_model.usable_device():
        return _from_traced(python_model.trace_model(fn, n_in, _label(name)), name, None, name)


def _label(model: str | Path) -> str:
    return f"model '{printable(model)}'"


def _load_safetensors(path: Path, activations: str | None) -> LoadedModel:
    label = _label(path)
    data = read_regular(path, "model", weights.FILE_LIMIT)
    tensors, entries = weights.read_safetensors(data, label)
    layers, notes = weights.chain(weights.dense_layers(tensors, label), label)
    said = metadata.from_header(entries, label).or_else(metadata.from_sidecar(path))
    chosen, more = metadata.choose_activations(activations, said.activations, len(layers), str(path))
    metadata.check_ranges(said.ranges, len(layers), str(path))
    dense = tuple(Dense(w.name, w.weight, w.bias, a) for w, a in zip(layers, chosen, strict=True))
    digest = hashlib.sha256(data).hexdigest()
    network = Network(path.stem, dense)
    notes += more + _zero_notes(network)
    return LoadedModel(network, digest, said.input_range, said.ranges, said.dataset, notes)


def _load_onnx(path: Path, activations: str | None) -> LoadedModel:
    from analognet.loading import onnx_model

    data = read_regular(path, "model", onnx_model.FILE_LIMIT)
    traced = onnx_model.trace_onnx(data, _label(path))
    said = metadata.from_sidecar(path)
    loaded = _from_traced(traced, path.stem, activations, str(path), said.activations)
    metadata.check_ranges(said.ranges, len(loaded.network.layers), str(path))
    return LoadedModel(
        loaded.network,
        hashlib.sha256(data).hexdigest(),
        said.input_range,
        said.ranges,
        said.dataset,
        loaded.notes,
    )


def _from_traced(
    traced: Traced,
    name: str,
    activations: str | None,
    model: str,
    stated: tuple[str, ...] | None = None,
) -> LoadedModel:
    """A network of traced layers; activations that the caller gave or a file states must agree."""
    network = Network(name, traced.layers)
    if activations is not None or stated is not None:
        given, _ = metadata.choose_activations(activations, stated, len(traced.layers), model)
        own = tuple(layer.activation for layer in traced.layers)
        if given != own:
            wrong = InputError if activations is None else UsageError
            raise wrong(
                f"{_label(model)} computes the activations {','.join(map(str, own))}, "
                f"not {','.join(map(str, given))}; leave {'it' if activations is None else '--activations'} out"
            )
    digest = hashlib.sha256()
    for layer in network.layers:
        digest.update(f"{layer.weight.shape} {layer.activation}\n".encode())
        digest.update(layer.weight.astype("<f8").tobytes())
        digest.update(layer.bias.astype("<f8").tobytes())
    return LoadedModel(network, digest.hexdigest(), notes=traced.notes + _zero_notes(network))


def _zero_notes(network: Network) -> tuple[str, ...]:
    return tuple(
        f"layer '{printable(layer.name)}': all weights are zero"
        for layer in network.layers
        if not layer.weight.any()
    )
