"""Op-amp stages in the time domain, vectorised over neurons and transitions.

The equations are those of `opamp_macro.cir`, of resistors at a summing node, and of two diodes:

    C_in d(h-p)/dt = J - G_s h + G_f (o - h)           the summing node h, J = sum(G v_in)
    C_x dx/dt  = gm (p - h) - gm x / a0 - i(w) - e(x - c)      first stage, clamped to the output swing
    e(u) = gm (u - U tanh(u / U))    what it gives beyond the slew limit goes nowhere
    C_c dc/dt  = i(w) = i_max tanh(w),  w = (x - c) / limit    the slew limit
    (c - o) / R_out = current into feedback and load

What an output drives is a virtual ground and so nearly a plain load: stages are solved one after
the other, and a second time with what each sends back to the one before it. Each implicit step
(BDF3 on a grid that grows with time) comes down to one equation in w, of which the answer is unique.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from analognet.network import Array

GROWTH: Final = 1.02  # of the time grid from step to step
_ORDER: Final = 3  # of the backward differentiation formula
_GM: Final = 1e-3  # S, the macromodel's first stage
_LIMITER_ITERATIONS: Final = 12  # of Newton's method; two or three are usual


@dataclass(frozen=True)
class Macro:
    """Constants of `opamp_macro.cir`. limit_v: width of the slew limiter, V; x_share: C_x over C_c;
    excess_v: U above, V.
    """

    limit_v: float = 0.01
    x_share: float = 0.01
    excess_v: float = 0.05


@dataclass(frozen=True)
class Dynamics:
    """An op-amp's numbers, in SI units, as its cell's parameters have them; low, high: its swing;
    macro: what the macromodel's text says.
    """

    gbw: float
    slew: float
    a0: float
    rout: float
    cin: float
    low: float
    high: float
    macro: Macro = Macro()

    @property
    def cc(self) -> float:
        return _GM / (2 * np.pi * self.gbw)

    @property
    def tau(self) -> float:
        """Seconds of a unity-gain follower."""
        return 1.0 / (2 * np.pi * self.gbw)


@dataclass(frozen=True, eq=False)
class Response:
    """(K, B, n) each. out: output voltage, or a rectifier's positive node; other: its negative
    node; i_out: current out of the op-amp; minus, plus: its inputs.
    """

    out: Array
    i_out: Array
    minus: Array
    plus: Array
    other: Array


def grid(tau: float, length: float) -> Array:
    """Times (K,) from 0: geometric from a part of tau to length, then to (almost) for ever."""
    first = 0.03 * tau
    steps = int(np.ceil(np.log(length / first) / np.log(GROWTH)))
    fine = first * GROWTH ** np.arange(steps + 1)
    return np.concatenate([[0.0], fine, fine[-1] * 10.0 ** np.arange(1, 7)])


def amplifier(
    part: Dynamics,
    time: Array,
    current: Array,
    g_s: Array,
    g_f: Array,
    load: Array | float = 0.0,
    *,
    plus: tuple[Array, Array] | None = None,
    back: Array | None = None,
    c_f: Array | float = 0.0,
    c_in: Array | float = 0.0,
) -> Response:
    """A summing amplifier. current: J (K, B, n), of which the first is before the step; g_s (n,),
    or (K, B, n) where it changes, from the inputs to the summing node; plus: current (K, B, n)
    into the + input and conductance (n,) there, where it is not at common; back: current
    (K, B, n) that the load sends into the output, as its other end is not quite at common; c_f farads
    across g_f; c_in at the summing node besides the op-amp's own, as g_s.
    """

    def step(k: int, alpha: float, past: State) -> Step:
        at_minus = c_in[k] if np.ndim(c_in) == 3 else c_in  # type: ignore[index]
        between = alpha * part.cin  # from + to - input, which hold a charge of (p - h) from the past
        h_past, p_past = past.h[..., 0], past.h[..., 1]
        kept_in = between * (p_past - h_past)
        p0: Array | float = 0.0
        p1: Array | float = 0.0
        if plus is not None:
            p0 = (plus[0][k] + kept_in) / (plus[1] + between)
            p1 = between / (plus[1] + between)
        gff = g_f + alpha * c_f
        kept = alpha * c_f * (past.o - h_past)
        into_o = kept if back is None else kept + back[k]
        at_h = between * (1 - p1) + alpha * at_minus + (g_s if g_s.ndim == 1 else g_s[k]) + gff
        at_o = 1 / part.rout + gff + load
        right_h = current[k] + alpha * at_minus * h_past - kept_in + between * p0 - kept
        # two linear equations in h and o for a given c
        det = at_h * at_o - gff * gff
        h0 = (right_h * at_o + gff * into_o) / det
        h1 = gff / part.rout / det
        _, c, x = move(part, alpha, past, (1 - p1) * h0 - p0, (1 - p1) * h1)
        h = h0 + h1 * c
        o = (c / part.rout + gff * h + into_o) / at_o
        p = p0 + p1 * h
        return State(np.stack([h, p], axis=-1), x, c, o), (o, (c - o) / part.rout, h, p)

    zero = np.zeros_like(current[0])
    start = State(np.stack([zero, zero], axis=-1), zero, zero, zero)
    out, drawn, minus, at_plus = integrate(part, time, start, step)
    return Response(out, drawn, minus, at_plus, out)


@dataclass(frozen=True, eq=False)
class State:
    """One time, each (B, n): node voltages in V. h is whatever a stage needs of its other nodes."""

    h: Array
    x: Array
    c: Array
    o: Array

    @staticmethod
    def mix(weights: Sequence[float], states: Sequence[State]) -> State:
        """The weighted sum of states."""

        def total(name: str) -> Array:
            found: Array = np.sum(
                [w * getattr(s, name) for w, s in zip(weights, states, strict=True)], axis=0
            )
            return found

        return State(total("h"), total("x"), total("c"), total("o"))


Step = tuple[State, tuple[Array, ...]]


def integrate(
    part: Dynamics, time: Array, state: State, step: Callable[[int, float, State], Step]
) -> list[Array]:
    """What step answers besides the state, over all times, each (K, B, n).

    step(k, alpha, past): the state at time k, with dv/dt = alpha (v - past.v); that is BDF3, or a
    lower order where the time step grows fast. Before, steps that grow without end find the
    operating point that belongs to the values at time 0.
    """
    for dt in part.tau * 10.0 ** np.arange(0, 10):
        state, seen = step(0, 1.0 / dt, state)
    rows, states = [seen], [state]
    for k in range(1, len(time)):
        fast = k > 1 and time[k] - time[k - 1] > 2 * (time[k - 1] - time[k - 2])
        states = states[-1:] if fast else states[-_ORDER:]
        alpha, weights = _difference(time[k - len(states) : k + 1])
        state, seen = step(k, alpha, State.mix(weights, states))
        states.append(state)
        rows.append(seen)
    return [np.stack(column) for column in zip(*rows, strict=True)]


def _difference(time: Array) -> tuple[float, list[float]]:
    """(alpha, weights): dv/dt = alpha (v - sum(weights v before)) at the last of these times, by the
    polynomial through all of them (Lagrange).
    """
    now, before = time[-1], time[:-1]
    alpha = float((1 / (now - before)).sum())
    weights = []
    for j, t in enumerate(before):
        others = np.delete(before, j)
        weights.append(float(np.prod((now - others) / (t - others)) / (now - t)) / alpha)
    return alpha, weights


def move(part: Dynamics, alpha: float, past: State, h0: Array, h1: Array) -> tuple[Array, Array, Array]:
    """(w, c, x) after a step in which the - input stands h0 + h1 c above the + input."""
    macro = part.macro
    i_max, cx = part.slew * part.cc, part.cc * macro.x_share
    reach = i_max / (part.cc * alpha)  # c can move so far in this step
    a = cx * alpha * reach + i_max + _GM * (h1 + 1 / part.a0) * reach
    b = macro.limit_v * (cx * alpha + _GM / part.a0)
    s = -_GM * (h0 + h1 * past.c) - cx * alpha * (past.c - past.x) - _GM / part.a0 * past.c
    w = _solve_limiter(a, b, s, macro)
    c = past.c + reach * np.tanh(w)
    x = c + macro.limit_v * w
    for bound, beyond in ((part.high, x > part.high), (part.low, x < part.low)):
        if beyond.any():  # the clamp holds x, and c follows it
            held = _solve_limiter(np.full_like(x, reach), macro.limit_v, bound - past.c)
            w = np.where(beyond, held, w)
            c = past.c + reach * np.tanh(w)
            x = np.where(beyond, bound, c + macro.limit_v * w)
    return w, c, x


def _solve_limiter(a: Array, b: float, s: Array, macro: Macro | None = None) -> Array:
    """w of `a tanh(w) + b w [+ e(limit_v w)] = s`, a and b above 0: Newton's method between bounds."""
    sign, s = np.sign(s), np.abs(s)
    g, width = (_GM * macro.limit_v, macro.excess_v / macro.limit_v) if macro else (0.0, 1.0)
    share = s / a
    # e(u) lies between gm (u - U) and gm u
    low = np.maximum((s - a) / (b + g), 0.0)
    high = (s + g * width) / (b + g)
    start = np.maximum((s - a + g * width) / (b + g), 1.3)
    w = np.where(share < 0.9, np.arctanh(np.minimum(share, 0.9) * a / (a + b)), start)
    for _ in range(_LIMITER_ITERATIONS):
        w = np.where((w >= low) & (w <= high), w, 0.5 * (low + high))
        t, e = np.tanh(w), np.tanh(w / width)
        f = a * t + b * w + g * (w - width * e) - s
        low, high = np.where(f < 0, w, low), np.where(f > 0, w, high)
        step = f / (a * (1 - t * t) + b + g * e * e)
        w = w - step
        if np.abs(step).max() < 1e-9:
            break
    return sign * w


