"""What is measured: every figure with its unit, what it is, and under which conditions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Figure:
    unit: str
    meaning: str
    condition: str = ""


_FOLLOWER = "follower, 100 kOhm and 2 pF to the common, which is held"
_OPEN = "100 kOhm and 2 pF to the common, which is held"
_STEP = "output step of 0.4 V, 100 kOhm and 2 pF to the common, which is held"
_CURVE = "output unloaded"

FIGURES: Final[Mapping[str, Figure]] = {
    "area_m2": Figure("m2", "area", "estimated from the devices, see analognet/analog/cell_area.py"),
    "supply_a": Figure("A", "supply current", "without what the output delivers"),
    "supply_off_a": Figure("A", "supply current, off", "input at -full scale"),
    "offset_v": Figure("V", "offset", _FOLLOWER),
    "a0_db": Figure("dB", "DC gain", _OPEN),
    "gbw_hz": Figure("Hz", "unity-gain frequency", _OPEN),
    "phase_margin_deg": Figure("deg", "phase margin", f"noise gain 1, {_OPEN}"),
    "phase_margin_2_deg": Figure("deg", "phase margin", f"noise gain 2, {_OPEN}"),
    "phase_margin_4_deg": Figure("deg", "phase margin", f"noise gain 4, {_OPEN}"),
    "phase_margin_own_deg": Figure("deg", "phase margin", "noise gain 1, the technology's own common"),
    "phase_margin_own_4_deg": Figure("deg", "phase margin", "noise gain 4, the technology's own common"),
    "gain_margin_db": Figure(
        "dB", "gain margin", f"noise gain 1, wherever the phase is beyond -180 deg, {_OPEN}"
    ),
    "cmrr_db": Figure("dB", "common-mode rejection", "1 Hz"),
    "cmrr_100k_db": Figure("dB", "common-mode rejection", "100 kHz"),
    "psrr_vdd_db": Figure("dB", "rejection of vdd", "1 Hz, common held"),
    "psrr_vdd_100k_db": Figure("dB", "rejection of vdd", "100 kHz, common held"),
    "psrr_vss_db": Figure("dB", "rejection of vss", "1 Hz, common held"),
    "psrr_vss_100k_db": Figure("dB", "rejection of vss", "100 kHz, common held"),
    "psrr_db": Figure("dB", "rejection of the supply", "1 Hz, the technology's own common"),
    "psrr_100k_db": Figure("dB", "rejection of the supply", "100 kHz, the technology's own common"),
    "noise_1k_v_rthz": Figure("V/rtHz", "input noise density", "1 kHz"),
    "noise_100k_v_rthz": Figure("V/rtHz", "input noise density", "100 kHz"),
    "noise_v_rms": Figure("V", "output noise, rms", "1 Hz to 10 MHz; amplifiers as followers"),
    "swing_low_v": Figure("V", "output swing, lowest", "inverter, 50 kOhm, 10 mV error"),
    "swing_high_v": Figure("V", "output swing, highest", "inverter, 50 kOhm, 10 mV error"),
    "common_low_v": Figure("V", "input common mode, lowest", "5 mV more offset"),
    "common_high_v": Figure("V", "input common mode, highest", "5 mV more offset"),
    "source_a": Figure("A", "output current, sourced", "10 mV error"),
    "sink_a": Figure("A", "output current, sunk", "10 mV error"),
    "slew_up_v_s": Figure("V/s", "slew rate, rising", "20 to 80 % of the step, inverter"),
    "slew_down_v_s": Figure("V/s", "slew rate, falling", "20 to 80 % of the step, inverter"),
    "settling_s": Figure("s", "settling to 0.1 %", f"noise gain 4, {_STEP}, the slower edge"),
    "floor_v": Figure("V", "output when off", "largest, input beyond 0.1 full scale"),
    "floor_source_v": Figure("V", "output when off", "with 5 uA into the output"),
    "floor_sink_v": Figure("V", "output when off", "with 5 uA out of the output"),
    "knee_v": Figure("V", "largest error at the knee", "within 0.1 full scale, inverter"),
    "on_error_v": Figure("V", "largest error when on", "0.1 full scale to full scale, inverter"),
    "recovery_s": Figure("s", "recovery from off to 1 %", "from full scale off to half of it on"),
    "com_a": Figure("A", "current into the common, largest", "over the transfer curve"),
    "fit_error_max": Figure("of span", "largest error against the best fit"),
    "fit_error_rms": Figure("of span", "rms error against the best fit"),
    "nominal_error_v": Figure("V", "largest error against the nominal function", _CURVE),
    "nominal_rms_v": Figure("V", "rms error against the nominal function", _CURVE),
    "zero_error_v": Figure("V", "error at no input against the nominal function", _CURVE),
    "slope_1_v": Figure("1/V", "slope of the argument, best fit"),
    "centre_v": Figure("V", "centre at the input, best fit"),
    "span_v": Figure("V", "span of the output, best fit"),
    "gain_pos": Figure("V/V", "gain above the knee, best fit"),
    "gain_neg": Figure("V/V", "gain below the knee, best fit"),
    "gain": Figure("V/V", "gain, best fit"),
    "centre_out_v": Figure("V", "offset at the output, best fit"),
    "out_ohm": Figure("Ohm", "output resistance, largest", "5 uA either way, over the transfer curve"),
    "input_a": Figure("A", "input current, largest", "over the transfer curve"),
    "bandwidth_hz": Figure("Hz", "bandwidth, -3 dB", "2 pF to the common"),
    "load_error_v": Figure("V", "largest error into a load", "10 kOhm"),
    "load_settling_s": Figure("s", "settling to 1 %", "twice full scale, 10 kOhm and 50 pF, the slower edge"),
    "overshoot": Figure(
        "of span", "overshoot", "step of 0.1 V, 10 kOhm, the larger of no load capacitance and 50 pF"
    ),
    "startup_s": Figure("s", "start-up", "supply from 0 V in 1 us; lines within 5 mV"),
    "startup_slow_s": Figure("s", "start-up after a slow rise", "supply from 0 V in 1 ms; lines within 5 mV"),
    "common_offset_v": Figure("V", "common against mid-supply", "unloaded"),
    "common_ohm": Figure("Ohm", "output resistance at DC"),
    "common_ohm_1m": Figure("Ohm", "output impedance", "1 MHz"),
    "common_ohm_100m": Figure("Ohm", "output impedance", "100 MHz"),
    "common_ohm_peak": Figure("Ohm", "output impedance, largest", "1 Hz to 100 MHz"),
    "common_source_a": Figure("A", "current delivered", "10 mV off"),
    "common_sink_a": Figure("A", "current taken", "10 mV off"),
    "common_step_v": Figure("V", "excursion after a step", "the rated current in 10 ns, either way"),
    "common_settling_s": Figure(
        "s", "settling to 1 mV after a step", "the rated current in 10 ns, either way"
    ),
}

# figures of one net or device each: `<prefix><net or device>`
_NAMED: Final[Mapping[str, Figure]] = {
    "line_v_": Figure("V", "bias line {}", "against mid-supply"),
    "bias_a_": Figure("A", "current of {}", "made from the bias lines"),
}


def figure(key: str) -> Figure:
    """What a figure is, by its key. Raises KeyError."""
    for prefix, found in _NAMED.items():
        if key.startswith(prefix) and len(key) > len(prefix):
            return Figure(found.unit, found.meaning.format(key.removeprefix(prefix)), found.condition)
    return FIGURES[key]


def known(key: str) -> bool:
    return key in FIGURES or any(key.startswith(p) and len(key) > len(p) for p in _NAMED)
