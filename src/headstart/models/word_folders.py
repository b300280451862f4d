"""Tells a folder of a saved bag of words from a network's, and refuses it where only networks will do."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from headstart.errors import ModelError

#: What tells the folder from others': kind of labels, their names, and the settings of the vectoriser.
WORDS_FILE: Final = "words.json"


def is_word_model(folder: Path) -> bool:
    """Whether the folder holds a bag of words; a network may lie beside it."""
    return (folder / WORDS_FILE).is_file()


def refuse_words(folder: Path) -> None:
    """See that `folder`, which is to be a network's, is not a saved bag of words.

    Raises:
        ModelError: it is.
    """
    if is_word_model(folder) and not (folder / "config.json").is_file():
        raise ModelError(
            "a saved bag of words, not a network: it has no layers and no weights to start from",
            where=str(folder),
            expected="a folder with config.json, weights and tokenizer",
            fix="use `headstart predict` to label texts with it",
        )
