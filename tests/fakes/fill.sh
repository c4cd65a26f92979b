#!/bin/sh
# writes without end, into one file after the other
i=0
while true; do
    i=$((i + 1))
    head -c 200000 /dev/zero > "big$i" || exit 1
done
