"""What is on record of runs that collapsed to one answer, and what always answering the same scores."""

from __future__ import annotations

from typing import Literal

from headstart.records.base import Record, Scores


class Collapse(Record):
    """How a run collapsed: it gives one `answer` to `count` of `n_examples` test examples (`one answer`), or
    its training loss ended at `chance_loss`, that of guessing among the classes (`loss`).

    `loss` is the mean training loss of the last epoch; null of what makes no steps, and of a regression
    `chance_loss` is null. `right` is how many of the examples are answered rightly; null of a regression.
    """

    reason: Literal["one answer", "loss"]
    answer: str
    count: int
    n_examples: int
    right: int | None = None
    loss: float | None = None
    chance_loss: float | None = None


class CollapsedArm(Record):
    """What the collapsed runs of an arm at one size have in common, and what to try.

    `answer` is null where each gives another one; each gives its own to a share `answer_share` of the test
    examples at least. Both are null where some collapsed by their loss alone. `steps`, `epochs` and the peak
    `learning_rate` are what they trained with, the most of several; null of what makes no steps.
    `rate_is_high` for the method. `try_epochs`, `try_steps` where the study counts steps, and `try_rates` are
    settings worth a try: null and empty where there is no reason to expect more of others.
    """

    answer: str | None
    answer_share: float | None = None
    random_init: bool
    steps: int | None = None
    epochs: int | None = None
    learning_rate: float | None = None
    rate_is_high: bool = False
    try_epochs: int | None = None
    try_steps: int | None = None
    try_rates: tuple[float, ...] = ()


class Reference(Record):
    """What always giving the same answer scores on test: a reference, not an arm. It has no seeds.

    `answer` is the most frequent class of the `part` named, its most frequent set of labels, or its median.
    The part is `test` where a study's folder does not say what its training examples are. `scores` are by
    metric; a loss is not among them but for a regression.
    """

    name: Literal["majority", "majority set", "median"]
    answer: str | tuple[str, ...] | float
    part: Literal["train", "test"]
    scores: Scores

    @property
    def answer_in_words(self) -> str:
        """As people read it: a class in quotation marks, labels in brackets, a number."""
        if isinstance(self.answer, str):
            return repr(self.answer)
        if isinstance(self.answer, float):
            return f"{self.answer:.4g}"
        return f"[{', '.join(self.answer)}]"
