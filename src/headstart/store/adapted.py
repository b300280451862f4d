"""Says what adapting a study's checkpoints took, by the records in its folder; adapts nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator

from headstart.records import StudyWarning, format_duration
from headstart.store.layout import StudyLayout
from headstart.wording import format_count

#: What lies beside adapted weights.
RECORD = "adapted.json"


def describe_adapting(layout: StudyLayout) -> Iterator[StudyWarning]:
    """A note with the seconds of all adaptations, which no run counts; none without one."""
    seconds = [_read_seconds(file.read_text("utf-8")) for file in layout.adapted_folder.glob(f"*/{RECORD}")]
    known = [each for each in seconds if each is not None]
    if known:
        yield StudyWarning(
            kind="adapted",
            message=f"adapting took {format_duration(sum(known))} "
            f"({format_count(len(known), 'seed')}), beside the runs' own time",
        )


def _read_seconds(text: str) -> float | None:
    try:
        return float(json.loads(text)["record"]["seconds"])
    except (ValueError, KeyError, TypeError):
        return None
