"""A chip's cells as tables that ngspice filled in, and whole networks solved with them.

The structural solver solves the netlist's own equations; a transistor's are not ours to solve. What
stands here is a model: each cell is simulated once, at the corner, temperature and supply asked
for, over everything a network can do to it, and a network is then Kirchhoff's equations between
tables. How far it is from the full simulation is measured, not assumed (docs/sky130.md).
"""

from analognet.analog.compact.solve import Solution, solve, tabulated

__all__ = ["Solution", "solve", "tabulated"]
