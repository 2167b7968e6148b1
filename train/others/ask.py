"""Writes what two detectors from PyPI say of a sample of the development data, as the trainer's `report --sample` reads it.

usage: ask.py FOLDER OUT
The sample: up to 20 rows of each file, kind, label and source, by equal steps; nothing that is written in disguise.
"""
import collections
import glob
import gzip
import json
import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")

from armorer_guard import inspect_input
from stackone_defender import create_prompt_defense

EACH = 20


def sample(folder):
    groups = collections.defaultdict(list)
    for path in sorted(glob.glob(os.path.join(folder, "*.jsonl.gz"))):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                if "obfuscation" not in row["source"]:
                    groups[path, row["kind"], row["label"], row["source"].split(" ")[0].split(":")[0]].append(row)
    for rows in groups.values():
        step = max(1, len(rows) // EACH)
        yield from rows[::step][:EACH]


def main():
    folder, out = sys.argv[1:]
    rows = list(sample(folder))
    defense = create_prompt_defense(enable_tier2=True)
    detectors = {
        "armorer-guard": lambda text: inspect_input(text).confidence,
        "stackone-defender": lambda text: stackone(defense, text),
    }
    for name, ask in detectors.items():
        with open(os.path.join(out, name + ".jsonl"), "w", encoding="utf-8") as file:
            for row in rows:
                raw = float(ask(row["text"]))
                for question in ("override", "instruction"):
                    json.dump({"id": row["id"], "question": question, "raw": raw, "segments": 1, "span": None}, file)
                    file.write("\n")


def stackone(defense, text):
    said = defense.defend_tool_result({"content": text}, "read_document")
    score = said.tier2_score
    return 0.0 if score is None else score


main()
