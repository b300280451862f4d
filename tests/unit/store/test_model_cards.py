"""A model's card is written when its study has ended too, and never over somebody's words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from headstart.cli import main
from headstart.store.model_cards import write_card
from headstart.store.model_notes import ModelNotes, read_model_notes, write_model_notes


@pytest.fixture
def model(tmp_path: Path) -> Path:
    write_model_notes(tmp_path, ModelNotes(run="a/all/0"))
    return tmp_path


def test_a_card_takes_the_place_of_the_one_before(model: Path) -> None:
    for text in ("first", "second: é", "second: é"):
        write_card(model, text)
        assert (model / "README.md").read_text("utf-8") == text
    assert read_model_notes(model).run == "a/all/0"


def test_one_that_is_edited_or_of_others_stays(model: Path) -> None:
    (model / "README.md").write_text("mine", encoding="utf-8")
    write_card(model, "first")
    assert (model / "README.md").read_text("utf-8") == "mine"
    (model / "README.md").unlink()
    write_card(model, "first")
    (model / "README.md").write_text("first, with license: mit", encoding="utf-8")
    write_card(model, "second")
    assert (model / "README.md").read_text("utf-8") == "first, with license: mit"


def test_nothing_is_written_beside_notes_that_cannot_be_read(model: Path) -> None:
    (model / "headstart.json").write_text("{", encoding="utf-8")
    write_card(model, "first")
    assert not (model / "README.md").exists()


def test_a_study_that_grew_tells_of_all_its_seeds(study_file: Callable[..., Path], tmp_path: Path) -> None:
    arms = {"words": {"method": "bag-of-words"}, "other": {"method": "bag-of-words"}}
    study = study_file(arms=arms, seeds=[0], control="other")
    cards = [tmp_path / "out" / "models" / arm / "README.md" for arm in arms]
    assert main(["run", str(study)]) == 0
    assert all("| `other` (control) | 0 |" in card.read_text("utf-8") for card in cards)
    assert all("Verdict:" in card.read_text("utf-8") for card in cards)
    edited = cards[0].read_text("utf-8").replace("---\n", "---\nlicense: mit\n", 1)
    cards[0].write_text(edited, encoding="utf-8")
    assert main(["run", str(study), "seeds=2"]) == 0
    assert cards[0].read_text("utf-8") == edited
    assert "| `other` (control) | 0, 1 |" in cards[1].read_text("utf-8")
    before = cards[1].stat().st_mtime_ns
    assert main(["run", str(study), "seeds=2"]) == 0
    assert cards[1].stat().st_mtime_ns == before
