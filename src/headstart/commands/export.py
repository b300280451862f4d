"""`headstart export`: writes a saved adapter and its base as one whole model, which loads without PEFT."""

from __future__ import annotations

import shutil
from pathlib import Path

from headstart.data.corpus import Text
from headstart.errors import ModelError, OutputError
from headstart.files import write_folder_atomically
from headstart.methods.peft_format import merge_adapter
from headstart.methods.saved import identify_task, load_saved_model
from headstart.models.adapter_folders import is_adapter
from headstart.models.checkpoint_files import check_folder
from headstart.models.checkpoints import Checkpoint, open_checkpoint
from headstart.models.save import save_model
from headstart.os_faults import check_lookup
from headstart.store.model_notes import NOTES_FILE, read_model_notes

#: Texts whose logits the written model must give again: any do, for unknown words have ids too.
_EXAMPLES: tuple[Text, ...] = ("Yes.", "This is a sentence of some words.", "0123 4567 89")


def export(model: str | Path, target: str | Path) -> None:
    """Write the adapter in folder `model` and its base, merged, to folder `target`: whole or not at all.

    The base of a four-bit adapter is taken in full precision, as PEFT does, so that its logits shift by what
    four bits had rounded away.

    Example:
        headstart.export("runs/study/models/lora", "merged")

    Raises:
        ModelError: no adapter is there, or its base is gone.
        OutputError: `target` is there already.
    """
    model, target = Path(model), Path(target)
    for path in (model, target):
        check_lookup(path)
    if model.is_dir():
        check_folder(str(model))
    if not is_adapter(model):
        raise ModelError(
            "holds no adapter", where=str(model), expected="a folder such as OUT/models/ARM of a LoRA arm"
        )
    if target.exists():
        raise OutputError("is there already", where=str(target), fix="name another folder: -o FOLDER")
    notes = read_model_notes(model)
    checkpoint = open_checkpoint(str(model), *identify_task(model, notes), is_saved=True)
    merged = merge_adapter(load_saved_model(model, notes, checkpoint, precision=None))
    with write_folder_atomically(target) as folder:
        _write(merged, checkpoint, folder, model, notes.max_length)


def _write(merged: object, checkpoint: Checkpoint, folder: Path, model: Path, limit: int | None) -> None:
    save_model(
        merged, checkpoint, folder, examples=_EXAMPLES, max_length=checkpoint.resolve_max_length(limit)
    )
    for name in (NOTES_FILE, "README.md"):
        if (model / name).is_file():
            shutil.copyfile(model / name, folder / name)
