#!/bin/sh
set -e
for file in /docker-entrypoint.d/*; do
    case "$file" in
        *.envsh) . "$file" ;;
        *.sh) "$file" ;;
    esac
done
exec "$@"
