"""Tells the folder of a pretraining from that of the model in it, which is what loads."""

from __future__ import annotations

from pathlib import Path

from headstart.errors import ModelError
from headstart.store.pretraining_layout import PretrainingLayout


def refuse_pretraining_folder(folder: Path) -> None:
    """See that `folder`, which is to be a model's, is not the `out` of a pretraining.

    Raises:
        ModelError: it is; names the model in it, or says that there is none yet.
    """
    layout = PretrainingLayout(folder)
    if not _is_pretraining_folder(layout):
        return
    is_done = layout.model_folder.is_dir()
    raise ModelError(
        "a pretraining's folder, not a model",
        where=str(folder),
        expected=f"its model: {layout.model_folder}" if is_done else "a model's folder",
        fix=None if is_done else f"finish the pretraining first: it saves its model in {layout.model_folder}",
    )


def _is_pretraining_folder(layout: PretrainingLayout) -> bool:
    is_begun = layout.settings_file.is_file() and not (layout.out / "config.json").exists()
    return is_begun and (layout.own_folder.is_dir() or layout.model_folder.is_dir())
