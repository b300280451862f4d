"""Draws of pairs: sides in balance, seeds of both arms, and conversations with what came before."""

from __future__ import annotations

import pytest

from headstart.analysis.answer_pairs import PairSource, draw_sheet
from headstart.errors import HeadstartError
from headstart.store.answer_columns import AnsweredPrompts


def make_source(n_prompts: int = 9, arm: str = "lora", earlier: str = "") -> PairSource:
    def answer(who: str, seed: int) -> AnsweredPrompts:
        return AnsweredPrompts(
            ids=tuple(range(n_prompts)),
            groups=None,
            earlier=(earlier,) * n_prompts,
            prompts=tuple(f"p{i}" for i in range(n_prompts)),
            references=tuple(f"r{i}" for i in range(n_prompts)),
            answers=tuple(f"{who}{i} {seed}" for i in range(n_prompts)),
        )

    return PairSource(
        arm, "base", "all", {s: answer("A", s) for s in (0, 1, 2)}, {s: answer("B", s) for s in (1, 2, 3)}
    )


def test_seeds_that_both_have_are_drawn_and_sides_are_balanced() -> None:
    drawn = draw_sheet(make_source(), 0, None, has_reference=False)
    assert {row.seed for row in drawn.key.rows} == {1, 2}
    assert sorted(row.first for row in drawn.key.rows) == ["arm"] * 4 + ["control"] * 5
    for row, key in zip(drawn.rows, drawn.key.rows, strict=True):
        first, second = ("A", "B") if key.first == "arm" else ("B", "A")
        assert row.answer_1 == f"{first}{key.id} {key.seed}"
        assert row.answer_2 == f"{second}{key.id} {key.seed}"
        assert row.prompt == f"p{key.id}"


def test_a_prompt_is_shown_with_the_messages_before_it() -> None:
    source = make_source(earlier="user: hi\nassistant: hello")
    (row,) = draw_sheet(source, 0, 1, has_reference=True).rows
    assert row.prompt.startswith("user: hi\nassistant: hello\np")
    assert row.reference == f"r{row.prompt[-1]}"


def test_a_sheets_name_depends_on_arms_draw_and_texts_and_tells_none() -> None:
    names = {
        draw_sheet(source, seed, None, has_reference=False).key.sheet
        for source, seed in ((make_source(), 0), (make_source(), 1), (make_source(arm="full"), 0))
    }
    assert len(names) == 3
    assert all(len(name) == 12 and name.isalpha() and name.islower() for name in names)


def test_the_draw_is_another_with_another_seed() -> None:
    first, again, other = (
        [row.id for row in draw_sheet(make_source(), seed, 5, has_reference=False).key.rows]
        for seed in (0, 0, 1)
    )
    assert first == again != other
    assert len(set(first)) == 5


def test_more_prompts_than_there_are_cannot_be_drawn() -> None:
    with pytest.raises(HeadstartError, match=r"--examples: 10\n  expected: 1 to 9"):
        draw_sheet(make_source(), 0, 10, has_reference=False)
