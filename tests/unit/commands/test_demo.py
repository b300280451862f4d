"""The study of `headstart demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headstart.cli import main
from headstart.commands.demo import load_demo
from headstart.config.runs import expand_runs
from headstart.config.study import Study
from headstart.errors import HeadstartError, StudyError


@pytest.fixture(autouse=True)
def present_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_compares_pretrained_with_random_weights_and_a_bag_of_words(present_folder: Path) -> None:
    study = load_demo()
    assert (study.model, study.data.asset) == ("asset:minilm", "rotten-tomatoes")
    assert list(study.arms) == ["pretrained", "random", "words"]
    assert (study.control, study.arms["random"].init) == ("random", "random")
    assert study.seeds == (0, 1, 2)
    assert Path(study.out) == present_folder / "headstart-demo"


def test_it_is_the_nine_runs_that_the_readme_speaks_of() -> None:
    study = load_demo()
    runs = expand_runs(study)
    assert [run.key for run in runs] == [
        f"{arm}/3200/{seed}" for seed in (0, 1, 2) for arm in ("pretrained", "random", "words")
    ]
    assert {run.arm: (run.method, run.pretrained) for run in runs} == {
        "pretrained": ("full", True),
        "random": ("full", False),
        "words": ("bag-of-words", False),
    }
    assert len({run.training for run in runs if run.arm != "words"}) == 1, "both arms train alike"


def test_the_command_runs_it(monkeypatch: pytest.MonkeyPatch, present_folder: Path) -> None:
    given: list[Study] = []

    def run(study: Study, *_: Any, wait: bool) -> None:
        given.append(study)
        raise HeadstartError("it was only looked at")

    monkeypatch.setattr("headstart.commands.run.run", run)
    assert main(["demo", "seeds=1"]) == 2
    assert given == [load_demo(["seeds=1"])]


def test_words_of_the_command_line_win(present_folder: Path) -> None:
    study = load_demo(["seeds=1", "training.epochs=1", "out=elsewhere"])
    assert (study.seeds, study.training.epochs) == ((0,), 1)
    assert Path(study.out) == present_folder / "elsewhere"


def test_a_word_that_sets_nothing_is_refused() -> None:
    with pytest.raises(StudyError, match="unknown key"):
        load_demo(["seed=1"])


def test_it_writes_nothing(present_folder: Path) -> None:
    load_demo()
    assert list(present_folder.iterdir()) == []
