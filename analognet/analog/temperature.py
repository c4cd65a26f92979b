"""What cells lose away from 27 C, by the physics that also bounds a plausible result.

A blocking diode leaks its saturation current, which a rectifier's feedback resistor turns into
volts where 0 V should be. An emitter-coupled pair's transfer is a function of v / VT, and VT = kT/q:
at T it is flatter by T / 300.15 K than the one it was built as.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from analognet.analog.bench import NOMINAL_C
from analognet.analog.cells import OPAMP_ROLE, Cell
from analognet.analog.layers import AnalogLayer, AnalogNetwork
from analognet.analog.simulate import rectifier_leakage

NOTABLE: Final = 0.005  # of full scale: what is said
_DIODE: Final = "d1n4148"  # whose leakage is known


def leakage_error(layer: AnalogLayer, cells: Mapping[str, Cell], celsius: float) -> tuple[str, float]:
    """(cell, V) by which a layer's rectifiers are off while they block; ("", 0) where it has none."""
    if layer.amplifier != OPAMP_ROLE and _DIODE in cells[layer.amplifier].uses:
        return layer.amplifier, rectifier_leakage(celsius) / float(layer.g_f.min())
    if layer.cell is not None and _DIODE in cells[layer.cell].uses:
        ohms = layer.cell_params.get("r", cells[layer.cell].defaults.get("r", 0.0))
        return layer.cell, rectifier_leakage(celsius) * ohms
    return "", 0.0


def slope_error(layer: AnalogLayer, celsius: float) -> float:
    """V by which a pair of transistors is off at the worst input, as its slope follows kT/q."""
    if layer.cell not in ("act_sigmoid_bjt", "act_tanh_bjt"):
        return 0.0
    z = np.linspace(-6.0, 6.0, 1201) * layer.scale_z
    ratio = (NOMINAL_C + 273.15) / (celsius + 273.15)
    return float(np.abs(layer.activate(z * ratio) - layer.activate(z)).max())


def temperature_warnings(network: AnalogNetwork, cells: Mapping[str, Cell], celsius: float) -> list[str]:
    """One line a layer and cell that is off by more than `NOTABLE` of full scale, with how much."""
    full_scale, found = network.technology.full_scale, []
    for layer in network.layers:
        where = f"at {celsius:g} C, layer '{layer.name}'"
        name, leaked = leakage_error(layer, cells, celsius)
        if leaked > NOTABLE * full_scale:
            found.append(
                f"{where}: {name}: a diode that blocks leaks {1e6 * rectifier_leakage(celsius):.2g} uA, "
                f"up to {1e3 * leaked:.2g} mV where 0 V should be; smaller feedback resistors make it less"
            )
        bent = slope_error(layer, celsius)
        if bent > NOTABLE * full_scale:
            steeper = "flatter" if celsius > NOMINAL_C else "steeper"
            found.append(
                f"{where}: {layer.cell}: its slope follows kT/q and is {steeper} by "
                f"{100 * abs((celsius - NOMINAL_C) / (NOMINAL_C + 273.15)):.2g} %: outputs are off by up to "
                f"{1e3 * bent:.2g} mV; convert with a cell of resistors, --cell "
                f"{layer.activation.name}=act_{layer.activation.name}_pwl"
            )
    return found
