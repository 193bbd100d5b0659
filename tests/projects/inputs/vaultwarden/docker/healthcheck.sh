#!/bin/sh
test -e /data/started
