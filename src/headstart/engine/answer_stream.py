"""Hands on one prompt's answer as it grows: the pieces, joined, are the text of the answer."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Protocol

from transformers.generation.streamers import BaseStreamer

#: What stands for bytes of a character that is not whole yet.
_INCOMPLETE = "\ufffd"


class CleanAnswer(Protocol):
    """Makes the text of an answer out of what was decoded."""

    def __call__(self, answer: str, /, *, goes_on: bool = False) -> str:
        """`goes_on` where more of the answer may come."""
        ...


class AnswerStream(BaseStreamer):  # type: ignore[misc]
    """What the library's `generate` tells of each token: `tell` gets every new piece of the text.

    Args:
        clean: takes off what a template writes around answers.
        held: characters that are kept back until the answer ends, since `clean` may take them off.
    """

    def __init__(
        self,
        tokenizer: Any,
        stop_ids: Collection[int],
        clean: CleanAnswer,
        tell: Callable[[str], None],
        held: int = 0,
    ) -> None:
        self._tokenizer, self._stop_ids, self._clean, self._tell = tokenizer, stop_ids, clean, tell
        self._held, self._ids, self._told = held, list[int](), ""
        self._knows_prompt = False

    def put(self, value: Any) -> None:
        """As the library calls it: first with the prompt [1, T], then with each token [1]."""
        if not self._knows_prompt:
            self._knows_prompt = True
            return
        self._ids += [i for i in value.flatten().tolist() if i not in self._stop_ids]
        text = self._read(goes_on=True).rstrip(_INCOMPLETE)
        self._tell_new(text[: len(text) - self._held])

    def end(self) -> None:
        """As the library calls it when the answer has ended."""
        self._tell_new(self._read())

    def _read(self, *, goes_on: bool = False) -> str:
        text = self._tokenizer.decode(self._ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return self._clean(text, goes_on=goes_on)

    def _tell_new(self, text: str) -> None:
        if len(text) > len(self._told) and text.startswith(self._told):
            self._tell(text[len(self._told) :])
            self._told = text
