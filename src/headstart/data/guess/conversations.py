"""Finds prompts with responses, and lists of messages; refuses preferences between two answers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from headstart.data.guess.columns import Column
from headstart.data.guess.names import (
    INPUTS,
    JUDGEMENTS,
    LABELS,
    MESSAGES,
    PREFERENCE,
    PROMPTS,
    RESPONSES,
    find_named,
)
from headstart.errors import DataError

#: Responses are written, so that most differ; fewer are classes.
_SHARE_DIFFERENT: Final = 0.3
_FEW_ANSWERS: Final = 20

#: Keys of a study's `data` section, and the columns for them.
Columns = dict[str, str | tuple[str, ...]]


def refuse_preferences(columns: Mapping[str, Column], file: Path) -> None:
    """See that there are not two answers a prompt, one preferred, nor answers with a judgement.

    Raises:
        DataError: there are.
    """
    has_answers = find_named(columns, (*RESPONSES, *MESSAGES)) is not None
    if columns.keys() >= set(PREFERENCE) and not has_answers:
        raise DataError(
            "columns chosen and rejected: preference data, a chosen and a rejected answer",
            where=str(file),
            expected="one answer per prompt; preference training (DPO and the like) is not supported",
            fix="to train on the chosen answers, write a file with the prompts and with chosen as response",
        )
    label = columns.get("label")
    if (
        "completion" in columns
        and label is not None
        and {c.lower() for c in label.counts} <= {"true", "false"}
    ):
        raise DataError(
            "columns completion and label: preference data, in which label marks the desired completions",
            where=str(file),
            expected="only desired completions; preference training (KTO and the like) is not supported",
            fix="to train on the desired ones, write a file of the rows whose label is true, "
            "without the label",
        )


def guess_conversation(columns: Mapping[str, Column]) -> Columns | None:
    """The columns of messages, or of prompt and response; None where the table holds labelled texts.

    An instruction, or an input, may be always the same; a response is not.
    """
    useful = {name: column for name, column in columns.items() if column.say_why_useless() is None}
    by_content = [name for name, column in useful.items() if column.holds_messages]
    prompt, response = find_named(useful, PROMPTS), find_named(useful, RESPONSES)
    if prompt in by_content and response in by_content and prompt != response:
        return {"prompt": str(prompt), "response": str(response)}
    if by_content:
        return {"messages": find_named(by_content, MESSAGES) or by_content[0]}
    # A prompt may be called `input`, and a response never is.
    texts = {name: column for name, column in columns.items() if column.is_text}
    prompt, response = find_named(texts, PROMPTS), find_named(texts, RESPONSES)
    if prompt is None or response is None or not _is_written(texts[response]) or _is_judged(useful, response):
        return None
    more = find_named([name for name in texts if name not in (prompt, response)], INPUTS)
    return {"prompt": prompt if more is None else (prompt, more), "response": response}


def mention_label(useful: Mapping[str, Column]) -> list[str]:
    """What is said of a label beside a conversation."""
    label = find_named(useful, LABELS)
    return [] if label is None else [f"{label} could be a label: `headstart init --label {label}`"]


def _is_written(column: Column) -> bool:
    """Whether answers are written freely rather than chosen among a few."""
    return column.share_different > _SHARE_DIFFERENT and (len(column.counts) > _FEW_ANSWERS or column.is_long)


def _is_judged(useful: Mapping[str, Column], response: str) -> bool:
    """Whether a column says what the two together are worth, or how they relate."""
    return any(name.lower() in JUDGEMENTS and name != response for name in useful)
