"""Reads one cell's list of messages, in OpenAI's form or ShareGPT's, as roles and texts; refuses any other.

OpenAI's form is `{role, content}`, whose content may be parts of text; ShareGPT's is `{from, value}`.
"""

from __future__ import annotations

import ast
import math
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Final

from headstart.data.texts import check_encodable
from headstart.errors import DataError
from headstart.json_text import parse_json

#: The role of an answer that is read and not learnt, where conversations are kept.
CONTEXT: Final = "assistant, as context"
#: What files call the roles, by what they are called here.
_ROLES: Final = {
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("user", "human"), "user"),
    **dict.fromkeys(("assistant", "gpt", "chatgpt", "model"), "assistant"),
}
_TOOL_ROLES: Final = frozenset(
    {"tool", "tool_call", "tool_response", "tool_result", "observation", "ipython"}
    | {"function", "function_call", "function_response"}
)
#: Keys of a message with which an assistant calls a tool.
_CALLS: Final = ("tool_calls", "function_call")
_TEXT_PARTS: Final = frozenset({"text", "input_text", "output_text"})
#: What a message says besides that is part of an answer, or of what is asked.
_OFTEN_WRITTEN: Final = ("thinking", "reasoning", "reasoning_content", "images", "audio", "refusal")
_LIST: Final = re.compile(r"\s*\[\s*\{")
#: Python's own errors for a text that is no literal.
_NOT_LITERAL: Final = (ValueError, SyntaxError, MemoryError, RecursionError)

Message = tuple[str, str]


def parse_messages(value: Any) -> list[Any] | None:
    """The cell as a list of messages as it stands there, or None where it is not one.

    A cell of text holds the list as JSON, or as Python prints it, which is what pandas writes to CSV. The
    library `datasets` may give a list of messages as lists by key.
    """
    if isinstance(value, str):
        value = _parse_literal(value) if _LIST.match(value) else None
    value = _turn_columns(value)
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        return None
    looks_right = (isinstance(message, Mapping) and _get(message, "role", "from") for message in value)
    return list(value) if all(looks_right) else None


def read_messages(value: Any, column: str, where: str, *, until_answer: bool) -> list[Message]:
    """The messages as (role, text), empty messages of the system left out.

    Args:
        until_answer: those after the last answer to be learnt are not looked at.

    Raises:
        DataError: it is no list of messages, or one of them is not text of a user, a system or an assistant.
    """
    raw = _require_list(value, column, where)
    answers = [i for i, message in enumerate(raw) if _is_learnt(message)]
    if until_answer and answers:
        raw = raw[: answers[-1] + 1]
    places = (f"message {i} of column {column!r}" for i in range(1, len(raw) + 1))
    messages = [_read_message(one, place, where) for one, place in zip(raw, places, strict=True)]
    return [message for message in messages if message != ("system", "")]


def list_unread_keys(value: Any) -> list[str]:
    """What the messages of a cell hold besides texts that is often part of a conversation."""
    messages = [one for one in parse_messages(value) or () if isinstance(one, Mapping)]
    return [key for key in _OFTEN_WRITTEN if any(one.get(key) for one in messages)]


def has_unanswered_end(value: Any) -> bool:
    """Whether messages follow the last answer of a cell that is to be learnt."""
    messages = parse_messages(value)
    return messages is not None and not _is_learnt(messages[-1]) and any(map(_is_learnt, messages))


def check_message_text(value: Any, place: str, where: str) -> str:
    """The text at `place` of a row.

    Raises:
        DataError: it is none, or empty.
    """
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{value!r} in {place}", where=where, expected="a text that is not empty")
    check_encodable(value, place, where)
    return value


