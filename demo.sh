#!/bin/sh
# The main job, from nothing: installs what is missing, converts the shipped digits network to an
# op-amp circuit, simulates it in ngspice on all 450 test images, prints the table, makes a figure.
set -eu
cd "$(dirname "$0")"
sh scripts/setup.sh run
.venv/bin/analognet convert examples/digits/digits.safetensors
.venv/bin/analognet simulate
