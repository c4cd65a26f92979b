"""Capacitors that keep a chip's neurons from ringing, in whole units of one capacitor cell.

The strips at an amplifier's - input and the input itself are C_n = 0.3 to 20 pF at a node of D siemens
(all conductances there); with an amplifier of gain w_t / s (w_t = 2 pi GBW) and C_f across R_f = 1 / G_f
a neuron's loop is

    s^2 (C_n + C_f) / w_t + s (D / w_t + C_f) + G_f = 0,   zeta = (D + C_f w_t) / (2 sqrt(G_f w_t (C_n + C_f)))

and without C_f zeta is 0.05 to 0.5: neurons overshoot and ring. C_f is chosen for `ZETA`.

In the signed topology v(+) lags by C_p too. With the same capacitance at both inputs that lag cancels
against the one at the - input, whatever the conductances: y = (G+ - G-) v / (G_f + s C_f). So the input
with less is filled up to what the other has, C_f included.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from analognet.analog.build import minus_capacitance, plus_capacitance
from analognet.analog.cells import OPAMP_ROLE, Cell
from analognet.analog.layers import AnalogLayer, Capacitors
from analognet.analog.technology import Technology
from analognet.network import Array

ZETA: Final = 0.8  # least time to 1 % over the examples; 0.6 and 1 cost up to a quarter more
_ROUNDS: Final = 50  # of the fixed point in C_f, which contracts


def compensated(layer: AnalogLayer, technology: Technology, cells: Mapping[str, Cell]) -> AnalogLayer:
    """The layer with the capacitors that its technology's cell makes; itself where there is no such cell."""
    strip = technology.resistor.strip
    if technology.compensation is None or strip is None or layer.topology != "signed":
        return layer
    name = technology.opamp if layer.amplifier == OPAMP_ROLE else layer.amplifier
    part = cells[name].figures
    unit = cells[technology.compensation].rating("c_unit", 0.0)
    at_minus = minus_capacitance(layer, strip) + part["cin"]
    at_plus = plus_capacitance(layer, strip) + part["cin"]
    larger = np.maximum(at_minus, at_plus)
    feedback = np.round(feedback_capacitance(layer, larger, 2 * np.pi * part["gbw"]) / unit)
    missing = np.round((at_minus - at_plus) / unit)
    return replace(
        layer,
        capacitors=Capacitors(
            technology.compensation,
            unit,
            feedback,
            feedback + np.maximum(missing, 0.0),
            np.maximum(-missing, 0.0),
        ),
    )


def feedback_capacitance(layer: AnalogLayer, at_minus: Array, w_t: float) -> Array:
    """(n_out,) F across R_f that give each neuron's loop the damping `ZETA`; 0 where it has that by itself.

    at_minus: (n_out,) F at the inverting input; w_t: the amplifier's 2 pi GBW.
    """
    at_node = layer.noise_gain * layer.g_f
    found = np.zeros_like(at_minus)
    for _ in range(_ROUNDS):
        wanted = 2 * ZETA * np.sqrt(layer.g_f * w_t * (at_minus + found)) - at_node
        found = np.maximum(wanted / w_t, 0.0)
    return found
