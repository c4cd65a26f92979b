"""Training for the circuit: a tinygrad forward pass with its limits and variation, and fine-tuning with it."""

from analognet.training.finetune import Tuned, fine_tune
from analognet.training.layers import Board, CircuitLayer, LayerLimits, limits

__all__ = ["Board", "CircuitLayer", "LayerLimits", "Tuned", "fine_tune", "limits"]
