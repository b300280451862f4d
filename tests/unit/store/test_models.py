"""Which model of an arm is kept, and where."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from headstart.os_faults import MachineError
from headstart.records import RunRecord
from headstart.store.layout import StudyLayout
from headstart.store.leftovers import sweep_study_folder
from headstart.store.model_notes import ModelNotes, read_model_notes
from headstart.store.models import promote, promote_chosen
from headstart.store.records import write_record
from small_studies import make_record, make_study

RATES = {"learning_rate": [1e-5, 1e-4]}
LOW, HIGH = {"learning_rate": 1e-5}, {"learning_rate": 1e-4}


def promoted(layout: StudyLayout, seed: int, valid: float, **changes: Any) -> bool:
    """Whether the model of this run became its arm's best."""
    model = layout.run_model_folder(f"a/all/{seed}")
    model.mkdir(parents=True)
    (model / "weights").write_text(str(seed))
    record = make_record(seed, valid=valid)
    write_record(layout, record)
    return promote(
        layout,
        record,
        make_study(layout.out, arms={"a": {}}, **changes),
        lambda _: "card",
    )


def test_best_model_is_kept(tmp_path: Path) -> None:
    layout = StudyLayout(tmp_path)
    first, worse, better = (promoted(layout, seed, valid) for seed, valid in enumerate((0.5, 0.4, 0.7)))
    assert (first, worse, better) == (True, False, True)
    assert (tmp_path / "models/a/weights").read_text() == "2"
    assert (tmp_path / "models/a/README.md").read_text() == "card"
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["a"]


def test_best_model_has_notes_of_its_run(tmp_path: Path) -> None:
    layout = StudyLayout(tmp_path)
    layout.run_model_folder("a/all/3").mkdir(parents=True)
    study = make_study(tmp_path, arms={"a": {"method": "lora"}}, data={"path": "/a.csv", "text": ["p", "q"]})
    record = make_record(3, resolved={"max_length": 64, "label_cells": "int"})
    write_record(layout, record)
    assert promote(layout, record, study, lambda _: "card")
    assert read_model_notes(layout.get_arm_model_folder("a")) == ModelNotes(
        run="a/all/3",
        metric="accuracy",
        valid=0.5,
        text=("p", "q"),
        max_length=64,
        task="classification",
        method="lora",
        base="m",
        label_cells="int",
        card=hashlib.sha256(b"card").hexdigest(),
    )


@pytest.mark.parametrize("notes", ["{", "{}", None])
def test_model_without_notes_of_a_run_gives_way(tmp_path: Path, notes: str | None) -> None:
    layout = StudyLayout(tmp_path)
    layout.get_arm_model_folder("a").mkdir(parents=True)
    if notes is not None:
        (layout.get_arm_model_folder("a") / "headstart.json").write_text(notes, encoding="utf-8")
    assert promoted(layout, 0, 0.1)
    assert (tmp_path / "models/a/weights").read_text() == "0"


def test_model_promoted_by_the_first_version_is_held_to_its_score(tmp_path: Path) -> None:
    layout = StudyLayout(tmp_path)
    assert promoted(layout, 0, 0.5)
    notes = tmp_path / "models/a/headstart.json"
    values = {key: value for key, value in json.loads(notes.read_text()).items() if key != "schema_version"}
    notes.write_text(json.dumps(values), encoding="utf-8")
    assert not promoted(layout, 1, 0.4)
    assert promoted(layout, 2, 0.6)


def test_losers_are_removed(tmp_path: Path) -> None:
    layout = StudyLayout(tmp_path)
    for seed, valid in enumerate((0.5, 0.4)):
        promoted(layout, seed, valid)
    assert list(tmp_path.glob("runs/*/*/*/model")) == []


def test_tie_keeps_the_earlier_model(tmp_path: Path) -> None:
    layout = StudyLayout(tmp_path)
    assert [promoted(layout, seed, 0.5) for seed in (0, 1)] == [True, False]


def test_record_without_a_model_promotes_nothing(tmp_path: Path) -> None:
    assert not promote(StudyLayout(tmp_path), make_record(), make_study(tmp_path), lambda _: "card")


