"""The float network: the reference that every circuit is measured against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analognet.errors import InputError
from analognet.names import did_you_mean, printable

Array = NDArray[np.float64]


def _relu(z: Array) -> Array:
    return np.maximum(z, 0.0)


def _sigmoid(z: Array) -> Array:
    # tanh form: exact to rounding for every z, without overflow
    return 0.5 * (1.0 + np.tanh(0.5 * z))


ELEMENTWISE: Final[dict[str, Callable[[Array], Array]]] = {
    "linear": lambda z: z,
    "relu": _relu,
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
}
ACTIVATIONS: Final = (*ELEMENTWISE, "leaky_relu")
DEFAULT_SLOPE: Final = 0.01  # tinygrad's default for Tensor.leaky_relu


@dataclass(frozen=True)
class Activation:
    """An activation function: one of `ACTIVATIONS`; `slope` matters for leaky_relu alone."""

    name: str
    slope: float = 0.0

    def __post_init__(self) -> None:
        if self.name not in ACTIVATIONS:
            raise InputError(
                f"activation '{printable(self.name)}' is not known; known are {', '.join(ACTIVATIONS)}"
                f"{did_you_mean(self.name, ACTIVATIONS)}"
            )
        if not np.isfinite(self.slope):
            raise InputError(f"activation leaky_relu: slope {self.slope} is not finite")

    def __call__(self, z: Array) -> Array:
        """Element by element on an array of any shape."""
        if self.name == "leaky_relu":
            return np.where(z > 0, z, self.slope * z)
        return ELEMENTWISE[self.name](z)

    def __str__(self) -> str:
        return f"leaky_relu:{self.slope:.9g}" if self.name == "leaky_relu" else self.name

    @staticmethod
    def parse(text: str) -> Activation:
        """From its text form: `relu`, `leaky_relu`, `leaky_relu:0.1`. Raises InputError."""
        name, colon, slope = text.strip().lower().partition(":")
        if name == "leakyrelu":
            name = "leaky_relu"
        if name != "leaky_relu":
            if colon:
                raise InputError(f"activation '{printable(text)}': only leaky_relu takes a slope")
            return Activation(name)
        try:
            return Activation(name, float(slope) if colon else DEFAULT_SLOPE)
        except ValueError:
            raise InputError(
                f"activation '{printable(text)}': slope is not a number; write leaky_relu:0.1"
            ) from None


@dataclass(frozen=True, eq=False)
class Dense:
    """One dense layer: `y = activation(weight @ x + bias)`.

    weight: (n_out, n_in), bias: (n_out,), both float64, dimensionless and finite.
    `name` is the name the model gave it, for messages and the name map only.
    """

    name: str
    weight: Array
    bias: Array
    activation: Activation

    def __post_init__(self) -> None:
        weight = np.array(self.weight, dtype=np.float64)
        bias = np.array(self.bias, dtype=np.float64)
        where = f"layer '{printable(self.name)}'"
        if weight.ndim != 2 or 0 in weight.shape:
            raise InputError(f"{where}: weight has shape {weight.shape}; a dense layer has (n_out, n_in)")
        if bias.shape != (weight.shape[0],):
            raise InputError(f"{where}: bias has shape {bias.shape}; expected ({weight.shape[0]},)")
        for kind, values in (("weight", weight), ("bias", bias)):
            if not np.isfinite(values).all():
                at = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
                raise InputError(f"{where}: {kind}{list(at)} is {values[at]}; every value must be finite")
            values.setflags(write=False)
        object.__setattr__(self, "weight", weight)
        object.__setattr__(self, "bias", bias)

    @property
    def n_in(self) -> int:
        return int(self.weight.shape[1])

    @property
    def n_out(self) -> int:
        return int(self.weight.shape[0])

    def preactivation(self, x: Array) -> Array:
        """`weight @ x + bias` for x (N, n_in); answers (N, n_out)."""
        return x @ self.weight.T + self.bias


@dataclass(frozen=True, eq=False)
class Network:
    """A chain of dense layers. Calling it is the float reference for everything."""

    name: str
    layers: tuple[Dense, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        if not self.layers:
            raise InputError(f"network '{printable(self.name)}' has no layers")
        for a, b in zip(self.layers, self.layers[1:], strict=False):
            if a.n_out != b.n_in:
                raise InputError(
                    f"layer '{printable(b.name)}' takes {b.n_in} values, "
                    f"layer '{printable(a.name)}' before it gives {a.n_out}"
                )

    @property
    def n_in(self) -> int:
        return self.layers[0].n_in

    @property
    def n_out(self) -> int:
        return self.layers[-1].n_out

    @property
    def shape(self) -> tuple[int, ...]:
        """Widths from input to output, for example (784, 128, 10)."""
        return (self.n_in, *(layer.n_out for layer in self.layers))

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(layer.weight.size for layer in self.layers)

    def __call__(self, x: ArrayLike) -> Array:
        """Outputs (N, n_out) for inputs x (N, n_in)."""
        y = np.asarray(x, dtype=np.float64)
        for layer in self.layers:
            y = layer.activation(layer.preactivation(y))
        return y

    def preactivations(self, x: ArrayLike) -> list[Array]:
        """Every layer's `z = W x + b`, each (N, n_out), for inputs x (N, n_in)."""
        y, out = np.asarray(x, dtype=np.float64), []
        for layer in self.layers:
            z = layer.preactivation(y)
            out.append(z)
            y = layer.activation(z)
        return out


def classify(outputs: Array) -> NDArray[np.int64]:
    """The class each row of outputs (N, n_out) names.

    The largest output wins; a single output is a binary decision, class 1 above one half.
    """
    if outputs.shape[1] == 1:
        return (outputs[:, 0] > 0.5).astype(np.int64)
    largest: NDArray[np.int64] = np.argmax(outputs, axis=1).astype(np.int64)
    return largest
