"""Reads prompts and responses, or lists of messages, as conversations; refuses those without a response.

A conversation travels as one flat tuple: role, content, role, content, ... An answer that is context, such as
a greeting before the first user's words, has the role `CONTEXT`: the loss leaves it out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NoReturn

from headstart.config.study import Data
from headstart.config.traits import get_task_traits
from headstart.data.corpus import Corpus, Part, Text
from headstart.data.formats import get_cell
from headstart.data.messages import (
    CONTEXT,
    Message,
    check_message_text,
    has_unanswered_end,
    is_empty,
    list_unread_keys,
    parse_messages,
    read_messages,
)
from headstart.errors import DataError

#: Columns that often belong to what is asked, with what to do where they are not read.
_BESIDE_PROMPTS: Final = {
    "input": "data.prompt: [instruction, input] joins it",
    "context": "data.prompt: [instruction, context] joins it",
}
_BESIDE_ALL: Final = {
    "system": "write it as the first message of a list, for data.messages",
    "history": "write it as messages of a list, for data.messages",
    "tools": "tools are not read",
    "image": "images are not read",
    "images": "images are not read",
}
_PREFERENCES: Final = {"chosen", "rejected"}


def read_conversation(cells: Mapping[str, Any], data: Data, where: str) -> Text:
    """The conversation of one row, which ends with a message of the assistant.

    Raises:
        DataError: a column is absent, a cell holds no text and no messages, no message is the assistant's, or
            the row is of preference data.
    """
    _refuse_preferences(cells, data, where)
    if data.messages is not None:
        cell = get_cell(cells, data.messages, where, "data.messages")
        messages = read_messages(cell, data.messages, where, until_answer=True)
        return _join_messages(messages, data.messages, where)
    prompt, response = _read_prompt(cells, data, where), _read_response(cells, data, where)
    return _join_messages([*prompt, *response], data.response, where)


def iterate_messages(text: Text) -> Iterator[Message]:
    """A conversation's messages as (role, content), as templates read them."""
    assert not isinstance(text, str)
    roles = ("assistant" if role == CONTEXT else role for role in text[::2])
    return zip(roles, text[1::2], strict=True)


def list_contents(text: Text, *, generates: bool) -> Sequence[str]:
    """What is read of an example: its text, both of a pair, or the contents of a conversation's messages."""
    if isinstance(text, str):
        return (text,)
    return text[1::2] if generates else text


def iterate_contents(corpus: Corpus, parts: Iterable[Part]) -> Iterator[str]:
    """What is read of each example of some parts, as one string."""
    return _join_contents((text for part in parts for text in corpus.parts[part].texts), corpus)


