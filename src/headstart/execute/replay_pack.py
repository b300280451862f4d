"""Trains the pack of one record again, under the record's own conditions, into a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch

from headstart.config.parallel import Parallel
from headstart.config.runs import Pack
from headstart.config.study import ExecutionSettings, Study
from headstart.environment import set_variable
from headstart.errors import HeadstartError, TrainingError
from headstart.events import Log, OnEvent
from headstart.execute.group import open_backend
from headstart.methods.adapted import locate_adapted
from headstart.planning.placement import Placement
from headstart.prepared import PreparedStudy
from headstart.processors import count_processors
from headstart.records import Execution, PlacementRecord, RunRecord
from headstart.store.layout import StudyLayout
from headstart.store.provenance import read_git_commit
from headstart.store.records import read_record
from headstart.store.runs import RunStore
from headstart.store.same_sources import check_sources
from headstart.store.same_study import OtherStudyError
from headstart.training.prepare import keep_precision, prepare_methods, prepare_study
from headstart.training.resume import STATE_SECONDS_VARIABLE

#: More threads than a process is given, whatever a record says that was changed.
_MOST_THREADS: Final = 1_024
#: A replay that is interrupted begins anew: no training state is worth its place on the disk.
_NEVER: Final = "1e9"


@dataclass(frozen=True)
class PackToReplay:
    """What is trained again: the pack of `record`, of a study in the folder of `layout`.

    `in_this_process`: as the study asked, else in a worker process.
    """

    layout: StudyLayout
    study: Study
    record: RunRecord
    pack: Pack
    in_this_process: bool

    @property
    def execution(self) -> Execution | None:
        """How the record says that it was computed."""
        return self.record.execution


def trained_here(placement: PlacementRecord | None, execution: Execution | None) -> bool:
    """Whether the study trained in the process that ran it, as far as its folder tells."""
    is_alone = execution is None or (execution.workers == 1 and not execution.pinned)
    return placement is not None and placement.workers == 0 and is_alone


def replay_pack(wanted: PackToReplay, folder: Path, on_event: OnEvent, log: Log) -> RunRecord:
    """Train the pack's runs into `folder`, which is empty; gives the run's new record, as it was written.

    Raises:
        HeadstartError: data or a checkpoint is not there, or was changed since; the run failed.
    """
    study = _settle_study(wanted.study, wanted.execution, folder)
    prepared = prepare_study(study, wanted.pack.runs, commit=read_git_commit(Path.cwd()), log=log)
    _check_sources(wanted, prepared)
    prepared = keep_precision(prepared, [wanted.record], has_bf16=True)  # that of the record, hardware or not
    store = RunStore(folder)
    with _taking_adapted(wanted, prepared), set_variable(STATE_SECONDS_VARIABLE, _NEVER):
        prepare_methods([prepared.select(run) for run in wanted.pack.runs], log)
        with _setting_threads(wanted), open_backend(prepared, store, log) as backend:
            backend.run_packs([wanted.pack], _place(wanted), on_event)
    record = read_record(store.record_file(wanted.record.key), store)
    if record.status != "done":
        raise TrainingError(f"the replay failed: {record.error}", where=f"run {record.key}")
    return record


def _settle_study(study: Study, execution: Execution | None, folder: Path) -> Study:
    """The study as this run was computed: what of it may change without being another study is as it was."""
    changes: dict[str, object] = {"out": str(folder), "trackers": (), "report": False}
    if execution is not None:
        is_on_cpu = execution.device.startswith("cpu")
        changes["device"] = "cpu" if is_on_cpu else "auto"
        changes["vocabulary"] = "full" if execution.vocabulary_rows is None else "used"
        changes["execution"] = _settle_steps(study.execution, execution)
        changes["parallel"] = _settle_group(execution)
    return study.model_copy(update=changes)


def _settle_group(execution: Execution) -> Parallel | None:
    """As many processes as trained the run together, if they did."""
    if execution.parallel is None:
        return None
    return Parallel.model_validate({"kind": execution.parallel, "processes": execution.processes})


def _settle_steps(asked: ExecutionSettings, execution: Execution) -> ExecutionSettings:
    """Steps of a GPU, captured and compiled as they were."""
    changes: dict[str, str] = {}
    if execution.compiled is not None:
        changes["compile"] = "on" if execution.compiled else "off"
    if execution.captured is not None:
        changes["graph"] = "auto" if execution.captured else "off"
    return asked.model_copy(update=changes)


def _check_sources(wanted: PackToReplay, prepared: PreparedStudy) -> None:
    """See that data and checkpoint are those of the record.

    Raises:
        HeadstartError: they are not.
    """
    try:
        check_sources([wanted.record], prepared.corpus.digest, prepared.sources, wanted.layout)
    except OtherStudyError as error:
        raise HeadstartError(
            error.got,
            where=error.where,
            expected="the data and the checkpoint that the run was trained with",
            fix="put the files back",
        ) from error


@contextmanager
def _taking_adapted(wanted: PackToReplay, prepared: PreparedStudy) -> Iterator[None]:
    """Begin with the adapted weights of the study's folder; those that are not whole there are made anew."""
    links = []
    for run in wanted.pack.runs if any(run.adapted for run in wanted.pack.runs) else ():
        link = locate_adapted(prepared.select(run))
        there = wanted.layout.adapted_folder / link.name
        if there.is_dir() and not link.exists():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(there.resolve())
            links.append(link)
    try:
        yield
    finally:
        for link in links:
            if link.is_symlink():
                link.unlink()


def _place(wanted: PackToReplay) -> Placement:
    """Processes, threads and pack as the record has them.

    Of several workers each kept to its share of the processors; of one alone nothing else depends on how
    many there were.
    """
    execution, reason, size = wanted.execution, "as its record says", len(wanted.pack.runs)
    if wanted.in_this_process:
        return Placement(0, 0, reason, size)
    if execution is None:
        return Placement(1, 0, reason, size)
    workers = min(execution.workers, count_processors()) if execution.pinned else 1
    return Placement(max(1, workers), _limit_threads(execution), reason, size)


@contextmanager
def _setting_threads(wanted: PackToReplay) -> Iterator[None]:
    """Have this process compute with the record's threads where it is the one that trains."""
    execution, before = wanted.execution, torch.get_num_threads()
    if not wanted.in_this_process or execution is None or not _limit_threads(execution):
        yield
        return
    torch.set_num_threads(_limit_threads(execution))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _limit_threads(execution: Execution) -> int:
    """What processes are given: 0 where it is no number of threads, as torch then has it."""
    return max(0, min(execution.threads, _MOST_THREADS))
