"""The rows that a study's sources hold, for tests that look at nothing else of them."""

from __future__ import annotations

from collections.abc import Sequence

from headstart.config.study import Data
from headstart.config.traits import TaskName
from headstart.data.corpus import Part, Row
from headstart.data.sources import read_parts


def load_rows(data: Data, task: TaskName = "classification") -> dict[Part, Sequence[Row]]:
    """The rows of each part that the study names."""
    return {part: read.rows for part, read in read_parts(data, task).items()}
