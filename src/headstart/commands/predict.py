"""`headstart predict`: labels a file with a saved model, a chunk of rows at a time; same format out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, cast, get_args

import pyarrow as pa
import torch

from headstart.commands.model_folders import refuse_study_folder
from headstart.commands.outputs import check_output_file
from headstart.config.traits import get_task_traits
from headstart.data.corpus import CellType, Text
from headstart.data.delimited import read_separator
from headstart.data.formats import Cells
from headstart.data.long_texts import TextTooLongError
from headstart.data.tables import add_columns, check_formats
from headstart.data.texts import read_text
from headstart.data.tokenise import Tokens, encode_texts
from headstart.device import Precision, choose_device, choose_precision
from headstart.engine.evaluate import iter_logits
from headstart.engine.finite_logits import find_not_finite, make_logits_error
from headstart.engine.virtual_tokens import count_virtual_tokens
from headstart.errors import DataError, ModelError
from headstart.methods.saved import identify_task, load_saved_model
from headstart.models.adapter_folders import is_adapter
from headstart.models.checkpoint_files import check_folder
from headstart.models.checkpoints import Checkpoint, open_checkpoint
from headstart.os_faults import check_lookup
from headstart.store.model_notes import ModelNotes, read_model_notes
from headstart.tasks import load_task
from headstart.tasks.columns import LabelColumns
from headstart.tasks.labelled import LabelledTask
from headstart.training.check_tokens import check_rows

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Predictor:
    """A saved model ready to label texts: the network, its task, and how it reads texts."""

    module: torch.nn.Module
    checkpoint: Checkpoint
    task: LabelledTask
    columns: LabelColumns
    text: str | tuple[str, str]
    max_length: int
    device: torch.device
    precision: Precision

    def predict(self, texts: Sequence[Text], places: Sequence[str] = ()) -> Rows:
        """For each text its `predicted` label (or labels, or number) and a probability for each class.

        Args:
            places: where each text stands, for messages.

        Raises:
            ModelError: a text has a token that the model has no row for, or its logits are no numbers.
        """
        tokenizer = self.checkpoint.tokenizer
        tokens = self._encode(texts, places)
        check_rows(tokens, self.checkpoint)
        windows = iter_logits(
            self.module,
            tokens,
            pad_id=tokenizer.pad_token_id,
            device=self.device,
            precision=self.precision,
        )
        outputs = torch.cat(
            [self._compute_probabilities(logits, where.start, places) for where, logits in windows]
        )
        return cast(Rows, pa.table(self.columns.build_predictions(outputs.numpy())).to_pylist())

    def _encode(self, texts: Sequence[Text], places: Sequence[str]) -> Tokens:
        try:
            return encode_texts(texts, self.checkpoint.tokenizer, self.max_length)
        except TextTooLongError as error:
            i = list(texts).index(error.text)
            where = places[i] if places else f"text {i + 1}"
            raise DataError(error.got, where=where, expected=error.expected, fix=error.fix) from error

    def _compute_probabilities(self, logits: torch.Tensor, start: int, places: Sequence[str]) -> torch.Tensor:
        """Of logits [n, C], those of the texts from `start` on; of nan the first class would be likeliest."""
        broken = find_not_finite(logits)
        if broken is not None:
            i = start + broken
            raise make_logits_error(self.checkpoint.name, places[i] if places else f"text {i + 1}")
        return self.task.compute_probabilities(logits)


def open_predictor(folder: Path, text: str | None = None) -> Predictor:
    """The model that a study (or anybody's `save_pretrained`) left in `folder`.

    Args:
        text: the column of texts, or two with a comma between for a model of pairs; the study's own where
            absent, or `text`.

    Raises:
        DataError: one column for a model of pairs.
        ModelError: no model with a classification head is there.
    """
    check_lookup(folder)
    refuse_study_folder(folder)
    if folder.is_dir():
        check_folder(str(folder))
    if not (folder / "config.json").is_file() and not is_adapter(folder):
        raise ModelError(
            "no saved model (no config.json)", where=str(folder), expected="a folder such as OUT/models/ARM"
        )
    notes, device = read_model_notes(folder), choose_device("auto")
    name, label_names = identify_task(folder, notes)
    if get_task_traits(name).generates:
        raise ModelError(
            "a causal language model, which labels nothing", where=str(folder), fix="headstart generate"
        )
    task = load_task(name)
    assert isinstance(task, LabelledTask)
    precision = choose_precision("auto", device)
    checkpoint = open_checkpoint(str(folder), name, label_names, is_saved=True)
    module = load_saved_model(folder, notes, checkpoint, precision)
    return Predictor(
        module=module.to(device).eval(),
        checkpoint=checkpoint,
        task=task,
        columns=task.make_columns(label_names, _get_cell_type(notes)),
        text=_choose_columns(notes.text, text),
        max_length=notes.max_length or checkpoint.resolve_max_length(None, count_virtual_tokens(module)),
        device=device,
        precision=precision,
    )


def _choose_columns(noted: str | tuple[str, str] | None, given: str | None) -> str | tuple[str, str]:
    """The columns of texts: those given, as many as the model was trained on where that is known."""
    if given is None:
        return noted or "text"
    names = given.split(",")
    if isinstance(noted, str) or (noted is None and len(names) != 2):
        return given
    if len(names) != 2:
        raise DataError(
            f"{given!r} for a model of pairs ({', '.join(noted or ())})",
            where="--text",
            expected="two columns with a comma between: --text A,B",
        )
    return names[0].strip(), names[1].strip()


def _get_cell_type(notes: ModelNotes) -> CellType:
    """What the labels were in the study's data; text where nobody noted it."""
    return next((cells for cells in get_args(CellType) if cells == notes.label_cells), "text")


def predict(
    model: Path,
    source: Path,
    target: Path,
    *,
    text: str | None = None,
    separator: str = ",",
    force: bool = False,
) -> int:
    """Label the texts of `source` with the model in folder `model`; gives the number of rows.

    `target` gets every column of `source` with `predicted` and, for classes, `p_<class>` added, in the
    same format, whole or not at all. Labels that were numbers or truth values in the study's data are such
    here too, so that they can be compared.

    Args:
        text: the column of texts, or two of pairs with a comma between; the study's where absent.
        separator: between the cells of CSV, one character.
        force: overwrite `target`.

    Raises:
        DataError: a file that cannot be read, a column that is absent, or columns already there.
        ModelError: no model in the folder.
        OutputError: `target` already exists, or cannot be written.
    """
    check_formats(source, target)
    check_output_file(target, force=force)
    separator = read_separator(separator)
    open_once = cache(partial(open_predictor, model, text))  # when the file is known to be one

    def predict_chunk(chunk: list[Cells]) -> Rows:
        predictor = open_once()
        texts = [read_text(cells, predictor.text, where, "--text") for where, cells in chunk]
        return predictor.predict(texts, [where for where, _ in chunk]) if texts else []

    def list_fields() -> list[pa.Field]:
        return open_once().columns.prediction_fields

    return add_columns(source, target, predict_chunk, list_fields, separator)
