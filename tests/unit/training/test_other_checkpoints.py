"""Arms of other checkpoints are compared as they are, and what they differ in is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from headstart import load_study
from headstart.config.fairness import DIFFERS
from headstart.config.runs import expand_runs
from headstart.training.prepare import prepare_study

StudyFile = Callable[..., Path]


def list_notes(file: Path) -> list[str]:
    study = load_study(file)
    prepared = prepare_study(study, expand_runs(study))
    return [one.message for one in prepared.warnings if one.kind == DIFFERS]


def make_arms(other: Path, **more: Any) -> dict[str, Any]:
    return {"roberta": {"init": str(other)}, "random": {"init": "random"}, "words": None} | more


def test_beside_a_random_control_the_difference_is_of_the_whole(
    study_file: StudyFile, tiny_roberta: Path
) -> None:
    (note,) = list_notes(study_file(arms=make_arms(tiny_roberta, pretrained={})))
    assert note.startswith("roberta differs from random in checkpoint, architecture (")
    assert " and tokenizer: the result is their combined effect, not that of pretraining alone; " in note
    assert "control: roberta, or headstart compare" in note
    assert note.endswith("--control roberta")


def test_a_control_that_is_a_checkpoint_is_compared_with_as_it_is(
    study_file: StudyFile, tiny_roberta: Path
) -> None:
    arms = {"roberta": {"init": str(tiny_roberta)}, "pretrained": {}, "words": None}
    (note,) = list_notes(study_file(arms=arms, control="pretrained"))
    assert note.startswith("roberta differs from pretrained in checkpoint, ")
    assert note.endswith(": the result is their combined effect.")


def test_the_same_network_and_tokenizer_need_no_note(
    study_file: StudyFile, tiny_model: Path, tmp_path: Path
) -> None:
    import shutil

    copy = shutil.copytree(tiny_model, tmp_path / "copy")
    assert list_notes(study_file(arms=make_arms(copy))) == []
    assert list_notes(study_file()) == []
