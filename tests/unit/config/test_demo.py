"""The study of `headstart demo`: it loads, without a network, as what the README says of it."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import Any

import pytest

from headstart.cli import main
from headstart.commands import run as command
from headstart.config.expand import expand
from headstart.config.load import load_study
from headstart.config.study import Study
from headstart.data.assets import is_asset
from headstart.errors import HeadstartError


@pytest.fixture
def demo() -> Study:
    with as_file(files("headstart.config") / "demo.yaml") as file:
        return load_study(file)


def test_it_is_miniln_on_film_reviews_both_from_the_package_index(demo: Study) -> None:
    assert demo.question == "Does pretraining help to tell fresh from rotten film reviews?"
    assert (demo.task, demo.model, demo.data.asset) == ("classification", "asset:minilm", "rotten-tomatoes")
    assert is_asset(demo.model)


def test_it_is_nine_runs_pretrained_against_random_and_a_bag_of_words(demo: Study) -> None:
    runs = expand(demo)
    assert [run.key for run in runs] == [
        f"{arm}/3200/{seed}" for seed in (0, 1, 2) for arm in ("pretrained", "random", "words")
    ]
    assert demo.control_arm == "random"
    assert {run.arm: (run.method, run.pretrained) for run in runs} == {
        "pretrained": ("full", True),
        "random": ("full", False),
        "words": ("bag-of-words", False),
    }
    assert len({run.training for run in runs if run.arm != "words"}) == 1, "both arms train alike"


@pytest.mark.parametrize(("words", "out"), [([], "headstart-demo"), (["out=elsewhere"], "elsewhere")])
def test_the_command_runs_it_in_a_folder_of_the_present_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, words: list[str], out: str
) -> None:
    given: list[Study] = []

    def run(study: Study, *_: Any) -> None:
        given.append(study)
        raise HeadstartError("it was only looked at")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "run", run)
    assert main(["demo", "seeds=1", *words]) == 2
    (study,) = given
    assert (study.out, study.seeds) == (str(tmp_path / out), (0,))
