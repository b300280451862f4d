"""Keeps what is not believed: a damaged run's files are moved out of the way, never removed."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Final

from headstart.store.digests import MODEL_FOLDER
from headstart.store.layout import StudyLayout
from headstart.store.predictions import PREDICTIONS_FILE, TOKENS_FILE
from headstart.store.verify import DamagedRun

_FILES: Final = ("record.json", PREDICTIONS_FILE, TOKENS_FILE)


def set_run_aside(layout: StudyLayout, damaged: DamagedRun) -> Path | None:
    """Move a run's record and predictions, and its model where that is what was changed, to
    `set-aside/<key>/<number>`; gives that folder, None where there was nothing.

    Its record goes first: a process that is killed between two of them leaves a run that is not done.
    """
    names = (*_FILES, MODEL_FOLDER) if damaged.is_of_model else _FILES
    folder = layout.get_run_folder(damaged.key)
    return _move([folder / name for name in names], layout.set_aside_folder / damaged.key)


def set_file_aside(layout: StudyLayout, file: Path) -> Path | None:
    """Move a file of the folder to `set-aside/<name>/<number>`; gives that folder."""
    return _move([file], layout.set_aside_folder / file.name)


def _move(files: list[Path], place: Path) -> Path | None:
    there = [file for file in files if file.exists() or file.is_symlink()]
    if not there:
        return None
    target = next(place / str(n) for n in count(1) if not (place / str(n)).exists())
    target.mkdir(parents=True)
    for file in there:
        file.rename(target / file.name)
    return target
