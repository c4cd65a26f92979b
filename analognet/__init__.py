"""AnalogNet: a trained dense network as an analog circuit, with evidence.

design = analognet.convert("model.safetensors")
result = analognet.simulate(design, "digits")
circuit = analognet.live(design); outputs = circuit(x)
report = analognet.compare("model.safetensors", "digits", out=Path("report")).report
"""

from analognet.analog.live import LiveCircuit, live
from analognet.comparison.compare import Comparison, compare
from analognet.data import Dataset, load_data
from analognet.design import Design, convert, open_design, save
from analognet.errors import AnalogNetError
from analognet.loading import load
from analognet.metrics import Metrics
from analognet.network import Activation, Dense, Network
from analognet.simulation import Simulation, simulate

__all__ = [
    "Activation",
    "AnalogNetError",
    "Comparison",
    "Dataset",
    "Dense",
    "Design",
    "LiveCircuit",
    "Metrics",
    "Network",
    "Simulation",
    "compare",
    "convert",
    "live",
    "load",
    "load_data",
    "open_design",
    "save",
    "simulate",
]
