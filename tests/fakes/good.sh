#!/bin/sh
# one point, v(a) = v(b) = 0, and what its surroundings were
env | sort > "$(dirname "$0")/env.txt"
pwd > "$(dirname "$0")/cwd.txt"
cat > "$(dirname "$0")/stdin.txt"
printf '%s\n' "$@" > "$(dirname "$0")/argv.txt"
printf 'Title: t\nPlotname: DC\nFlags: real\nNo. Variables: 2\nNo. Points: 1\nVariables:\n\t0\tv(a)\tvoltage\n\t1\tV(B)\tvoltage\nBinary:\n\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000' > out.raw
