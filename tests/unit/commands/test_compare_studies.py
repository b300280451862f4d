"""Two studies compared arm by arm; those of other test examples, or without a shared arm, are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import headstart
from headstart.cli import main
from headstart.errors import HeadstartError

StudyFile = Callable[..., Path]


def test_two_studies_are_compared_arm_by_arm(
    folder: Path, tmp_path: Path, study_in: StudyFile, capfd: pytest.CaptureFixture[str]
) -> None:
    longer = {"epochs": 2, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32"}
    headstart.run(headstart.load_study(study_in(tmp_path, seeds=[0, 1, 2], training=longer)))
    comparison = headstart.compare_studies(folder, tmp_path / "out")
    assert [(row.arm, row.control) for row in comparison.contrasts] == [
        (f"{arm} (B)", f"{arm} (A)") for arm in ("pretrained", "random", "words")
    ]
    assert {row.test_examples for row in comparison.contrasts} == {24}
    assert comparison.contrasts[-1].difference == 0  # the bag of words is the same in both
    assert (comparison.control, comparison.step_worth) == (None, ())
    assert main(["compare", str(folder), str(tmp_path / "out")]) == 0
    assert "B vs A" in capfd.readouterr().out


def test_studies_of_other_test_examples_are_refused(
    folder: Path, tmp_path: Path, study_in: StudyFile
) -> None:
    file = study_in(tmp_path, seeds=[0])
    test = tmp_path / "reviews" / "test.jsonl"
    test.write_text(
        "".join(test.read_text(encoding="utf-8").splitlines(keepends=True)[:20]), encoding="utf-8"
    )
    headstart.run(headstart.load_study(file))
    with pytest.raises(HeadstartError, match="tested on different examples"):
        headstart.compare_studies(folder, tmp_path / "out")


def test_studies_without_a_shared_arm_are_refused(tmp_path: Path) -> None:
    files = [tmp_path / f"{arm}.csv" for arm in ("somebody", "nobody")]
    for file in files:
        file.write_text(f"arm,seed,accuracy\n{file.stem},0,60\n{file.stem},1,61\n", encoding="utf-8")
    with pytest.raises(HeadstartError, match="share no arm of the same size"):
        headstart.compare_studies(*files)
