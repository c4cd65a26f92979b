#!/bin/sh
# Passes the tests, from nothing: installs what is missing, then checks style and types and runs
# the suite on all cores. `sh test.sh --fast` leaves out what takes more than a few seconds.
set -eu
cd "$(dirname "$0")"
sh scripts/setup.sh test
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
if [ "${1:-}" = --fast ]; then
    shift
    set -- -m 'not slow' "$@"
fi
exec .venv/bin/python -m pytest -n auto --dist worksteal --timeout 600 "$@"
