"""tinygrad models given as Python objects, or as `module:callable`."""

from __future__ import annotations

import importlib
import inspect
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tinygrad import nn
from tinygrad.device import Device
from tinygrad.tensor import Tensor

from analognet.errors import AnalogNetError, InputError
from analognet.loading.graph import INPUTS_LIMIT, Graph, record, settings
from analognet.loading.trace import Traced, trace
from analognet.names import printable

# rows of the recorded batch: a number that is rarely also a width, then what some models fix
BATCHES: Final = (7, 1)


@contextmanager
def usable_device() -> Iterator[None]:
    """Within it, tensors can be made without a compiler: on tinygrad's device in plain Python."""
    try:
        device = str(Device.DEFAULT)
    except RuntimeError:  # "no usable devices"
        device = "PYTHON"
    with settings(DEV=device):
        yield


def import_model(spec: str) -> tuple[Any, str]:
    """The object that `module:callable` names, and its name.

    A class is made an instance, a function without required arguments is called for the model
    it makes. The current directory can be imported from. Raises InputError.
    """
    module_name, _, path = spec.partition(":")
    label = f"model '{printable(spec)}'"
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(module_name)
    except AnalogNetError:
        raise
    except Exception as error:  # the module is the user's program: anything may happen in it
        raise InputError(
            f"{label}: module '{printable(module_name)}' cannot be imported: {_what(error)}"
        ) from error
    for name in path.split("."):
        if not hasattr(found, name):
            raise InputError(f"{label}: '{printable(found_name(found))}' has no '{printable(name)}'")
        found = getattr(found, name)
    if inspect.isclass(found) or (inspect.isfunction(found) and not _required(found)):
        try:
            found = found()
        except AnalogNetError:
            raise
        except Exception as error:
            raise InputError(f"{label}: cannot be made: {_what(error)}") from error
    return found, path.split(".")[-1]


def found_name(value: object) -> str:
    """What to call an object in a message."""
    return str(getattr(value, "__name__", type(value).__name__))


def _required(function: Callable[..., Any]) -> int:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(function).parameters.values()
    return sum(p.kind in kinds and p.default is p.empty for p in parameters)


def trace_model(model: Any, n_in: int | None, label: str) -> Traced:
    """Layers of a tinygrad model: a callable, an object with `forward`, or a list of callables.

    `n_in` is the number of inputs; without it the model's attribute `n_in` says, else the
    shapes of its tensors are tried in their order. Raises InputError beginning with `label`.
    """
    call = _as_call(model, label)
    tensors = _tensors(model)
    if tensors:
        Tensor.realize(*tensors)  # what is random and lazy would be drawn anew each time it is read
    device = next((t.device for t in tensors if isinstance(t.device, str)), None)
    if device is not None and device.startswith(("DISK", "NPY")):
        device = None
    stated = n_in if n_in is not None else getattr(model, "n_in", None)
    if stated is not None and (type(stated) is not int or not 0 < stated <= INPUTS_LIMIT):
        raise InputError(f"{label}: n_in is {printable(stated)}; expected a number of inputs")
    widths = [stated] if stated is not None else _widths(tensors)
    if not widths:
        raise InputError(
            f"{label}: its number of inputs cannot be told from its tensors; give it an attribute n_in"
        )
    try:
        return trace(_record(call, widths, device))
    except InputError as error:
        raise InputError(f"{label}: {error}") from error


def _as_call(model: Any, label: str) -> Callable[[Tensor], Any]:
    if isinstance(model, list | tuple) and model and all(callable(step) for step in model):
        return lambda x: x.sequential(list(model))
    if callable(model) and not isinstance(model, Tensor):
        return model  # type: ignore[no-any-return]
    if callable(forward := getattr(model, "forward", None)):
        return forward  # type: ignore[no-any-return]
    raise InputError(f"{label}: {printable(found_name(model))} cannot be called with a Tensor")


def _tensors(model: Any) -> list[Tensor]:
    """The tensors of a model: its state, or what a function closes over or names as globals."""
    held: Any = model
    if inspect.isroutine(model):
        owner = getattr(model, "__self__", None)
        held = owner if owner is not None else []
        if inspect.isfunction(model):
            seen = inspect.getclosurevars(model)
            values = [*seen.nonlocals.values(), *seen.globals.values()]
            held = [
                v for v in values if not (inspect.ismodule(v) or inspect.isclass(v) or inspect.isroutine(v))
            ]
    try:
        found = nn.state.get_state_dict(held).values()
    except RecursionError:  # objects that hold each other
        return []
    return [t for t in found if all(isinstance(n, int) for n in t.shape)]


def _widths(tensors: list[Tensor]) -> list[int]:
    """Candidates for the number of inputs: of matrices first (n_out, n_in), then of everything."""
    shapes = [tuple(int(n) for n in t.shape) for t in tensors]
    ordered = [s[1] for s in shapes if len(s) == 2] + [s[0] for s in shapes if len(s) in (1, 2)]
    return [n for n in dict.fromkeys(ordered) if 0 < n <= INPUTS_LIMIT]


def _record(call: Callable[[Tensor], Any], widths: list[int], device: str | None) -> Graph:
    """The graph for the first width, batch and input shape that the model accepts."""
    first: Exception | None = None
    for batch in BATCHES:
        for n in widths:
            for shape in _input_shapes(n):
                try:
                    return record(call, batch, shape, device)
                except AnalogNetError:
                    raise
                except Exception as error:  # a wrong shape fails in as many ways as there are models
                    first = first or error
    tried = ", ".join(str(n) for n in widths[:8])
    assert first is not None
    raise InputError(f"cannot be called with (N, {tried}) inputs: {_what(first)}") from first


def _input_shapes(n: int) -> list[tuple[int, ...]]:
    """A flat input; for models that flatten images themselves, square ones too."""
    side = math.isqrt(n)
    return [(n,), (1, side, side), (side, side)] if side * side == n and side > 1 else [(n,)]


def _what(error: BaseException) -> str:
    return f"{type(error).__name__}: {printable(error, 200)}"
