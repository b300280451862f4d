"""Prompts with responses and lists of messages are found; preferences are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headstart.data.guess.columns import describe_columns
from headstart.data.guess.conversations import guess_conversation, mention_label, refuse_preferences
from headstart.errors import DataError

ASK, ANSWER = "what is the price of number {}?", "the price of number {} is low"


def make_rows(count: int = 30, **columns: str) -> list[dict[str, Any]]:
    return [{name: text.format(i) for name, text in columns.items()} for i in range(count)]


def make_messages(*keys: str) -> list[dict[str, str]]:
    speaker, words = keys
    return [{speaker: "user", words: "hi"}, {speaker: "assistant", words: "hello"}]


@pytest.mark.parametrize(
    ("rows", "columns"),
    [
        (make_rows(prompt=ASK, response="{}"), {"prompt": "prompt", "response": "response"}),
        (make_rows(question=ASK, answer=ANSWER), {"prompt": "question", "response": "answer"}),
        (make_rows(Prompt=ASK, Completion=ANSWER), {"prompt": "Prompt", "response": "Completion"}),
        (
            make_rows(instruction=ASK, input="number {}", output=ANSWER),
            {"prompt": ("instruction", "input"), "response": "output"},
        ),
        (
            make_rows(instruction=ASK, context="number {}", response=ANSWER, category="x"),
            {"prompt": ("instruction", "context"), "response": "response"},
        ),
        (
            [{"prompt": make_messages("role", "content"), "completion": make_messages("role", "content")}]
            * 2,
            None,  # always the same
        ),
        (
            [{"prompt": ASK.format(i), "answer": ["yes", "no"][i % 2]} for i in range(30)],
            None,  # classes
        ),
        (
            [{"question": ASK.format(i), "answer": ANSWER.format(i), "label": i % 2} for i in range(30)],
            None,  # a pair that is judged
        ),
        (make_rows(text=ASK, label="{}"), None),
    ],
)
def test_prompts_and_responses(rows: list[dict[str, Any]], columns: dict[str, Any] | None) -> None:
    assert guess_conversation(describe_columns(rows)) == columns


@pytest.mark.parametrize(("name", "keys"), [("messages", ("role", "content")), ("chats", ("from", "value"))])
def test_messages(name: str, keys: tuple[str, str]) -> None:
    rows = [{"id": i, name: [*make_messages(*keys), {keys[0]: "user", keys[1]: str(i)}]} for i in range(9)]
    assert guess_conversation(describe_columns(rows)) == {"messages": name}


def test_prompts_and_completions_may_be_messages() -> None:
    rows = [
        {
            "prompt": [{"role": "user", "content": ASK.format(i)}],
            "completion": [{"role": "assistant", "content": ANSWER.format(i)}],
        }
        for i in range(9)
    ]
    assert guess_conversation(describe_columns(rows)) == {"prompt": "prompt", "response": "completion"}


def test_input_that_is_always_empty_is_left_out() -> None:
    rows = make_rows(instruction=ASK, input="", output=ANSWER)
    assert guess_conversation(describe_columns(rows)) == {"prompt": "instruction", "response": "output"}


def test_instruction_that_is_always_the_same_is_asked() -> None:
    rows = make_rows(instruction="put it into French", input="number {}", output=ANSWER)
    assert guess_conversation(describe_columns(rows)) == {
        "prompt": ("instruction", "input"),
        "response": "output",
    }


def test_label_beside_them_is_mentioned() -> None:
    rows = [{"category": "xy"[i % 2]} for i in range(9)]
    assert mention_label(describe_columns(rows)) == [
        "category could be a label: `headstart init --label category`"
    ]


@pytest.mark.parametrize(
    "rows",
    [
        make_rows(prompt=ASK, chosen=ANSWER, rejected=ANSWER),
        [{"prompt": ASK.format(i), "completion": ANSWER.format(i), "label": i % 2 == 0} for i in range(9)],
    ],
)
def test_preferences_are_refused(rows: list[dict[str, Any]]) -> None:
    with pytest.raises(DataError, match="preference data"):
        refuse_preferences(describe_columns(rows), Path("a.jsonl"))


def test_answers_beside_preferences_are_learnt() -> None:
    rows = [
        {
            "prompt": ASK.format(i),
            "chosen": ANSWER.format(i),
            "rejected": "no",
            "messages": [*make_messages("role", "content"), {"role": "user", "content": str(i)}],
        }
        for i in range(9)
    ]
    columns = describe_columns(rows)
    refuse_preferences(columns, Path("a.jsonl"))
    assert guess_conversation(columns) == {"messages": "messages"}
