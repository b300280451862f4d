"""Says which models in `models/` are not those that their runs left: deleted, changed, or no longer whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from headstart.files import hash_file
from headstart.records import RunRecord
from headstart.store.digests import MODEL_FOLDER
from headstart.store.layout import StudyLayout
from headstart.store.model_notes import find_run_of_model


def describe_model_faults(layout: StudyLayout, done: Mapping[str, RunRecord]) -> Iterator[str]:
    """A sentence for each arm whose model is not as it was; nothing of runs whose records know no digests.

    Args:
        done: the runs that are, by key.
    """
    saved = [record for record in done.values() if _list_saved(record)]
    for arm in dict.fromkeys(record.arm for record in saved):
        of_arm = {record.key: record for record in saved if record.arm == arm}
        folder = layout.get_arm_model_folder(arm)
        fault = find_model_fault(folder, of_arm) if folder.is_dir() else _find_absence(layout, of_arm)
        if fault:
            yield f"{folder}: {fault}; to restore it, delete the record.json of that run, and run again"


def find_model_fault(folder: Path, done: Mapping[str, RunRecord]) -> str | None:
    """What of a model in `models/<arm>` is not as its run left it; None where all is, or nothing is known.

    Args:
        done: runs by key, those of its arm at least.
    """
    # Notes that cannot be read are said, and set aside, where another model takes its place.
    record = done.get(find_run_of_model(folder) or "")
    if record is None:
        return None
    for name, digest in _list_saved(record).items():
        file = folder / name
        if not file.is_file():
            return f"{name} of run {record.key} is missing"
        if hash_file(file) != digest:
            return f"{name} is not the file that run {record.key} wrote: its SHA-256 differs"
    return None


def _find_absence(layout: StudyLayout, of_arm: Mapping[str, RunRecord]) -> str | None:
    """Of an arm without a grid, whose best model is in its place as soon as a run has ended."""
    is_tuned = any(record.hyperparameters for record in of_arm.values())
    if is_tuned or any(layout.run_model_folder(key).is_dir() for key in of_arm):
        return None
    return f"the model of the best of run {', '.join(of_arm)} was deleted"


def _list_saved(record: RunRecord) -> dict[str, str]:
    """The digests of the model's files, by their names in its folder."""
    prefix = f"{MODEL_FOLDER}/"
    return {
        name.removeprefix(prefix): digest for name, digest in record.files.items() if name.startswith(prefix)
    }
