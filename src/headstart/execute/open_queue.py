"""Opens a study for a worker on any machine that sees its folder: the same data and checkpoints, or none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, cast

from headstart.config.runs import Pack, Run, expand_runs
from headstart.config.study import Study
from headstart.device import Precision, choose_device, supports_bf16
from headstart.errors import HeadstartError, OutputError
from headstart.events import Log
from headstart.execute.queued_packs import find_queued_run
from headstart.files import find_file_fault, hash_file
from headstart.os_faults import reading
from headstart.prepared import PreparedStudy
from headstart.records.queue import QueuedPack, QueueManifest
from headstart.stages import tell_stage
from headstart.store.names import check_names
from headstart.store.provenance import read_git_commit, read_version
from headstart.store.queue_files import QueueFiles
from headstart.store.runs import RunStore
from headstart.store.same_sources import UNKNOWN_DIGEST
from headstart.store.same_study import check_folder
from headstart.trackers.registry import check_trackers
from headstart.training.prepare import prepare_study
from headstart.wording import Caution, format_names

#: Packages whose versions bits depend on.
VERSIONED: Final = ("headstart", "torch", "transformers", "numpy")
_PRECISIONS: Final = frozenset({"fp32", "bf16", "fp64"})


@dataclass(frozen=True)
class OpenQueue:
    """A study that is ready to train the packs of a queue."""

    study: Study
    store: RunStore
    prepared: PreparedStudy
    files: QueueFiles

    def find_pack(self, queued: QueuedPack) -> Pack:
        """The pack's runs, as this study has them.

        Raises:
            OutputError: the study has no such run.
        """
        return Pack(tuple(self._find_runs(queued)), queued.estimate)

    def _find_runs(self, queued: QueuedPack) -> Iterator[Run]:
        for one in queued.runs:
            run = find_queued_run(self.study, one)
            if run is None:
                raise OutputError(
                    f"a pack names a run that the study does not have: {one.key}",
                    where=str(self.files.folder),
                    fix="start headstart run --no-local-workers again: it writes the queue anew",
                )
            yield run


def open_queue(files: QueueFiles, manifest: QueueManifest, log: Log) -> OpenQueue:
    """Read the folder's study, prepare its data and checkpoints, and see that they are the queue's; writes
    nothing.

    Raises:
        HeadstartError: something differs, or whatever else would keep the study from being run here.
    """
    store = RunStore(files.layout.out)
    check_folder(store)
    study = _read_study(store, manifest)
    check_names(study.arms, store.out)
    check_trackers(study)
    for sentence in _compare_versions(manifest.versions):
        log(Caution(sentence))
    runs = expand_runs(study)
    tell_stage("preparing data and checkpoints")
    prepared = prepare_study(study, runs, commit=read_git_commit(Path.cwd()), log=log)
    _check_sources(prepared, manifest, store.out)
    return OpenQueue(study, store, replace(prepared, precision=_take_precision(prepared, manifest)), files)


def has_study_of(files: QueueFiles, manifest: QueueManifest) -> bool:
    """Whether the folder's study file is the one whose packs are in the queue.

    Raises:
        OutputError: it cannot be read, or is no file.
    """
    file = files.layout.study_file
    if fault := find_file_fault(file):
        raise OutputError(fault, where=str(file), expected="the file that headstart wrote")
    with reading(file), suppress(FileNotFoundError):
        return hash_file(file) == manifest.study
    return False


def _read_study(store: RunStore, manifest: QueueManifest) -> Study:
    if not has_study_of(QueueFiles(store), manifest):
        raise OutputError(
            "is not the study whose packs are in the queue: its SHA-256 differs",
            where=str(store.study_file),
            fix="start headstart run --no-local-workers again; on a network disk, wait a minute before",
        )
    return store.read_study().model_copy(update={"out": str(store.out)})


def _compare_versions(theirs: Mapping[str, str]) -> Iterator[str]:
    differing = [
        f"{name} {ours} (theirs: {theirs[name]})"
        for name in VERSIONED
        if name in theirs and (ours := read_version(name)) != theirs[name]
    ]
    if differing:
        yield (
            "other versions than where the study was planned; its runs may differ by rounding: "
            + ", ".join(differing)
        )


def _check_sources(prepared: PreparedStudy, manifest: QueueManifest, out: Path) -> None:
    """See that the data and checkpoints of this machine are those of the queue."""
    if prepared.corpus.digest != manifest.data:
        raise _make_error("the data", "differ", "the same files, at the paths of study.yaml", out)
    ours = list_checkpoints(prepared)
    other = [
        name
        for name, digest in manifest.checkpoints.items()
        if UNKNOWN_DIGEST not in (digest, ours.get(name)) and ours.get(name) != digest
    ]
    if other:
        what = f"the checkpoint {format_names(other)}"
        raise _make_error(what, "differs", "the same files, or the same commit", out)


def _make_error(what: str, differ: str, expected: str, out: Path) -> HeadstartError:
    return HeadstartError(
        f"{what} on this machine {differ} from the coordinator's: its runs could not be compared",
        where=str(out),
        expected=expected,
        fix="copy them here, or use a shared folder for them too",
    )


def list_checkpoints(prepared: PreparedStudy) -> dict[str, str]:
    """The digest of each checkpoint of the study, by its name."""
    return {name: checkpoint.source.digest for name, checkpoint in prepared.checkpoints.items()}


def _take_precision(prepared: PreparedStudy, manifest: QueueManifest) -> Precision:
    """That of the queue, so that all its runs are alike."""
    precision = manifest.precision
    is_known = precision in _PRECISIONS
    if is_known and (precision != "bf16" or supports_bf16(choose_device(prepared.study.device))):
        return cast(Precision, precision)
    raise HeadstartError(
        f"the queue's runs compute in {precision}, which this machine cannot",
        where="training.precision",
        fix="start workers on machines like the coordinator's, or set training.precision to fp32",
    )
