"""Believes a run's record only as far as the files beside it bear it out, and finds the runs to be redone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from headstart.config.study import Study
from headstart.config.traits import get_task_traits
from headstart.errors import DamagedFileError
from headstart.os_faults import reading
from headstart.records import RunRecord, Scores
from headstart.store.digests import find_changed_file
from headstart.store.ended_packs import read_unsettled
from headstart.store.layout import StudyLayout
from headstart.store.prediction_tables import Predictions
from headstart.store.predictions import PREDICTIONS_FILE, TOKENS_FILE
from headstart.store.recomputed import find_difference
from headstart.store.record_bounds import find_impossible
from headstart.store.records import list_record_files, make_record_error, read_record

#: What `PredictionReader` does.
ReadPredictions = Callable[[str, str], Predictions | None]
#: A metric of each file of predictions, by which it is found: those of a language model lie in two.
_FILES: Final = {PREDICTIONS_FILE: "accuracy", TOKENS_FILE: "loss"}


@dataclass(frozen=True)
class DamagedRun:
    """A run whose files are not what it left: its key by where they lie, and the error that says what."""

    key: str
    error: DamagedFileError

    @property
    def is_of_model(self) -> bool:
        """Whether its model is what was changed."""
        return "model" in Path(self.error.where or "").parts[-3:-1]


def read_verified(layout: StudyLayout, study: Study, read: ReadPredictions) -> Iterator[RunRecord]:
    """Every record of the folder, each borne out by the files beside it.

    Args:
        read: the predictions of a run, which are then read once.

    Raises:
        DamagedFileError: one is not; says which, and what differs.
        OutputError: one is of another version.
    """
    for found in check_runs(layout, study, read):
        if isinstance(found, DamagedRun):
            raise found.error
        yield found


def check_runs(
    layout: StudyLayout, study: Study, read: ReadPredictions, *, models: bool = False
) -> Iterator[RunRecord | DamagedRun]:
    """Every record of the folder, or that its run is damaged; in the order of their paths.

    Args:
        models: whether saved models are compared with their digests too, where they lie with their runs.

    Raises:
        OutputError: a record is of another version.
    """
    for file, given in _list_records(layout):
        try:
            record = given or read_record(file, layout)
            _verify(record, file, study, read, models)
        except DamagedFileError as error:
            yield DamagedRun(file.parent.relative_to(layout.runs_folder).as_posix(), error)
        else:
            yield record


def _list_records(layout: StudyLayout) -> Iterator[tuple[Path, RunRecord | None]]:
    """The file of each record; with the record itself where the file is written when the study runs on."""
    files = list_record_files(layout)
    yield from ((file, None) for file in files)
    unsettled = ((layout.record_file(record.key), record) for record in read_unsettled(layout))
    yield from ((file, record) for file, record in unsettled if not file.exists())


def _verify(record: RunRecord, file: Path, study: Study, read: ReadPredictions, models: bool) -> None:
    if what := find_impossible(record):
        raise make_record_error(what, file)
    if record.status != "done":
        return
    known = record if models else _leave_models_out(record)
    try:
        with reading(file.parent):
            changed = find_changed_file(known, file.parent)
    except OSError as error:
        raise make_record_error(f"another file of this run cannot be read: {error}", file) from error
    if changed is not None:
        raise make_record_error("is not the file that the run wrote: its SHA-256 differs", changed)
    if record.test and get_task_traits(study.task).tells_metrics:
        for what in list_contradictions(record, file.parent, read):
            raise make_record_error(what, file)


def _leave_models_out(record: RunRecord) -> RunRecord:
    files = {name: digest for name, digest in record.files.items() if "/" not in name}
    return record.model_copy(update={"files": files})


def list_contradictions(record: RunRecord, folder: Path, read: ReadPredictions) -> Iterator[str]:
    """What the predictions say otherwise than the record, of each file that is there.

    Raises:
        DamagedFileError: predictions cannot be read.
    """
    for name, metric in _FILES.items():
        predictions = read(record.key, metric) if (folder / name).exists() else None
        if predictions is None or not record.test:
            continue
        # Answers were once measured in another way: a record of then is not judged by today's.
        scores = record.test if predictions.is_measured else _select_lasting(record.test)
        if difference := find_difference(scores, predictions):
            yield difference


def _select_lasting(scores: Scores) -> Scores:
    """Of answers, what was always counted as it is today."""
    return {name: value for name, value in scores.items() if name == "stopped"}


def list_done(found: Iterable[RunRecord | DamagedRun]) -> dict[str, RunRecord]:
    """The runs that are done, by key."""
    records = (one for one in found if isinstance(one, RunRecord))
    return {record.key: record for record in records if record.status == "done"}


def describe_damage(damaged: DamagedRun) -> str:
    """A sentence of what is wrong, and what becomes of it."""
    error = damaged.error
    return (
        f"run {damaged.key} is redone, and the old files are kept in set-aside/: {error.where}: {error.got}"
    )
