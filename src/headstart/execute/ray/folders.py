"""Carries what runs leave in a folder of a node's own into the study's, as bytes, where none is shared."""

from __future__ import annotations

import io
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from headstart.config.runs import Run
from headstart.execute.ray.calls import LostTaskError
from headstart.files import set_modes
from headstart.os_faults import writing
from headstart.store.layout import StudyLayout
from headstart.store.runs import RunStore

#: Trackers that write into the study's folder, beside curves; a database of theirs would replace another's.
_TRACKERS: Final = ("wandb",)


def pack_results(layout: StudyLayout, runs: Sequence[Run]) -> bytes:
    """All that the runs have left in a folder."""
    places = [layout.get_run_folder(run.key) for run in runs]
    places += [layout.get_curves_folder(run.key) for run in runs]
    places += [layout.out / name for name in _TRACKERS]
    return _pack(layout, places)


def pack_states(layout: StudyLayout, runs: Sequence[Run]) -> bytes | None:
    """The runs' training states, if there are any."""
    places = [layout.get_state_folder(run.key) for run in runs]
    places = [place for place in places if place.is_dir()]
    return _pack(layout, places) if places else None


def _pack(layout: StudyLayout, places: Sequence[Path]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for place in places:
            if place.exists():
                archive.add(place, str(place.relative_to(layout.out)))
    return stream.getvalue()


def unpack(content: bytes, layout: StudyLayout) -> None:
    """Put what was packed into an empty folder."""
    with writing(layout.out), tarfile.open(fileobj=io.BytesIO(content)) as archive:
        archive.extractall(layout.out, filter="data")


def take_in(content: bytes, store: RunStore, runs: Sequence[Run]) -> None:
    """Put what a task left into the study's folder: each run's folder is there whole, still without its
    record; that is written by who calls.

    Raises:
        LostTaskError: it is not what a task leaves.
        MachineError: it cannot be written.
    """
    store.check_held()
    with writing(store.out):
        store.own_folder.mkdir(parents=True, exist_ok=True)
        # Named as a temporary neighbour is: should this process be killed, the next one sweeps it.
        scratch = Path(tempfile.mkdtemp(dir=store.own_folder, prefix=f".{store.ray_folder.name}-"))
    try:
        _unpack_checked(content, StudyLayout(scratch))
        with writing(store.out):
            for new, target in _list_moves(StudyLayout(scratch), store, runs):
                _move(new, target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _unpack_checked(content: bytes, layout: StudyLayout) -> None:
    try:
        unpack(content, layout)
    except tarfile.TarError as error:
        raise LostTaskError("process", f"gave results that cannot be read: {error}") from error
    set_modes(layout.out)


def _list_moves(scratch: StudyLayout, store: RunStore, runs: Sequence[Run]) -> Iterator[tuple[Path, Path]]:
    for run in runs:
        scratch.record_file(run.key).unlink(missing_ok=True)
        yield scratch.get_run_folder(run.key), store.get_run_folder(run.key)
        yield scratch.get_curves_folder(run.key), store.get_curves_folder(run.key)
    for name in _TRACKERS:
        folder = scratch.out / name
        for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
            yield entry, store.out / name / entry.name


def _move(new: Path, target: Path) -> None:
    """The new folder in the place of what an earlier attempt left."""
    if not new.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    new.rename(target)
