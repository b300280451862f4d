"""Reads prompts and responses, or lists of messages, as conversations; refuses those without a response.

A conversation travels as one flat tuple: role, content, role, content, ...
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from headstart.config.study import Data
from headstart.data.corpus import Text
from headstart.data.formats import get_cell
from headstart.data.texts import check_encodable
from headstart.errors import DataError

ROLES = ("system", "user", "assistant")


def read_conversation(cells: Mapping[str, Any], data: Data, where: str) -> Text:
    """The conversation of one row, which ends with a message of the assistant.

    Raises:
        DataError: a column is absent, a cell holds no text, or no message is the assistant's.
    """
    if data.messages is None:
        prompt = _read_cell(cells, data.prompt, where, "data.prompt")
        response = _read_cell(cells, data.response, where, "data.response")
        return ("user", prompt, "assistant", response)
    return _read_messages(get_cell(cells, data.messages, where, "data.messages"), data.messages, where)


def iterate_messages(text: Text) -> Iterator[tuple[str, str]]:
    """A conversation's messages as (role, content)."""
    assert not isinstance(text, str)
    return zip(text[::2], text[1::2], strict=True)


def drop_last_answer(text: Text) -> Text:
    """A conversation without its last answer."""
    assert not isinstance(text, str)
    return text[:-2]


def _read_messages(value: Any, column: str, where: str) -> Text:
    flat: list[str] = []
    for i, message in enumerate(_parse_list(value, column, where), start=1):
        place = f"message {i} of column {column!r}"
        if not isinstance(message, Mapping) or not {"role", "content"} <= message.keys():
            raise DataError(f"{place} is {message!r}", where=where, expected="{role: ..., content: ...}")
        if message["role"] not in ROLES:
            raise DataError(f"{place} has role {message['role']!r}", where=where, expected=", ".join(ROLES))
        flat += [message["role"], _check_text(message["content"], place, where)]
    return _cut_after_last_answer(flat, column, where)


def _parse_list(value: Any, column: str, where: str) -> Sequence[Any]:
    """The messages, which a CSV cell holds as JSON."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise DataError(f"column {column!r} is not JSON", where=where, expected="a list") from error
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise DataError(f"{value!r} in column {column!r}", where=where, expected="a list of messages")
    return value


def _cut_after_last_answer(flat: list[str], column: str, where: str) -> Text:
    """Drops the messages after the last answer, which have no response to learn."""
    answers = [i for i, role in enumerate(flat[::2]) if role == "assistant"]
    if not answers or answers == [0]:
        raise DataError(
            f"no message of the assistant after another's in column {column!r}",
            where=where,
            expected="a prompt and an answer at least",
        )
    return tuple(flat[: 2 * answers[-1] + 2])


def _read_cell(cells: Mapping[str, Any], column: str, where: str, key: str) -> str:
    return _check_text(get_cell(cells, column, where, key), f"column {column!r}", where)


def _check_text(value: Any, place: str, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{value!r} in {place}", where=where, expected="a text that is not empty")
    check_encodable(value, place, where)
    return value
