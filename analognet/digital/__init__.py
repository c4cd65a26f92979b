"""The digital twin: a trained network as VHDL, proven bit for bit, placed and routed.

made = digital.design(network, training_inputs, lanes=(32, 10))
result = digital.examine(made, dataset, verify=100, synth="ecp5")
digital.save(result, Path("build/digits-vhdl"))
"""

from analognet.digital.flow import Design, Result, design, examine, save
from analognet.digital.quantize import quantize
from analognet.digital.quantized import QuantizedLayer, QuantizedNetwork
from analognet.digital.schedule import Plan, plan

__all__ = [
    "Design",
    "Plan",
    "QuantizedLayer",
    "QuantizedNetwork",
    "Result",
    "design",
    "examine",
    "plan",
    "quantize",
    "save",
]
