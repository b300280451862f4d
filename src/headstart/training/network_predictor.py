"""Labels texts with a saved network, whole or an adapter or probe with its base, opened from its folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from headstart.config.traits import TaskName, get_task_traits
from headstart.data.corpus import CellType, Text
from headstart.data.long_texts import TextTooLongError
from headstart.data.tokenise import Tokens, encode_texts
from headstart.device import Precision, choose_device, choose_precision
from headstart.engine.evaluate import iter_logits
from headstart.engine.finite_logits import find_not_finite, make_logits_error
from headstart.engine.virtual_tokens import count_virtual_tokens
from headstart.errors import DataError, ModelError
from headstart.methods.saved import identify_task, load_saved_model
from headstart.models.checkpoints import Checkpoint, open_checkpoint
from headstart.models.library import silence_logs
from headstart.store.model_notes import ModelNotes
from headstart.tasks import load_task
from headstart.tasks.columns import LabelColumns
from headstart.tasks.labelled import LabelledTask
from headstart.training.check_tokens import check_rows


@dataclass(frozen=True)
class NetworkPredictor:
    """A saved network ready to label texts: the network, its task, and how it reads texts."""

    module: torch.nn.Module
    checkpoint: Checkpoint
    task: LabelledTask
    columns: LabelColumns
    text: str | tuple[str, str]
    max_length: int
    device: torch.device
    precision: Precision

    def predict(self, texts: Sequence[Text], places: Sequence[str] = ()) -> list[dict[str, Any]]:
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
        return self.columns.list_predictions(outputs.numpy())

    def _encode(self, texts: Sequence[Text], places: Sequence[str]) -> Tokens:
        try:
            with silence_logs():
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


def open_network(
    folder: Path, notes: ModelNotes, text: str | tuple[str, str], cells: CellType
) -> NetworkPredictor:
    """The network that a study, or anybody's `save_pretrained`, left in `folder`.

    Args:
        text: the column or columns of texts.
        cells: what names of labels were in the study's data.

    Raises:
        ModelError: it is no classifier, or cannot be loaded.
    """
    device = choose_device("auto")
    name, label_names = identify_task(folder, notes)
    if get_task_traits(name).generates:
        raise ModelError(
            "this is a generative model",
            where=str(folder),
            fix="use `headstart generate`",
        )
    task = load_task(name)
    assert isinstance(task, LabelledTask)
    precision = _choose_precision(name, device)
    checkpoint = open_checkpoint(str(folder), name, label_names, is_saved=True)
    module = load_saved_model(folder, notes, checkpoint, precision)
    return NetworkPredictor(
        module=module.to(device).eval(),
        checkpoint=checkpoint,
        task=task,
        columns=task.make_columns(label_names, cells),
        text=text,
        max_length=notes.max_length or checkpoint.resolve_max_length(None, count_virtual_tokens(module)),
        device=device,
        precision=precision,
    )


def _choose_precision(task: TaskName, device: torch.device) -> Precision:
    """The device's own for labels; float32 for numbers, of which bfloat16 keeps three digits."""
    is_number = get_task_traits(task).labels == "number"
    return "fp32" if is_number else choose_precision("auto", device)
