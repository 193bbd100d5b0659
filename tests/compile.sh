#!/bin/sh
# Compiles what each worker, and each process that a test starts, would compile again.
set -eu
cd "$(dirname "$0")/.."

unset PYTHONDONTWRITEBYTECODE
.venv/bin/python -m compileall -q domain application adapters entrypoints testing
.venv/bin/python -m pytest --collect-only -qq >/dev/null || true # the tests' run says it better
