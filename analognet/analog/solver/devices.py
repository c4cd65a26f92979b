"""Diodes and transistors as ngspice 39 computes them: the same equations, constants and branches.

Units: volts, amperes, siemens, farads, kelvin. Every value may be an array; shapes broadcast.
Sources: ngspice 39 `dioload.c`, `diotemp.c`, `bjtload.c`, `bjttemp.c`, `const.h`; A. Vladimirescu,
The SPICE Book, Wiley 1994, chapters 3 and appendix A, for the equations themselves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analognet.errors import InputError
from analognet.network import Array

BOLTZMANN: Final = 1.38064852e-23  # J/K, ngspice's CONSTboltz, and not the SI's exact value of 2019
CHARGE: Final = 1.6021766208e-19  # C, ngspice's CHARGE
ZERO_C: Final = 273.15  # K
NOMINAL_K: Final = 300.15  # TNOM, at which model parameters hold
GMIN: Final = 1e-12  # S across every junction

DIODE_DEFAULTS: Final = {
    "is": 1e-14, "rs": 0.0, "n": 1.0, "eg": 1.11, "xti": 3.0,
    "cjo": 0.0, "vj": 1.0, "m": 0.5, "tt": 0.0, "fc": 0.5, "bv": np.inf, "ibv": 1e-3,
}  # fmt: skip
TRANSISTOR_DEFAULTS: Final = {
    "is": 1e-16, "bf": 100.0, "br": 1.0, "nf": 1.0, "nr": 1.0, "vaf": np.inf, "eg": 1.11, "xti": 3.0,
    "xtb": 0.0, "cje": 0.0, "vje": 0.75, "mje": 0.33, "cjc": 0.0, "vjc": 0.75, "mjc": 0.33, "fc": 0.5,
    "tf": 0.0, "tr": 0.0,
}  # fmt: skip


def parse_model(text: str) -> tuple[str, dict[str, float]]:
    """(`d` or `npn`, parameters with defaults) of one `.model` card. Raises InputError for any other."""
    found = re.fullmatch(r"\s*\.model\s+(\S+)\s+(\w+)\s*\((.*)\)\s*", text, re.IGNORECASE | re.DOTALL)
    if not found:
        raise InputError(f"the solver cannot read the model card '{text.strip()[:80]}'")
    name, kind, body = found.group(1), found.group(2).lower(), found.group(3)
    defaults = {"d": DIODE_DEFAULTS, "npn": TRANSISTOR_DEFAULTS}.get(kind)
    if defaults is None:
        raise InputError(f"model '{name}': the solver knows diodes and NPN transistors, not {kind}")
    values = dict(defaults)
    for key, value in re.findall(r"(\w+)\s*=\s*([^\s=]+)", body):
        if key.lower() not in defaults:
            raise InputError(
                f"model '{name}': the solver has no parameter {key}; it has {', '.join(defaults)}"
            )
        values[key.lower()] = float(value)
    return kind, values


def thermal_voltage(kelvin: float) -> float:
    """kT/q in volts."""
    return BOLTZMANN * kelvin / CHARGE


def junction(v: Array, i_s: ArrayLike, vte: ArrayLike, gmin: float = GMIN) -> tuple[Array, Array]:
    """(current, conductance) of a junction at voltage v, with saturation current and N kT/q.

    Shockley's equation down to -3 N kT/q, below it ngspice's cubic approach to -IS, and gmin in
    parallel throughout.
    """
    i_s, vte = np.asarray(i_s), np.asarray(vte)
    e = np.exp(np.minimum(v / vte, 600.0))
    reverse = v < -3.0 * vte
    arg = (3.0 / np.e) * vte / np.where(reverse, v, -1.0)
    cube = arg * arg * arg
    i = np.where(reverse, -i_s * (1.0 + cube), i_s * (e - 1.0))
    g = np.where(reverse, 3.0 * i_s * cube / np.where(reverse, v, -1.0), i_s * e / vte)
    return i + gmin * v, g + gmin


def limit(v_new: Array, v_old: Array, i_s: ArrayLike, vte: ArrayLike) -> tuple[Array, Array]:
    """SPICE's junction limiting (`DEVpnjlim`): a Newton step no longer than the exponential bears.

    Answers the limited voltage and where it was limited.
    """
    vte = np.broadcast_to(np.asarray(vte, dtype=np.float64), v_new.shape)
    v_crit = vte * np.log(vte / (np.sqrt(2.0) * np.asarray(i_s)))
    step = v_new - v_old
    far = (v_new > v_crit) & (np.abs(step) > 2.0 * vte)
    from_on = v_old > 0
    arg = 1.0 + step / vte
    with np.errstate(invalid="ignore", divide="ignore"):
        up = np.where(arg > 0, v_old + vte * np.log(np.where(arg > 0, arg, 1.0)), v_crit)
        start = vte * np.log(np.where(v_new > 0, v_new, vte) / vte)
    limited = np.where(far, np.where(from_on, up, start), v_new)
    return limited, far


@dataclass(frozen=True, eq=False)
class Diode:
    """A diode at a temperature: i_s A, vte = N kT/q in V, r_s Ohm in series; cj0 F, vj V, m, tt s, fc."""

    i_s: Array
    vte: float
    r_s: Array
    cj0: Array
    vj: float
    m: float
    tt: float
    fc: float

    def take(self, index: NDArray[np.int64]) -> Diode:
        """The diodes at these positions."""
        return replace(self, i_s=self.i_s[index], r_s=self.r_s[index], cj0=self.cj0[index])

    def capacitance(self, v: Array, conductance: Array) -> Array:
        """Depletion and diffusion capacitance at junction voltage v and conductance, farads."""
        return depletion(v, self.cj0, self.vj, self.m, self.fc) + self.tt * conductance


def diode(model: Mapping[str, float], kelvin: float, area: ArrayLike = 1.0) -> Diode:
    """A model card's diode at a temperature; area multiplies IS and CJO and divides RS."""
    a = np.asarray(area, dtype=np.float64)
    ratio = kelvin / NOMINAL_K
    vte = model["n"] * thermal_voltage(kelvin)
    with np.errstate(over="ignore"):
        factor = np.exp((ratio - 1.0) * model["eg"] / vte + model["xti"] / model["n"] * np.log(ratio))
    cj0, vj = _capacitance_at(model["cjo"], model["vj"], model["m"], kelvin)
    return Diode(
        i_s=model["is"] * factor * a,
        vte=vte,
        r_s=model["rs"] / a,
        cj0=cj0 * a,
        vj=vj,
        m=model["m"],
        tt=model["tt"],
        fc=model["fc"],
    )


