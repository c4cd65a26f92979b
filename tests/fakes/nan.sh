#!/bin/sh
# v(a) = NaN, v(b) = 0
printf 'Title: t\nPlotname: DC\nFlags: real\nNo. Variables: 2\nNo. Points: 1\nVariables:\n\t0\tv(a)\tvoltage\n\t1\tv(b)\tvoltage\nBinary:\n\000\000\000\000\000\000\370\177\000\000\000\000\000\000\000\000' > out.raw
