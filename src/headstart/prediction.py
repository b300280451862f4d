"""Labels a file with a saved model, a chunk of rows at a time: same format out, predictions added."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import torch

from headstart.config.traits import TaskName
from headstart.data.assets import is_asset
from headstart.data.corpus import Text
from headstart.data.formats import Cells
from headstart.data.sources import text_of
from headstart.data.tokenise import encode
from headstart.engine.device import Precision, choose_device, choose_precision, compute_format
from headstart.engine.evaluate import window_logits
from headstart.errors import ModelError
from headstart.methods.linear_probe import FILE as PROBE
from headstart.methods.linear_probe import load_probed
from headstart.methods.peft_format import is_adapter, load_adapter
from headstart.models.checkpoints import Checkpoint, library_class, open_checkpoint, quiet
from headstart.store.predictions import prediction_columns
from headstart.store.tables import add_columns, check_formats
from headstart.tasks import load_task
from headstart.tasks.labelled import LabelledTask

_TASKS: dict[str, TaskName] = {
    "single_label_classification": "classification",
    "multi_label_classification": "multi-label",
    "regression": "regression",
}
_Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Labeller:
    """A saved model ready to label texts: the network, what it was trained for, and how it reads texts."""

    module: torch.nn.Module
    checkpoint: Checkpoint
    task: TaskName
    names: tuple[str, ...]
    text: str | tuple[str, str]
    max_length: int
    device: torch.device
    precision: Precision

    def label(self, texts: list[Text]) -> _Rows:
        """For each text its `predicted` label (or labels, or number) and a probability for each class."""
        tokenizer = self.checkpoint.tokenizer
        tokens = encode(texts, tokenizer, self.max_length)
        windows = window_logits(
            self.module,
            tokens,
            pad_id=tokenizer.pad_token_id,
            device=self.device,
            precision=self.precision,
        )
        task = load_task(self.task)
        assert isinstance(task, LabelledTask)
        said = torch.cat([task.compute_probabilities(logits) for _, logits in windows])
        columns = prediction_columns(said.numpy(), self.task, self.names)
        return cast(_Rows, pa.table(columns).to_pylist())


def open_model(folder: Path, text: str | None = None) -> Labeller:
    """The model that a study (or anybody's `save_pretrained`) left in `folder`.

    Args:
        text: the column of texts; the study's own where absent, or `text`.

    Raises:
        ModelError: no model with a classification head is there.
    """
    if not (folder / "config.json").is_file():
        raise ModelError(
            "no saved model (no config.json)", where=str(folder), expected="a folder such as OUT/models/ARM"
        )
    notes, device = notes_of(folder), choose_device("auto")
    if notes.get("task") == "instruction":
        raise ModelError(
            "a causal language model, which labels nothing", where=str(folder), fix="headstart generate"
        )
    precision = choose_precision("auto", device)
    module = load_saved(folder, notes, precision)
    task, names = task_of(module.config, folder)
    checkpoint = open_checkpoint(str(folder), task, names)
    columns = text or notes.get("text", "text")
    return Labeller(
        module=module.to(device).eval(),
        checkpoint=checkpoint,
        task=task,
        names=names,
        text=tuple(columns) if isinstance(columns, list) else columns,
        max_length=notes.get("max_length") or checkpoint.length(None),
        device=device,
        precision=precision,
    )


def task_of(config: Any, folder: Path) -> tuple[TaskName, tuple[str, ...]]:
    """What the model in `folder`, of this configuration, was tuned for, and the names of its classes."""
    if notes_of(folder).get("task") == "instruction":
        return "instruction", ()
    task = _TASKS.get(config.problem_type or "", "classification" if config.num_labels > 1 else "regression")
    return task, tuple(config.id2label[i] for i in range(config.num_labels)) if task != "regression" else ()


def load_saved(
    folder: Path, notes: dict[str, Any], precision: Precision, task: TaskName = "classification"
) -> Any:
    """The model in `folder`, on the CPU: a whole one, or an adapter or probe on its base.

    Args:
        notes: what Headstart noted beside the weights.
        precision: of products with a base in four bits.

    Raises:
        ModelError: an adapter's base is not where it was.
    """
    base = str(notes.get("base", ""))
    if (folder / PROBE).is_file():
        return load_probed(folder, base)
    if not is_adapter(folder):
        with quiet():
            return library_class(task).from_pretrained(folder, dtype=torch.float32)
    four_bits = compute_format(precision) if notes.get("method") == "qlora" else None
    return load_adapter(folder, base if is_asset(base) else None, task, four_bits)


def notes_of(folder: Path) -> dict[str, Any]:
    """What Headstart noted beside the weights; nothing for a model made elsewhere."""
    try:
        notes = json.loads((folder / "headstart.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ModelError("headstart.json cannot be read", where=str(folder), fix="delete it") from error
    return notes if isinstance(notes, dict) else {}


def predict(model: Path, source: Path, target: Path, *, text: str | None = None) -> int:
    """Label the texts of `source` with the model in folder `model`; gives the number of rows.

    `target` gets every column of `source` with `predicted` and, for classes, `p_<class>` added, in the
    same format, whole or not at all.

    Raises:
        DataError: a file that cannot be read, a column that is absent, or columns already there.
        ModelError: no model in the folder.
        OutputError: `target` cannot be written.
    """
    check_formats(source, target)
    opened = cache(partial(open_model, model, text))  # when the file is known to be one

    def label(chunk: list[Cells]) -> _Rows:
        own = opened()
        texts = [text_of(cells, own.text, where, "--text") for where, cells in chunk]
        return own.label(texts) if texts else []

    return add_columns(source, target, label, lambda: _fields(opened()))


def _fields(labeller: Labeller) -> list[pa.Field]:
    predicted = {"regression": pa.float64(), "multi-label": pa.list_(pa.string())}
    shares = [pa.field(f"p_{name}", pa.float64()) for name in labeller.names]
    return [pa.field("predicted", predicted.get(labeller.task, pa.string())), *shares]
