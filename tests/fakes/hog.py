#!/usr/bin/env python3
"""Asks for more memory than anyone may have."""

import mmap

held = []
for _ in range(64):
    held.append(mmap.mmap(-1, 1 << 30))
