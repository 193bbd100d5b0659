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
.venv/bin/mypy
.venv/bin/lint-imports
exec .venv/bin/python -m pytest -n "${JOBS:-3}" --dist worksteal "$@"
