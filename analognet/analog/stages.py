"""Op-amp stages in the time domain, vectorised over neurons and transitions.

The equations are those of `opamp_macro.cir`, of resistors at a summing node, and of two diodes:

    C_in d(h-p)/dt = J - G_s h + G_f (o - h)           the summing node h, J = sum(G v_in)
    C_x dx/dt  = gm (p - h) - gm x / a0 - i(w)       first stage, clamped to the output swing
    C_c dc/dt  = i(w) = i_max tanh(w),  w = (x - c) / limit    the slew limit
    (c - o) / R_out = current into feedback and load

What an output drives is a virtual ground and so nearly a plain load: stages are solved one after
the other, and a second time with what each sends back to the one before it. Each implicit step
(BDF2 on a grid that grows with time) comes down to one equation in w, of which the answer is unique.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from analognet.network import Array

GROWTH: Final = 1.02  # of the time grid from step to step
_GM: Final = 1e-3  # S, the macromodel's first stage


@dataclass(frozen=True)
class Dynamics:
    """An op-amp's numbers, in SI units, as its cell's parameters have them; low, high: its swing;
    limit_v: width of the macromodel's slew limiter; x_share: C_x as a part of C_c.
    """

    gbw: float
    slew: float
    a0: float
    rout: float
    cin: float
    low: float
    high: float
    limit_v: float = 0.01
    x_share: float = 0.01

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
    c_f: float = 0.0,
    c_in: Array | float = 0.0,
) -> Response:
    """A summing amplifier. current: J (K, B, n), of which the first is before the step; g_s (n,)
    from the inputs to the summing node; plus: current (K, B, n) into the + input and conductance
    (n,) there, where it is not at common; back: current (K, B, n) that the load sends into the
    output, as its other end is not quite at common; c_f farads across g_f; c_in at the summing node besides
    the op-amp's own.
    """

    def step(k: int, alpha: float, past: State) -> Step:
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
        at_h = between * (1 - p1) + alpha * c_in + g_s + gff
        at_o = 1 / part.rout + gff + load
        right_h = current[k] + alpha * c_in * h_past - kept_in + between * p0 - kept
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
    def mix(a: float, one: State, b: float, two: State) -> State:
        return State(
            a * one.h + b * two.h, a * one.x + b * two.x, a * one.c + b * two.c, a * one.o + b * two.o
        )


Step = tuple[State, tuple[Array, ...]]


def integrate(
    part: Dynamics, time: Array, state: State, step: Callable[[int, float, State], Step]
) -> list[Array]:
    """What step answers besides the state, over all times, each (K, B, n).

    step(k, alpha, past): the state at time k, with dv/dt = alpha (v - past.v); that is BDF2, or
    Euler's method where the time step grows fast. Before, steps that grow without end find the
    operating point that belongs to the values at time 0.
    """
    for dt in part.tau * 10.0 ** np.arange(0, 10):
        state, seen = step(0, 1.0 / dt, state)
    rows, before = [seen], state
    for k in range(1, len(time)):
        dt = time[k] - time[k - 1]
        ratio = dt / (time[k - 1] - time[k - 2]) if k > 1 else np.inf
        if ratio < 2:
            s = 1 + 2 * ratio
            past = State.mix((1 + ratio) ** 2 / s, state, -(ratio**2) / s, before)
            alpha = s / ((1 + ratio) * dt)
        else:
            past, alpha = state, 1.0 / dt
        before = state
        state, seen = step(k, alpha, past)
        rows.append(seen)
    return [np.stack(column) for column in zip(*rows, strict=True)]


def move(part: Dynamics, alpha: float, past: State, h0: Array, h1: Array) -> tuple[Array, Array, Array]:
    """(w, c, x) after a step in which the - input stands h0 + h1 c above the + input."""
    i_max, cx = part.slew * part.cc, part.cc * part.x_share
    reach = i_max / (part.cc * alpha)  # c can move so far in this step
    a = cx * alpha * reach + i_max + _GM * (h1 + 1 / part.a0) * reach
    b = part.limit_v * (cx * alpha + _GM / part.a0)
    s = -_GM * (h0 + h1 * past.c) - cx * alpha * (past.c - past.x) - _GM / part.a0 * past.c
    w = _solve_limiter(a, b, s)
    c = past.c + reach * np.tanh(w)
    x = c + part.limit_v * w
    for bound, beyond in ((part.high, x > part.high), (part.low, x < part.low)):
        if beyond.any():  # the clamp holds x, and c follows it
            held = _solve_limiter(np.full_like(x, reach), part.limit_v, bound - past.c)
            w = np.where(beyond, held, w)
            c = past.c + reach * np.tanh(w)
            x = np.where(beyond, bound, c + part.limit_v * w)
    return w, c, x


def _solve_limiter(a: Array, b: Array | float, s: Array) -> Array:
    """w of `a tanh(w) + b w = s`, a and b above 0: Newton from the side where it cannot overshoot."""
    sign, s = np.sign(s), np.abs(s)
    share = s / a
    w = np.where(share < 0.9, np.arctanh(np.minimum(share, 0.9) * a / (a + b)), np.maximum((s - a) / b, 1.3))
    for _ in range(4):
        t = np.tanh(w)
        w = w - (a * t + b * w - s) / (a * (1 - t * t) + b)
    return sign * w


def dynamics(defaults: Mapping[str, float], swing: tuple[float, float], macro: str = "") -> Dynamics:
    """An op-amp's dynamics from its cell's parameters and the macromodel's text.

    Raises KeyError for a part without them.
    """
    limit_v, x_share = macro_constants(macro)
    return Dynamics(
        gbw=defaults["gbw"],
        slew=defaults["slew"],
        a0=defaults["a0"],
        rout=defaults["rout"],
        cin=defaults.get("cin", 0.0),
        low=swing[0],
        high=swing[1],
        limit_v=limit_v,
        x_share=x_share,
    )


def macro_constants(text: str) -> tuple[float, float]:
    """(width of the slew limiter in V, C_x over C_c) as `opamp_macro.cir` has them."""
    limiter = re.search(r"^Bsl .*tanh\(\(v\(x\)-v\(c\)\)/([0-9.eE+-]+)\)", text, re.MULTILINE)
    share = re.search(r"^Cx x 0 \{cc/([0-9.eE+]+)\}", text, re.MULTILINE)
    return float(limiter.group(1)) if limiter else 0.01, 1 / float(share.group(1)) if share else 0.01
