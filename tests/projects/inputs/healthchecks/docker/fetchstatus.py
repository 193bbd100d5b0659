#!/usr/bin/env python3
"""Asks whether it is up."""

import urllib.request

urllib.request.urlopen("http://localhost:8000/")
