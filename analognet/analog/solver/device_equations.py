"""The layers' equations in tinygrad: what `device` has compiled, in float32.

A rectifier's two diodes are solved together. With every current over G_f, so in volts, B = sigma + IS_n -
k IS_p, and w what lies between the outer ends of the two junctions in series, v_p + v_n = -w,

    IS_n e^(v_n / vte) - k IS_p e^(v_p / vte) = B,    e^(v_p / vte) e^(v_n / vte) = W = e^(-w / vte)

is a quadratic equation. Its larger root is taken, and the other from the product, so that nothing cancels.
What Shockley's equation leaves out, GMIN and ngspice's cubic approach to -IS, goes into sigma from the
round before; so do n, by a Newton step, and w.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from analognet.analog.solver.differences import FIRST_ROWS, MATRICES, RECTIFIER_ROWS, STAGE_ROWS
from analognet.analog.solver.layers import LayerEquations
from analognet.analog.solver.rectifier import Rectifier
from analognet.analog.solver.rounding import AGREEMENT_V, SETTLED_V, SUM

if TYPE_CHECKING:
    from tinygrad.tensor import Tensor

LEAST_ROUNDS: Final = 3  # of a rectifier in a pass
PASSES: Final = 2  # forward: with the loads at rest, with those of the pass before
FLICKER: Final = 2.0**-23  # relative change of an output that is rounding and no sign of moving
WRONG, RIGHT, OPEN = 0, 1, 2
UNTRUSTED: Final = 4  # added to them
Rows = dict[str, "Tensor"]


@dataclass(frozen=True, eq=False)
class State:
    """Where a layer's rectifiers are between rounds, (boards, images, n) volts: w and n as above, leak
    what the reverse diode has beyond Shockley's equation as it enters B, o the output.
    """

    w: Tensor
    n: Tensor
    leak: Tensor
    o: Tensor


@dataclass(frozen=True, eq=False)
class Output:
    """A layer's outputs y and summing nodes n; trouble: the square of what y still moves by, in volts,
    or 1 near a clamp. (boards, images, n).
    """

    y: Tensor
    n: Tensor
    trouble: Tensor


def step(
    layers: Sequence[LayerEquations], threshold: float, tensors: Sequence[Tensor]
) -> tuple[Tensor, Tensor]:
    """Codes (boards, images), uint8, and outputs (boards, images, n_out), of one piece and some boards."""
    left = list(tensors)
    inputs = [left.pop(0) for _ in layers]
    bases = [left.pop(0) for _ in layers]
    wanted, reach = left.pop(0), left.pop(0)
    parts = []
    for layer in layers:
        names = MATRICES[:2] if layer.from_source else MATRICES
        parts.append({name: left.pop(0) for name in names})
    constants = [
        _named(p["rows"], RECTIFIER_ROWS if isinstance(layer.amp, Rectifier) else STAGE_ROWS)
        for layer, p in zip(layers, parts, strict=True)
    ]
    fixed = [
        _product(inputs_a, p["delta"], base) for inputs_a, base, p in zip(inputs, bases, parts, strict=True)
    ]
    states: list[State | None] = [None] * len(layers)
    loads: list[Tensor] = [c["b0"] for c in constants]
    bad: Tensor | None = None
    y = inputs[0]
    for turn in range(PASSES):
        last = turn + 1 == PASSES
        nodes, troubles = [], []
        for i, layer in enumerate(layers):
            t = fixed[i]
            if i:
                away = y - inputs[i]
                t = _product(away, parts[i]["full"], t)
                troubles.append(~(away.square().sum(-1) <= reach[:, i].square().reshape(-1, 1)))
            h = y
            if isinstance(layer.amp, Rectifier):
                out, states[i] = rectify(constants[i], t, loads[i], states[i], _rounds(layer.amp))
            else:
                out = _plain(layer, constants[i], t, loads[i])
            y, n = out.y.contiguous(), out.n.contiguous()
            troubles.append(~(out.trouble.sum(-1) <= SETTLED_V**2))
            p = None
            if i:
                p, near = _first(_named(parts[i]["first_rows"], FIRST_ROWS), h.matmul(parts[i]["first"]), n)
                troubles.append(near.max(-1) > 0)
            nodes.append((n, p))
        now = []
        for i, load in enumerate(loads):
            if i + 1 == len(layers) or layers[i].behavioural:
                now.append(load)
                continue
            n, p = nodes[i + 1]
            assert p is not None
            b = (n.matmul(parts[i + 1]["back_n"]) + p.matmul(parts[i + 1]["back_p"])).contiguous()
            by_b = constants[i]["k"] * constants[i]["inv_gf"] if "k" in constants[i] else constants[i]["by_b"]
            troubles.append(~(((b - load) * by_b).square().sum(-1) <= SETTLED_V**2))
            now.append(b)
        loads = now
        if last:
            bad = troubles[0]
            for trouble in troubles[1:]:
                bad = bad | trouble
    assert bad is not None
    return _code(y, wanted, threshold, bad), y.contiguous()


def _product(a: Tensor, matrix: Tensor, base: Tensor) -> Tensor:
    """base + a @ matrix, `SUM` products at a time, base last: so the rounding is what `differences` bounds."""
    total: Tensor | None = None
    for at in range(0, a.shape[-1], SUM):
        part = a[..., at : at + SUM].matmul(matrix[:, at : at + SUM])
        total = part.contiguous() if total is None else (total + part).contiguous()
    assert total is not None
    return (base + total).contiguous()


def _named(rows: Tensor, names: Sequence[str]) -> Rows:
    return {name: rows[:, i : i + 1] for i, name in enumerate(names)}


def _code(y: Tensor, wanted: Tensor, threshold: float, bad: Tensor) -> Tensor:
    """RIGHT or WRONG, OPEN where both are possible within the bound; UNTRUSTED more where outputs are."""
    if y.shape[-1] == 1:
        lead = ((y - threshold) * (2.0 * wanted - 1.0)).sum(-1)
        close = AGREEMENT_V
    else:
        own = (y * wanted).sum(-1)
        lead = own - (y - wanted * 1e6).max(-1)
        close = 2.0 * AGREEMENT_V
    code = (lead.abs() > close).where((lead > 0).where(RIGHT, WRONG), OPEN)
    return (code + bad.where(UNTRUSTED, 0)).cast("uint8").contiguous()


def _plain(layer: LayerEquations, c: Rows, t: Tensor, b: Tensor) -> Output:
    """A layer of plain stages, with behavioural cells where it has them, for sums t."""
    drawn = 0.0 if layer.behavioural else b
    z = t + (c["c"] + c["by_b"] * drawn)
    n = c["p0"] - c["p1"] * z + c["p2"] * drawn
    x = c["h"] * z - c["r_gf"] * n - c["rout"] * drawn
    return Output(_behaviour(layer, z) if layer.behavioural else z, n, _outside(x, c, 0.0))


def _outside(x: Tensor, c: Rows, otherwise: Tensor | float) -> Tensor:
    """1 where x is near a clamp, or no number."""
    result: Tensor = ((x > c["lo"]) & (x < c["hi"])).where(otherwise, 1.0)
    return result


def _first(c: Rows, sums: Tensor, n: Tensor) -> tuple[Tensor, Tensor]:
    """(summing nodes p of first op-amps, 1 where one is near a clamp); absent ones have rows of zeros."""
    u = sums + (c["c"] + c["by_n"] * n)
    p = c["q0"] - c["q1"] * u + c["q2"] * n
    return p.contiguous(), _outside(c["h"] * u - c["r_gf"] * p - c["r_gl"] * n, c, 0.0)


def _behaviour(layer: LayerEquations, z: Tensor) -> Tensor:
    cell = layer.parts.cell
    assert cell is not None
    v, name = cell.params, layer.parts.source.activation.name
    result: Tensor
    if name == "sigmoid":
        result = (z / v["s_in"]).sigmoid() * v["s_out"]
    elif name == "tanh":
        result = (z / v["s_in"]).tanh() * v["s_out"]
    else:
        result = z.maximum(0.0) + v.get("slope", 0.0) * z.minimum(0.0)
    return result


def rectify(c: Rows, t: Tensor, b: Tensor, state: State | None, rounds: int) -> tuple[Output, State]:
    """Some rounds of a layer's rectifiers on from state, as `rectifier.rectify` does in float64.

    t: S / G_f in volts, b: amperes into the output. Small terms are added up before they meet a large one:
    of |o|, rounding takes one unit in the stored sum, one each in t's addition, B, B^2, the radicand, the
    root and `large`, two in o.
    """
    k, vte, b = c["k"], c["vte"], b * c["inv_gf"]
    isp, isn = k * c["isp"], c["isn"]
    if state is None:
        state = State((-t).maximum(0.0), t * 0.0 + c["n0"], t * 0.0, t)
    o = before = state.o
    for _ in range(rounds):
        w, n, leak = (a.contiguous() for a in (state.w, state.n, state.leak))
        before = o
        big_b = t + (c["c"] + k * b - c["d"] * n + leak + (isn - isp))
        q = isn * (-w / vte).exp()
        root = (big_b * big_b + 4.0 * isp * q).sqrt()
        large = (big_b.abs() + root) * 0.5
        small = isp * q / large
        on = big_b < 0
        forward = on.where(large, small)
        leak_p = on.where(0.0, leak) / k
        i_p = (forward - isp) / k + leak_p
        i_n = on.where(small - leak, large) - isn
        v_1 = vte * (large / on.where(isp, isn)).log()
        o = forward + (k * (leak_p + n + b) - isp)
        r_1, i_1 = on.where(c["rp"], c["rn"]), on.where(i_p, i_n)
        drop = v_1 + r_1 * i_1
        x = on.where(o + drop, n - drop) + c["rout"] * (i_p - i_n)
        by_current = vte * on.where(k, 1.0) / large + r_1 + c["rout"]
        slope = on.where(k + c["d"] / k * (k + by_current), 1.0 + c["d"] * by_current)
        beyond = _beyond_shockley(-w - v_1, on.where(c["isn"], c["isp"]), vte, c["gmin"])
        state = State(
            w=o - n + c["rp"] * i_p + c["rn"] * i_n,
            n=n - (n - c["n0"] + x * c["inv_an"]) / (1.0 + slope * c["inv_an"]),
            leak=on.where(-beyond, k * beyond),
            o=o,
        )
    moving = ((o - before).abs() - FLICKER * o.abs()).maximum(0.0)
    return Output(o, state.n, _outside(x, c, moving * moving)), state


def _rounds(amp: Rectifier) -> int:
    """Rounds of a pass: each leaves about IS / (2 G_f vte) of what the one before left."""
    leak = float((np.maximum(amp.dp.i_s, amp.dn.i_s) / amp.g_f).max())
    shrinks = min(0.5, leak / amp.dp.vte / 2.0)
    return max(LEAST_ROUNDS, 1 + int(np.ceil(np.log(SETTLED_V / 10.0 / leak) / np.log(shrinks))))


def _beyond_shockley(v: Tensor, i_s: Tensor, vte: Tensor, gmin: Tensor) -> Tensor:
    """What `devices.junction` has and Shockley's equation has not, over G_f."""
    deep = v < -3.0 * vte
    arg = (3.0 / float(np.e)) * vte / deep.where(v, -3.0 * vte)
    shortfall = i_s * (arg * arg * arg + (v / vte).minimum(0.0).exp())
    result: Tensor = gmin * v - deep.where(shortfall, 0.0)
    return result