def dynamics(defaults: Mapping[str, float], swing: tuple[float, float], macro: str = "") -> Dynamics:
    """An op-amp's dynamics from its cell's parameters and the macromodel's text.

    Raises KeyError for a part without them.
    """
    return Dynamics(
        gbw=defaults["gbw"],
        slew=defaults["slew"],
        a0=defaults["a0"],
        rout=defaults["rout"],
        cin=defaults.get("cin", 0.0),
        low=swing[0],
        high=swing[1],
        macro=macro_constants(macro),
    )


def macro_constants(text: str) -> Macro:
    """The constants as `opamp_macro.cir` has them; those of `Macro` where the text is another."""
    found = {
        "limit_v": re.search(r"^Bsl .*tanh\(\(v\(x\)-v\(c\)\)/([0-9.eE+-]+)\)", text, re.MULTILINE),
        "excess_v": re.search(r"^Bex .*tanh\(\(v\(x\)-v\(c\)\)/([0-9.eE+-]+)\)", text, re.MULTILINE),
        "x_share": re.search(r"^Cx x 0 \{cc/([0-9.eE+]+)\}", text, re.MULTILINE),
    }
    values = {name: float(match.group(1)) for name, match in found.items() if match}
    if "x_share" in values:
        values["x_share"] = 1 / values["x_share"]
    return Macro(**values)
