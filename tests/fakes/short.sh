#!/bin/sh
# v(b) is left out
printf 'Title: t\nPlotname: DC\nFlags: real\nNo. Variables: 1\nNo. Points: 1\nVariables:\n\t0\tv(a)\tvoltage\nBinary:\n\000\000\000\000\000\000\000\000' > out.raw
