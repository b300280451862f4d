"""Finds what an interrupted study has kept: runs that are finished, and training states of others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from headstart.config.runs import Run
from headstart.config.study import Study
from headstart.planning.tuning import find_needed_runs, list_runs_to_come
from headstart.store.runs import RunStore
from headstart.store.states import StateProgress, read_state_progress


@dataclass(frozen=True)
class KeptRun:
    """An unfinished run that had begun; `state` is what it resumes from, None where it starts over."""

    run: Run
    state: StateProgress | None


@dataclass(frozen=True)
class KeptRuns:
    """How many runs of all are finished, and what is kept of those that are not."""

    finished: int
    total: int
    unfinished: tuple[KeptRun, ...]


def find_kept(study: Study) -> KeptRuns:
    """What the study's folder holds of its runs; nothing is changed there.

    Raises:
        HeadstartError: a record there cannot be read.
    """
    store = RunStore(Path(study.out))
    study = store.with_added_seeds(study)
    records = store.read_done_records() if store.runs_folder.is_dir() else {}
    runs = find_needed_runs(study, records.values())
    to_come = list_runs_to_come(study, records.values())
    missing = [run for run in runs if run.key not in records]
    return KeptRuns(
        len(runs) - len(missing), len(runs) + len(to_come), tuple(_find_unfinished(missing, store))
    )


def _find_unfinished(missing: list[Run], store: RunStore) -> Iterator[KeptRun]:
    """Those that have a folder and no record."""
    for run in missing:
        if store.get_run_folder(run.key).is_dir() and not store.record_file(run.key).exists():
            yield KeptRun(run, read_state_progress(store, run.key))
