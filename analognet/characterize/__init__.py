"""Cells of transistors, measured in ngspice over process, voltage, temperature and mismatch."""
