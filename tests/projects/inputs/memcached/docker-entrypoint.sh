#!/bin/sh
set -e
# options alone are options of memcached
if [ "${1#-}" != "$1" ]; then
    set -- memcached "$@"
fi
exec "$@"