def test_a_model_whose_run_is_not_on_record_is_not_promoted(tmp_path: Path) -> None:
    """It is being written, or its worker was killed before the record."""
    layout, record = StudyLayout(tmp_path), make_record(0)
    layout.run_model_folder(record.key).mkdir(parents=True)
    assert not promote(layout, record, make_study(tmp_path, arms={"a": {}}), lambda _: "card")
    assert layout.run_model_folder(record.key).is_dir()


def test_a_model_whose_record_is_gone_beats_none(tmp_path: Path) -> None:
    layout = StudyLayout(tmp_path)
    assert promoted(layout, 0, 0.9)
    layout.record_file("a/all/0").unlink()
    assert promoted(layout, 1, 0.4), "of the other it is not known whether it counts"
    assert promoted(layout, 0, 0.9), "redone, it is the best again"
    assert (tmp_path / "models/a/weights").read_text() == "0"


def test_a_run_that_was_redone_has_its_new_model(tmp_path: Path) -> None:
    layout = StudyLayout(tmp_path)
    promoted(layout, 0, 0.5)
    (tmp_path / "models/a/weights").write_text("old")
    assert promoted(layout, 0, 0.5)
    assert (tmp_path / "models/a/weights").read_text() == "0"


def test_a_promoted_model_that_cannot_be_judged_is_set_aside(tmp_path: Path) -> None:
    layout = StudyLayout(tmp_path)
    for mine in ("first", "second"):
        promoted(layout, 0, 0.5)
        (tmp_path / "models/a/headstart.json").write_text("{", encoding="utf-8")
        (tmp_path / "models/a/weights").write_text(mine)
    assert promoted(layout, 1, 0.1)
    kept = {path.read_text() for path in tmp_path.glob("set-aside/models/*/weights")}
    assert kept == {"first", "second"}


def test_a_score_that_is_no_number_loses(tmp_path: Path) -> None:
    layout = StudyLayout(tmp_path)
    assert [promoted(layout, seed, valid) for seed, valid in enumerate((math.nan, 0.1, math.nan))] == [
        True,
        True,
        False,
    ]


_rename = Path.rename


def fail(*_: Any) -> str:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("where", ["card", "move"])
def test_a_full_disk_in_the_middle_loses_no_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    layout, study = StudyLayout(tmp_path), make_study(tmp_path, arms={"a": {}})
    promoted(layout, 0, 0.5)
    better = make_record(1, valid=0.9)
    write_record(layout, better)
    layout.run_model_folder(better.key).mkdir(parents=True)
    card = fail if where == "card" else lambda _: "card"
    with monkeypatch.context() as broken:
        broken.setattr(Path, "rename", _fail_on_model if where == "move" else _rename)
        with pytest.raises((OSError, MachineError), match=r"No space|disk is full"):
            promote(layout, better, study, card)
    assert (tmp_path / "models/a/weights").read_text() == "0"
    assert promote(layout, better, study, lambda _: "card")
    assert read_model_notes(tmp_path / "models/a").run == better.key


def _fail_on_model(path: Path, target: Path) -> Path:
    return fail() if path.name == "model" else _rename(path, target)  # type: ignore[return-value]


@pytest.mark.parametrize("kills", range(12))
def test_a_kill_at_any_moment_of_a_promotion_loses_no_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kills: int
) -> None:
    """Killed at each of its renamings and removals in turn, then done again as the next `run` does."""
    layout, study = StudyLayout(tmp_path), make_study(tmp_path, arms={"a": {}}, tune=RATES)
    low, high = ended(layout, 0, LOW, 0.9), ended(layout, 0, HIGH, 0.8)
    promote_chosen(layout, "a", low, lambda _: "card")
    better = make_record(1, valid=0.95, hyperparameters=LOW)
    write_record(layout, better)
    layout.run_model_folder(better.key).mkdir(parents=True)
    (layout.run_model_folder(better.key) / "weights").write_text(better.key)

    def settle() -> None:
        sweep_study_folder(layout, [])
        for record in (low, high, better):
            promote(layout, record, study, lambda _: "card")
        for chosen in (high, better):
            assert promote_chosen(layout, "a", chosen, lambda _: "card")

    with monkeypatch.context() as dying, suppress(_KilledError):
        _die_after(kills, dying)
        settle()
    settle()
    assert (tmp_path / "models/a/weights").read_text() == better.key
    assert models(layout) == {high.key}
    assert not (tmp_path / "set-aside").exists()
    assert [path for path in tmp_path.rglob(".*") if path.name != ".headstart"] == []


