"""Tracing: what is recovered from models of many styles must compute what they compute."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tinygrad import Device, Tensor, TinyJit, nn

from analognet.errors import InputError, UsageError
from analognet.loading import from_callable, load
from analognet.loading.graph import VALUES_LIMIT, record

RNG = np.random.default_rng(0)


def tensor(*shape: int) -> Tensor:
    return Tensor((RNG.standard_normal(shape) * 0.5).astype(np.float32))


class Linear:
    """As nn.Linear, with weights that need no compiler to draw."""

    def __init__(self, n_in: int, n_out: int, bias: bool = True) -> None:
        self.weight = tensor(n_out, n_in)
        self.bias = tensor(n_out) if bias else None

    def __call__(self, x: Tensor) -> Tensor:
        return x.linear(self.weight.transpose(), self.bias)


def batch_norm(n: int) -> nn.BatchNorm:
    norm = nn.BatchNorm(n)
    norm.weight, norm.bias, norm.running_mean = tensor(n), tensor(n), tensor(n)
    norm.running_var = Tensor(RNG.uniform(0.5, 2, n).astype(np.float32))
    return norm


class Model:
    """Parts by name, and what is done with them."""

    def __init__(self, call: Callable[[Any, Tensor], Any], **parts: Any) -> None:
        self.__dict__.update(parts)
        self.call = call

    def __call__(self, x: Tensor) -> Any:
        return self.call(self, x)


def two(call: Callable[[Any, Tensor], Any], n_in: int = 4, n_out: int = 3, **parts: Any) -> Model:
    return Model(call, l1=Linear(n_in, 8), l2=Linear(8, n_out), **parts)


W1, W2 = tensor(4, 8), tensor(8, 3)


def tanh_by_hand(z: Tensor) -> Tensor:
    return (z.exp() - (-z).exp()) / (z.exp() + (-z).exp())


STYLES: dict[str, tuple[Any, str]] = {
    "attributes": (two(lambda m, x: m.l2(m.l1(x).relu())), "relu,linear"),
    "without bias": (
        Model(lambda m, x: m.l2(m.l1(x).relu()), l1=Linear(4, 8, False), l2=Linear(8, 3, False)),
        "relu,linear",
    ),
    "list": ([Linear(4, 8), Tensor.tanh, Linear(8, 8), Tensor.sigmoid, Linear(8, 3)], "tanh,sigmoid,linear"),
    "list with lambdas": ([Linear(4, 8), lambda x: x.leaky_relu(0.3), Linear(8, 3)], "leaky_relu:0.3,linear"),
    "raw matrices": (lambda x: (x @ W1).relu() @ W2, "relu,linear"),
    "default slope": (two(lambda m, x: m.l2(m.l1(x).leaky_relu())), "leaky_relu:0.01,linear"),
    "relu by maximum": (two(lambda m, x: m.l2(m.l1(x).maximum(0))), "relu,linear"),
    "relu by product": (two(lambda m, x: m.l2(m.l1(x) * (m.l1(x) > 0))), "relu,linear"),
    "tanh by hand": (two(lambda m, x: m.l2(tanh_by_hand(m.l1(x)))), "tanh,linear"),
    "activation at the end": (two(lambda m, x: m.l2(m.l1(x).relu()).sigmoid()), "relu,sigmoid"),
    "one output, squeezed": (two(lambda m, x: m.l2(m.l1(x).relu()).squeeze(1), n_out=1), "relu,linear"),
    "width one": (
        Model(lambda m, x: m.l2(m.l1(x).relu()), l1=Linear(1, 1), l2=Linear(1, 1)),
        "relu,linear",
    ),
    "as wide as the batch": (
        Model(lambda m, x: m.l2(m.l1(x).relu()), l1=Linear(7, 7), l2=Linear(7, 7)),
        "relu,linear",
    ),
    "batch norm before": (
        two(lambda m, x: m.l2(m.norm(m.l1(x)).relu()), norm=batch_norm(8)),
        "relu,linear",
    ),
    "batch norm behind": (
        two(lambda m, x: m.l2(m.norm(m.l1(x).relu())), norm=batch_norm(8)),
        "relu,linear",
    ),
    "dropout": (two(lambda m, x: m.l2(m.l1(x).sigmoid().dropout(0.5))), "sigmoid,linear"),
    "input scaling": (two(lambda m, x: m.l2(m.l1((x / 255 - 0.13) / 0.3).relu())), "relu,linear"),
    "output scaling": (two(lambda m, x: 3 * m.l2(m.l1(x).tanh()) - 1), "tanh,linear"),
    "linear layers in a row": (
        Model(lambda m, x: m.c(m.b(m.a(x))).relu(), a=Linear(4, 8), b=Linear(8, 8), c=Linear(8, 3)),
        "relu",
    ),
    "linear skip": (
        Model(lambda m, x: m.l2((m.l1(x) + x).relu()), l1=Linear(4, 4), l2=Linear(4, 3)),
        "relu,linear",
    ),
    "activation on the input": (two(lambda m, x: m.l2(m.l1(x.tanh()).relu())), "linear,relu,linear"),
    "two activations in a row": (two(lambda m, x: m.l2(m.l1(x).relu().sigmoid())), "relu,sigmoid,linear"),
    "flattens images": (two(lambda m, x: m.l2(m.l1(x.flatten(1)).relu()), n_in=16), "relu,linear"),
    "needs images": (
        two(lambda m, x: m.l2(m.l1(x.permute(0, 1, 3, 2).flip(2).flatten(1)).relu()), n_in=16),
        "relu,linear",
    ),
    "pads and crops": (
        two(lambda m, x: m.l2(m.l1(x.pad((0, 2))[:, 1:5]).relu()), n_in=4),
        "relu,linear",
    ),
    "half precision": (two(lambda m, x: m.l2(m.l1(x.half()).relu()).float()), "relu,linear"),
    "tuple of one": (two(lambda m, x: (m.l2(m.l1(x).relu()),)), "relu,linear"),
    "one layer": (Linear(4, 3), "linear"),
}


@pytest.mark.parametrize("style", STYLES)
def test_recovered_network_computes_what_the_model_does(style: str) -> None:
    model, expected = STYLES[style]
    network = from_callable(model, name=style).network
    expected = {"activation on the input": "tanh,relu,linear"}.get(style, expected)
    assert ",".join(str(layer.activation) for layer in network.layers) == expected
    shape = (5, 1, 4, 4) if style == "needs images" else (5, network.n_in)
    x = RNG.uniform(-1, 1, shape).astype(np.float32)
    y = Tensor(x).sequential(model) if isinstance(model, list) else model(Tensor(x))
    y = y[0] if isinstance(y, tuple) else y
    assert network(x.reshape(5, -1)) == pytest.approx(y.numpy().reshape(5, -1), abs=2e-5)


def test_weights_are_recovered_to_the_bit() -> None:
    model = two(lambda m, x: m.l2(m.l1(x).relu()))
    network = from_callable(model).network
    assert np.array_equal(network.layers[0].weight, model.l1.weight.numpy())
    assert np.array_equal(network.layers[0].bias, model.l1.bias.numpy())
    assert np.array_equal(network.layers[1].weight, model.l2.weight.numpy())


def test_same_model_same_digest() -> None:
    model = two(lambda m, x: m.l2(m.l1(x).relu()))
    assert from_callable(model).digest == from_callable(model, name="other").digest
    assert from_callable(model).digest != from_callable(two(lambda m, x: m.l2(m.l1(x).relu()))).digest


@pytest.mark.parametrize("kind", ["softmax", "log_softmax"])
def test_softmax_at_the_end_is_dropped_and_said(kind: str) -> None:
    model = two(lambda m, x: getattr(m.l2(m.l1(x).relu()), kind)())
    loaded = from_callable(model)
    assert [str(layer.activation) for layer in loaded.network.layers] == ["relu", "linear"]
    assert loaded.notes == (f"{kind} at the output was dropped: the largest output stays the largest",)
    x = RNG.uniform(-1, 1, (20, 4)).astype(np.float32)
    assert np.array_equal(loaded.network(x).argmax(1), model(Tensor(x)).argmax(1).numpy())


def test_softmax_right_behind_an_activation() -> None:
    loaded = from_callable([Linear(4, 3), Tensor.relu, Tensor.softmax])
    assert [str(layer.activation) for layer in loaded.network.layers] == ["relu"]


@pytest.mark.parametrize(
    ("style", "note"),
    [
        ("batch norm before", "layer l1: linear operations beside it, such as scaling, were folded"),
        ("batch norm behind", "layer l2: linear operations beside it"),
        ("linear layers in a row", "layer l1: 3 linear layers in a row were folded into one"),
        ("two activations in a row", "layer l2: the model has no weights here; its weight is diagonal"),
    ],
)
def test_folding_is_said(style: str, note: str) -> None:
    assert from_callable(STYLES[style][0]).notes[0].startswith(note)


BAD: dict[str, tuple[Any, str]] = {
    "gelu": (
        two(lambda m, x: m.l2(m.l1(x).gelu())),
        "dense layer 1 is followed by gelu, which has no analog cell",
    ),
    "silu": (two(lambda m, x: m.l2(m.l1(x).silu())), "followed by silu"),
    "relu6": (two(lambda m, x: m.l2(m.l1(x).relu6())), "followed by relu6"),
    "elu": (two(lambda m, x: m.l2(m.l1(x).elu())), "followed by elu"),
    "abs": (two(lambda m, x: m.l2(m.l1(x).abs())), "followed by abs"),
    "mish": (
        two(lambda m, x: m.l2(m.l1(x).mish())),
        "what follows dense layer 1 .* is not an activation that is known: relu, leaky_relu",
    ),
    "residual": (
        Model(lambda m, x: m.l2(m.l1(x).relu() + x), l1=Linear(4, 4), l2=Linear(4, 3)),
        "what follows dense layer 1",
    ),
    "layer norm": (two(lambda m, x: m.l2(m.l1(x).layernorm().relu())), "what follows dense layer 1"),
    "softmax inside": (two(lambda m, x: m.l2(m.l1(x).softmax())), "what follows dense layer 1"),
    "realize inside": (two(lambda m, x: m.l2(m.l1(x).relu().realize())), "without realize"),
    "batch statistics": (two(lambda m, x: m.l2(m.l1(x - x.mean(axis=0)).relu())), "row by row"),
    "class numbers": (two(lambda m, x: m.l2(m.l1(x).relu()).argmax(1)), "row by row"),
    "no tensor": (two(lambda m, x: 3), "answers with int; one Tensor is needed"),
    "several outputs": (two(lambda m, x: (x, x)), "answers with tuple"),
    "not callable": (3, "int cannot be called with a Tensor"),
    "an empty list": ([], "list cannot be called"),
    "no tensors": (lambda x: x.relu(), "cannot be told from its tensors; give it an attribute n_in"),
    "always fails": (
        two(lambda m, x: 1 // 0),
        r"cannot be called with \(N, 4, 8, 3\) inputs: ZeroDivisionError",
    ),
    "no use of its input": (two(lambda m, x: m.l2.weight), "cannot be followed back"),
    "bit operations": (
        two(lambda m, x: m.l2(m.l1(x.bitcast("int").bitcast("float")))),
        "BITCAST, which AnalogNet",
    ),
    "infinite weights": (
        Model(lambda m, x: x @ m.w, w=Tensor([[np.inf]])),
        "what follows|not finite|row by row",
    ),
}


@pytest.mark.parametrize("style", BAD)
def test_what_cannot_be_traced_is_refused(style: str) -> None:
    model, message = BAD[style]
    with pytest.raises(InputError, match=message) as caught:
        from_callable(model, name=style)
    assert str(caught.value).startswith(f"model '{style}'")


def test_jitted_model_is_refused() -> None:
    model = two(lambda m, x: m.l2(m.l1(x).relu()))
    with pytest.raises(InputError, match=r"TinyJit|cannot be called"):
        from_callable(TinyJit(model.__call__), n_in=4)


def test_number_of_inputs_from_argument_and_attribute() -> None:
    assert from_callable(lambda x: x.relu(), n_in=5).network.shape == (5, 5)
    assert from_callable(Model(lambda m, x: x.tanh(), n_in=3)).network.shape == (3, 3)
    with pytest.raises(InputError, match="n_in is x; expected a number of inputs"):
        from_callable(Model(lambda m, x: x.tanh(), n_in="x"))


def test_convolution_is_a_linear_layer() -> None:
    model = Model(
        lambda m, x: x.reshape(-1, 1, 4, 4).conv2d(m.w).flatten(1).relu(), w=tensor(2, 1, 3, 3), n_in=16
    )
    network = from_callable(model).network
    assert network.shape == (16, 8)
    x = RNG.uniform(-1, 1, (5, 16)).astype(np.float32)
    assert network(x) == pytest.approx(model(Tensor(x)).numpy(), abs=1e-5)


@pytest.mark.parametrize(
    "call",
    [
        lambda m, x: x @ Tensor.empty(4, VALUES_LIMIT),
        lambda m, x: x @ Tensor.empty(4, VALUES_LIMIT).sum(1, keepdim=True),
    ],
)
def test_tensor_over_the_limit(call: Callable[[Any, Tensor], Tensor]) -> None:
    with pytest.raises(InputError, match=rf"has a tensor of \d+ values; at most {VALUES_LIMIT} are read"):
        from_callable(Model(call, l1=Linear(4, 3)))


def test_untrained_model_is_traced_as_it_stands() -> None:
    model = Model(lambda m, x: m.l2(m.l1(x).relu()), l1=nn.Linear(4, 3), l2=nn.Linear(3, 2))
    network = from_callable(model).network
    x = RNG.uniform(-1, 1, (5, 4)).astype(np.float32)
    assert network(x) == pytest.approx(model(Tensor(x)).numpy(), abs=1e-6)


MODULE = """
import numpy as np
from tinygrad import Tensor

