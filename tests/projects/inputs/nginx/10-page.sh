#!/bin/sh
echo "hello from nginx" > /var/www/html/index.html
