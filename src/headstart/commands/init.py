"""`headstart init`: looks at a file or folder of data, and writes a commented study file and its schema."""

from __future__ import annotations

import json
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from headstart.commands.model_folders import refuse_study_folder
from headstart.commands.outputs import check_output_file
from headstart.commands.schema import schema
from headstart.config.first_settings import choose_settings
from headstart.config.traits import get_task_traits
from headstart.data.guess.guess import guess_data
from headstart.files import read_file, write_text
from headstart.models.checkpoint_files import refuse_absent
from headstart.models.token_limit import read_token_limit
from headstart.os_faults import writing
from headstart.report.study_file import StudyDraft, count_training_texts, format_study
from headstart.stages import tell_stage

#: Checkpoints that stand in the file where the user names none.
_MODEL, _CAUSAL_MODEL = "asset:minilm", "bigscience/bloom-560m"
#: The schema that editors check the file against.
SCHEMA_FILE: Final = "study.schema.json"


def init(
    data: str | Path,
    output: str | Path = "study.yaml",
    *,
    model: str | None = None,
    text: str | None = None,
    label: str | None = None,
    force: bool = False,
) -> StudyDraft:
    """Write to `output` a study of the texts in `data`: a file, a folder of parts, or of classes.

    The JSON schema of study files is written beside it, unless one is there and `force` is not set.

    Example:
        print(headstart.init("reviews.csv", model="asset:minilm"))

    Args:
        model: the checkpoint: a folder, a hub id, or `asset:name`; a small one by default.
        text: the column of texts, where the guess is wrong; two with a comma between for a pair.
        label: the column of labels, where the guess is wrong; several with commas between for 0/1 columns.
        force: overwrite what is there.

    Raises:
        DataError: nothing readable in `data`, or no column that could be the text or the label.
        ModelError: `model` is a path, and nothing is there, or a study's or a pretraining's folder.
        OutputError: `output` already exists, or cannot be written.
    """
    data, output = Path(data), Path(output)
    check_output_file(output, force=force)
    draft = _draft_study(data, output, model, text, label)
    target, content = output.parent / SCHEMA_FILE, json.dumps(schema(), indent=2) + "\n"
    with writing(target):
        is_new = not target.exists()
    is_other = not is_new and not _holds(target, content)
    with ExitStack() as undo:  # both or none
        if is_new:
            undo.callback(target.unlink, missing_ok=True)
        if is_new or (force and is_other):
            write_text(target, content)
            is_other = False
        write_text(output, format_study(draft))
        undo.pop_all()
    return replace(draft, is_other_schema=is_other)


def _holds(file: Path, content: str) -> bool:
    with suppress(OSError):  # a folder, a pipe, or nothing that may be read: somebody else's
        return read_file(file) == content.encode()
    return False


def _draft_study(
    data: Path, output: Path, model: str | None, text: str | None, label: str | None
) -> StudyDraft:
    tell_stage(f"reading {data}")
    guess = guess_data(data, text, label)
    generates = get_task_traits(guess.task).generates
    chosen = model or (_CAUSAL_MODEL if generates else _MODEL)
    folder = Path(chosen).expanduser()
    refuse_study_folder(folder)
    if not folder.exists():
        refuse_absent(chosen)
    settings = choose_settings(
        count_training_texts(guess),
        guess.long_tokens,
        limit=read_token_limit(folder) if folder.is_dir() else None,
        generates=generates,
    )
    # A study's own paths are relative to its file, and this one to the present folder.
    name = str(folder.resolve()) if folder.is_dir() else chosen
    return StudyDraft(guess, name, model is None, settings, output, SCHEMA_FILE)
