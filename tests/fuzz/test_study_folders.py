"""A study's own folder, of which a file was edited or damaged, that `run`, `plan`, `judge` go on with.

What they read there: the mark and the lease, the placement, records of packs that ended, training states,
predictions and answers, and the entries of the cache.
"""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzzing import check_shown, is_unlimited, own_folder, print_as_people_see, run_to_end
from headstart.commands.judge import judge_pairs
from headstart.commands.plan import plan
from headstart.commands.run import run
from headstart.config.load import load_study
from headstart.config.study import Study
from headstart.events import EpochDone, Event
from headstart.report.study_summary import render_study_summary
from headstart.store import lease
from headstart.store.ended_packs import _get_file
from headstart.store.holders import Holder
from headstart.store.layout import StudyLayout
from judged_studies import write_answered_study
from odd_values import edited_json

#: What a folder holds at some moments beside what an interrupted study leaves.
KEY = "pretrained/all/0"


def interrupt_in_epoch(epoch: int) -> Callable[[Event], None]:
    """What ends a study there, before the state of that epoch is kept."""

    def listen(event: Event) -> None:
        if isinstance(event, EpochDone) and event.epoch.epoch == epoch:
            raise KeyboardInterrupt

    return listen


def add_moments(out: Path) -> None:
    """What lies there for a moment alone: the lease of a process that was killed, records of a pack."""
    layout = StudyLayout(out)
    holder = Holder(host=socket.gethostname(), machine="another", process=1, started=1.0, since="then")
    held = layout.own_folder / "folder.9.held"
    held.write_text(f"{holder.model_dump_json()}\n{0:020d}\n", encoding="ascii")
    record = json.loads(layout.record_file(KEY).read_bytes())
    ended = _get_file(layout, [KEY, "pretrained/all/1"])
    ended.parent.mkdir()
    ended.write_text(json.dumps([record, record | {"seed": 1}]), encoding="utf-8")


@pytest.fixture(scope="module")
def study(study_in: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study of one run that is done, and one that was interrupted."""
    folder = tmp_path_factory.mktemp("study")
    file = study_in(
        folder,
        arms={"pretrained": {}, "words": None},
        seeds=[0, 1],
        pack=1,
        training={"epochs": 2, "batch_size": 20, "learning_rate": 3e-3, "precision": "fp32"},
    )
    study = load_study(file)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("HEADSTART_STATE_SECONDS", "0")
        run(study.model_copy(update={"seeds": (0,)}))
        with pytest.raises(KeyboardInterrupt):
            run(study, interrupt_in_epoch(2))
    add_moments(Path(study.out))
    return study


def list_files(folder: Path) -> list[Path]:
    """Of a folder whatever may be edited, in one order; weights and states are edited least."""
    return sorted(file.relative_to(folder) for file in folder.rglob("*") if file.is_file())


@settings(max_examples=100 if is_unlimited() else 4)
@given(data=st.data())
def test_damaged_folders_go_on(study: Study, data: st.DataObject) -> None:
    with own_folder() as folder, patch.object(lease, "STALE_SECONDS", 0.1):
        out = folder / "out"
        shutil.copytree(study.out, out)
        edited = out / data.draw(st.sampled_from(list_files(Path(study.out))))
        edited.write_bytes(data.draw(edited_json(edited.read_bytes())))
        moved = study.model_copy(update={"out": str(out)})
        run_to_end(plan, moved, folder=folder)
        results = run_to_end(run, moved)
        if results is not None:
            check_shown(print_as_people_see(render_study_summary(results.findings, out)))
            assert [one.status for one in results.findings.records] == ["done", "done"]


@settings(max_examples=100 if is_unlimited() else 4)
@given(data=st.data())
def test_damaged_caches_are_made_again(study: Study, data: st.DataObject) -> None:
    with own_folder() as folder, pytest.MonkeyPatch.context() as patched:
        patched.setenv("HEADSTART_CACHE", str(folder / "cache"))
        fresh = study.model_copy(update={"out": str(folder / "out")})
        expected = run_to_end(plan, fresh)
        assert expected is not None
        edited = folder / data.draw(st.sampled_from(list_files(folder)))
        edited.write_bytes(data.draw(edited_json(edited.read_bytes())))
        assert run_to_end(plan, fresh).data == expected.data


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of answers that ended."""
    folder = tmp_path_factory.mktemp("answered") / "out"
    write_answered_study(folder, prompts=4, seeds=(0, 1))
    return folder


@given(data=st.data())
def test_sheets_of_damaged_folders(answered: Path, data: st.DataObject) -> None:
    with own_folder() as folder:
        out = folder / "out"
        shutil.copytree(answered, out)
        edited = out / data.draw(st.sampled_from(list_files(answered)))
        edited.write_bytes(data.draw(edited_json(edited.read_bytes())))
        run_to_end(judge_pairs, out, folder / "sheet.csv", arm="tuned", folder=folder)
