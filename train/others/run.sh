#!/bin/sh
# Asks detectors from PyPI about a sample of the development data; they run offline, in a virtual environment below the target directory.
set -eu
venv=target/detect/others
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet 'stackone-defender[onnx]==0.9.4' 'armorer-guard==0.4.1'
exec "$venv/bin/python" train/others/ask.py ../shared/data/injection/dev target/detect
