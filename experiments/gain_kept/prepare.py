"""Writes train.tsv into a folder: all paragraphs of the built-in languages that are not of a test article.

    python experiments/gain_kept/prepare.py FOLDER
"""

import gzip
import sys
from pathlib import Path

LANGUAGES = Path(__file__).resolve().parents[2] / "crates/data/builtin/languages.tsv.gz"
TEST_ARTICLES = {"5", "10", "15", "20", "25", "30"}


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    header, *lines = gzip.open(LANGUAGES, "rt", encoding="utf-8").read().splitlines(keepends=True)
    train = [line for line in lines if line.split("\t")[2] not in TEST_ARTICLES]
    (folder / "train.tsv").write_text(header + "".join(train), encoding="utf-8")
    print(f"{len(train)} of {len(lines)} paragraphs in {folder / 'train.tsv'}")


if __name__ == "__main__":
    main()