def sample_contents(corpus: Corpus, parts: Iterable[Part], count: int) -> list[str]:
    """As `iterate_contents`, of at least `count` examples spread over all; of all where these are fewer."""
    chosen = [corpus.parts[part].texts for part in parts]
    total = sum(map(len, chosen))
    return list(_join_contents(_take_steps(chosen, max(1, total // count)), corpus))


def _take_steps(columns: Iterable[Sequence[Text]], step: int) -> Iterator[Text]:
    """Each `step`-th text of the columns end to end."""
    start = 0
    for texts in columns:
        yield from texts[start::step]
        start = (start - len(texts)) % step


def _join_contents(texts: Iterable[Text], corpus: Corpus) -> Iterator[str]:
    generates = get_task_traits(corpus.task).generates
    return ("\n".join(list_contents(text, generates=generates)) for text in texts)


def find_answers(text: Text) -> list[int]:
    """The places among a conversation's messages of the answers that are learnt."""
    return [i for i, role in enumerate(text[::2]) if role == "assistant"]


def drop_last_answer(text: Text) -> Text:
    """A conversation without its last answer."""
    assert not isinstance(text, str)
    return text[:-2]


def make_prompt(text: str) -> Text:
    """A conversation of one question, to be answered."""
    return ("user", text)


def read_question(cell: Any, column: str, where: str) -> Text:
    """What is to be answered: a text, or a list of messages that ends with a user's.

    Raises:
        DataError: it is neither.
    """
    if parse_messages(cell) is None:
        return make_prompt(check_message_text(cell, f"column {column!r}", where))
    messages = read_messages(cell, column, where, until_answer=False)
    if not messages or messages[-1][0] != "user":
        last = (
            f"the last message of column {column!r} is the {messages[-1][0]}'s" if messages else "no message"
        )
        raise DataError(last, where=where, expected="messages that end with a user message")
    return tuple(text for message in messages for text in message)


def list_prompt_columns(data: Data) -> tuple[str, ...]:
    """The columns of what is asked."""
    return (data.prompt,) if isinstance(data.prompt, str) else data.prompt


def list_unread(cells: Mapping[str, Any], data: Data) -> list[str]:
    """What of a row is often part of a conversation, holds something, and is not read; with what to do."""
    used = _list_used(data)
    beside = _BESIDE_ALL if data.messages is not None else _BESIDE_PROMPTS | _BESIDE_ALL
    unread = [
        f"column {key!r} is not read: {advice}"
        for key, advice in beside.items()
        if key not in used and not is_empty(cells.get(key))
    ]
    if data.messages is None:
        return unread
    cell = cells.get(data.messages)
    unread += [f"{key!r} of messages is not read" for key in list_unread_keys(cell)]
    return [*unread, "messages after the last answer are not read"] if has_unanswered_end(cell) else unread


def _list_used(data: Data) -> set[str]:
    return {*list_prompt_columns(data), data.response} if data.messages is None else {data.messages}


def _read_prompt(cells: Mapping[str, Any], data: Data, where: str) -> list[Message]:
    """A prompt of one column or of several, or all messages of a list, whose answers are context."""
    if not isinstance(data.prompt, str):
        return [("user", _join_columns(cells, data.prompt, where))]
    if data.prompt not in cells:
        _explain_no_prompt(cells, data.prompt, where)
    cell = cells[data.prompt]
    if parse_messages(cell) is None:
        return [("user", check_message_text(cell, f"column {data.prompt!r}", where))]
    messages = read_messages(cell, data.prompt, where, until_answer=False)
    return [(CONTEXT if role == "assistant" else role, content) for role, content in messages]


def _join_columns(cells: Mapping[str, Any], columns: Sequence[str], where: str) -> str:
    """The texts of the columns with a blank line between; those that are empty are left out."""
    given = {name: get_cell(cells, name, where, "data.prompt") for name in columns}
    texts = [
        check_message_text(cell, f"column {name!r}", where)
        for name, cell in given.items()
        if not is_empty(cell)
    ]
    if not texts:
        names = ", ".join(map(repr, columns))
        raise DataError(f"nothing in columns {names}", where=where, expected="a text in one of them")
    return "\n\n".join(texts)


def _read_response(cells: Mapping[str, Any], data: Data, where: str) -> list[Message]:
    """An answer, or a list of messages up to the last one."""
    cell = get_cell(cells, data.response, where, "data.response")
    if parse_messages(cell) is None:
        return [("assistant", check_message_text(cell, f"column {data.response!r}", where))]
    return read_messages(cell, data.response, where, until_answer=True)


def _join_messages(messages: Sequence[Message], column: str, where: str) -> Text:
    """The messages as one tuple; an answer to nothing is context.

    A conversation begins with its first user's message, or where there is none with the system's.
    """
    roles = [role for role, _ in messages]
    opening = roles.index("user") if "user" in roles else -1
    if opening < 0 and "system" in roles:
        opening = roles.index("system")
    told = [
        (CONTEXT if role == "assistant" and i < opening else role, content)
        for i, (role, content) in enumerate(messages)
    ]
    if opening < 0 or told[-1][0] != "assistant":
        raise DataError(
            f"no assistant message that follows another message in column {column!r}",
            where=where,
            expected="at least a prompt and an answer",
        )
    return tuple(text for message in told for text in message)


def _explain_no_prompt(cells: Mapping[str, Any], column: str, where: str) -> NoReturn:
    """No column of prompts: which one of those there holds conversations, if any."""
    found = next((name for name, cell in cells.items() if parse_messages(cell) is not None), None)
    raise DataError(
        f"no column {column!r}",
        where=where,
        expected=f"one of the columns: {', '.join(map(str, cells))}",
        fix="set data.prompt, and data.response" if found is None else f"set data.messages: {found}",
    )


def _refuse_preferences(cells: Mapping[str, Any], data: Data, where: str) -> None:
    """Two answers to a prompt, or one with a judgement: another kind of training than this."""
    used = _list_used(data)
    if cells.keys() >= _PREFERENCES and not used <= cells.keys():
        raise DataError(
            "preference data: columns 'chosen' and 'rejected' hold a chosen and a rejected answer; "
            "preference training is not supported",
            where=where,
            expected="one answer per prompt",
            fix="to train on the chosen answers set data.response: chosen, or data.messages: "
            "chosen if it contains the whole conversation",
        )
    is_judged = str(cells.get("label")).lower() in ("true", "false")
    if data.messages is None and data.response == "completion" and is_judged:
        raise DataError(
            "preference data: column 'label' marks the desired completions, but all would be learnt",
            where=where,
            expected="only desired completions",
            fix="keep the rows whose label is true, and remove the column label",
        )
