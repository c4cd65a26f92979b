"""Runs Yosys passes in a process of its own: `python yosys_child.py request.json`.

The request is a list of passes. A child, so that a time limit can end it.
"""

import importlib
import json
import sys
from pathlib import Path


def main() -> None:
    design = importlib.import_module("pyosys.libyosys").Design()
    for command in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")):
        design.run_pass(command)


if __name__ == "__main__":
    main()