def tensor(*shape):
    return Tensor(np.arange(np.prod(shape), dtype=np.float32).reshape(shape) / 10 - 0.4)

class Net:
    def __init__(self):
        self.w1, self.b1, self.w2 = tensor(4, 3), tensor(3), tensor(3, 2)
    def __call__(self, x):
        return (x @ self.w1 + self.b1).relu() @ self.w2
    def forward(self, x):
        return self(x)

def make():
    return Net()

class Holder:
    net = Net()

class Needs:
    def __init__(self, size): pass

class Forward:
    def __init__(self): self.net = Net()
    def forward(self, x): return self.net(x)

net = Net()
def function(x): return net(x)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    name = f"model_{abs(hash(str(tmp_path)))}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    return name


@pytest.mark.parametrize("path", ["Net", "net", "make", "function", "Holder.net", "Forward", "net.forward"])
def test_module_and_callable(module: str, path: str) -> None:
    loaded = load(f"{module}:{path}")
    assert loaded.network.shape == (4, 3, 2)
    assert loaded.network.name == path.split(".")[-1]
    assert str(loaded.network.layers[0].activation) == "relu"


def test_module_without_a_usable_device(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def unusable(self: object) -> str:
        raise RuntimeError("no usable devices")

    monkeypatch.setattr(type(Device), "DEFAULT", property(unusable))
    monkeypatch.setattr(type(Device), "canonicalize", lambda self, device: device or "PYTHON")
    assert load(f"{module}:Net").network.shape == (4, 3, 2)


def test_activations_given_for_a_module_must_agree(module: str) -> None:
    assert load(f"{module}:Net", "relu,linear").network.shape == (4, 3, 2)
    with pytest.raises(UsageError, match="computes the activations relu,linear, not tanh,linear"):
        load(f"{module}:Net", "tanh,linear")
    with pytest.raises(UsageError, match="2 activations are needed; 1 given"):
        load(f"{module}:Net", "tanh")


def test_modules_that_fail(module: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="module 'no_such_module' cannot be imported: ModuleNotFoundError"):
        load("no_such_module:Net")
    with pytest.raises(InputError, match=f"'{module}' has no 'nothing'"):
        load(f"{module}:nothing")
    with pytest.raises(InputError, match="cannot be made: TypeError"):
        load(f"{module}:Needs")
    (tmp_path / f"{module}_broken.py").write_text("1 / 0")
    with pytest.raises(InputError, match="cannot be imported: ZeroDivisionError"):
        load(f"{module}_broken:Net")


def test_too_many_inputs() -> None:
    with pytest.raises(InputError, match="has 2097152 inputs; at most 1048576 are read"):
        record(lambda x: x, 1, (1 << 21,), None)


def test_too_many_weights() -> None:
    with pytest.raises(InputError, match="layer l1 of the model has 20000 x 20000 weights"):
        from_callable(lambda x: x.relu(), n_in=20_000)
