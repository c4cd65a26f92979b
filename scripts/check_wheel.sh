#!/bin/sh
# Builds the sdist, and from the sdist the wheel, and proves each: what it must hold, and a smoke test in an empty
# virtual environment outside the repository. Writes nothing into the repository; says what it does.
# Usage: scripts/check_wheel.sh [--borrow]
#   --borrow  takes build tools and dependencies from the Python that PYTHON names, in place of fetching
#             them: a quick check without a network. AnalogNet itself comes from the built files in any case.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-$root/.venv/bin/python}
borrow=${1:-}
case $borrow in '' | --borrow) ;; *) echo "usage: scripts/check_wheel.sh [--borrow]" >&2; exit 2 ;; esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
say() { printf '%s\n' "check_wheel: $*" >&2; }

say "copying what git knows of the sources"
mkdir "$work/source" "$work/outside"
git -C "$root" ls-files -z | (cd "$root" && xargs -0 sh -c 'for f; do [ -e "$f" ] && printf "%s\0" "$f"; done' sh) |
    (cd "$root" && tar --null --files-from=- -cf -) | tar -xf - -C "$work/source"

say "building sdist and wheel"
if [ -n "$borrow" ]; then
    (cd "$work/source" && "$python" -c 'import sys, setuptools.build_meta as b; b.build_sdist(sys.argv[1])' \
        "$work" >"$work/log" 2>&1) || { cat "$work/log" >&2; exit 1; }
else
    "$python" -m venv "$work/tools"
    "$work/tools/bin/pip" install --quiet --disable-pip-version-check build
    "$work/tools/bin/python" -m build --sdist --outdir "$work" "$work/source" >"$work/log" 2>&1 ||
        { cat "$work/log" >&2; exit 1; }
fi
mkdir "$work/unpacked"
tar -xzf "$work"/analognet-*.tar.gz -C "$work/unpacked" --strip-components=1
if [ -n "$borrow" ]; then # the wheel is made from the sdist, as an installer would
    (cd "$work/unpacked" && "$python" -c 'import sys, setuptools.build_meta as b; b.build_wheel(sys.argv[1])' \
        "$work" >"$work/log" 2>&1) || { cat "$work/log" >&2; exit 1; }
else
    "$work/tools/bin/python" -m build --wheel --outdir "$work" "$work/unpacked" >"$work/log" 2>&1 ||
        { cat "$work/log" >&2; exit 1; }
fi

"$python" - "$work" "$root" <<'PY'
import subprocess, sys, tarfile, zipfile
from pathlib import Path

work, root = Path(sys.argv[1]), Path(sys.argv[2])
known = subprocess.run(["git", "-C", root, "ls-files", "-z"], check=True, capture_output=True, text=True).stdout
known = [n for n in known.split("\0") if n and (root / n).is_file()]
rooms = ("analognet/", "cells/", "sky130/")
wanted = [n for n in known if n.startswith(rooms)]  # all of them ship: code, cells, tables, templates, datasheets
[archive], [wheel] = work.glob("analognet-*.tar.gz"), work.glob("analognet-*.whl")
with tarfile.open(archive) as t:
    in_sdist = {n.partition("/")[2] for n in t.getnames()}
with zipfile.ZipFile(wheel) as z:
    in_wheel = set(z.namelist())
inside = {n: n if n.startswith("analognet/") else f"analognet/{n}" for n in wanted}
missing = [f"sdist: {n}" for n in [*wanted, "LICENSE", "README.md", "pyproject.toml"] if n not in in_sdist]
missing += [f"wheel: {n}" for n in wanted if inside[n] not in in_wheel]
stray = sorted(n for n in in_wheel if not n.startswith("analognet"))
if missing or stray:
    sys.exit("\n".join(["missing from", *missing, *(f"wheel holds {n}" for n in stray)]))
print(f"check_wheel: {len(wanted)} files are in {archive.name} and {wheel.name}", file=sys.stderr)
PY

cat >"$work/model.py" <<'PY'
"""A network of the iris data's shape, saved as a model file."""
import numpy as np
from safetensors.numpy import save_file

rng = np.random.default_rng(0)
values = {"0.weight": rng.normal(0, 0.4, (6, 4)), "0.bias": np.zeros(6),
          "2.weight": rng.normal(0, 0.4, (3, 6)), "2.bias": np.zeros(3)}
save_file({k: v.astype(np.float32) for k, v in values.items()}, "model.safetensors")
PY
cat >"$work/origin.py" <<'PY'
"""AnalogNet is the installed one, and its packaged files are found and read."""
import sys
import analognet
from pathlib import Path
from analognet import resources
from analognet.analog.cells import library
from analognet.analog.technology import load_technology

assert Path(analognet.__file__).is_relative_to(sys.prefix), analognet.__file__
assert library(resources.cells()) and library(resources.sky130())
for name in ("ideal", "board", "sky130"):
    load_technology(name)
PY

for built in "$work"/analognet-*.whl "$work"/analognet-*.tar.gz; do
    say "installing $(basename "$built") in an empty environment"
    env="$work/env-${built##*.}"
    if [ -n "$borrow" ]; then
        "$python" -m venv --without-pip "$env" # the pip that comes along may bring an older setuptools
        "$python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])' \
            >"$("$env/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')/borrowed.pth"
        "$python" -m pip --python "$env/bin/python" install --quiet --disable-pip-version-check --no-deps \
            --no-build-isolation --no-index --ignore-installed "$built"
    else
        "$python" -m venv "$env"
        "$env/bin/python" -m pip install --quiet --disable-pip-version-check "$built"
    fi
    cd "$work/outside"
    rm -rf ./* # each starts from nothing
    unset PYTHONPATH
    "$env/bin/python" "$work/origin.py"
    "$env/bin/python" "$work/model.py"
    "$env/bin/analognet" doctor >doctor.txt || { cat doctor.txt; exit 1; }
    "$env/bin/analognet" convert model.safetensors --activations relu,linear --calibrate iris >/dev/null
    "$env/bin/analognet" simulate --data iris --images 10 --json |
        "$env/bin/python" -c 'import json, sys; r = json.load(sys.stdin); assert r["metrics"]["images"] == 10, r'
    "$env/bin/analognet" vhdl model.safetensors --activations relu,linear --data iris --verify 0 >/dev/null
    cd "$root"
    say "$(basename "$built"): doctor, convert, simulate and vhdl work"
done
