#!/bin/sh
set -eu
cp -a /usr/src/wordpress/. /var/www/html/
rm -f /var/www/html/index.html
exec "$@"
