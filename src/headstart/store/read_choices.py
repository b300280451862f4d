"""What judges chose in sheets that were read back: kept in the study's folder, bound to the sheet's key."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Literal

from headstart.files import write_text
from headstart.records import SCHEMA_VERSION, Record
from headstart.store.json_files import make_damage, read_versioned
from headstart.store.judging_keys import JudgingKey, list_sheets, read_judging_key
from headstart.store.layout import StudyLayout


class JudgeChoices(Record):
    """One judge's choices, by the number of the row."""

    name: str
    choices: dict[int, Literal["1", "2", "tie"]]


class ReadChoices(Record):
    """The choices of a sheet's judges as they were last read; `key_digest` is the SHA-256 of its key."""

    schema_version: Literal[2] = SCHEMA_VERSION
    sheet: str
    key_digest: str
    judges: tuple[JudgeChoices, ...]
    notes: tuple[str, ...] = ()


def write_read_choices(
    layout: StudyLayout,
    key: JudgingKey,
    by_judge: Mapping[str, Mapping[int, Literal["1", "2", "tie"]]],
    notes: tuple[str, ...],
) -> None:
    """Keep what was read of a sheet, in place of what was read of it before.

    Raises:
        MachineError: the folder cannot be written to.
    """
    judges = tuple(JudgeChoices(name=name, choices=dict(choices)) for name, choices in by_judge.items())
    kept = ReadChoices(sheet=key.sheet, key_digest=_digest(key), judges=judges, notes=notes)
    write_text(layout.read_choices_file(key.sheet), kept.model_dump_json(indent=1) + "\n")


def list_read_choices(layout: StudyLayout) -> Iterator[tuple[JudgingKey, ReadChoices]]:
    """What was read of each sheet, with its key.

    Raises:
        DamagedFileError: a file cannot be read, or does not fit the key.
        OutputError: it is of another version.
    """
    for sheet in list_sheets(layout):
        file = layout.read_choices_file(sheet)
        if not file.is_file():
            continue
        kept = read_versioned(ReadChoices, file, layout.out)
        key = read_judging_key(layout, sheet, file)
        if (kept.sheet, kept.key_digest) != (key.sheet, _digest(key)):
            raise make_damage("is of another key than the sheet's: one of them was changed", file)
        if not {row for judge in kept.judges for row in judge.choices} <= {row.row for row in key.rows}:
            raise make_damage("holds rows that the sheet had not", file)
        yield key, kept


def _digest(key: JudgingKey) -> str:
    return hashlib.sha256(key.model_dump_json().encode()).hexdigest()
