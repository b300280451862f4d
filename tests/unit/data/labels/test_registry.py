"""Every kind of label has its object; a task is served by its traits alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest

from headstart.config.study import Study
from headstart.config.traits import TASKS, LabelKind, TaskTraits
from headstart.data.checks import load_corpus
from headstart.data.labels.registry import LABEL_TYPES, get_label_type
from headstart.data.statistics import summarise_labels


def test_every_kind_of_label_has_an_object() -> None:
    assert set(LABEL_TYPES) == set(get_args(LabelKind))


def test_every_task_has_the_object_of_its_kind() -> None:
    assert {task: get_label_type(task) for task in TASKS} == {
        task: LABEL_TYPES[traits.labels] for task, traits in TASKS.items()
    }


def test_new_task_with_classes_needs_nothing_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TASKS, "toy", TaskTraits("toy", "nowhere:TOY", ("accuracy",), "class"))
    lines = [json.dumps({"text": f"text {i}", "label": "xy"[i % 2]}) for i in range(40)]
    (tmp_path / "a.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    study = Study.model_validate({"task": "toy", "data": {"path": str(tmp_path / "a.jsonl")}, "model": "m"})
    corpus = load_corpus(study)
    assert corpus.label_names == ("x", "y")
    assert [corpus.parts["test"].labels.tolist().count(c) for c in (0, 1)] == [4, 4]
    assert summarise_labels(corpus).counts == {
        name: {"train": 14, "valid": 2, "test": 4} for name in ("x", "y")
    }
