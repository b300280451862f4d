"""What people judged of a study's answers, from the choices that its folder keeps."""

from __future__ import annotations

from headstart.analysis.judgements import Judgements, contrast_judgements
from headstart.store.layout import StudyLayout
from headstart.store.read_choices import list_read_choices


def read_judgements(layout: StudyLayout) -> tuple[Judgements, ...]:
    """A contrast for each sheet that was read back, by the sheets' names.

    Raises:
        DamagedFileError: as `list_read_choices`.
        OutputError: likewise.
    """
    return tuple(
        contrast_judgements(
            str(layout.read_choices_file(key.sheet)),
            key,
            {judge.name: judge.choices for judge in kept.judges},
            kept.notes,
        )
        for key, kept in list_read_choices(layout)
        if any(judge.choices for judge in kept.judges)
    )
