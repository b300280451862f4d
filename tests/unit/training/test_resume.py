"""Members of a pack resume together, from one turn; others each from where it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from headstart.engine.training_state import StateMark
from headstart.errors import TrainingError
from headstart.training.resume import MAX_TIME_SHARE, SAVE_INTERVAL, choose_states, read_save_limits

A, B = "pretrained/all/0", "random/all/0"
BOTH = (A, B)
LAST, FORMER = Path("state"), Path("former")


def _mark(turn: int, together: tuple[str, ...] = BOTH, *, has_ended: bool = False) -> StateMark:
    return StateMark(turn, together, has_ended)


def test_a_pack_resumes_from_the_last_turn_that_each_member_has() -> None:
    """The process died between the second state of A and that of B."""
    found = {A: {LAST: _mark(20), FORMER: _mark(10)}, B: {LAST: _mark(10)}}
    assert choose_states(found) == {A: FORMER, B: LAST}


def test_a_pack_without_a_turn_that_all_have_begins_anew() -> None:
    assert choose_states({A: {LAST: _mark(20)}, B: {LAST: _mark(10)}}) == {}
    assert choose_states({A: {LAST: _mark(10)}, B: {}}) == {}
    assert choose_states({A: {}, B: {}}) == {}


def test_who_had_ended_is_the_same_at_each_later_turn() -> None:
    ended = _mark(10, has_ended=True)
    assert choose_states({A: {LAST: ended}, B: {LAST: _mark(30), FORMER: _mark(20)}}) == {A: LAST, B: LAST}
    assert choose_states({A: {LAST: ended}, B: {LAST: _mark(5)}}) == {}, "it had not ended then"


def test_runs_of_other_packs_resume_from_where_each_was() -> None:
    found = {A: {LAST: _mark(20, (A,))}, B: {LAST: _mark(10, (B, "random/all/1")), FORMER: _mark(5)}}
    assert choose_states(found) == {A: LAST, B: LAST}


def test_states_are_kept_as_often_as_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEADSTART_STATE_SECONDS", raising=False)
    assert read_save_limits() == (SAVE_INTERVAL, MAX_TIME_SHARE)
    monkeypatch.setenv("HEADSTART_STATE_SECONDS", "0")
    assert read_save_limits() == (0.0, float("inf"))
    for word in ("-1", "often", "nan"):
        monkeypatch.setenv("HEADSTART_STATE_SECONDS", word)
        with pytest.raises(TrainingError, match=word):
            read_save_limits()
