#!/bin/sh
# Prepares .venv, checks the code and runs all the tests. Arguments go to pytest: --cov measures
# what they cover, and takes a fifth longer.
set -eu
exec </dev/null
cd "$(dirname "$0")/.."

sh tests/venv.sh
# The types are checked beside everything else, and the faults are shown after those of the tests.
types=$(mktemp)
.venv/bin/mypy >"$types" 2>&1 &
mypy=$!
trap 'kill "$mypy" 2>/dev/null || true; rm -f "$types"' EXIT
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/python .ci/voice.py
.venv/bin/lint-imports
[ -n "${IMG_TESTS_COMPILED:-}" ] || sh tests/compile.sh
unset PYTHONDONTWRITEBYTECODE
status=0
.venv/bin/python -m pytest -n "${JOBS:-4}" --dist worksteal "$@" || status=$?
wait "$mypy" || { status=1; echo "mypy found faults:"; }
trap 'rm -f "$types"' EXIT
cat "$types"
exit "$status"
