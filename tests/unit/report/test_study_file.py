"""The written study is a study, by the schema too, and holds what was guessed, whatever its task."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from headstart.commands.schema import schema
from headstart.config.first_settings import choose_settings
from headstart.config.load import load_study
from headstart.config.study import Study
from headstart.config.traits import TASKS, get_task_traits
from headstart.data.guess.data_guess import DataGuess
from headstart.report.study_file import StudyDraft, count_training_texts, format_study

COLUMNS: dict[str, dict[str, str | tuple[str, ...]]] = {
    "classification": {"text": "review", "label": "stars"},
    "multi-label": {"text": "plot", "label": ("funny", "war")},
    "regression": {"text": ("one", "two"), "label": "score"},
    "instruction": {"messages": "chat"},
}


def make_draft(folder: Path, task: str = "classification", **changes: Any) -> StudyDraft:
    values: dict[str, Any] = {
        "source": folder / "a.csv",
        "files": {"path": folder / "a.csv"},
        "parts": (),
        "columns": COLUMNS[task],
        "settings": {},
        "classes": {"1": 50, "2": 50} if get_task_traits(task).has_classes else {},
        "rows": 100,
        "seen": 100,
        "median_words": 9.0,
        "long_tokens": 20,
    }
    guess = DataGuess(**{**values, "task": task, **changes})
    generates = get_task_traits(task).generates
    settings = choose_settings(
        count_training_texts(guess), guess.long_tokens, limit=None, generates=generates
    )
    return StudyDraft(guess, "models/m", False, settings, folder / "films.yaml", "study.schema.json")


def write(draft: StudyDraft) -> Study:
    draft.file.write_text(format_study(draft), encoding="utf-8")
    return load_study(draft.file)


@pytest.mark.parametrize("task", TASKS)
def test_study_reads_what_was_guessed(tmp_path: Path, task: str) -> None:
    study = write(make_draft(tmp_path, task))
    assert (study.task, study.model, study.out) == (task, "models/m", str(tmp_path / "runs" / "films"))
    assert {key: getattr(study.data, key) for key in COLUMNS[task]} == COLUMNS[task]
    assert study.data.path == str(tmp_path / "a.csv")
    assert study.metric == get_task_traits(task).metrics[0]
    assert study.control_arm == ("base" if task == "instruction" else "random")


@pytest.mark.parametrize("task", TASKS)
def test_editors_find_no_fault_with_it(tmp_path: Path, task: str) -> None:
    text = format_study(make_draft(tmp_path, task))
    assert text.startswith("# yaml-language-server: $schema=study.schema.json\n")
    values = json.loads(json.dumps(YAML(typ="safe").load(text)))
    jsonschema.validate(values, schema())


def test_both_arms_try_the_same_rates(tmp_path: Path) -> None:
    study = write(make_draft(tmp_path))
    assert study.tune is not None
    assert study.tune.axes == {"learning_rate": (3e-5, 1e-4, 3e-4)}
    assert [arm.tune for arm in study.arms.values()] == [None, None, None]
    assert list(study.arms) == ["pretrained", "random", "words"]


def test_answers_are_learnt_by_an_adapter_and_the_base_is_only_asked(tmp_path: Path) -> None:
    study = write(make_draft(tmp_path, "instruction"))
    assert {name: arm.method for name, arm in study.arms.items()} == {"base": "none", "lora": "lora"}


@pytest.mark.parametrize("task", TASKS)
def test_what_is_commented_out_is_valid_too(tmp_path: Path, task: str) -> None:
    draft = make_draft(tmp_path, task, rows=1000)
    lines = format_study(draft).splitlines()
    keys = ("margin", "sizes", "samples", "tune", "  full", "  random")
    shown = [
        line.replace("# ", "", 1)
        if any(line.startswith(f"{key[: -len(key.lstrip())]}# {key.strip()}: ") for key in keys)
        else line
        for line in lines
    ]
    assert shown != lines
    draft.file.write_text("\n".join(shown), encoding="utf-8")
    study = load_study(draft.file)
    assert study.margin is not None
    assert study.sizes == ((110, 280, "all") if task != "instruction" else ("all",))
    assert ("full" in study.arms) == (task == "instruction")


def test_doubts_and_faults_are_comments_on_one_line(tmp_path: Path) -> None:
    draft = make_draft(tmp_path, doubts=("a\nb: c",), faults=("text is empty in 6 of the 60 rows seen",))
    text = format_study(draft)
    assert "\n  # a b: c\n  # text is empty in 6 of the 60 rows seen\n  # skip_invalid: true" in text
    assert not write(draft).data.skip_invalid
    draft.file.write_text(text.replace("# skip_invalid", "skip_invalid"), encoding="utf-8")
    assert load_study(draft.file).data.skip_invalid


def test_classes_of_any_name_are_counted_in_the_comment(tmp_path: Path) -> None:
    classes = {"a\n# b": 3, "c, d": 2, **{str(i): 1 for i in range(9)}}
    text = format_study(make_draft(tmp_path, classes=classes))
    assert "# a # b 3, 'c, d' 2, 0 1, 1 1, 2 1, 3 1 and 5 more\n" in text


@pytest.mark.parametrize(
    ("parts", "texts"),
    [((), 70), (("train", "test"), 90), (("train", "valid"), 80), (("train", "valid", "test"), 100)],
)
def test_parts_with_files_are_not_split_off(tmp_path: Path, parts: tuple[str, ...], texts: int) -> None:
    draft = make_draft(tmp_path, parts=parts)
    assert draft.training_texts == texts
    absent = [name for name in ("valid", "test") if name not in parts]
    split = next((line for line in format_study(draft).splitlines() if "split:" in line), "")
    assert [name for name in ("valid", "test") if f"{name}: " in split] == absent


def test_placeholder_of_a_model_is_said_to_be_one(tmp_path: Path) -> None:
    draft = make_draft(tmp_path, "instruction")
    assert "a placeholder" not in format_study(draft)
    assert "a placeholder: any causal model" in format_study(replace(draft, chose_model=True))
