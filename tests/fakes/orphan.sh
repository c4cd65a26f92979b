#!/bin/sh
# ends at once and well, and leaves two children: one in its own group, one that left it
sleep 1000 &
echo "$!" >> "$(dirname "$0")/children"
setsid sleep 1000 > /dev/null 2>&1 < /dev/null &
echo "$!" >> "$(dirname "$0")/children"
printf 'Title: t\nPlotname: DC\nFlags: real\nNo. Variables: 1\nNo. Points: 1\nVariables:\n\t0\tv(a)\tvoltage\nBinary:\n\000\000\000\000\000\000\000\000' > out.raw