@dataclass(frozen=True, eq=False)
class Transistor:
    """An NPN transistor at a temperature: the Gummel-Poon model without high-level injection.

    i_s A, vtf and vtr = NF kT/q and NR kT/q in V, beta_f, beta_r, vaf V; charges as in a diode.
    """

    i_s: Array
    vtf: float
    vtr: float
    beta_f: Array
    beta_r: Array
    vaf: float
    cje: float
    vje: float
    mje: float
    cjc: float
    vjc: float
    mjc: float
    fc: float
    tf: float
    tr: float

    def take(self, index: NDArray[np.int64]) -> Transistor:
        """The transistors at these positions."""
        return replace(self, i_s=self.i_s[index], beta_f=self.beta_f[index], beta_r=self.beta_r[index])

    def currents(self, v_be: Array, v_bc: Array) -> tuple[Array, ...]:
        """(i_c, i_b, and their derivatives d i_c/d v_be, d i_c/d v_bc, d i_b/d v_be, d i_b/d v_bc).

        i_c = (i_f - i_r) (1 - v_bc / VAF) - i_r / beta_r,  i_b = i_f / beta_f + i_r / beta_r,
        with GMIN from base to emitter and base to collector. ngspice has a third one, from the collector
        to the substrate, which is node 0 where a transistor has three nodes: that is left to the caller.
        """
        i_f, g_f = junction(v_be, self.i_s, self.vtf, 0.0)
        i_r, g_r = junction(v_bc, self.i_s, self.vtr, 0.0)
        early = 1.0 - v_bc / self.vaf
        i_c = (i_f - i_r) * early - i_r / self.beta_r
        i_b = i_f / self.beta_f + i_r / self.beta_r
        return (
            i_c - GMIN * v_bc,
            i_b + GMIN * (v_be + v_bc),
            g_f * early,
            -g_r * early - (i_f - i_r) / self.vaf - g_r / self.beta_r - GMIN,
            g_f / self.beta_f + GMIN,
            g_r / self.beta_r + GMIN,
        )


