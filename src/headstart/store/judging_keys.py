"""Which answer is whose in a sheet of paired answers: kept in the study's folder, apart from the sheet."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from headstart.errors import OutputError
from headstart.files import write_text
from headstart.records import SCHEMA_VERSION, Record
from headstart.store.json_files import read_versioned
from headstart.store.layout import StudyLayout

#: Letters alone: spreadsheets take `12e45` for a number.
_NAME: Final = re.compile(r"[a-z]{12}")


class PairKey(Record):
    """One prompt with the seed whose answers are compared: `id` of its example, and its group if any."""

    id: int
    seed: int
    group: int | None = None


class RowKey(PairKey):
    """One row: whose its first answer is, and digests of its texts, by which it is known again."""

    row: int
    first: Literal["arm", "control"]
    digests: tuple[str, ...]


class JudgingKey(Record):
    """What tells a sheet's answers apart. `equal` are pairs of the same answer, which nobody has to judge.

    `draw` is the seed of the draw of prompts, sides and seeds.
    """

    schema_version: Literal[2] = SCHEMA_VERSION
    sheet: str
    arm: str
    control: str
    size: int | Literal["all"]
    draw: int
    rows: tuple[RowKey, ...]
    equal: tuple[PairKey, ...] = ()


def write_judging_key(layout: StudyLayout, key: JudgingKey) -> Path:
    """Write the key, and give its path."""
    path = layout.judging_key_file(key.sheet)
    write_text(path, key.model_dump_json(indent=1) + "\n")
    return path


def read_judging_key(layout: StudyLayout, sheet: str, where: Path) -> JudgingKey:
    """The key of a sheet that came back as the file `where`.

    Raises:
        OutputError: the study has none of that name, or it cannot be read, or is of another version.
    """
    path = layout.judging_key_file(sheet)
    if not _NAME.fullmatch(sheet) or not path.exists():
        raise OutputError(
            f"sheet {sheet!r} does not belong to the study in {layout.out}",
            where=str(where),
            expected=_describe_sheets(list_sheets(layout)),
            fix="name the folder of the study that the sheet was written for",
        )
    return read_versioned(JudgingKey, path, layout.out)


def list_sheets(layout: StudyLayout) -> list[str]:
    """The sheets that were written for the study."""
    folder = layout.judging_key_file("any").parent
    return sorted(file.stem for file in folder.glob("*.json")) if folder.is_dir() else []


def _describe_sheets(sheets: Sequence[str]) -> str:
    return f"one of {', '.join(sheets)}" if sheets else "a sheet of this study, for which none was written"
