"""Columns are known by what they are usually called."""

from __future__ import annotations

import pytest

from headstart.data.guess.names import LABELS, find_named, find_pair, is_known, looks_like_key


def test_the_more_telling_name_is_found() -> None:
    assert find_named(["Category", "LABEL"], LABELS) == "LABEL"
    assert find_named(["a"], LABELS) is None


@pytest.mark.parametrize(
    ("columns", "pair"),
    [
        (["premise", "hypothesis", "label"], ("premise", "hypothesis")),
        (["hypothesis", "premise"], ("premise", "hypothesis")),
        (["Sentence1", "Sentence2"], ("Sentence1", "Sentence2")),
        (["text_a", "text_b"], ("text_a", "text_b")),
        (["sentence_A", "sentence_B"], ("sentence_A", "sentence_B")),
        (["question", "answer"], ("question", "answer")),
        (["title", "text"], None),
        (["a", "b"], None),
        (["data", "datb"], ("data", "datb")),
    ],
)
def test_pairs(columns: list[str], pair: tuple[str, str] | None) -> None:
    assert find_pair(columns) == pair


@pytest.mark.parametrize("name", ["id", "doc_id", "ID", "", "Unnamed: 0", "index"])
def test_keys(name: str) -> None:
    assert looks_like_key(name)
    assert is_known(name)


@pytest.mark.parametrize("name", ["video", "idea", "text 1"])
def test_other_names_are_no_keys(name: str) -> None:
    assert not looks_like_key(name)
