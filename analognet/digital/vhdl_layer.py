"""The VHDL of one layer: its entity, and the package of its constants."""

from __future__ import annotations

import itertools

from analognet.digital.fixedpoint import width
from analognet.digital.quantized import TABLES, QuantizedLayer
from analognet.digital.schedule import LayerPlan
from analognet.digital.text import count, fill, index_bits, pack, rom


def render_data(k: int, layer: QuantizedLayer, shape: LayerPlan) -> str:
    """The package of a layer's constants."""
    w_bits, acc = layer.weight_format.bits, layer.acc_bits
    words, notes = [], {}
    for group in range(shape.passes):
        rows = slice(group * shape.neurons, (group + 1) * shape.neurons)
        notes[group * shape.beats] = f"neurons {rows.start} to {rows.stop - 1}"
        for beat in range(shape.beats):
            block = layer.weight[rows, beat * shape.inputs : (beat + 1) * shape.inputs]
            words.append(pack(block.reshape(-1), w_bits))
    half = (1 << layer.shift) >> 1
    biases = (layer.bias + half).reshape(-1, shape.emit)
    parts = [
        rom(
            "weights",
            f"weights {layer.weight_format}: one word per beat; neuron n of the pass and input i of the beat at "
            f"bits {w_bits} * (n * {shape.inputs} + i)",
            words,
            shape.lanes * w_bits,
            notes,
        ),
        rom(
            "bias",
            f"biases with 2**{layer.x.frac + layer.weight_format.frac} for 1.0, and the half of the rounding, {half}",
            [pack(row, acc) for row in biases],
            shape.emit * acc,
            {},
        ),
    ]
    if layer.activation.name in TABLES:
        table = layer.table
        # address: the index with its sign bit inverted, so from the lowest up
        parts.append(
            rom(
                "table",
                f"{layer.activation.name}: {layer.y} for every index {layer.pre}, the lowest first",
                [int(v) & ((1 << layer.y.bits) - 1) for v in table],
                layer.y.bits,
                {},
            )
        )
    body = "\n".join(parts)
    return (
        f"-- an_layer{k}_data: the constants of layer {k}, written by AnalogNet.\n"
        "-- sB.F is a two's complement number of B bits of which F are a fraction.\n\n"
        "library ieee;\nuse ieee.std_logic_1164.all;\n\n"
        f"package an_layer{k}_data is\n\n{body}\nend package an_layer{k}_data;\n"
    )


