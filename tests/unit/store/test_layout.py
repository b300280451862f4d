"""Where things lie in a study's folder is what people and scripts build on."""

from __future__ import annotations

from pathlib import Path

from headstart.store.layout import StudyLayout

LAYOUT = StudyLayout(Path("out"))


def test_files_of_the_study() -> None:
    assert LAYOUT.study_file == Path("out/study.yaml")
    assert LAYOUT.looks_file == Path("out/looks.json")
    assert LAYOUT.stopping_rule_file == Path("out/until_decided.json")


def test_run_has_a_folder_with_all_that_is_its_own() -> None:
    key = "lora/all/0/learning_rate=0.001"
    assert LAYOUT.get_run_folder(key) == Path("out/runs") / key
    assert LAYOUT.record_file(key) == Path("out/runs") / key / "record.json"
    assert LAYOUT.get_state_folder(key) == Path("out/runs") / key / "checkpoint"
    assert LAYOUT.run_model_folder(key) == Path("out/runs") / key / "model"


def test_curves_and_models_lie_apart() -> None:
    assert LAYOUT.get_curves_folder("a/all/0") == Path("out/tensorboard/a/all/0")
    assert LAYOUT.get_arm_model_folder("a") == Path("out/models/a")


def test_paths_touch_nothing(tmp_path: Path) -> None:
    layout = StudyLayout(tmp_path)
    layout.get_run_folder("a/all/0")
    layout.get_arm_model_folder("a")
    assert list(tmp_path.iterdir()) == []
