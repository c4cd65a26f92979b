#!/bin/sh
# half of one point
printf 'Title: t\nPlotname: DC\nFlags: real\nNo. Variables: 2\nNo. Points: 1\nVariables:\n\t0\tv(a)\tvoltage\n\t1\tv(b)\tvoltage\nBinary:\nAAAAAAAA' > out.raw
