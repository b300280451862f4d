"""Says what adapting a study's checkpoints took, by the records in its folder; adapts nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from headstart.records import StudyWarning, format_duration
from headstart.records.pretraining import PretrainingRecord
from headstart.store.layout import StudyLayout
from headstart.wording import format_count

#: What lies beside adapted weights.
RECORD = "adapted.json"


def describe_adapting(layout: StudyLayout) -> Iterator[StudyWarning]:
    """A note with the seconds of all adaptations, which no run counts; none without one."""
    if sentence := tell_adapting(read_adapting(layout)):
        yield StudyWarning(kind="adapted", message=sentence)


def tell_adapting(records: Sequence[PretrainingRecord]) -> str:
    """What adaptations took, in a sentence without its full stop; empty without one."""
    if not records:
        return ""
    tokens = format_count(sum(record.tokens for record in records), "token")
    seeds = {record.settings.get("seed") for record in records}
    seconds = format_duration(sum(record.seconds for record in records))
    made = f"{format_count(len(seeds), 'seed')}, {tokens} in all"
    return f"adapting took {seconds} ({made}), beside the runs' own time"


def read_adapting(layout: StudyLayout) -> list[PretrainingRecord]:
    """The records of the adaptations in a study's folder; one that cannot be read is left out."""
    return [record for file in list_adapting_files(layout) if (record := _read_record(file))]


def list_adapting_files(layout: StudyLayout) -> list[Path]:
    """Where these records lie."""
    return sorted(layout.adapted_folder.glob(f"seed-*/{RECORD}"))


def _read_record(file: Path) -> PretrainingRecord | None:
    try:
        return PretrainingRecord.model_validate(json.loads(file.read_text("utf-8"))["record"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
