"""What can follow a model's body, as transformers' classes differ: neither a task nor a method."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum, auto
from typing import Any

from headstart.errors import HeadstartError


class Head(StrEnum):
    """A head. Its value is the command line's word: the member's name in lower case, with hyphens."""

    # Some tasks and methods have the same words. Values made of names keep a search for those words in
    # quotes from ending here.
    @staticmethod
    def _generate_next_value_(name: str, start: int, count: int, last_values: Sequence[Any]) -> str:
        return name.lower().replace("_", "-")

    NONE = auto()
    MASKED_LM = auto()
    CAUSAL_LM = auto()
    CLASSIFICATION = auto()


#: How the names of transformers' classes end, by head.
_CLASS_ENDINGS = {
    "ForMaskedLM": Head.MASKED_LM,
    "ForCausalLM": Head.CAUSAL_LM,
    "LMHeadModel": Head.CAUSAL_LM,
    "ForSequenceClassification": Head.CLASSIFICATION,
}


def read_head(config: Any) -> Head:
    """The head of the architecture that a configuration names; `NONE` where it names none that is known."""
    name = (getattr(config, "architectures", None) or [""])[0]
    return next((head for ending, head in _CLASS_ENDINGS.items() if name.endswith(ending)), Head.NONE)


def parse_head(word: str) -> Head:
    """The head that `word` names.

    Raises:
        HeadstartError: it names none.
    """
    if word not in tuple(Head):
        raise HeadstartError(f"{word!r} is not known", where="--head", expected=f"one of {', '.join(Head)}")
    return Head(word)
