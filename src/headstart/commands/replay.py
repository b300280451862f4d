"""What `headstart replay` does: trains one run again, elsewhere, and holds the outcome against its record."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from headstart.analysis.replay import Replay, compare_replay
from headstart.commands.load import open_store
from headstart.commands.outputs import check_output_folder
from headstart.commands.run import OnBegin, ignore_begin
from headstart.config.runs import Pack
from headstart.config.study import Study
from headstart.errors import HeadstartError, OutputError
from headstart.events import Log, OnEvent, ignore_events, ignore_log
from headstart.execute.pool import preload_workers, refuse_in_worker
from headstart.execute.replay_pack import PackToReplay, replay_pack, trained_here
from headstart.files import write_folder_atomically
from headstart.os_faults import writing
from headstart.planning.same_pack import find_pack, find_recorded_run
from headstart.records import RunRecord
from headstart.stages import tell_stage
from headstart.store.alterations import RecordAsItIs, read_finished, read_mates
from headstart.store.layout import StudyLayout

_PREFIX: Final = "headstart-replay-"


def replay(
    out: str | Path,
    run: str,
    on_event: OnEvent = ignore_events,
    log: Log = ignore_log,
    on_begin: OnBegin = ignore_begin,
    *,
    keep: str | Path | None = None,
) -> Replay:
    """Train a run of a study again, as its record says, and hold what comes out against the record.

    The whole pack in which it was trained is trained, with the record's threads, processors, precision and
    device, in a temporary folder. In the study's folder nothing is written.

    Example:
        replay = headstart.replay("runs/study", "pretrained/all/0")
        print(replay)

    Args:
        out: the study's folder.
        run: the run's key, `arm/size/seed`, with `/learning_rate=3e-05` behind it in a tuned arm.
        on_event: as of `headstart.run`, and `log` and `on_begin` likewise.
        keep: a new folder for what is trained; by default it is removed.

    Returns:
        What is equal to the bit, what differs, and by how much; `verdict` says it in a word.

    Raises:
        HeadstartError: there is no such run, or it is not done; data or checkpoint are not there, or were
            changed since; the replay itself failed.
    """
    refuse_in_worker()
    store, kept = open_store(Path(out)), None if keep is None else Path(keep)
    _check_kept(kept, store)
    study = store.read_study()
    tell_stage(f"reading run {run}")
    found, notes = read_finished(store, study, run), list[str]()
    placement = store.read_placement()
    pack = find_pack(study, found.record, placement, read_mates(store))
    if pack is None:
        pack = _take_alone(study, found.record, store)
        notes.append("the runs with which it trained as one are not known: it was trained by itself")
    is_here = trained_here(placement, found.record.execution)
    wanted = PackToReplay(store, study, found.record, pack, is_here)
    if not wanted.in_this_process:
        preload_workers()
    on_begin(len(wanted.pack.runs))
    with _open_folder(kept) as folder:
        replayed = replay_pack(wanted, folder, on_event, log)
        return _compare(wanted, found, replayed, folder, tuple(notes), kept)


def _check_kept(kept: Path | None, store: StudyLayout) -> None:
    """See that what is trained may be kept there.

    Raises:
        OutputError: something is there, or it is in the study's own folder.
    """
    if kept is None:
        return
    if kept.resolve().is_relative_to(store.out.resolve()):
        raise OutputError(
            "lies within the study's folder, in which nothing is written",
            where=str(kept),
            fix="choose another folder: --keep FOLDER",
        )
    check_output_folder(kept, force=False)


def _compare(
    wanted: PackToReplay,
    found: RecordAsItIs,
    replayed: RunRecord,
    folder: Path,
    notes: tuple[str, ...],
    kept: Path | None,
) -> Replay:
    keys = tuple(run.key for run in wanted.pack.runs)
    made = StudyLayout(folder)
    return compare_replay(wanted.layout, found, replayed, made, pack=keys, notes=notes, kept=kept)


def _take_alone(study: Study, record: RunRecord, store: StudyLayout) -> Pack:
    """The run by itself, where nobody knows with which it was trained.

    Raises:
        HeadstartError: the folder's study has no such run.
    """
    run = find_recorded_run(study, record)
    if run is None:
        raise HeadstartError(
            f"its study has no run {record.key}",
            where=str(store.study_file),
            expected="the study that the run was trained for",
            fix="put back the file that headstart wrote",
        )
    return Pack((run,))


@contextmanager
def _open_folder(kept: Path | None) -> Iterator[Path]:
    """A folder for what is trained, which ends with the block or becomes `kept`."""
    if kept is not None:
        with write_folder_atomically(kept) as folder:
            yield folder
        return
    with writing(tempfile.gettempdir()):
        temporary = tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True)
    with temporary as name:
        yield Path(name)
