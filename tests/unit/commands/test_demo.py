"""The study of `headstart demo`."""

from __future__ import annotations

from pathlib import Path

import pytest

from headstart.commands.demo import load_demo
from headstart.errors import StudyError


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
