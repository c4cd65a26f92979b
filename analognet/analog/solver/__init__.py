"""The structural solver: the exact Kirchhoff equations of the generated netlist, without ngspice.

`solve` answers operating points for whole data sets; `equations` keeps a board for repeated use.
docs/solver.md derives what the modules state.
"""

from analognet.analog.solver.engine import Equations, Solution, equations, solve
from analognet.analog.solver.hardware import Factors, Hardware, hardware

__all__ = ["Equations", "Factors", "Hardware", "Solution", "equations", "hardware", "solve"]
