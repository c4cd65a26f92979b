"""Examples of every command, as `--help` shows them; a test holds each to the options there are."""

from __future__ import annotations

from typing import Final

EXAMPLES: Final[dict[str, tuple[str, ...]]] = {
    "convert": (
        "analognet convert model.safetensors",
        "analognet convert model.safetensors --activations relu,linear --calibrate data.npz",
        "analognet convert mymodule:model --opamp lm358 --resistors E96 --out build/cheap",
    ),
    "simulate": (
        "analognet simulate",
        "analognet simulate build/digits --data digits --noise --monte-carlo 1000",
        "analognet simulate --transient 20 --json",
        "analognet simulate --sweep 'opamp=opa4192,lm358;r_f=5e3,10e3'",
        "analognet simulate --monte-carlo 100000 --scheduler tcp://10.0.0.1:8786",
    ),
    "finetune": ("analognet finetune build/digits --data digits",),
    "compare": (
        "analognet compare model.safetensors --data digits --quick",
        "analognet compare model.safetensors --data test.npz --technology board,sky130 --out report",
    ),
    "reproduce": ("analognet reproduce report/report.json",),
    "characterize": (
        "analognet characterize sky130",
        "analognet characterize sky130 --cells opamp_miller --samples 20",
    ),
    "vhdl": (
        "analognet vhdl model.safetensors --data digits",
        "analognet vhdl build/digits --bits 6 --lanes 32,10 --synth ecp5",
    ),
    "vhdl-sweep": (
        "analognet vhdl-sweep model.safetensors --data digits --bits 4,8 --lanes 1,32",
        "analognet vhdl-sweep model.safetensors --data digits --clock 100 --analog simulate.json",
    ),
    "bom": (
        "analognet bom",
        "analognet bom build/digits --out parts.csv --prices prices.toml",
    ),
    "draw": (
        "analognet draw",
        "analognet draw build/digits --image 3 --waveforms --ltspice",
    ),
    "doctor": (
        "analognet doctor",
        "analognet doctor --json",
    ),
}
