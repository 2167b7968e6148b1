"""What Presidio does with the texts that `cargo xtask bench data` measures with: its patterns alone, over spaCy's blank tokenizer.

The language models that find names are in no registry; with one it is several times slower.
"""
import gzip
import json
import logging
import resource
import sys
import time

begun = time.perf_counter()
logging.disable(logging.CRITICAL)

import spacy
from presidio_analyzer import AnalyzerEngine
from presidio_analyzer.nlp_engine import SpacyNlpEngine


class Blank(SpacyNlpEngine):
    def __init__(self):
        super().__init__(models=[{"lang_code": "en", "model_name": "blank"}])
        self.nlp = {"en": spacy.blank("en")}


most, prompt, *paths = sys.argv[1:]
engine = AnalyzerEngine(nlp_engine=Blank(), supported_languages=["en"])
engine.analyze("warm", language="en")
start = (time.perf_counter() - begun) * 1e3
texts = []
for path in paths:
    taken = 0
    with gzip.open(path, "rt", encoding="utf-8") as rows:
        for row in rows:
            text = json.loads(row)["text"]
            taken += len(text.encode())
            texts.append(text)
            if taken > int(most):
                break


def look(some):
    begun = time.perf_counter()
    for text in some:
        engine.analyze(text, language="en")
    return time.perf_counter() - begun


seconds = look(texts)
print(json.dumps({
    "layer": "all, without names",
    "bytes": sum(len(text.encode()) for text in texts),
    "seconds": seconds,
    "prompt_us": min(look([prompt]) for _ in range(20)) * 1e6,
    "start_ms": start,
    "resident_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
}))
