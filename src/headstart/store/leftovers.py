"""Removes from a study's folder what killed processes left half-written there, by its name; nothing else."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from headstart.files import remove_folder, sweep_leftovers
from headstart.store.layout import StudyLayout
from headstart.store.model_notes import NOTES_FILE
from headstart.store.predictions import PREDICTIONS_FILE, TOKENS_FILE

_OF_STUDY: Final = (
    "study.yaml",
    "plan.json",
    "placement.json",
    "results.json",
    "looks.json",
    "until_decided.json",
)
_OF_RUN: Final = ("record.json", PREDICTIONS_FILE, TOKENS_FILE, "model", "checkpoint")
_OF_MODEL: Final = ("README.md", NOTES_FILE)
_KEY_OF_SHEET: Final = re.compile(r"[a-z]{12}\.json")
_ENDED_PACK: Final = re.compile(r"[0-9a-f]{16}\.json")
#: Folders between `runs` and a run's own: arm, size, seed, and where an arm tries a grid the grid point.
_DEPTHS: Final = (3, 4)


def sweep_study_folder(layout: StudyLayout, done: Iterable[str]) -> None:
    """Remove what killed processes left; nothing is followed that is a link.

    Only who holds the folder may: what is half-written may be another's who still writes.

    Args:
        done: keys of runs that are, which need no training state.
    """
    sweep_leftovers(layout.out, _OF_STUDY)
    sweep_leftovers(layout.own_folder, [layout.mark_file.name, layout.ray_folder.name])
    for sheets in (layout.judging_folder, layout.judgements_folder):
        sweep_leftovers(sheets, matching=_KEY_OF_SHEET)
    models = layout.models_folder
    sweep_leftovers(models, [arm.name for arm in _list_folders(layout.runs_folder)], replaced=True)
    for model in _list_folders(models):
        sweep_leftovers(model, _OF_MODEL)
    if any(layout.queue_folder.glob("leases/*/*.held")):
        return  # what is half-written there may be a worker's that trains
    _sweep_ended(layout.ended_folder)
    for folder in _list_run_folders(layout.runs_folder):
        sweep_leftovers(folder, _OF_RUN)
        sweep_leftovers(folder / "model", _OF_MODEL)
    for key in done:
        if (state := layout.get_state_folder(key)).is_dir():
            remove_folder(state)


def _sweep_ended(folder: Path) -> None:
    """It is there for a moment only: once it is swept it goes, unless somebody has put something there."""
    sweep_leftovers(folder, matching=_ENDED_PACK)
    if folder.is_dir() and not folder.is_symlink():
        with suppress(OSError):
            folder.rmdir()


def _list_run_folders(runs: Path) -> Iterator[Path]:
    level = [runs] if not runs.is_symlink() else []
    for depth in range(1, max(_DEPTHS) + 1):
        level = [folder for parent in level for folder in _list_folders(parent)]
        yield from level if depth in _DEPTHS else ()


def _list_folders(folder: Path) -> list[Path]:
    """The folders in it that are no links, and not hidden."""
    if folder.is_symlink() or not folder.is_dir():
        return []
    entries = [entry for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)]
    return [Path(entry.path) for entry in entries if not entry.name.startswith(".")]
