"""Writes a saved model as a whole one that needs no adapter library; refuses what is whole already."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from transformers import AutoConfig

from headstart.data.corpus import Text
from headstart.errors import ModelError, OutputError
from headstart.methods.peft_format import is_adapter, merged
from headstart.models.checkpoints import Checkpoint, open_checkpoint
from headstart.models.save import save_model
from headstart.prediction import load_saved, notes_of, task_of
from headstart.store.files import write_text

#: Texts whose logits the written model must give again: any do, for unknown words have ids too.
_EXAMPLES: tuple[Text, ...] = ("Yes.", "This is a sentence of some words.", "0123 4567 89")


def export(model: Path, target: Path) -> None:
    """Write the adapter in folder `model` and its base, merged, to folder `target`: whole or not at all.

    The base of a four-bit adapter is taken in full precision, as PEFT does, so that its logits shift by what
    four bits had rounded away.

    Raises:
        ModelError: no adapter is there, or its base is gone.
        OutputError: `target` is there already.
    """
    if not is_adapter(model):
        raise ModelError(
            "holds no adapter", where=str(model), expected="a folder such as OUT/models/ARM of a LoRA arm"
        )
    if target.exists():
        raise OutputError("is there already", where=str(target), fix="name another folder: -o FOLDER")
    notes = notes_of(model)
    task, names = task_of(AutoConfig.from_pretrained(model), model)
    whole = merged(load_saved(model, notes | {"method": "lora"}, "fp32", task))
    checkpoint = open_checkpoint(str(model), task, names)
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=target.parent, prefix=".export-"))
    scratch.chmod(0o755)
    try:
        _write(whole, checkpoint, scratch, model, notes.get("max_length"))
        scratch.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _write(whole: object, checkpoint: Checkpoint, scratch: Path, model: Path, limit: int | None) -> None:
    save_model(whole, checkpoint, scratch, examples=_EXAMPLES, max_length=checkpoint.length(limit))
    for name in ("headstart.json", "README.md"):
        if (model / name).is_file():
            write_text(scratch / name, (model / name).read_text(encoding="utf-8"))