def is_empty(value: Any) -> bool:
    """Whether a cell, or a content, is null, NaN, an empty list or white space."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or value == [] or (isinstance(value, float) and math.isnan(value))


def _require_list(value: Any, column: str, where: str) -> Sequence[Any]:
    if isinstance(value, str):
        parsed = _parse_literal(value)
        if parsed is None:
            raise DataError(
                f"column {column!r} is not JSON", where=where, expected="a list of messages, as JSON"
            )
        value = parsed
    value = _turn_columns(value)
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise DataError(f"{value!r} in column {column!r}", where=where, expected="a list of messages")
    return value


def _turn_columns(value: Any) -> Any:
    """Messages from lists by key, all of one length; anything else as it is."""
    if not isinstance(value, Mapping) or not value or not all(isinstance(v, list) for v in value.values()):
        return value
    if len({len(cells) for cells in value.values()}) > 1:
        return value
    return [dict(zip(value, cells, strict=True)) for cells in zip(*value.values(), strict=True)]


def _parse_literal(text: str) -> Any:
    """What the text holds as JSON or as Python prints it; None for neither."""
    try:
        return parse_json(text)
    except ValueError:
        pass
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of backslashes that a text may hold
            return ast.literal_eval(text.strip())
    except _NOT_LITERAL:
        return None


def _get(message: Mapping[str, Any], *keys: str) -> Any:
    """The first of the keys that holds something: Parquet gives every message every key."""
    return next((message[key] for key in keys if message.get(key) is not None), None)


def _is_learnt(message: Any) -> bool:
    if not isinstance(message, Mapping) or _find_role(message) != "assistant":
        return False
    # OpenAI's files say with a weight of 0, axolotl's with `train`, that an answer is read only.
    return message.get("weight") != 0 and message.get("train") is not False


def _find_role(message: Mapping[str, Any]) -> str | None:
    return _ROLES.get(str(_get(message, "role", "from")).lower())


def _read_message(message: Any, place: str, where: str) -> Message:
    message = _require_message(message, place, where)
    content = _join_parts(_get(message, "content", "value"), place, where)
    role = _find_role(message)
    if role is None:
        raise DataError(
            f"{place} has role {_get(message, 'role', 'from')!r}", where=where, expected=", ".join(_ROLES)
        )
    if role == "system" and is_empty(content):
        return role, ""
    text = check_message_text(content, place, where)
    return (CONTEXT if role == "assistant" and not _is_learnt(message) else role), text


def _require_message(message: Any, place: str, where: str) -> Mapping[str, Any]:
    """The message, if it has a role and a content and is no tool's."""
    if isinstance(message, Mapping):
        _refuse_tools(message, place, where)
        if {"role", "content"} <= message.keys() or {"from", "value"} <= message.keys():
            return message
    raise DataError(
        f"{place} is {message!r}",
        where=where,
        expected="{role: ..., content: ...} or {from: ..., value: ...}",
    )


def _refuse_tools(message: Mapping[str, Any], place: str, where: str) -> None:
    """Tool turns: without its tools a model would be taught answers out of nowhere."""
    role = str(_get(message, "role", "from")).lower()
    what = next((key for key in _CALLS if message.get(key)), None)
    if what is None and role not in _TOOL_ROLES:
        return
    raise DataError(
        f"{place} is a tool turn ({what or f'role {role}'}), which is not supported",
        where=where,
        expected="messages of system, user and assistant",
        fix="write the tool call and its result as text",
    )


def _join_parts(content: Any, place: str, where: str) -> Any:
    """Parts of text as one text, end to end, as the library's templates write them."""
    if not isinstance(content, list):
        return content
    return "".join(_read_part(part, place, where) for part in content)


def _read_part(part: Any, place: str, where: str) -> str:
    if isinstance(part, str):
        return part
    kind = (part.get("type") or "text") if isinstance(part, Mapping) else type(part).__name__
    if kind not in _TEXT_PARTS or not isinstance(part.get("text"), str):
        raise DataError(
            f"{place} has a part of type {kind}",
            where=where,
            expected="parts of type text; images and sound are not supported",
        )
    return str(part["text"])
