"""Schematics as SVG: of every cell, of one neuron, and of a whole network."""

from analognet.drawing.cells import draw_cell
from analognet.drawing.network import draw_network

__all__ = ["draw_cell", "draw_network"]
