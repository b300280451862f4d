"""Labels a file with a saved model, a chunk of rows at a time: same format out, predictions added."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from transformers import AutoModelForSequenceClassification

from headstart.config.metrics import Task
from headstart.data.assets import is_asset
from headstart.data.corpus import Text
from headstart.data.formats import Cells, read_cells
from headstart.data.sources import text_of
from headstart.data.tokenise import encode
from headstart.engine.device import Precision, choose_device, choose_precision, compute_format
from headstart.engine.evaluate import window_logits
from headstart.engine.losses import probabilities
from headstart.errors import DataError, ModelError, OutputError
from headstart.models.checkpoints import Checkpoint, open_checkpoint, quiet
from headstart.store.files import whole_file
from headstart.store.predictions import prediction_columns
from headstart.tuning.adapters import is_adapter, load_adapter
from headstart.tuning.probe import FILE as PROBE
from headstart.tuning.probe import load_probed

#: Rows read, labelled and written at once.
CHUNK = 2048
_FORMATS = (".csv", ".tsv", ".jsonl", ".parquet")
_TASKS: dict[str, Task] = {
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
    task: Task
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
        said = torch.cat([probabilities(logits, self.task) for _, logits in windows])
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
    precision = choose_precision("auto", device)
    module = load_saved(folder, notes, precision)
    task, names = task_of(module.config)
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


def task_of(config: Any) -> tuple[Task, tuple[str, ...]]:
    """What a model of this configuration was tuned for, and the names of its classes."""
    task = _TASKS.get(config.problem_type or "", "classification" if config.num_labels > 1 else "regression")
    return task, tuple(config.id2label[i] for i in range(config.num_labels)) if task != "regression" else ()


def load_saved(folder: Path, notes: dict[str, Any], precision: Precision) -> Any:
    """The classification model in `folder`, on the CPU: a whole one, or an adapter or probe on its base.

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
            return AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32)
    four_bits = compute_format(precision) if notes.get("method") == "qlora" else None
    return load_adapter(folder, base if is_asset(base) else None, four_bits)


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
    _check_formats(source, target)
    rows = iter(read_cells(source))
    first = list(islice(rows, 1))
    labeller = open_model(model, text)
    try:
        with _writer(source, target, labeller) as write:
            return sum(_chunk(chunk, labeller, write) for chunk in _chunks(first, rows))
    except OSError as error:
        raise OutputError(f"cannot be written: {error.strerror}", where=str(target)) from error


def _check_formats(source: Path, target: Path) -> None:
    if source.suffix.lower() not in _FORMATS:
        raise DataError(
            f"unknown format {source.suffix or '(no suffix)'}",
            where=str(source),
            expected=", ".join(_FORMATS),
        )
    if target.suffix.lower() != source.suffix.lower():
        raise DataError(
            f"output {target.name} for input {source.name}",
            where=str(target),
            expected=f"the same format: {source.suffix}",
        )


def _chunks(first: list[Cells], rows: Iterator[Cells]) -> Iterator[list[Cells]]:
    chunk = [*first, *islice(rows, CHUNK - len(first))]
    while chunk:
        yield chunk
        chunk = list(islice(rows, CHUNK))


def _chunk(chunk: list[Cells], labeller: Labeller, write: Callable[[_Rows], None]) -> int:
    texts = [text_of(cells, labeller.text, where, "--text") for where, cells in chunk]
    labels = labeller.label(texts)
    for where, cells in chunk:
        clash = sorted(cells.keys() & labels[0].keys())
        if clash:
            raise DataError(
                f"column {clash[0]!r} is there already",
                where=where,
                expected="a name that is free",
                fix="rename it",
            )
    write([{**cells, **label} for (_, cells), label in zip(chunk, labels, strict=True)])
    return len(chunk)


@contextmanager
def _writer(source: Path, target: Path, labeller: Labeller) -> Iterator[Callable[[_Rows], None]]:
    """A function that appends rows to what becomes `target` when all is written."""
    with whole_file(target) as scratch:
        if target.suffix.lower() == ".parquet":
            with pq.ParquetWriter(scratch, _schema(source, labeller)) as parquet:
                yield lambda rows: parquet.write_table(pa.Table.from_pylist(rows, schema=parquet.schema))
        else:
            with scratch.open("w", encoding="utf-8", newline="") as file:
                yield _json_writer(file) if target.suffix.lower() == ".jsonl" else _table_writer(file, target)


def _schema(source: Path, labeller: Labeller) -> pa.Schema:
    predicted = {"regression": pa.float64(), "multi-label": pa.list_(pa.string())}
    fields = [("predicted", predicted.get(labeller.task, pa.string()))]
    fields += [(f"p_{name}", pa.float64()) for name in labeller.names]
    return pa.schema([*pq.read_schema(source), *(pa.field(name, kind) for name, kind in fields)])


def _json_writer(file: Any) -> Callable[[_Rows], None]:
    return lambda rows: file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _table_writer(file: Any, target: Path) -> Callable[[_Rows], None]:
    """CSV, or TSV, whose header comes with the first rows; several labels of one text are joined by `|`."""
    tabs = target.suffix.lower() == ".tsv"
    writer = (
        csv.writer(file, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None, lineterminator="\n")
        if tabs
        else csv.writer(file, lineterminator="\n")
    )
    headed = False

    def write(rows: _Rows) -> None:
        nonlocal headed
        if not headed:
            writer.writerow(rows[0])
            headed = True
        writer.writerows([_cell(value) for value in row.values()] for row in rows)

    return write


def _cell(value: Any) -> Any:
    return "|".join(map(str, value)) if isinstance(value, list) else value
