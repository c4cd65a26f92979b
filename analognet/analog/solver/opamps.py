"""The op-amp's equations: those of `opamp_macro`, in closed form where its clamps do not conduct.

At DC the macro is, with g = gm / 2 CMRR, and x the node that holds gain and clamps (v(c) = v(x), since
the slew limiter carries no current):

    x:    (gm + g) v_p - (gm - g) v_n + gm vos - (gm / a0) x - D(x - hi) + D(lo - x) = 0
    out:  (x - v_out) / rout = current out of the pin
    pins: inp draws ib + ios / 2, inn draws ib - ios / 2

D is the clamp diode. Reverse biased by more than `margin` it is -IS + GMIN v to far below any
tolerance; the two -IS cancel, and x is linear in the inputs:

    x = a_p v_p - a_n v_n + x_0
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analognet.analog.solver.devices import GMIN, Diode, diode
from analognet.analog.solver.parts import OpampPart
from analognet.network import Array

GM: Final = 1e-3  # S, opamp_macro's gm
INSET: Final = 0.05  # V, by which the clamps' references stand inside the swing
CLAMP_LEAK: Final = 1e-16  # A, of a clamp beyond -IS + GMIN v, at the margin: 1e-13 V at the input
Selection = slice | NDArray[np.int64] | NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Opamps:
    """A row of n op-amps at a temperature and on given rails; every field (n,), SI units.

    a_p, a_n, x_0: the linear map above; an ideal part has rout 0, a_p = a_n = a0 and no clamps.
    hi, lo: the clamps' references, rails less drops and inset; clamp: the clamp diodes; margin: V from hi
    and lo that x must keep for the linear map to hold.
    """

    ideal: bool
    a0: Array
    vos: Array
    i_p: Array
    i_n: Array
    rout: Array
    cmrr: Array
    hi: Array
    lo: Array
    clamp: Diode
    margin: float
    gbw: Array
    slew: Array
    cin: Array
    en: Array
    i_noise: Array
    iq: Array

    @property
    def k_p(self) -> Array:
        """(n,) S, current into x per volt at inp."""
        return GM * (1.0 + 0.5 / self.cmrr)

    @property
    def k_n(self) -> Array:
        """(n,) S, current out of x per volt at inn."""
        return GM * (1.0 - 0.5 / self.cmrr)

    @property
    def g_x(self) -> Array:
        """(n,) S from x to ground, the clamps' GMIN included."""
        return GM / self.a0 + (0.0 if self.ideal else 2.0 * GMIN)

    @property
    def i_x(self) -> Array:
        """(n,) A into x that no signal causes: offset, and GMIN from hi and lo."""
        return GM * self.vos + (0.0 if self.ideal else GMIN * (self.hi + self.lo))

    @property
    def a_p(self) -> Array:
        return self.k_p / self.g_x

    @property
    def a_n(self) -> Array:
        return self.k_n / self.g_x

    @property
    def x_0(self) -> Array:
        return self.i_x / self.g_x

    def clips(self, x: Array) -> NDArray[np.bool_]:
        """Where x (..., n) is too near to a clamp for the linear map."""
        if self.ideal:
            return np.zeros(x.shape, dtype=bool)
        near: NDArray[np.bool_] = (x > self.hi - self.margin) | (x < self.lo + self.margin)
        return near

    def take(self, index: Selection) -> Opamps:
        """The op-amps at these positions."""
        fields = {
            k: getattr(self, k)[index]
            for k in ("a0", "vos", "i_p", "i_n", "rout", "cmrr", "hi", "lo", "gbw", "slew", "cin", "en",
                      "i_noise", "iq")
        }  # fmt: skip
        clamp = replace(self.clamp, i_s=self.clamp.i_s[index])
        return replace(self, clamp=clamp, **fields)


def opamps(
    part: OpampPart,
    n: int,
    kelvin: float,
    vdd: float,
    vss: float,
    vos: ArrayLike | None = None,
    a0_factor: ArrayLike = 1.0,
    gbw_factor: ArrayLike = 1.0,
) -> Opamps:
    """A row of n op-amps of one kind; vos in volts where it is not the part's own, factors on a0 and gbw."""

    def row(value: ArrayLike) -> Array:
        return np.broadcast_to(np.asarray(value, dtype=np.float64), (n,)).copy()

    v = part.values
    if part.ideal:
        none = diode({"is": 0.0, "rs": 0, "n": 1, "eg": 1, "xti": 0, "cjo": 0, "vj": 1, "m": 0.5, "tt": 0,
                      "fc": 0.5}, kelvin)  # fmt: skip
        zero, never = row(0.0), row(np.inf)
        return Opamps(
            True, row(v["a0"]) * row(a0_factor), zero, zero, zero, zero, never, never, -never,
            replace(none, i_s=zero), 0.0, zero, zero, zero, zero, zero, zero,
        )  # fmt: skip
    clamp = diode(part.clamp, part.clamp_kelvin or kelvin, np.ones(n))
    # IS (3 vte / e m)^3 = CLAMP_LEAK, ngspice's reverse current beyond -IS, solved for the margin m
    margin = 3.0 * clamp.vte / np.e * float(np.cbrt(np.max(clamp.i_s) / CLAMP_LEAK))
    return Opamps(
        ideal=False,
        a0=row(v["a0"]) * row(a0_factor),
        vos=row(v["vos"] if vos is None else vos),
        i_p=row(v["ib"] + v["ios"] / 2.0),
        i_n=row(v["ib"] - v["ios"] / 2.0),
        rout=row(v["rout"]),
        cmrr=row(v["cmrr"]),
        hi=row(vdd - v["drop_hi"] - INSET),
        lo=row(vss + v["drop_lo"] + INSET),
        clamp=clamp,
        margin=max(margin, 3.0 * clamp.vte),
        gbw=row(v["gbw"]) * row(gbw_factor),
        slew=row(v["slew"]),
        cin=row(v["cin"]),
        en=row(v["en"]),
        i_noise=row(v["in"]),
        iq=row(v["iq"]),
    )
