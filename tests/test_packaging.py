"""What is built from the repository: every file inside, and working where nothing else is installed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib

import pytest
from conftest import ROOT


def test_every_package_is_listed():
    """A room that pyproject.toml forgets works from the repository and is missing from the wheel."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = {
        ".".join(p.parent.relative_to(ROOT).parts) for p in (ROOT / "analognet").rglob("__init__.py")
    } | {"analognet.cells", "analognet.sky130"}
    assert set(listed) == found


def test_the_citation_has_the_packages_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    cited = dict(re.findall(r"^(version|license): (\S+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE))
    assert cited == {"version": project["version"], "license": project["license"]}


@pytest.mark.slow
def test_wheel_and_sdist_work_in_an_empty_environment():
    """Dependencies are borrowed from this Python; without --borrow the script fetches them."""
    done = subprocess.run(
        ["sh", str(ROOT / "scripts" / "check_wheel.sh"), "--borrow"],
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr.count("doctor, convert, simulate and vhdl work") == 2