def render_layer(k: int, layer: QuantizedLayer, shape: LayerPlan) -> str:
    beat_bits = index_bits(shape.beats)
    buffered = shape.passes > 1
    single = "1" if shape.beats == 1 else "0"
    before_last = max(shape.beats - 2, 0)
    side = fill(
        "input_buffered.vhd" if buffered else "input_direct.vhd", single=single, beat_before_last=before_last
    )
    constants, types, input_signals = "", "", "  signal s_ready : std_logic;\n"
    if buffered:
        depth = 2 << beat_bits
        constants = (
            f"  constant C_PASSES  : positive := {shape.passes};  -- groups of neurons, one after the other\n"
        )
        types = (
            f"  type t_buffer is array ({depth - 1} downto 0) of "
            f"std_logic_vector({shape.inputs * layer.x.bits - 1} downto 0);\n"
        )
        input_signals = fill(
            "buffered_signals.vhd",
            beat_high=beat_bits - 1,
            pass_high=index_bits(shape.passes) - 1,
            address_high=index_bits(max(shape.passes * shape.beats, 2)) - 1,
        )
    mac = _mac(layer, shape)
    finish_signals, finish = _finish(layer, shape)
    return fill(
        "layer.vhd",
        header=_header(k, layer, shape),
        name=f"an_layer{k}",
        inputs=shape.inputs,
        emit=shape.emit,
        neurons=shape.neurons,
        beats=shape.beats,
        x_high=shape.inputs * layer.x.bits - 1,
        y_high=shape.emit * layer.y.bits - 1,
        x_bits=layer.x.bits,
        w_bits=layer.weight_format.bits,
        acc_bits=layer.acc_bits,
        y_bits=layer.y.bits,
        constants=constants,
        types=types,
        beat_high=beat_bits - 1,
        input_signals=input_signals,
        input_side=side.rstrip("\n") + "\n",
        left_high=index_bits(shape.emits) - 1,
        left_last=shape.emits - 1,
        group_high=index_bits(max(layer.n_out // shape.emit, 2)) - 1,
        group_last=layer.n_out // shape.emit - 1,
        output_signals=finish_signals,
        finish=finish,
        **mac,
    )


def _header(k: int, layer: QuantizedLayer, shape: LayerPlan) -> str:
    passes = "1 pass" if shape.passes == 1 else f"{shape.passes} passes"
    lines = [
        f"an_layer{k}: layer {k}, {layer.n_in} inputs to {layer.n_out} neurons, {layer.activation}.",
        "",
        f"{shape.lanes} lanes: {shape.neurons} neurons x {count(shape.inputs, 'input')} per cycle, "
        f"{passes} of {count(shape.beats, 'beat')}.",
        f"x {layer.x}, weights {layer.weight_format}, sums {layer.acc_bits} bits, y {layer.y}; "
        "sB.F has B bits, of them F a fraction.",
        f"A vector takes {shape.interval} cycles; its last output follows its last input after "
        f"{shape.latency + shape.emits - 1}.",
    ]
    return "".join(f"-- {line}".rstrip() + "\n" for line in lines)


def _mac(layer: QuantizedLayer, shape: LayerPlan) -> dict[str, str]:
    """Valid chain, adder tree and accumulator input; without a tree the product goes straight in."""
    product = 3 + shape.memory_wait  # pipeline stage that holds products; the one before, operands
    stages = [f"s{at}" for at in range(1, product + shape.tree + 1)]
    fed = stages[: product - 1]
    declared = (
        ("_x", "std_logic_vector(C_INPUTS * C_X_BITS - 1 downto 0)", fed),
        ("_w", "std_logic_vector(C_NEURONS * C_INPUTS * C_W_BITS - 1 downto 0)", fed),
        ("_product", "t_product", [f"s{product}"]),
        ("_valid", "std_logic", stages),
        ("_last", "std_logic", stages),
    )
    signals = "".join(
        f"  signal {', '.join(s + suffix for s in names)} : {kind};\n" for suffix, kind, names in declared
    )
    moves = "".join(f"      {b}_x <= {a}_x;\n      {b}_w <= {a}_w;\n" for a, b in itertools.pairwise(fed))
    chain = ["s1_valid <= s_issue;", "s1_last <= s_issue and s_last;"]
    for a, b in itertools.pairwise(stages):
        chain += [f"{b}_valid <= {a}_valid;", f"{b}_last <= {a}_last;"]
    chain.append(f"s_done <= {stages[-1]}_last;")
    reset = (
        [f"{s}_valid <= '0';" for s in stages] + [f"{s}_last <= '0';" for s in stages] + ["s_done <= '0';"]
    )
    indent = "        "
    tree, term = "", f"s{product}_product(n)"
    count, bits, source = shape.inputs, layer.x.bits + layer.weight_format.bits, f"s{product}_product"
    steps = []
    for level in range(shape.tree):
        half = (count + 1) // 2
        name = f"s{product + 1 + level}_sum"
        signals += (
            f"  type t_tree{level} is array (0 to C_NEURONS * {half} - 1) of signed({bits} downto 0);\n"
            f"  signal {name} : t_tree{level};\n"
        )
        steps += [
            f"        for i in 0 to {count // 2 - 1} loop",
            f"          {name}(n * {half} + i) <= resize({source}(n * {count} + 2 * i), {bits + 1})",
            f"            + resize({source}(n * {count} + 2 * i + 1), {bits + 1});",
            "        end loop;",
        ]
        if count % 2:
            steps.append(
                f"        {name}(n * {half} + {half - 1}) <= resize({source}(n * {count} + {count - 1}), {bits + 1});"
            )
        count, bits, source, term = half, bits + 1, name, f"{name}(n)"
    if steps:
        tree = (
            "\n  -- Adder tree: joins the products of one cycle, one register per level.\n"
            "  p_tree : process (clk_i)\n  begin\n    if rising_edge(clk_i) then\n"
            "      for n in 0 to C_NEURONS - 1 loop\n" + "\n".join(steps) + "\n      end loop;\n"
            "    end if;\n  end process p_tree;\n"
        )
    return {
        "mac_signals": signals,
        "operand_moves": moves,
        "operand": f"s{product - 1}",
        "product": f"s{product}",
        "valid_reset": "".join(f"{indent}{line}\n" for line in reset),
        "valid_chain": "".join(f"{indent}{line}\n" for line in chain),
        "tree": tree,
        "acc_valid": f"{stages[-1]}_valid",
        "acc_term": term,
    }


def _finish(layer: QuantizedLayer, shape: LayerPlan) -> tuple[str, str]:
    """Signals and processes from the biased sum to the output register."""
    name = layer.activation.name
    pre = layer.pre.bits
    rounded = f"an_saturate(an_floor_shift(s_sum(e), {layer.shift}), {pre})"
    put = f"s_y((e + 1) * C_Y_BITS - 1 downto e * C_Y_BITS) <=\n{' ' * 12}std_logic_vector({{}});"
    stages: list[str] = ["s_sum_valid"]
    signals, steps, comment = "", [], ""
    if name == "linear":
        steps = [put.format(rounded)]
        comment = f"bias, rounding by {layer.shift} bits, saturation"
    elif name == "relu":
        steps = [put.format(f"an_relu({rounded})")]
        comment = f"bias, rounding by {layer.shift} bits, saturation, relu"
    elif name == "leaky_relu":
        one = 1 << layer.slope_frac
        factor = max(width(layer.slope_int, layer.slope_int), width(one, one))
        bits = pre + factor + 1
        signals = (
            f"  type t_z is array (0 to C_EMIT - 1) of signed({pre - 1} downto 0);\n"
            f"  type t_scaled is array (0 to C_EMIT - 1) of signed({bits - 1} downto 0);\n"
            "  signal s_z : t_z;\n"
            "  signal s_scaled : t_scaled;\n"
            "  signal s_rounded : t_scaled;\n"
            "  signal s_z_valid : std_logic;\n"
            "  signal s_scaled_valid : std_logic;\n"
            "  signal s_rounded_valid : std_logic;\n"
        )
        stages += ["s_z_valid", "s_scaled_valid", "s_rounded_valid"]
        steps = [
            f"s_z(e) <= {rounded};",
            f"if s_z(e)({pre - 1}) = '1' then",
            f"  s_scaled(e) <= resize(s_z(e) * to_signed({layer.slope_int}, {factor}), {bits});",
            "else",
            f"  s_scaled(e) <= resize(s_z(e) * to_signed({one}, {factor}), {bits});",
            "end if;",
            f"s_rounded(e) <= s_scaled(e) + an_half({layer.slope_shift}, {bits});",
            put.format(f"an_saturate(an_floor_shift(s_rounded(e), {layer.slope_shift}), C_Y_BITS)"),
        ]
        comment = f"bias, rounding to {pre} bits, slope {layer.slope_int} / {one} below zero, rounding"
    else:
        signals = (
            f"  type t_index is array (0 to C_EMIT - 1) of signed({pre - 1} downto 0);\n"
            "  type t_entry is array (0 to C_EMIT - 1) of std_logic_vector(C_Y_BITS - 1 downto 0);\n"
            "  signal s_index : t_index;\n"
            "  signal s_entry : t_entry;\n"
            "  signal s_index_valid : std_logic;\n"
            "  signal s_entry_valid : std_logic;\n"
        )
        stages += ["s_index_valid", "s_entry_valid"]
        steps = [
            f"s_index(e) <= {rounded};",
            f"s_entry(e) <= C_TABLE(to_integer(unsigned(s_index(e) xor an_half({pre}, {pre}))));",
            put.format("s_entry(e)"),
        ]
        comment = f"bias, rounding by {layer.shift} bits to a table index of {pre} bits, table of {name}"
    stages.append("s_y_valid")
    valid_reset = "".join(f"        {s} <= '0';\n" for s in stages)
    valid_chain = "        s_sum_valid <= s_full;\n" + "".join(
        f"        {b} <= {a};\n" for a, b in itertools.pairwise(stages)
    )
    text = fill(
        "finish.vhd",
        comment=comment,
        valid_reset=valid_reset.rstrip("\n"),
        valid_chain=valid_chain.rstrip("\n"),
        steps="\n".join(" " * 10 + s for s in steps),
    )
    return signals, text.rstrip("\n") + "\n"