def transistor(
    model: Mapping[str, float], kelvin: float, area: ArrayLike = 1.0, beta: ArrayLike = 1.0
) -> Transistor:
    """A model card's transistor at a temperature; area multiplies IS, beta multiplies BF and BR."""
    ratio = kelvin / NOMINAL_K
    vt = thermal_voltage(kelvin)
    factor = np.exp((ratio - 1.0) * model["eg"] / vt + model["xti"] * np.log(ratio))
    gain = np.asarray(beta, dtype=np.float64) * ratio ** model["xtb"]
    cje, vje = _capacitance_at(model["cje"], model["vje"], model["mje"], kelvin)
    cjc, vjc = _capacitance_at(model["cjc"], model["vjc"], model["mjc"], kelvin)
    return Transistor(
        i_s=model["is"] * factor * np.asarray(area, dtype=np.float64),
        vtf=model["nf"] * vt,
        vtr=model["nr"] * vt,
        beta_f=model["bf"] * gain,
        beta_r=model["br"] * gain,
        vaf=model["vaf"],
        cje=cje,
        vje=vje,
        mje=model["mje"],
        cjc=cjc,
        vjc=vjc,
        mjc=model["mjc"],
        fc=model["fc"],
        tf=model["tf"],
        tr=model["tr"],
    )


def depletion(v: Array, c0: ArrayLike, vj: float, m: float, fc: float) -> Array:
    """Depletion capacitance, linear beyond fc vj as in SPICE."""
    start = fc * vj
    below = np.asarray(c0) * (1.0 - np.minimum(v, start) / vj) ** -m
    slope = np.asarray(c0) * (1.0 - fc) ** (-1.0 - m)
    above = slope * (1.0 - fc * (1.0 + m) + m * v / vj)
    return np.where(v < start, below, above)


def _capacitance_at(c0: float, vj: float, m: float, kelvin: float) -> tuple[float, float]:
    """(zero-bias capacitance, junction potential) at a temperature: `diotemp.c`, from TNOM = 27 C."""
    fact2 = kelvin / NOMINAL_K
    gap = 1.16 - 7.02e-4 * kelvin**2 / (kelvin + 1108.0)
    arg = -gap / (2.0 * BOLTZMANN * kelvin) + 1.1150877 / (BOLTZMANN * 2.0 * NOMINAL_K)
    pb_fact = -2.0 * thermal_voltage(kelvin) * (1.5 * np.log(fact2) + CHARGE * arg)
    gap_nominal = 1.16 - 7.02e-4 * NOMINAL_K**2 / (NOMINAL_K + 1108.0)
    arg_nominal = -gap_nominal / (2.0 * BOLTZMANN * NOMINAL_K) + 1.1150877 / (BOLTZMANN * 2.0 * NOMINAL_K)
    pb_nominal = vj + 2.0 * thermal_voltage(NOMINAL_K) * CHARGE * arg_nominal
    gamma_old = (vj - pb_nominal) / pb_nominal
    nominal = c0 / (1.0 - m * gamma_old)
    vj_now = pb_fact + fact2 * pb_nominal
    gamma_new = (vj_now - pb_nominal) / pb_nominal
    return nominal * (1.0 + m * (400e-6 * (kelvin - NOMINAL_K) - gamma_new)), float(vj_now)
