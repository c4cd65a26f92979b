"""The VHDL against the integer reference: bit for bit, cycle for cycle, and readable text."""

from __future__ import annotations

import itertools
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from conftest import EXAMPLES
from hypothesis import given, settings
from hypothesis import strategies as st
from test_quantize import NAMES, small_network

from analognet.data import load_data
from analognet.digital import flow, vhdl
from analognet.digital.simulate import GhdlBench, Run, Verification, locate, verify
from analognet.errors import SimulatorError
from analognet.loading import load
from analognet.network import Network

# words that a generated identifier must not be, in either language
KEYWORDS = {
    "begin",
    "buf",
    "buffer",
    "entity",
    "input",
    "output",
    "in",
    "out",
    "is",
    "of",
    "or",
    "and",
    "not",
    "reg",
    "wire",
    "signal",
    "type",
    "use",
    "port",
}


def divisors(n: int) -> list[int]:
    return [d for d in range(1, n + 1) if n % d == 0]


@st.composite
def designs(draw: st.DrawFn) -> tuple[flow.Design, np.ndarray]:
    """A random network with random widths and lanes that fit together."""
    shape = draw(st.lists(st.sampled_from([1, 2, 3, 4, 6, 9]), min_size=2, max_size=4))
    names = draw(st.lists(st.sampled_from(NAMES), min_size=len(shape) - 1, max_size=len(shape) - 1))
    network, x = small_network(shape, names, draw(st.integers(0, 1000)))
    lanes = []
    need = 1  # inputs that the layer after takes per cycle: the neurons before must be a multiple
    for n_in, n_out in reversed(list(itertools.pairwise(shape))):
        wide = draw(st.booleans())
        neurons = n_out if wide else draw(st.sampled_from([d for d in divisors(n_out) if d % need == 0]))
        need = draw(st.sampled_from(divisors(n_in))) if neurons == n_out else 1
        lanes.append(neurons * need)
    made = flow.design(
        network,
        x,
        weight_bits=draw(st.integers(2, 16)),
        activation_bits=draw(st.integers(2, 16)),
        lanes=tuple(reversed(lanes)),
    )
    return made, made.quantized.encode(x * 1.5)


def proven(made: flow.Design, x: np.ndarray) -> Verification:
    with GhdlBench(made.files, made.quantized, made.plan) as bench:
        return verify(bench, x)


@pytest.mark.slow
@settings(max_examples=16, deadline=None)
@given(designs())
def test_any_network_is_bit_exact_and_keeps_its_closed_form(case: tuple[flow.Design, np.ndarray]) -> None:
    made, x = case
    proof = proven(made, x[:12])
    assert proof.mismatches == 0, proof.first
    assert proof.cycles == made.plan.cycles


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(designs())
def test_many_networks_are_bit_exact(case: tuple[flow.Design, np.ndarray]) -> None:
    made, x = case
    proof = proven(made, x[:20])
    assert proof.mismatches == 0, proof.first
    assert (proof.cycles, proof.interval) == (made.plan.cycles, made.plan.interval)


@pytest.mark.parametrize(
    ("shape", "lanes"),
    [
        ((8, 6, 4), (1, 1)),
        ((8, 6, 4), (2, 4)),
        ((8, 6, 4), (6, 4)),
        ((8, 6, 4), (3, 2)),
        ((8, 6, 4), (12, 4)),
        ((8, 6, 4), (48, 24)),
        ((8, 6, 4), (6, 24)),
        ((3, 12, 2), (2, 1)),
        ((70, 4, 2), (4, 2)),
        ((1, 1), (1,)),
    ],
)
def test_interval_of_a_full_pipeline_is_the_slowest_layers(
    shape: tuple[int, ...], lanes: tuple[int, ...]
) -> None:
    network, x = small_network(shape, ["relu"] * (len(shape) - 2) + ["linear"])
    made = flow.design(network, x, lanes=lanes)
    with GhdlBench(made.files, made.quantized, made.plan) as bench:
        run = bench.run(made.quantized.encode(x[:20]), 0, 1)
    assert (run.outputs == made.quantized(x[:20])).all()
    assert np.diff(run.cycles[:, 1])[-5:].tolist() == [made.plan.interval] * 5
    assert run.cycles[0, 1] - run.cycles[0, 0] + 1 == made.plan.cycles


@pytest.mark.parametrize("stalls", [0, 10, 90])
def test_outputs_do_not_depend_on_back_pressure(stalls: int) -> None:
    network, x = small_network((5, 6, 3), ("tanh", "linear"))
    made = flow.design(network, x, lanes=(2, 3))
    with GhdlBench(made.files, made.quantized, made.plan) as bench:
        runs: list[Run] = [bench.run(made.quantized.encode(x), stalls, seed) for seed in (1, 2)]
    for run in runs:
        assert (run.outputs == made.quantized(x)).all()
        assert (run.classes == made.quantized.classes(x)).all()


