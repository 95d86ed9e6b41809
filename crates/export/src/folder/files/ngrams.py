"""Hashed n-grams of a text, as stillhouse computes them; `python ngrams.py` checks itself against ngrams.json.

    settings = json.load(open("ngrams.json"))
    ids, mask = batch(["a text", "another one"], settings)      # lists of equal length, for the two inputs of the network
"""

MASK = (1 << 64) - 1
CHARACTERS, WORDS, PRIME = 0xCBF29CE484222325, 0x9E3779B97F4A7C15, 0x100000001B3
SPACE = 32
WHITESPACE = {*range(9, 14), 32, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000}


def symbols(text, settings):
    """Code points, with one mark for each run of whitespace and, if ends are marked, one at either end."""
    found = [SPACE] if settings["marked_ends"] else []
    for character in text:
        if ord(character) in WHITESPACE:
            if found[-1:] != [SPACE]:
                found.append(SPACE)
        else:
            # by code point: a whole text has a lower case that depends on neighbours
            found += map(ord, character.lower() if settings["lowercase"] else character)
    if settings["marked_ends"] and found[-1:] != [SPACE]:
        found.append(SPACE)
    return found


def bucket(bits, n_buckets):
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        bits = ((bits ^ (bits >> 33)) * factor) & MASK
    return (((bits ^ (bits >> 33)) >> 32) * n_buckets) >> 32


def hash_runs(start, items, limits, n_buckets):
    for first in range(len(items)):
        bits = start
        for n_before, item in enumerate(items[first : first + limits[1]]):
            bits = ((bits ^ item) * PRIME) & MASK
            if n_before + 1 >= limits[0]:
                yield bucket(bits, n_buckets)


def ngram_ids(text, settings):
    """The id of every n-gram of a text."""
    found, ids = symbols(text, settings), []
    if settings["characters"]:
        ids += hash_runs(CHARACTERS, found, settings["characters"], settings["n_buckets"])
    if settings["words"]:
        words, word = [], None
        for symbol in [*found, SPACE]:
            if symbol == SPACE:
                words += [] if word is None else [word]
                word = None
            else:
                word = (((WORDS if word is None else word) ^ symbol) * PRIME) & MASK
        ids += hash_runs(WORDS, words, settings["words"], settings["n_buckets"])
    return ids


def batch(texts, settings):
    """Ids and mask of some texts, padded to the longest; at least one id wide."""
    rows = [ngram_ids(text, settings) for text in texts]
    width = max([1, *map(len, rows)])
    ids = [row + [0] * (width - len(row)) for row in rows]
    return ids, [[1] * len(row) + [0] * (width - len(row)) for row in rows]


if __name__ == "__main__":
    import json
    import pathlib

    settings = json.loads(pathlib.Path(__file__).with_name("ngrams.json").read_text(encoding="utf-8"))
    assert ngram_ids(settings["golden"]["text"], settings) == settings["golden"]["ids"], "the hash differs"
    print("the hash is that of stillhouse")
