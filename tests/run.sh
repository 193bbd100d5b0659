#!/bin/sh
# Prepares .venv, checks the code and runs all the tests. Arguments go to pytest: --cov measures
# what they cover, and takes a fifth longer.
set -eu
exec </dev/null
cd "$(dirname "$0")/.."

[ -x .venv/bin/python ] || "${PYTHON:-python3}" -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'

.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/python .ci/voice.py
.venv/bin/lint-imports
.venv/bin/mypy &
types=$!
# Meanwhile compile what each worker, and each process that a test starts, would compile again.
unset PYTHONDONTWRITEBYTECODE
.venv/bin/python -m compileall -q domain application adapters entrypoints testing
.venv/bin/python -m pytest --collect-only -qq >/dev/null || true # the tests' run says it better
wait "$types"
exec .venv/bin/python -m pytest -n "${JOBS:-3}" --dist worksteal "$@"
