"""Tells a study's or pretraining's folder from a model's: who names it is told of the models in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from headstart.errors import ModelError
from headstart.models.pretraining_folders import refuse_pretraining_folder
from headstart.os_faults import check_lookup
from headstart.store.layout import StudyLayout
from headstart.wording import format_names

#: Models that a message names.
_SHOWN = 10


def refuse_study_folder(folder: Path) -> None:
    """See that `folder`, which is to be a model's, is not a study's or a pretraining's.

    Raises:
        ModelError: it is; names the models there.
    """
    check_lookup(folder)
    refuse_pretraining_folder(folder)
    if not is_study_folder(folder):
        return
    layout = StudyLayout(folder)
    models = list_models(layout)
    raise ModelError(
        "a study's folder, not a model",
        where=str(folder),
        expected=f"one of its models: {name_models(models)}" if models else "a model's folder",
        fix=None if models else f"run the study first: it keeps its models in {layout.models_folder}",
    )


def is_study_folder(folder: Path) -> bool:
    """Whether a study was run there."""
    layout = StudyLayout(folder)
    return layout.study_file.is_file() and (layout.mark_file.is_file() or layout.models_folder.is_dir())


def name_models(models: Sequence[str]) -> str:
    """The first of them, as a message names them."""
    return format_names(models, _SHOWN)


def say_how_to_save(folder: Path) -> str | None:
    """What to do where an arm's model is not in its study's `models`: deleted, or never saved, as bags of
    words were not by earlier versions. None of a folder that is no arm's."""
    layout = StudyLayout(folder.parent.parent)
    if folder.parent != layout.models_folder or not layout.study_file.is_file():
        return None
    runs = layout.runs_folder / folder.name
    if not runs.is_dir():
        return None
    return f"to save the model again, delete {runs} and repeat `headstart run` with the study file"


def list_models(layout: StudyLayout) -> list[str]:
    """The folders of the models that a study has left, by arm."""
    if not layout.models_folder.is_dir():
        return []
    entries = sorted(layout.models_folder.iterdir())
    return [str(entry) for entry in entries if entry.is_dir() and not entry.name.startswith(".")]
