"""A queue in a study's folder, of which somebody damaged a file or put another thing in its place.

Its coordinator and its workers go on, or say in one message what is wrong; they follow no link out of it.
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

import headstart
from fuzzing import check_shown, count_descriptors, is_unlimited, own_folder, run_to_end
from headstart.commands import work as work_command
from headstart.config.load import load_study
from headstart.config.study import Study
from headstart.execute import open_queue, open_study, pool, queue_worker
from headstart.files import hash_file
from headstart.report.progress import StudyProgress
from headstart.store.holders import identify_machine
from headstart.store.layout import StudyLayout
from headstart.store.queue_end import end_queue
from headstart.store.queue_files import QueueFiles
from odd_values import edited_json
from queued_studies import StandInTrainer, passing_time, write_queue_in_use

StudyIn = Callable[..., Path]
#: Times that somebody waits until what does not end is ended: more than makes a lease stale.
LOOKS = 40
#: Bytes that no file of this queue has: what has as many is damage already.
LARGE = 2**14
EXAMPLES = 100 if is_unlimited() else 3
WORDS = {"words": {"method": "bag-of-words"}}


@pytest.fixture(scope="module")
def study(study_in: StudyIn, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A study of four bags of words, whose queue is in use."""
    folder = tmp_path_factory.mktemp("study")
    file = study_in(folder, arms=WORDS, seeds=[0, 1, 2, 3], workers=1, pack=1)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("HEADSTART_STALE_SECONDS", "0.04")
        study = load_study(file)
        write_queue_in_use(study)
        yield study


@pytest.fixture(autouse=True)
def _trainers_are_no_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "WorkerProcess", StandInTrainer)
    monkeypatch.setattr(work_command, "preload_workers", lambda: None)
    monkeypatch.setattr(queue_worker, "prepare_cached", lambda *_: None)
    for module in (open_queue, open_study):
        monkeypatch.setattr(module, "read_git_commit", lambda _: None)


# Damage


def link_out(place: Path, outside: Path) -> None:
    """A link to a folder or to a file that is no business of a queue's."""
    place.symlink_to(outside if place.suffix == "" else outside / "file.txt")


def link_nowhere(place: Path, outside: Path) -> None:
    """A link to what would be made there by who follows it."""
    place.symlink_to(outside / "new.txt")


def link_itself(place: Path, _: Path) -> None:
    """A link without an end."""
    place.symlink_to(place)


def make_pipe(place: Path, _: Path) -> None:
    """A pipe into which nobody writes."""
    os.mkfifo(place)


def make_socket(place: Path, _: Path) -> None:
    """A socket that nobody serves: bound by a short name, for a long one is refused."""
    here = os.open(place.parent, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(f"/proc/self/fd/{here}/s")
    os.close(here)
    (place.parent / "s").rename(place)


def make_folder(place: Path, _: Path) -> None:
    """A folder that is not empty."""
    place.mkdir()
    (place / "file").touch()


def make_file(place: Path, _: Path) -> None:
    """A file of nothing."""
    place.touch()


def make_large(place: Path, _: Path) -> None:
    """A file larger than anybody's memory."""
    with place.open("wb") as stream:
        stream.truncate(2**40)


def make_deep(place: Path, _: Path) -> None:
    """JSON without an end."""
    place.write_bytes(b'{"a":' * 100_000 + b"\n")


#: What is put in the place of a file or a folder.
OTHERS: tuple[Callable[[Path, Path], None], ...] = (
    link_out,
    link_nowhere,
    link_itself,
    make_pipe,
    make_socket,
    make_folder,
    make_file,
    make_large,
    make_deep,
)


@st.composite
def edited_lines(draw: st.DrawFn, whole: bytes) -> bytes:
    """A file with one of its lines edited, or one that says that it is of this machine."""
    lines = whole.replace(b'"another","process"', f'"{identify_machine()}","process"'.encode()).split(b"\n")
    at = draw(st.integers(0, max(0, len(lines) - 2)))
    lines[at] = draw(edited_json(lines[at])) if lines[at] else draw(st.binary(max_size=9))
    return b"\n".join(lines)


def damage_something(data: st.DataObject, folder: Path, outside: Path) -> None:
    """Edit a file of the queue, or put something in the place of a file or a folder, or where none is."""
    place = data.draw(st.sampled_from(sorted(folder.rglob("*"))))
    is_small = place.is_file() and not place.is_symlink() and place.stat().st_size < LARGE
    if is_small and data.draw(st.booleans()):
        place.write_bytes(data.draw(edited_lines(place.read_bytes())))
        return
    if data.draw(st.integers(0, 3)) == 0:
        name = data.draw(st.sampled_from(("pack.3.held", "pack.99999999.free", f"pack.{'9' * 240}.held")))
        place = (place if place.is_dir() else place.parent) / name
    elif place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink()
    if not os.path.lexists(place):
        data.draw(st.sampled_from(OTHERS))(place, outside)


def list_outside(outside: Path) -> dict[str, tuple[int, str]]:
    """What lies there, to see that it stays as it is."""
    return {
        str(file): (file.lstat().st_mtime_ns, hash_file(file) if file.is_file() else "")
        for file in (outside, *outside.rglob("*"))
    }


def make_outside(folder: Path) -> Path:
    """A folder beside the study's, with a file, and a folder that looks like a queue's."""
    outside = folder / "outside"
    shutil.copytree(folder / "out/.headstart/queue", outside)
    (outside / "file.txt").write_text("a person's\n", encoding="utf-8")
    return outside


def try_damaged(study: Study, data: st.DataObject, function: Callable[[Study], Any]) -> None:
    """Call what reads a queue, of which something was damaged."""
    with own_folder() as folder:
        out = folder / "out"
        shutil.copytree(study.out, out)
        outside, queue = make_outside(folder), QueueFiles(StudyLayout(out)).folder
        for _ in range(data.draw(st.integers(1, 2))):
            damage_something(data, queue, outside)
        before = list_outside(outside)
        moved, descriptors = study.model_copy(update={"out": str(out)}), count_descriptors()
        run_to_end(function, moved)
        assert list_outside(outside) == before
        assert count_descriptors() <= descriptors, "files that nobody closes"


# Who reads it


@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_workers_of_damaged_queues(study: Study, data: st.DataObject) -> None:
    def work(moved: Study) -> None:
        with passing_time(LOOKS):
            headstart.work(moved.out, workers=1)

    try_damaged(study, data, work)


def coordinate(study: Study) -> None:
    """As `headstart run --no-local-workers`, of whom a person sees lines, and bars."""
    console = Console(file=StringIO(), width=200)
    progress = StudyProgress(study.metric, console)
    with passing_time(LOOKS):
        headstart.run(study, progress.on_event, progress.log, progress.begin, local_workers=False)
    console.print(progress._bars.get_renderable())
    assert isinstance(console.file, StringIO)
    check_shown(console.file.getvalue())


@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_coordinators_of_damaged_queues(study: Study, data: st.DataObject) -> None:
    try_damaged(study, data, coordinate)


@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_damaged_queues_are_ended(study: Study, data: st.DataObject) -> None:
    def end(moved: Study) -> None:
        with passing_time(LOOKS):
            end_queue(Path(moved.out), wait=True)

    try_damaged(study, data, end)
