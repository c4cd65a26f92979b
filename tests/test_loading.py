"""Safetensors files: key styles, the order of layers, where activations come from."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

from analognet.errors import InputError, UsageError
from analognet.loading import LoadedModel, load

RNG = np.random.default_rng(0)
Tensors = dict[str, NDArray[np.float32]]


def layer(prefix: str, n_out: int, n_in: int, bias: bool = True) -> Tensors:
    dot = f"{prefix}." if prefix else ""
    tensors = {f"{dot}weight": RNG.standard_normal((n_out, n_in)).astype(np.float32)}
    if bias:
        tensors[f"{dot}bias"] = RNG.standard_normal(n_out).astype(np.float32)
    return tensors


def saved(path: Path, tensors: Tensors, **metadata: object) -> Path:
    save_file(tensors, path, {k: json.dumps(v) for k, v in metadata.items()} or None)
    return path


def names(loaded: LoadedModel) -> list[str]:
    return [layer.name for layer in loaded.network.layers]


def activations(loaded: LoadedModel) -> list[str]:
    return [str(layer.activation) for layer in loaded.network.layers]


@pytest.mark.parametrize(
    ("first", "second"),
    [("l1", "l2"), ("layers.0", "layers.2"), ("0", "2"), ("net.body.fc", "head"), ("z", "a")],
)
def test_key_styles_give_the_same_network(tmp_path: Path, first: str, second: str) -> None:
    tensors = layer(first, 8, 4) | layer(second, 3, 8)
    network = load(saved(tmp_path / "net.safetensors", tensors), "relu,linear").network
    assert network.name == "net"
    assert network.shape == (4, 8, 3)
    assert [part.name for part in network.layers] == [first, second]
    x = RNG.standard_normal((5, 4))
    hidden = np.maximum(x @ tensors[f"{first}.weight"].T + tensors[f"{first}.bias"], 0)
    expected = hidden @ tensors[f"{second}.weight"].T + tensors[f"{second}.bias"]
    assert network(x) == pytest.approx(expected)


def test_bare_weight_is_a_network_of_one_layer(tmp_path: Path) -> None:
    assert load(saved(tmp_path / "m.safetensors", layer("", 3, 4)), "linear").network.shape == (4, 3)


def test_missing_bias_is_zero(tmp_path: Path) -> None:
    loaded = load(saved(tmp_path / "m.safetensors", layer("l1", 3, 4, bias=False)), "linear")
    assert not loaded.network.layers[0].bias.any()


def test_shapes_decide_the_order_against_the_alphabet(tmp_path: Path) -> None:
    tensors = layer("a", 2, 7) | layer("b", 9, 4) | layer("c", 7, 9)
    loaded = load(saved(tmp_path / "m.safetensors", tensors), "relu,relu,linear")
    assert names(loaded) == ["b", "c", "a"]
    assert loaded.notes == ()


def test_numbers_decide_between_equal_shapes(tmp_path: Path) -> None:
    tensors: Tensors = {}
    for n in (10, 2, 9, 0):
        tensors |= layer(f"layers.{n}", 6, 6)
    loaded = load(saved(tmp_path / "m.safetensors", tensors), "relu,relu,relu,linear")
    assert names(loaded) == ["layers.0", "layers.2", "layers.9", "layers.10"]
    assert "the shapes allow several orders" in loaded.notes[0]


def test_numbers_and_shapes_together(tmp_path: Path) -> None:
    tensors = layer("out", 3, 8) | layer("fc2", 8, 8) | layer("fc1", 8, 8)
    loaded = load(saved(tmp_path / "m.safetensors", tensors), "relu,relu,linear")
    assert names(loaded) == ["fc1", "fc2", "out"]


def test_shapes_win_over_numbers(tmp_path: Path) -> None:
    loaded = load(
        saved(tmp_path / "m.safetensors", layer("l1", 3, 8) | layer("l2", 8, 4)), activations="relu,linear"
    )
    assert names(loaded) == ["l2", "l1"]


def test_order_that_nothing_decides_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "m.safetensors", layer("encoder", 8, 4) | layer("decoder", 4, 8))
    with pytest.raises(InputError, match=r"fit together in several orders: .*'decoder' takes 8 and gives 4"):
        load(path, "relu,linear")


def test_many_layers_in_no_order_are_refused_quickly(tmp_path: Path) -> None:
    tensors: Tensors = {}
    for n in range(40):
        tensors |= layer("x" * (n + 1), 4, 4)
    with pytest.raises(InputError, match="several orders"):
        load(saved(tmp_path / "m.safetensors", tensors), ",".join(["relu"] * 40))


def test_two_chains_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "m.safetensors", layer("a", 8, 4) | layer("b", 5, 7))
    with pytest.raises(InputError, match="2 separate chains"):
        load(path, "relu,linear")


def test_layers_that_branch_are_refused(tmp_path: Path) -> None:
    path = saved(
        tmp_path / "m.safetensors", layer("body", 8, 4) | layer("actor", 3, 8) | layer("critic", 1, 8)
    )
    with pytest.raises(InputError, match="do not form one chain"):
        load(path, "relu,linear,linear")


def test_activations_from_the_argument(tmp_path: Path) -> None:
    path = saved(
        tmp_path / "m.safetensors", layer("l1", 8, 4) | layer("l2", 3, 8), activations=["tanh", "relu"]
    )
    assert activations(load(path, " Leaky_ReLU:0.1 , linear ")) == ["leaky_relu:0.1", "linear"]


def test_activations_and_more_from_metadata(tmp_path: Path) -> None:
    path = saved(
        tmp_path / "m.safetensors",
        layer("l1", 8, 4) | layer("l2", 3, 8),
        activations=["tanh", "sigmoid"],
        input_range=[0, 1],
        ranges=[[-1, 2], [-3.5, 4]],
        dataset="iris",
    )
    loaded = load(path)
    assert activations(loaded) == ["tanh", "sigmoid"]
    assert loaded.input_range == (0.0, 1.0)
    assert loaded.ranges == ((-1.0, 2.0), (-3.5, 4.0))
    assert loaded.dataset == "iris"


def test_activations_and_more_from_the_sidecar(tmp_path: Path) -> None:
    path = saved(tmp_path / "m.safetensors", layer("l1", 8, 4) | layer("l2", 3, 8), input_range=[-1, 1])
    said = {
        "activations": ["relu", "linear"],
        "input_range": [0, 9],
        "ranges": [[0, 1], [0, 2]],
        "dataset": "digits",
    }
    path.with_suffix(".json").write_text(json.dumps(said))
    loaded = load(path)
    assert activations(loaded) == ["relu", "linear"]
    assert loaded.input_range == (-1.0, 1.0)  # the file's own metadata first
    assert loaded.ranges == ((0.0, 1.0), (0.0, 2.0))
    assert loaded.dataset == "digits"


def test_dataset_may_be_a_bare_name(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_file(
        layer("l1", 3, 4), path, {"dataset": "fashion-mnist", "activations": '["linear"]', "format": "pt"}
    )
    assert load(path).dataset == "fashion-mnist"


def test_without_activations_the_command_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    saved(Path("digits.safetensors"), layer("l1", 8, 4) | layer("l2", 3, 8))
    with pytest.raises(InputError, match=r"analognet convert digits\.safetensors --activations relu,linear$"):
        load("digits.safetensors")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("relu", r"2 dense layers, so 2 activations are needed; 1 given: relu"),
        ("relu,relu,linear", "2 activations are needed; 3 given"),
        ("", "2 activations are needed"),
        ("relu,gelu", "activation 'gelu' is not known; known are linear, relu, sigmoid, tanh, leaky_relu"),
        ("leaky_relu:x,linear", "slope is not a number"),
        ("softmax,linear", "softmax is only allowed at the end"),
        ("relu,\x1b[31m", r"\\x1b"),
    ],
)
def test_unsuitable_activations(tmp_path: Path, given: str, message: str) -> None:
    path = saved(tmp_path / "m.safetensors", layer("l1", 8, 4) | layer("l2", 3, 8))
    with pytest.raises(UsageError, match=message):
        load(path, given)


@pytest.mark.parametrize(
    "given", ["relu,softmax", "relu,linear,softmax", "relu,log_softmax", "relu,linear,logsoftmax"]
)
def test_softmax_at_the_end_is_dropped_and_said(tmp_path: Path, given: str) -> None:
    loaded = load(saved(tmp_path / "m.safetensors", layer("l1", 8, 4) | layer("l2", 3, 8)), given)
    assert activations(loaded) == ["relu", "linear"]
    assert "softmax at the output was dropped" in loaded.notes[0]


def test_one_layer_needs_one_activation(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="1 dense layer, so 1 activation is needed"):
        load(saved(tmp_path / "m.safetensors", layer("l1", 3, 4)), "relu,linear")


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"activations": '"relu"'}, "'activations' must be a list of names"),
        ({"activations": "relu,linear"}, "not JSON"),
        ({"activations": "[1]"}, "'activations' must be a list of names"),
        ({"input_range": "[1]"}, r"'input_range' must be \[lowest, highest\]"),
        ({"input_range": "[1, 1]"}, "lowest 1 must be below highest 1"),
        ({"input_range": "[0, NaN]"}, "NaN is not a number that JSON has"),
        ({"input_range": "[0, 1e999]"}, "'inf' is not a finite number"),
        ({"input_range": f"[0, 1{'0' * 400}]"}, "is not a finite number"),
        ({"input_range": "[false, true]"}, "is not a finite number"),
        ({"ranges": "3"}, "'ranges' must be a list"),
        ({"ranges": "[[0, 1], [0, 1]]"}, "'ranges' has 2 entries for 1 dense layer"),
        ({"ranges": '{"a": 1, "a": 2}'}, "key 'a' is given twice"),
        ({"dataset": '"/etc/passwd"'}, "a model can name digits, iris, mnist, fashion-mnist"),
        ({"dataset": "[" * 100_000}, "nested too deeply|not JSON"),
    ],
)
def test_malformed_metadata(tmp_path: Path, metadata: dict[str, str], message: str) -> None:
    path = tmp_path / "m.safetensors"
    save_file(layer("l1", 3, 4), path, {"activations": '["linear"]'} | metadata)
    with pytest.raises(InputError, match=message):
        load(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "holds no JSON object"),
        ("{", "not JSON"),
        ('{"dataset": 3}', "'dataset' is '3'"),
        ('{"activations": ["relu"]}', "2 activations are needed"),
    ],
)
def test_malformed_sidecar(tmp_path: Path, text: str, message: str) -> None:
    path = saved(tmp_path / "m.safetensors", layer("l1", 8, 4) | layer("l2", 3, 8))
    path.with_suffix(".json").write_text(text)
    with pytest.raises(InputError, match=message):
        load(path)


def test_digest_is_the_files(tmp_path: Path) -> None:
    path = saved(tmp_path / "m.safetensors", layer("l1", 3, 4))
    assert load(path, "linear").digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_zero_weights_are_noted(tmp_path: Path) -> None:
    path = saved(tmp_path / "m.safetensors", {"l1.weight": np.zeros((3, 4), dtype=np.float32)})
    assert load(path, "linear").notes == ("layer 'l1': all weights are zero",)


@pytest.mark.parametrize("model", ["net.txt", "net", "a b:c", Path("os:path")])
def test_other_models_are_refused(model: str | Path) -> None:
    with pytest.raises(UsageError, match=r"give a \.safetensors file, an \.onnx file, or module:callable"):
        load(model)


def test_pickles_are_refused_with_the_reason() -> None:
    with pytest.raises(InputError, match="a pickle can run any program"):
        load("net.pth")


def test_weight_files_need_no_tinygrad(tmp_path: Path) -> None:
    path = saved(tmp_path / "m.safetensors", layer("l1", 3, 4))
    program = (
        "import sys, analognet.loading as l; l.load(sys.argv[1], 'linear'); print('tinygrad' in sys.modules)"
    )
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
