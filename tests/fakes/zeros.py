#!/usr/bin/env python3
"""Answers 0 V for whatever is asked: complete, finite, and wrong."""

import re
import struct
import sys
from pathlib import Path

if "--version" in sys.argv:
    print("** ngspice-39 : Circuit level simulation program")
    sys.exit(0)
deck = Path("deck.cir").read_text()
wanted = re.search(r"^\.save (.*)$", deck, re.MULTILINE).group(1).split()
points = int(re.search(r"^\.dc Vidx 0 (\d+) 1$", deck, re.MULTILINE).group(1)) + 1
head = (
    f"Title: t\nPlotname: DC\nFlags: real\nNo. Variables: {len(wanted)}\nNo. Points: {points}\nVariables:\n"
)
head += "".join(f"\t{i}\t{name}\tvoltage\n" for i, name in enumerate(wanted)) + "Binary:\n"
Path("out.raw").write_bytes(head.encode() + struct.pack("<d", 0.0) * (points * len(wanted)))