class _KilledError(BaseException):
    """What ends a process at once: nothing is cleaned up after it."""


def _die_after(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Raise at the call of that number which changes a folder, and at every later one."""
    left = [count]

    def mortal(call: Any) -> Any:
        def change(*args: Any, **options: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise _KilledError
            return call(*args, **options)

        return change

    for kind, name in ((Path, "rename"), (Path, "replace"), (shutil, "rmtree")):
        monkeypatch.setattr(kind, name, mortal(getattr(kind, name)))


# Grids


def ended(layout: StudyLayout, seed: int, hyperparameters: dict[str, float], valid: float) -> RunRecord:
    """A run of the tuned arm `a` that ended, its model in its folder, and was put up for promotion."""
    record = make_record(seed, valid=valid, hyperparameters=hyperparameters)
    model = layout.run_model_folder(record.key)
    model.mkdir(parents=True)
    (model / "weights").write_text(record.key)
    write_record(layout, record)
    promote(layout, record, make_study(layout.out, arms={"a": {}}, tune=RATES), lambda _: "card")
    return record


def models(layout: StudyLayout) -> set[str]:
    """The keys of the runs whose models lie in their folders."""
    return {
        path.parent.relative_to(layout.out / "runs").as_posix() for path in layout.out.glob("runs/**/model")
    }


def test_best_model_of_each_setting_is_kept_in_its_run(tmp_path: Path) -> None:
    layout = StudyLayout(tmp_path)
    runs = [
        ended(layout, s, r, v) for s, r, v in ((0, LOW, 0.9), (0, HIGH, 0.2), (1, LOW, 0.8), (1, HIGH, 0.3))
    ]
    assert models(layout) == {runs[0].key, runs[3].key}
    assert not (tmp_path / "models").exists()


def test_a_model_that_waits_for_its_own_turn_is_not_removed_for_another(tmp_path: Path) -> None:
    """Written by another process, or left by an interruption between a record and its promotion."""
    layout = StudyLayout(tmp_path)
    waiting = make_record(0, valid=0.95, hyperparameters=LOW)
    layout.run_model_folder(waiting.key).mkdir(parents=True)
    worse = ended(layout, 1, LOW, 0.9)
    assert models(layout) == {waiting.key, worse.key}
    write_record(layout, waiting)
    assert promote(layout, waiting, make_study(tmp_path, arms={"a": {}}, tune=RATES), lambda _: "card")
    assert models(layout) == {waiting.key}


def test_sizes_do_not_compete_in_a_tuned_arm(tmp_path: Path) -> None:
    layout = StudyLayout(tmp_path)
    large = ended(layout, 0, LOW, 0.5)
    promote_chosen(layout, "a", large, lambda _: "card")
    for size, valid in ((4, 0.4), (5, 0.3)):
        small = make_record(0, valid=valid, hyperparameters=LOW, size=size)
        layout.run_model_folder(small.key).mkdir(parents=True)
        write_record(layout, small)
        assert promote(layout, small, make_study(tmp_path, arms={"a": {}}, tune=RATES), lambda _: "card")
    assert len(models(layout)) == 2


def test_promoting_again_changes_nothing(tmp_path: Path) -> None:
    layout = StudyLayout(tmp_path)
    record = ended(layout, 0, LOW, 0.5)
    assert promote(layout, record, make_study(tmp_path, arms={"a": {}}, tune=RATES), lambda _: "card")
    assert models(layout) == {record.key}


def test_settling_promotes_the_named_run_with_its_card(tmp_path: Path) -> None:
    layout = StudyLayout(tmp_path)
    low, high = ended(layout, 0, LOW, 0.9), ended(layout, 0, HIGH, 0.2)
    assert promote_chosen(layout, "a", high, lambda r: f"card of {r.key}")
    assert (tmp_path / "models/a/weights").read_text() == high.key
    assert (tmp_path / "models/a/README.md").read_text() == f"card of {high.key}"
    assert models(layout) == {low.key}


def test_settling_anew_puts_the_earlier_model_back(tmp_path: Path) -> None:
    layout = StudyLayout(tmp_path)
    low, high = ended(layout, 0, LOW, 0.9), ended(layout, 0, HIGH, 0.2)
    for chosen in (high, low, low):
        assert promote_chosen(layout, "a", chosen, lambda _: "card")
    assert (tmp_path / "models/a/weights").read_text() == low.key
    assert models(layout) == {high.key}
    assert not (layout.run_model_folder(high.key) / "README.md").exists()


def test_better_run_of_the_promoted_setting_takes_its_place(tmp_path: Path) -> None:
    layout = StudyLayout(tmp_path)
    promote_chosen(layout, "a", ended(layout, 0, LOW, 0.5), lambda _: "card")
    better = ended(layout, 1, LOW, 0.6)
    assert (tmp_path / "models/a/weights").read_text() == "a/all/0/learning_rate=1e-05"
    assert promote_chosen(layout, "a", better, lambda _: "card")
    assert (tmp_path / "models/a/weights").read_text() == better.key
    assert models(layout) == set()


def test_worse_run_of_the_promoted_setting_is_removed(tmp_path: Path) -> None:
    layout = StudyLayout(tmp_path)
    first = ended(layout, 0, LOW, 0.5)
    promote_chosen(layout, "a", first, lambda _: "card")
    ended(layout, 1, LOW, 0.4)
    assert models(layout) == set()
    assert promote_chosen(layout, "a", first, lambda _: "card")


def test_model_that_is_gone_leaves_no_wrong_one(tmp_path: Path) -> None:
    layout = StudyLayout(tmp_path)
    low, high = ended(layout, 0, LOW, 0.9), ended(layout, 0, HIGH, 0.2)
    promote_chosen(layout, "a", low, lambda _: "card")
    (layout.run_model_folder(high.key) / "weights").unlink()
    (layout.run_model_folder(high.key) / "headstart.json").unlink()
    layout.run_model_folder(high.key).rmdir()
    assert not promote_chosen(layout, "a", high, lambda _: "card")
    assert not (tmp_path / "models/a").exists()
    assert models(layout) == {low.key}


def test_a_promoted_model_whose_run_was_redone_gives_way_to_the_new_one(tmp_path: Path) -> None:
    layout = StudyLayout(tmp_path)
    record = ended(layout, 0, LOW, 0.5)
    promote_chosen(layout, "a", record, lambda _: "card")
    (tmp_path / "models/a/weights").write_text("old")
    ended(layout, 0, LOW, 0.5)
    assert promote_chosen(layout, "a", record, lambda _: "card")
    assert (tmp_path / "models/a/weights").read_text() == record.key
    assert models(layout) == set()


def test_a_promoted_model_does_not_go_back_where_another_is_being_written(tmp_path: Path) -> None:
    layout = StudyLayout(tmp_path)
    low, high = ended(layout, 0, LOW, 0.9), ended(layout, 0, HIGH, 0.2)
    promote_chosen(layout, "a", low, lambda _: "card")
    layout.run_model_folder(low.key).mkdir()
    assert promote_chosen(layout, "a", high, lambda _: "card")
    assert (tmp_path / "set-aside/models/a/weights").read_text() == low.key
    assert list(layout.run_model_folder(low.key).iterdir()) == []


def test_arm_of_which_nothing_ended_has_no_model(tmp_path: Path) -> None:
    assert not promote_chosen(StudyLayout(tmp_path), "a", None, lambda _: "card")
