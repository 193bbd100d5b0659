#!/bin/sh
exec echo "the app starts"
