"""`headstart predict`: labels a file with a saved model, a chunk of rows at a time; same format out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, Protocol, get_args

import pyarrow as pa

from headstart.commands.model_folders import refuse_study_folder, say_how_to_save
from headstart.commands.outputs import check_output_file
from headstart.data.corpus import CellType, Text
from headstart.data.delimited import read_separator
from headstart.data.formats import Cells
from headstart.data.tables import add_columns, check_formats
from headstart.data.texts import read_text
from headstart.errors import DataError, ModelError
from headstart.methods.word_predictor import open_words
from headstart.models.checkpoint_files import ADAPTER_CONFIG, check_folder
from headstart.models.word_folders import is_word_model
from headstart.os_faults import check_lookup
from headstart.stages import LOADING, tell_stage
from headstart.store.model_notes import ModelNotes, read_model_notes
from headstart.tasks.columns import LabelColumns

Rows = list[dict[str, Any]]


class Predictor(Protocol):
    """A saved model ready to label texts: it knows the columns that it reads, and those that it gives."""

    @property
    def text(self) -> str | tuple[str, str]:
        """The column of texts, or the two of pairs."""

    @property
    def columns(self) -> LabelColumns:
        """What a prediction is made of."""

    def predict(self, texts: Sequence[Text], places: Sequence[str] = ()) -> Rows:
        """For each text its `predicted` label (or labels, or number) and a probability for each class."""


def open_predictor(folder: Path, text: str | None = None) -> Predictor:
    """The model that a study (or anybody's `save_pretrained`) left in `folder`; torch is loaded for networks.

    Args:
        text: the column of texts, or two with a comma between for a model of pairs; the study's own where
            absent, or `text`.

    Raises:
        DataError: one column for a model of pairs.
        ModelError: no model with a classification head, and no bag of words, is there.
    """
    check_lookup(folder)
    refuse_study_folder(folder)
    if folder.is_dir():
        check_folder(str(folder))
    is_network = any((folder / name).is_file() for name in ("config.json", ADAPTER_CONFIG))
    if not is_network and not is_word_model(folder):
        raise ModelError(
            "no saved model (no config.json)",
            where=str(folder),
            expected="a folder such as OUT/models/ARM",
            fix=say_how_to_save(folder),
        )
    notes = read_model_notes(folder)
    columns, cells = _choose_columns(notes.text, text), _get_cell_type(notes)
    if not is_network:
        tell_stage(f"loading {folder}")
        return open_words(folder, columns, cells)
    tell_stage(LOADING)
    from headstart.training.network_predictor import open_network

    tell_stage(f"loading {folder}")
    return open_network(folder, notes, columns, cells)


def _choose_columns(noted: str | tuple[str, str] | None, given: str | None) -> str | tuple[str, str]:
    """The columns of texts: those given, as many as the model was trained on where that is known."""
    if given is None:
        return noted or "text"
    names = given.split(",")
    if isinstance(noted, str) or (noted is None and len(names) != 2):
        return given
    if len(names) != 2:
        raise DataError(
            f"{given!r} for a model that takes pairs ({', '.join(noted or ())})",
            where="--text",
            expected="two columns separated by a comma: --text A,B",
        )
    return names[0].strip(), names[1].strip()


def _get_cell_type(notes: ModelNotes) -> CellType:
    """What the labels were in the study's data; text where nobody noted it."""
    return next((cells for cells in get_args(CellType) if cells == notes.label_cells), "text")


def predict(
    model: str | Path,
    source: str | Path,
    target: str | Path,
    *,
    text: str | None = None,
    separator: str = ",",
    force: bool = False,
) -> int:
    """Label the texts of `source` with the model in folder `model`; gives the number of rows.

    `target` gets every column of `source` with `predicted` and, for classes, `p_<class>` added, in the
    same format, whole or not at all. Labels that were numbers or truth values in the study's data are such
    here too, so that they can be compared.

    Example:
        headstart.predict("runs/study/models/pretrained", "new.csv", "labelled.csv")

    Args:
        text: the column of texts, or two of pairs with a comma between; the study's where absent.
        separator: between the cells of CSV, one character.
        force: overwrite `target`.

    Raises:
        DataError: a file that cannot be read, a column that is absent, or columns already there.
        ModelError: no model in the folder.
        OutputError: `target` already exists, or cannot be written.
    """
    model, source, target = Path(model), Path(source), Path(target)
    check_formats(source, target)
    check_output_file(target, force=force)
    separator = read_separator(separator)
    open_once = cache(partial(_open_for, source, model, text))  # when the file is known to be one

    def predict_chunk(chunk: list[Cells]) -> Rows:
        predictor = open_once()
        texts = [read_text(cells, predictor.text, where, "--text") for where, cells in chunk]
        return predictor.predict(texts, [where for where, _ in chunk]) if texts else []

    def list_fields() -> list[pa.Field]:
        return open_once().columns.prediction_fields

    return add_columns(source, target, predict_chunk, list_fields, separator)


def _open_for(source: Path, model: Path, text: str | None) -> Predictor:
    predictor = open_predictor(model, text)
    tell_stage(f"labelling the texts of {source}")
    return predictor
