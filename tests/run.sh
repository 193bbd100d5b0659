#!/bin/sh
# Prepares .venv, checks the code and runs all the tests. Arguments go to pytest: --cov measures
# what they cover, and takes a fifth longer.
set -eu
exec </dev/null
cd "$(dirname "$0")/.."

sh tests/venv.sh
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/python .ci/voice.py
.venv/bin/lint-imports
# The types are checked while the tests run, and the faults are shown after those of the tests.
types=$(mktemp)
trap 'rm -f "$types"' EXIT
.venv/bin/mypy >"$types" 2>&1 &
mypy=$!
# Compile first what each worker, and each process that a test starts, would compile again.
unset PYTHONDONTWRITEBYTECODE
.venv/bin/python -m compileall -q domain application adapters entrypoints testing
.venv/bin/python -m pytest --collect-only -qq >/dev/null || true # the tests' run says it better
status=0
.venv/bin/python -m pytest -n "${JOBS:-3}" --dist worksteal "$@" || status=$?
wait "$mypy" || { status=1; echo "mypy found faults:"; }
cat "$types"
exit "$status"
