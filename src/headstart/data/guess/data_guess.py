"""What a file or folder of data seems to hold, as a frozen type: nothing of how that was found out."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from headstart.config.traits import TaskName
from headstart.data.corpus import Part


@dataclass(frozen=True)
class DataGuess:
    """What a data file seems to hold.

    Attributes:
        source: the file whose rows were looked at.
        files: a study's `data` keys with the paths as the user gave them.
        parts: those that have files of their own; the others are split off.
        task: what the labels make of it.
        columns: a study's `data` keys with the columns for them, such as `text` and `label`.
        settings: other keys of the study's `data` section that differ from its defaults.
        classes: rows looked at of each class; empty where there are none.
        rows: all that the file has.
        seen: rows that were looked at, spread over the file.
        median_words: of the texts, or of prompt and answer together.
        long_tokens: a rough count of the tokens of long texts, of which one in a hundred is longer.
        doubts: sentences on what else it could be, with what to write then.
        faults: sentences on rows that `plan` will refuse.
        passed_over: columns that tell nothing, with why.
    """

    source: Path
    files: dict[str, Path]
    parts: tuple[Part, ...]
    task: TaskName
    columns: dict[str, str | tuple[str, ...]]
    settings: dict[str, str]
    classes: dict[str, int]
    rows: int
    seen: int
    median_words: float
    long_tokens: int
    doubts: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    passed_over: dict[str, str] = field(default_factory=dict)
