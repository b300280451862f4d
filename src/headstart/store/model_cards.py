"""Writes the model card beside a saved model, and never over one that somebody edited."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from headstart.errors import ModelError
from headstart.files import find_file_fault, hash_file, write_text
from headstart.records import RunRecord
from headstart.store.layout import StudyLayout
from headstart.store.model_notes import find_run_of_model, read_model_notes, write_model_notes

#: What the hub, and every file browser, shows of a model's folder.
CARD_FILE: Final = "README.md"
#: Gives a run's model card, as Markdown.
MakeCard = Callable[[RunRecord], str]


def write_card(folder: Path, text: str) -> None:
    """Write the card of the model in `folder`, unless it has one that Headstart did not write, or not so."""
    card, digest = folder / CARD_FILE, hashlib.sha256(text.encode()).hexdigest()
    try:
        notes = read_model_notes(folder)
    except ModelError:  # said where the model is used
        return
    if card.is_symlink() or card.exists():
        is_ours = find_file_fault(card) is None and hash_file(card) == notes.card
        if not is_ours or notes.card == digest:
            return
        # First, so that whoever is killed below leaves no card, which is written again, and none that
        # looks edited.
        card.unlink()
    write_model_notes(folder, notes.model_copy(update={"card": digest}))
    write_text(card, text)


def rewrite_cards(
    layout: StudyLayout, arms: Iterable[str], done: Mapping[str, RunRecord], make_card: MakeCard
) -> None:
    """Write the card of each arm's model again, of those whose run is known.

    Args:
        done: the runs that are, by key.
    """
    for arm in arms:
        folder = layout.get_arm_model_folder(arm)
        record = done.get(find_run_of_model(folder) or "") if folder.is_dir() else None
        if record is not None:
            write_card(folder, make_card(record))
