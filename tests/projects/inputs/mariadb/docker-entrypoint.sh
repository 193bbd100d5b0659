#!/bin/sh
set -eu
if [ "$(id -u)" = 0 ]; then
    chown mysql: /var/lib/mysql
    exec gosu mysql "$0" "$@"
fi
[ -d /var/lib/mysql/mysql ] || mariadb-install-db --auth-root-authentication-method=normal >/dev/null
exec "$@"
