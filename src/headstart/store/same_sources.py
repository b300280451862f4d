"""Refuses to add runs to those of other data, or of another checkpoint; names the files that changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from headstart.records import CheckpointDigest, Provenance, RunRecord
from headstart.store.layout import StudyLayout
from headstart.store.same_study import OtherStudyError
from headstart.wording import format_names

#: The digest of a hub's checkpoint whose commit could not be told: it says nothing.
UNKNOWN_DIGEST: Final = "unknown"
#: Changed files that a message names.
_SHOWN = 3


def check_sources(
    done: Iterable[RunRecord], data: str, checkpoints: Sequence[CheckpointDigest], layout: StudyLayout
) -> None:
    """See that the runs that are done learnt from these very examples and checkpoints, by their digests.

    A record of an older version, which knew a folder by its weights alone, is compared by these.

    Raises:
        OutputError: a file was changed since; says which.
    """
    known = {digest for source in checkpoints for digest in (source.digest, source.weights, source.former)}
    for record in done:
        source = record.provenance
        if source is None:
            continue
        if source.data_digest != data:
            raise _make_error(record, "other data: a file has changed since", layout)
        # Older versions often could not tell the commit of a hub's checkpoint.
        is_other = source.checkpoint_digest not in {None, UNKNOWN_DIGEST, *known}
        if is_other or _has_other_files(source, checkpoints):
            changed = _describe_changes(source, checkpoints)
            raise _make_error(record, f"another checkpoint: {changed} changed since", layout)


def _has_other_files(source: Provenance, checkpoints: Sequence[CheckpointDigest]) -> bool:
    """Whether the cache holds other files of the same commit of the hub than those that a run began from.

    Files that only one of them has say nothing: a commit is fetched in parts.
    """
    before = source.checkpoint_files or {}
    same = [now.files for now in checkpoints if now.digest == source.checkpoint_digest]
    return any(now.get(name, digest) != digest for now in same for name, digest in before.items())


def _make_error(record: RunRecord, what: str, layout: StudyLayout) -> OtherStudyError:
    return OtherStudyError(
        f"run {record.key} was trained with {what}",
        where=str(layout.out),
        expected="the same files while a study grows",
        fix="put the files back, or name another folder: out=FOLDER",
    )


def _describe_changes(source: Provenance, checkpoints: Sequence[CheckpointDigest]) -> str:
    """Which files differ from those of the checkpoint that the run most likely began from."""
    before = source.checkpoint_files
    if not before:
        return "a file has"
    changes = min((_list_changes(before, now.files) for now in checkpoints), key=len, default=[])
    if not changes:
        return "a file has"
    return f"{format_names(changes, _SHOWN)} {'has' if len(changes) == 1 else 'have'}"


def _list_changes(before: dict[str, str], now: dict[str, str]) -> list[str]:
    return [name for name in sorted(before.keys() | now.keys()) if before.get(name) != now.get(name)]