@pytest.mark.parametrize("name", NAMES)
def test_every_activation_over_its_whole_range(name: str) -> None:
    from analognet.network import Activation, Dense

    network = Network(
        "sweep", (Dense("l", np.array([[8.0], [-1.0]]), np.array([0.1, 0.0]), Activation.parse(name)),)
    )
    x = np.arange(-128, 128)[:, None]
    made = flow.design(network, np.linspace(-1, 1, 50)[:, None])
    assert proven(made, x).mismatches == 0


def corrupt(made: flow.Design, k: int, neuron: int, source: int) -> dict[str, str]:
    """The design's files with the lowest bit of one weight inverted; one pass, one input per cycle."""
    layer, shape = made.quantized.layers[k], made.plan.layers[k]
    assert shape.passes == shape.inputs == 1
    name = f"an_layer{k}_data.vhd"
    pattern = re.compile(rf'^    {source} => (\d+)x"([0-9a-f]+)"', re.MULTILINE)

    def change(found: re.Match[str]) -> str:
        word = int(found[2], 16) ^ 1 << (neuron * layer.weight_format.bits)
        return f'    {source} => {found[1]}x"{word:0{len(found[2])}x}"'

    text = pattern.sub(change, made.files[name], count=1)  # weights come first in the file
    assert text != made.files[name]
    return {**made.files, name: text}


@pytest.mark.parametrize(("k", "neuron", "source"), [(0, 4, 6), (1, 2, 3)])
def test_a_corrupted_weight_is_found_and_named(k: int, neuron: int, source: int) -> None:
    network, x = small_network((7, 6, 3), ("linear", "linear"), rows=60)
    made = flow.design(network, x, lanes=(6, 3))
    q = made.quantized
    integers = q.encode(x)
    with GhdlBench(corrupt(made, k, neuron, source), q, made.plan) as bench:
        proof = verify(bench, integers)
    assert proof.mismatches > 0
    assert proof.first is not None
    assert (proof.first.layer, proof.first.neuron) == (k, neuron)
    # the values it names are the reference's, and what the reference would give with that weight
    weight = q.layers[k].weight.copy()
    weight[neuron, source] ^= 1
    before = integers if k == 0 else q.layers[0](integers)
    layer = q.layers[k]
    wrong = type(layer)(**{f: getattr(layer, f) for f in layer.__dataclass_fields__} | {"weight": weight})
    at = proof.first.vector
    assert proof.first.expected == layer(before)[at, neuron]
    assert proof.first.got == wrong(before)[at, neuron]
    assert (proof.first.got ^ proof.first.expected) >> proof.first.bit & 1
    assert f"layer {k}, neuron {neuron}, bit {proof.first.bit}" in str(proof.first)


def test_a_wrong_argmax_is_found_and_named() -> None:
    network, x = small_network((4, 3), ("linear",))
    made = flow.design(network, x)
    text = made.files["an_argmax.vhd"]
    broken = {
        **made.files,
        "an_argmax.vhd": text.replace("signed(x_data_i) > s_best", "signed(x_data_i) < s_best"),
    }
    assert broken != made.files
    with GhdlBench(broken, made.quantized, made.plan) as bench:
        proof = verify(bench, made.quantized.encode(x))
    assert proof.mismatches > 0
    assert proof.first is not None
    assert proof.first.layer == "argmax"


def test_nothing_to_locate_in_a_right_design() -> None:
    network, x = small_network((4, 3), ("linear",))
    made = flow.design(network, x)
    with GhdlBench(made.files, made.quantized, made.plan) as bench:
        assert locate(bench, made.quantized.encode(x), 2, 30, 1) is None


def test_a_design_that_hangs_is_an_error() -> None:
    network, x = small_network((4, 3), ("linear",))
    made = flow.design(network, x)
    broken = {
        **made.files,
        "an_argmax.vhd": made.files["an_argmax.vhd"].replace("y_valid_o <= s_valid;", "y_valid_o <= '0';"),
    }
    with (
        GhdlBench(broken, made.quantized, made.plan) as bench,
        pytest.raises(SimulatorError, match=r"ghdl stopped after 0 of 2 vectors.*stuck"),
    ):
        bench.run(made.quantized.encode(x[:2]), 30, 1)


