#!/usr/bin/env bash
# A shortened list of packages; users, locales and certificates as in the long one.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive

apt-get update
xargs apt-get install --yes --no-install-recommends < "$(dirname "$0")/packages.txt"

sed -i 's/^# *\(en_US.UTF-8\|de_DE.UTF-8\)/\1/' /etc/locale.gen
locale-gen
update-ca-certificates

groupadd heroku --gid 1000
useradd heroku --uid 1002 --gid 1000 --shell /bin/bash --create-home
ln -s /usr/bin/convert-im6 /usr/local/bin/convert-old
install -d -o heroku -g heroku -m 2775 /app

rm -rf /root/* /tmp/* /var/cache/apt/archives/*.deb /var/lib/apt/lists/*
find /var/log -type f -exec truncate --size 0 {} +
setcap cap_net_bind_service=+ep "$(readlink -f /usr/bin/socat)"
