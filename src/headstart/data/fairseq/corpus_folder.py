"""Writes the examples of a study as the folder that fairseq's sentence prediction is trained on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from headstart.data.corpus import Corpus, Text
from headstart.data.fairseq.dictionary import SPECIALS, Dictionary, make_label_dictionary, write_dictionary
from headstart.data.fairseq.folder import DICTIONARY, FIRST, LABEL, SECOND
from headstart.data.fairseq.writing import write_binarised
from headstart.errors import DataError
from headstart.files import write_text

#: From a text to the ids of its pieces, without start and end.
Encode = Callable[[str], Sequence[int]]


def write_corpus(corpus: Corpus, folder: Path, encode: Encode, dictionary: Dictionary) -> Counter[int]:
    """Write `input0`, `input1` of pairs, and `label` of each part; gives how often each id occurs.

    Classes are lines of `label/dict.txt` in the corpus's order; numbers are lines of `label/train.label`.

    Raises:
        DataError: a label cannot be a symbol of a dictionary: it has a space in it, or looks like padding.
    """
    is_pair = not isinstance(corpus.parts["train"].texts[0], str)
    counts = Counter[int]()
    for place, column in enumerate((FIRST, SECOND) if is_pair else (FIRST,)):
        for part, examples in corpus.parts.items():
            rows = (encode(_choose(text, place)) for text in examples.texts)
            of_part = write_binarised(folder / column / part, rows, dictionary)
            if part == "train":  # whose counts fairseq-preprocess writes
                write_dictionary(dictionary, folder / column / DICTIONARY, of_part)
            counts += of_part
    _write_labels(corpus, folder / LABEL)
    return counts


def _choose(text: Text, place: int) -> str:
    return text if isinstance(text, str) else text[place]


def _write_labels(corpus: Corpus, folder: Path) -> None:
    if not corpus.label_names:
        for part, examples in corpus.parts.items():
            write_text(folder / f"{part}.label", "".join(f"{float(label)!r}\n" for label in examples.labels))
        return
    dictionary = make_label_dictionary(corpus.label_names)
    _check_labels(corpus.label_names, dictionary)
    for part, examples in corpus.parts.items():
        rows = ([len(SPECIALS) + int(label)] for label in examples.labels)
        counts = write_binarised(folder / part, rows, dictionary)
        if part == "train":
            write_dictionary(dictionary, folder / DICTIONARY, counts)


def _check_labels(names: Sequence[str], dictionary: Dictionary) -> None:
    wrong = next((name for name in names if name.split() != [name]), None)
    if wrong is not None or dictionary.words != tuple(names):
        raise DataError(
            f"label {wrong!r} has a space in it" if wrong is not None else "a label that fairseq has itself",
            where="data.label",
            expected="labels that can be symbols of fairseq's label/dict.txt",
            fix="rename it in the data",
        )
