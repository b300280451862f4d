"""`headstart export`: writes a saved adapter merged with its base as one whole model, or by itself."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headstart.commands.model_folders import refuse_study_folder
from headstart.commands.outputs import check_output_folder, open_output_folder
from headstart.data.corpus import Text
from headstart.errors import ModelError
from headstart.files import read_file, write_text
from headstart.methods.peft_format import merge_adapter
from headstart.methods.saved import identify_task, load_saved_model
from headstart.models.adapter_folders import is_adapter, read_adapter_shapes, read_base_name
from headstart.models.checkpoint_files import check_folder
from headstart.models.checkpoints import Checkpoint, open_checkpoint
from headstart.models.save import save_model
from headstart.models.word_folders import refuse_words
from headstart.os_faults import check_lookup
from headstart.records import SCHEMA_VERSION
from headstart.report.card_use import describe_merged
from headstart.stages import tell_stage
from headstart.store.model_cards import CARD_FILE
from headstart.store.model_notes import NOTES_FILE, read_model_notes

#: Texts whose logits the written model must give again: any do, for unknown words have ids too.
_EXAMPLES: tuple[Text, ...] = ("Yes.", "This is a sentence of some words.", "0123 4567 89")


@dataclass(frozen=True)
class ExportedModel:
    """A folder that was written: a whole model where the adapter was `merged`, else the adapter."""

    path: Path
    source: Path
    merged: bool
    base: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for `--json`."""
        paths = {"path": str(self.path), "source": str(self.source)}
        return {"schema_version": SCHEMA_VERSION, **paths, "merged": self.merged, "base": self.base}


def export(
    model: str | Path, target: str | Path, *, merge: bool = True, force: bool = False
) -> ExportedModel:
    """Write the adapter in folder `model` and its base, merged, to folder `target`: whole or not at all.

    The base of a four-bit adapter is taken in full precision, as PEFT does, so that its logits shift by what
    four bits had rounded away.

    Example:
        headstart.export("runs/study/models/lora", "merged")

    Args:
        merge: else the adapter is written as it is, for PEFT.
        force: replace a model, or an empty folder, at `target`.

    Raises:
        ModelError: no adapter is there, or its base is gone; it is of a type that cannot be merged.
        OutputError: `target` already exists.
    """
    model, target = Path(model), Path(target)
    check_lookup(target)
    _check_adapter(model)
    check_output_folder(target, force=force, sources=(model,))
    if merge:
        _write_merged(model, target, force=force)
    else:
        read_adapter_shapes(model)  # which refuses weights that are absent or cut
        with open_output_folder(target, force=force) as folder:
            _copy(model, folder)
    return ExportedModel(target, model, merge, read_base_name(model))


def _write_merged(model: Path, target: Path, *, force: bool) -> None:
    notes = read_model_notes(model)
    tell_stage(f"loading {model}")
    checkpoint = open_checkpoint(str(model), *identify_task(model, notes), is_saved=True)
    merged = merge_adapter(load_saved_model(model, notes, checkpoint, precision=None))
    tell_stage(f"writing {target}")
    with open_output_folder(target, force=force) as folder:
        _write(merged, checkpoint, folder, model, notes.max_length)


def _check_adapter(model: Path) -> None:
    check_lookup(model)
    refuse_study_folder(model)
    if model.is_dir():
        check_folder(str(model))
    if not is_adapter(model):
        refuse_words(model)
        is_whole = (model / "config.json").is_file()
        raise ModelError(
            "contains no adapter" + ("; it is a whole model and needs no export" if is_whole else ""),
            where=str(model),
            expected="a folder such as OUT/models/ARM of a LoRA arm",
        )


def _copy(model: Path, folder: Path) -> None:
    """The adapter's own files, as they are; what else was put beside them stays there."""
    for file in sorted(model.iterdir()):
        if file.is_file():
            shutil.copyfile(file, folder / file.name)


def _write(merged: object, checkpoint: Checkpoint, folder: Path, model: Path, limit: int | None) -> None:
    save_model(
        merged, checkpoint, folder, examples=_EXAMPLES, max_length=checkpoint.resolve_max_length(limit)
    )
    if (model / NOTES_FILE).is_file():
        shutil.copyfile(model / NOTES_FILE, folder / NOTES_FILE)
    if (model / CARD_FILE).is_file():
        _write_card(model / CARD_FILE, folder / CARD_FILE, generates=checkpoint.is_causal)


def _write_card(card: Path, target: Path, *, generates: bool) -> None:
    """The card, which speaks of a whole model then; one that is no UTF-8, and so not ours, as it is."""
    try:
        text = read_file(card).decode("utf-8")
    except UnicodeDecodeError:
        shutil.copyfile(card, target)
    else:
        write_text(target, describe_merged(text, generates=generates))
