#!/bin/sh
# Makes .venv, or brings it up to date after a change of pyproject.toml, or after a move.
set -eu
cd "$(dirname "$0")/.."

[ -x .venv/bin/python ] || "${PYTHON:-python3}" -m venv .venv
made=.venv/made-for
[ "$(cat "$made" 2>/dev/null)" = "$PWD" ] && [ "$made" -nt pyproject.toml ] && exit
# Most modules of these packages are never imported, so none are compiled in advance.
# "compat" adds the checkout to the module path. Otherwise each start of Python would import a finder
# for packages that are links, which takes as long as the start itself.
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile \
    --config-settings editable_mode=compat --editable '.[dev]'
echo "$PWD" >"$made"
