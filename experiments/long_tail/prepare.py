"""Writes a long-tailed training set of languages into a folder: train.tsv, valid.tsv, unlabelled.tsv.

    python experiments/long_tail/prepare.py FOLDER --seed 0

Pieces of 20 characters of the built-in languages. The seed puts the 200 languages in an order; the first one has 200 training pieces, the
last one 2, and those between fall off exponentially (imbalance 100, Cui et al. 2019). Paragraphs are shared out before they are cut:
valid.tsv has 20 pieces of each language, of other paragraphs; unlabelled.tsv up to 60 more of each, without labels. Test articles are
left out.
"""

import argparse
import gzip
import random
from pathlib import Path

LANGUAGES = Path(__file__).resolve().parents[2] / "crates/data/builtin/languages.tsv.gz"
TEST_ARTICLES = {"5", "10", "15", "20", "25", "30"}
LENGTH = 20
N_FIRST = 200
IMBALANCE = 100
N_VALID = 20
N_UNLABELLED = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    draws = random.Random(arguments.seed)
    paragraphs = read()
    order = sorted(paragraphs)
    draws.shuffle(order)
    parts = {"train": [], "valid": [], "unlabelled": []}
    for rank, language in enumerate(order):
        n_train = round(N_FIRST * IMBALANCE ** (-rank / (len(order) - 1)))
        texts = paragraphs[language]
        draws.shuffle(texts)
        for name, n_pieces in (("valid", N_VALID), ("train", n_train), ("unlabelled", N_UNLABELLED)):
            parts[name] += [(language, piece) for piece in take(texts, n_pieces)]
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for name, rows in parts.items():
        draws.shuffle(rows)
        lines = [f"{language}\t{piece}\n" for language, piece in rows]
        header = "language\ttext\n"
        if name == "unlabelled":
            header, lines = "text\n", [f"{piece}\n" for _, piece in rows]
        (arguments.folder / f"{name}.tsv").write_text(header + "".join(lines), encoding="utf-8")
        print(f"{name}: {len(rows)} pieces")


def read() -> dict[str, list[str]]:
    """Paragraphs of each language that are of no test article."""
    paragraphs = {}
    for line in gzip.open(LANGUAGES, "rt", encoding="utf-8").read().splitlines()[1:]:
        language, _, article, text = line.split("\t")
        if article not in TEST_ARTICLES:
            paragraphs.setdefault(language, []).append(text)
    return paragraphs


def take(texts: list[str], n_pieces: int) -> list[str]:
    """So many pieces, of whole paragraphs that are taken off the list."""
    pieces = []
    while len(pieces) < n_pieces and texts:
        text = texts.pop()
        found = [text[start : start + LENGTH] for start in range(0, len(text) - LENGTH + 1, LENGTH)]
        pieces += [piece for piece in found if '"' not in piece]
    return pieces[:n_pieces]


if __name__ == "__main__":
    main()
