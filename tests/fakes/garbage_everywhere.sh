#!/bin/sh
# prints rubbish, writes it under every name that is read back, and ends well
for name in out.raw outputs.txt cycles.txt netlist.json report.json mapped.v outputs.hex; do
    printf '\377\376 12 xx\n{"modules": 7, "fmax": []}\n' > "$name"
done
printf '\033[31mred\033[0m module an_bottom\n'
