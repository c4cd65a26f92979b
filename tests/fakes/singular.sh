#!/bin/sh
# the words of a real ngspice 39, its exit code, and a result that looks complete
echo "Warning: singular matrix:  check nodes l0_z1 and l0_z1" >&2
printf 'Title: t\nPlotname: DC\nFlags: real\nNo. Variables: 2\nNo. Points: 1\nVariables:\n\t0\tv(a)\tvoltage\n\t1\tv(b)\tvoltage\nBinary:\n\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000' > out.raw
