"""Labels texts with a saved bag of words, as networks are asked; needs no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from headstart.data.corpus import CellType, Text
from headstart.errors import DataError
from headstart.methods.word_files import load_words
from headstart.methods.word_model import WordModel
from headstart.tasks.columns import LabelColumns, make_columns


@dataclass(frozen=True)
class WordPredictor:
    """A bag of words ready to label texts."""

    model: WordModel
    columns: LabelColumns
    text: str | tuple[str, str]

    def predict(self, texts: Sequence[Text], places: Sequence[str] = ()) -> list[dict[str, Any]]:
        """For each text its `predicted` label (or labels, or number) and a probability for each class.

        Args:
            places: where each text stands; a bag of words takes any.
        """
        return self.columns.list_predictions(self.model.compute_outputs(cast(Sequence[str], texts)))


def open_words(folder: Path, text: str | tuple[str, str], cells: CellType) -> WordPredictor:
    """The bag of words in `folder`.

    Args:
        text: the column of texts.
        cells: what names of labels were in the study's data.

    Raises:
        DataError: two columns, which only models of pairs read.
        ModelError: its files cannot be read.
    """
    if isinstance(text, tuple):
        raise DataError(
            f"two columns ({', '.join(text)}) for a bag of words",
            where=str(folder),
            expected="one column of texts",
        )
    saved = load_words(folder)
    return WordPredictor(saved.model, make_columns(saved.model.labels, saved.names, cells), text)
