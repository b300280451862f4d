"""What language models wrote: each arm's metrics of answers, and some answers beside what was expected."""

from __future__ import annotations

from typing import Literal

from headstart.records.base import Record


class AnswerRow(Record):
    """Means over an arm's seeds of what its answers to test prompts are worth, None where it gave none.

    `chrf` is 0 to 100, `exact_match` and `stopped` (by themselves, at an end of sequence) are shares.
    """

    arm: str
    size: int | Literal["all"]
    n_seeds: int
    chrf: float | None = None
    exact_match: float | None = None
    stopped: float | None = None


class AnswerSample(Record):
    """A prompt, what was expected, and the answers before training and after; None is what is not known."""

    run: str
    prompt: str
    reference: str | None
    before: str | None
    after: str


class WrittenAnswers(Record):
    """The rows of all arms, and samples of the best one."""

    rows: tuple[AnswerRow, ...]
    samples: tuple[AnswerSample, ...] = ()