def test_vhdl_that_does_not_compile_is_an_error_with_ghdls_words() -> None:
    network, x = small_network((4, 3), ("linear",))
    made = flow.design(network, x)
    with pytest.raises(SimulatorError, match=r"ghdl failed.*an_top.vhd:\d+"):
        GhdlBench({**made.files, "an_top.vhd": "entity"}, made.quantized, made.plan)


def test_text_is_deterministic_and_knows_nothing_of_the_model_but_numbers() -> None:
    network, x = small_network((4, 3, 2), ("relu", "linear"))
    hostile = "x; begin -- $(rm) \n`\x1b[31m entity"
    renamed = Network(
        hostile, tuple(type(v)(hostile, v.weight, v.bias, v.activation) for v in network.layers)
    )
    first, second = flow.design(network, x), flow.design(renamed, x)
    assert first.files == second.files
    assert first.files == flow.design(network, x).files
    text = "".join(first.files.values())
    assert text.isascii()
    assert str(Path.cwd()) not in text


@pytest.mark.parametrize("lanes", [(6, 12), (3, 2), (3, 1)])
def test_identifiers_are_prefixed_and_unique_without_regard_to_case(lanes: tuple[int, ...]) -> None:
    network, x = small_network((4, 6, 2), ("sigmoid", "leaky_relu:0.1"))
    files = flow.design(network, x, lanes=lanes).files
    declared = re.compile(
        r"^\s*(?:signal|constant|variable|type|alias)\s+([\w, ]+?)\s*(?::|is)", re.MULTILINE
    )
    for text in files.values():
        names = [n.strip() for group in declared.findall(text) for n in group.split(",")]
        for name in names:
            assert re.match(r"(?i)(s\d*|c|t|v|a)_", name), name
            assert name.lower() not in KEYWORDS
        signals = re.findall(r"^  signal ([\w, ]+?)\s*:", text, re.MULTILINE)
        flat = [n.strip().lower() for group in signals for n in group.split(",")]
        assert len(flat) == len(set(flat))
        assert not re.search(r"signal [^;]*:=", text), "signals take their first value from the reset"
        assert "shift_right" not in text.replace("shift_right of a signed", "")


@pytest.mark.parametrize("lanes", [(6, 12), (3, 2), (3, 1)])
def test_lines_are_short_enough_to_read(lanes: tuple[int, ...]) -> None:
    network, x = small_network((4, 6, 2), ("sigmoid", "leaky_relu:0.1"))
    for name, text in flow.design(network, x, lanes=lanes).files.items():
        for line in text.splitlines():
            assert len(line) <= 130, (name, line)
            assert line == line.rstrip()


def test_run_script_works_without_analognet(tmp_path: Path) -> None:
    network, x = small_network((4, 3), ("relu",))
    made = flow.design(network, x)
    integers = made.quantized.encode(x[:5])
    files = made.files | vhdl.render_testbench(made.quantized, made.plan, 5)
    wanted = np.column_stack([made.quantized(integers), made.quantized.classes(integers)])
    files |= {"inputs.txt": vhdl.vectors(integers), "expected.txt": vhdl.vectors(wanted)}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    right = subprocess.run(
        ["sh", str(tmp_path / "run.sh")], capture_output=True, text=True, cwd="/", check=False
    )
    assert right.returncode == 0, right.stderr
    assert "5 vectors, 0 mismatches" in right.stdout
    wanted[3, 1] += 1
    (tmp_path / "expected.txt").write_text(vhdl.vectors(wanted))
    wrong = subprocess.run(
        ["sh", str(tmp_path / "run.sh")], capture_output=True, text=True, cwd="/", check=False
    )
    assert wrong.returncode != 0
    assert "vector 3 output 1" in wrong.stdout + wrong.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "lanes"), [("digits", (32, 10)), ("digits_sigmoid", None), ("digits_deep", (8, 4, 2))]
)
def test_all_test_images_of_the_examples(name: str, lanes: tuple[int, ...] | None) -> None:
    model = load(EXAMPLES / name / f"{name}.safetensors")
    x = load_data("digits").x
    made = flow.design(model.network, load_data("digits", split="train").x, lanes=lanes)
    proof = proven(made, made.quantized.encode(x))
    assert (proof.vectors, proof.mismatches) == (450, 0), proof.first
    assert (proof.cycles, proof.interval) == (made.plan.cycles, made.plan.interval)


def test_example_in_the_repository_is_what_is_generated() -> None:
    model = load(EXAMPLES / "digits" / "digits.safetensors")
    made = flow.design(model.network, load_data("digits", split="train").x, lanes=(32, 10))
    place = EXAMPLES / "vhdl" / "digits"
    for name, text in made.files.items():
        assert (place / name).read_text() == text, f"{name}: run examples/vhdl/generate.py"
