"""How many lanes each layer has, and the cycle counts that follow from it in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analognet.digital.quantized import TABLES, QuantizedNetwork
from analognet.errors import UsageError
from analognet.names import printable

DEFAULT_LANES = 32
# cycles from the last beat of a sum to its first output: operands, weights, product, sum,
# hand-over, bias, rounding
PIPELINE = 7
HAND_OVER = 5  # of these, the ones until the finished sums lie in the output register
OUTPUT_REGISTER = 1  # the argmax stage at the top
SHALLOW_WORDS = 64  # weight memories up to this depth become look-up tables, deeper ones block RAM
FINISH_EXTRA = {"leaky_relu": 3, "sigmoid": 2, "tanh": 2}  # further registers of an activation


@dataclass(frozen=True)
class LayerPlan:
    """One layer's share of the hardware: `neurons` x `inputs` multipliers.

    `neurons` sums are formed at the same time from `inputs` values per cycle; `emit` outputs
    leave per cycle, as many as the next layer takes.
    """

    n_in: int
    n_out: int
    neurons: int
    inputs: int
    emit: int
    activation: str

    @property
    def lanes(self) -> int:
        return self.neurons * self.inputs

    @property
    def passes(self) -> int:
        """Times the inputs are read: one for each group of neurons."""
        return self.n_out // self.neurons

    @property
    def beats(self) -> int:
        """Cycles that one pass takes the multipliers."""
        return self.n_in // self.inputs

    @property
    def emits(self) -> int:
        """Cycles that the outputs of one pass take."""
        return self.neurons // self.emit

    @property
    def tree(self) -> int:
        """Levels of the adder tree that joins the products of one cycle."""
        return (self.inputs - 1).bit_length()

    @property
    def words(self) -> int:
        """Words of the weight memory."""
        return self.passes * self.beats

    @property
    def memory_wait(self) -> int:
        """A register between weight memory and multipliers where the memory is a block RAM."""
        return int(self.words > SHALLOW_WORDS)

    @property
    def depth(self) -> int:
        """Registers of this layer beyond the shortest pipeline, up to the finished sums."""
        return self.memory_wait + self.tree

    @property
    def latency(self) -> int:
        """Cycles from the layer's last input beat to its first output of the last pass."""
        replay = 1 + (self.passes - 1) * self.pass_cycles if self.passes > 1 else 0
        return PIPELINE + self.depth + FINISH_EXTRA.get(self.activation, 0) + replay

    @property
    def pass_cycles(self) -> int:
        """Cycles from one pass to the next: the beats and one to hand over, or the outputs."""
        register = 1 if self.passes == 1 else 0  # `ready` of a layer without buffer is a register
        return max(self.beats + 1, HAND_OVER + self.depth + self.emits + register)

    @property
    def interval(self) -> int:
        return self.passes * self.pass_cycles


@dataclass(frozen=True)
class Plan:
    """The lanes of every layer, and what they cost in cycles."""

    layers: tuple[LayerPlan, ...]

    @property
    def lanes(self) -> tuple[int, ...]:
        return tuple(layer.lanes for layer in self.layers)

    @property
    def cycles(self) -> int:
        """Clock cycles of one inference: first input beat to last output beat, both included.

        The input beats, then for each layer its latency and the beats of its last pass, less
        the one that the latency already holds.
        """
        return (
            self.layers[0].beats
            + sum(layer.latency + layer.emits - 1 for layer in self.layers)
            + OUTPUT_REGISTER
        )

    @property
    def interval(self) -> int:
        """Clock cycles between two inferences in a full pipeline: those of the slowest layer."""
        return max(layer.interval for layer in self.layers)


def parse_lanes(text: str) -> tuple[int, ...]:
    """`4` or `32,10` as integers. Raises UsageError."""
    return parse_numbers(text, "--lanes")


def parse_numbers(text: str, option: str) -> tuple[int, ...]:
    """Whole numbers above 0, separated by commas. Raises UsageError naming the option."""
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or min(numbers) < 1:
        raise UsageError(f"{option} '{printable(text)}': write whole numbers above 0, as 8 or 32,10")
    return numbers


def plan(network: QuantizedNetwork, lanes: Sequence[int] | None = None) -> Plan:
    """The hardware's shape for `lanes` multipliers in each layer.

    With one number per layer, each must divide the layer's neurons, or be a multiple of them
    that divides all its weights: then every neuron takes several inputs per cycle. A single
    number P is every layer's budget: each takes the most lanes up to P that divide its
    neurons, and P must divide those of one layer at least. None is `DEFAULT_LANES`, or fewer
    in narrower networks. Raises UsageError for lanes that do not divide.
    """
    widths = [layer.n_out for layer in network.layers]
    if lanes is None:
        chosen = [_largest_divisor(n, DEFAULT_LANES) for n in widths]
    elif len(lanes) == 1 and len(widths) > 1:
        if all(n % lanes[0] for n in widths):
            raise UsageError(
                f"--lanes {lanes[0]} divides no layer's neurons ({', '.join(map(str, widths))}); "
                f"allowed are the divisors of one of them, or one number per layer"
            )
        chosen = [_largest_divisor(n, lanes[0]) for n in widths]
    elif len(lanes) == len(widths):
        chosen = list(lanes)
    else:
        raise UsageError(f"--lanes has {len(lanes)} numbers; the network has {len(widths)} layers")
    shapes = [
        _split(at, layer.n_in, layer.n_out, p)
        for at, (layer, p) in enumerate(zip(network.layers, chosen, strict=True))
    ]
    layers = []
    for at, (layer, (neurons, inputs)) in enumerate(zip(network.layers, shapes, strict=True)):
        emit = shapes[at + 1][1] if at + 1 < len(shapes) else 1
        if neurons % emit:
            raise UsageError(
                f"--lanes: layer {at + 1} takes {emit} inputs per cycle, so the lanes of layer {at} "
                f"must be a multiple of {emit}; they are {neurons}"
            )
        layers.append(LayerPlan(layer.n_in, layer.n_out, neurons, inputs, emit, layer.activation.name))
    return Plan(tuple(layers))


def _split(at: int, n_in: int, n_out: int, lanes: int) -> tuple[int, int]:
    """(neurons, inputs) whose product is `lanes`."""
    if lanes <= n_out and n_out % lanes == 0:
        return lanes, 1
    if lanes > n_out and lanes % n_out == 0 and n_in % (lanes // n_out) == 0:
        return n_out, lanes // n_out
    raise UsageError(
        f"--lanes {lanes} does not divide layer {at}, {n_in} inputs to {n_out} neurons; allowed are the "
        f"divisors of {n_out}, or {n_out} times a divisor of {n_in}"
    )


def _largest_divisor(n: int, limit: int) -> int:
    return max(d for d in range(1, min(n, limit) + 1) if n % d == 0)


def needs_table(activation: str) -> bool:
    """Whether the activation is a table in a ROM."""
    return activation in TABLES
