#!/bin/sh
# Analyses the design with GHDL, simulates it with the vectors beside this script, and fails
# unless every output equals the expected one. Generics of an_tb may follow: sh run.sh -gG_STALLS=0
set -e
cd "$(dirname "$0")"
mkdir -p work
ghdl -a --std=08 --workdir=work an_pkg.vhd an_layer0_data.vhd an_layer0.vhd an_layer1_data.vhd an_layer1.vhd an_argmax.vhd an_top.vhd an_tb.vhd
ghdl -e --std=08 --workdir=work an_tb
# numeric_std warns of values that are undefined before the first vector; outputs are checked here
ghdl -r --std=08 --workdir=work an_tb --ieee-asserts=disable \
  -gG_OUTPUTS=work/outputs.txt -gG_CYCLES=work/cycles.txt "$@"
