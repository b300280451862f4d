"""With --quiet a study tells warnings and its result alone; without it, what goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from headstart.cli import main
from headstart.cli.listening import listen
from headstart.cli.output import print_news, silence_news
from headstart.wording import Caution

StudyFile = Callable[..., Path]


@pytest.mark.parametrize("words", [["run", "{}", "-q"], ["run", "--quiet", "{}"], ["-q", "run", "{}"]])
def test_a_quiet_study_prints_its_result_alone(
    words: list[str], study_file: StudyFile, capfd: pytest.CaptureFixture[str]
) -> None:
    study = study_file(arms={"words": {"method": "bag-of-words"}}, seeds=1)
    assert main([word.format(study) for word in words]) == 0
    out, err = capfd.readouterr()
    assert "words" in out
    assert err == ""


def test_a_study_that_is_not_quiet_tells_what_goes_on(
    study_file: StudyFile, capfd: pytest.CaptureFixture[str]
) -> None:
    study = study_file(arms={"words": {"method": "bag-of-words"}}, seeds=1)
    assert main(["run", str(study)]) == 0
    assert "words/all/0" in capfd.readouterr().err


def test_warnings_and_errors_are_told_to_who_is_quiet(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["plan", str(tmp_path / "none.yaml"), "-q"]) == 2
    assert "none.yaml: no such file" in capfd.readouterr().err
    with listen("accuracy") as (_, log, begin):
        begin(3)
        log("making a few steps")
        log(Caution("a file is damaged"))
    assert capfd.readouterr().err == "a file is damaged\n"
    silence_news(False)
    print_news("making a few steps")
    assert capfd.readouterr().err == "making a few steps\n"


def test_quiet_is_of_one_call_alone(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "-q"]) == 0
    assert main(["schema"]) == 0
    capfd.readouterr()
    print_news("making a few steps")
    assert capfd.readouterr().err == "making a few steps\n"
