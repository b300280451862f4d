"""Prompts, responses and messages become conversations; what nobody could learn from is named."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from transformers import AutoTokenizer

from headstart.config.language_section import Prompts
from headstart.config.study import Data
from headstart.data.chat_templates import set_chat_template
from headstart.data.conversations import (
    drop_last_answer,
    find_answers,
    iterate_messages,
    list_unread,
    read_conversation,
)
from headstart.data.prompts import encode_conversations
from headstart.errors import DataError
from source_rows import load_rows

PAIRS = Data(path="x")
CHAT = Data(path="x", messages="messages")
ALPACA = Data(path="x", prompt=["instruction", "input"], response="output")


def test_a_prompt_and_a_response() -> None:
    text = read_conversation({"prompt": "a?", "response": "b"}, PAIRS, "f:1")
    assert text == ("user", "a?", "assistant", "b")
    assert list(iterate_messages(text)) == [("user", "a?"), ("assistant", "b")]
    assert drop_last_answer(text) == ("user", "a?")
    named = Data(path="x", prompt="q", response="a")
    assert read_conversation({"q": "a?", "a": "b"}, named, "f:1") == text


MESSAGES = [
    {"role": "system", "content": "s"},
    {"role": "user", "content": "u"},
    {"role": "assistant", "content": "a"},
    {"role": "user", "content": "left out: nobody answers"},
]


@pytest.mark.parametrize("cell", [MESSAGES, json.dumps(MESSAGES)])
def test_messages_up_to_the_last_answer(cell: Any) -> None:
    text = read_conversation({"messages": cell}, CHAT, "f:1")
    assert text == ("system", "s", "user", "u", "assistant", "a")


@pytest.mark.parametrize(
    ("cells", "data", "words"),
    [
        ({"prompt": "a"}, PAIRS, "no column 'response'"),
        ({"prompt": "a", "response": " "}, PAIRS, "column 'response'"),
        ({"prompt": None, "response": "b"}, PAIRS, "column 'prompt'"),
        ({"prompt": "\ud83d", "response": "b"}, PAIRS, "an unpaired surrogate"),
        ({"messages": "[1"}, CHAT, "not JSON"),
        ({"messages": {"role": "user"}}, CHAT, "column 'messages'"),
        ({"messages": [{"role": "user"}]}, CHAT, "message 1"),
        ({"messages": [{"role": "bot", "content": "x"}]}, CHAT, "role 'bot'"),
        (
            {"instruction": "", "input": None, "output": "o"},
            ALPACA,
            "nothing in columns 'instruction', 'input'",
        ),
        ({"instruction": "i", "output": "o"}, ALPACA, "no column 'input'"),
        ({"instruction": "i", "input": 3, "output": "o"}, ALPACA, "3 in column 'input'"),
        ({"prompt": MESSAGES[1:2], "response": MESSAGES[1:2]}, PAIRS, "no assistant message"),
        ({"prompt": MESSAGES[2:3], "response": "x"}, PAIRS, "no assistant message"),
        ({"messages": MESSAGES[:2]}, CHAT, "no assistant message"),
        ({"messages": MESSAGES[2:3]}, CHAT, "no assistant message"),
    ],
)
def test_mistakes_are_named(cells: dict[str, Any], data: Data, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        read_conversation(cells, data, "f:7")
    assert caught.value.where == "f:7"


def test_a_greeting_is_context_and_so_is_what_was_said_before_the_prompt() -> None:
    greeted = read_conversation({"messages": [MESSAGES[0], MESSAGES[2], *MESSAGES[1:3]]}, CHAT, "f:1")
    assert [role for role, _ in iterate_messages(greeted)] == ["system", "assistant", "user", "assistant"]
    assert find_answers(greeted) == [3]
    assert find_answers(read_conversation({"messages": MESSAGES[1:3] * 2}, CHAT, "f:1")) == [1, 3]


@pytest.mark.parametrize("dump", [lambda cell: cell, json.dumps, str])
def test_a_prompt_and_a_completion_of_messages(dump: Any) -> None:
    """As TRL has it: the loss is the completion's, whatever the assistant said in the prompt."""
    data = Data(path="x", response="completion")
    cells = {"prompt": dump([*MESSAGES[:3], MESSAGES[1]]), "completion": dump(MESSAGES[2:3])}
    text = read_conversation(cells, data, "f:1")
    assert list(iterate_messages(text)) == [
        *(("system", "s"), ("user", "u"), ("assistant", "a"), ("user", "u"), ("assistant", "a"))
    ]
    assert find_answers(text) == [4]
    plain = read_conversation({"prompt": dump(MESSAGES[1:2]), "completion": "a"}, data, "f:1")
    assert plain == ("user", "u", "assistant", "a")


def test_several_columns_of_a_prompt_are_joined_by_a_blank_line() -> None:
    cells = {"instruction": "Add.", "input": "1 2", "output": "3"}
    assert read_conversation(cells, ALPACA, "f:1") == ("user", "Add.\n\n1 2", "assistant", "3")
    for nothing in ("", None, float("nan"), " "):
        assert read_conversation(cells | {"input": nothing}, ALPACA, "f:1")[1] == "Add."


def test_a_text_that_looks_like_a_list_is_a_text() -> None:
    text = read_conversation({"prompt": "[1, 2] sorted?", "response": "[{'a': 1}]"}, PAIRS, "f:1")
    assert text == ("user", "[1, 2] sorted?", "assistant", "[{'a': 1}]")


@pytest.mark.parametrize(
    ("cells", "data", "fix"),
    [
        ({"prompt": "p", "chosen": "a", "rejected": "b"}, PAIRS, "set data.response: chosen"),
        ({"chosen": MESSAGES, "rejected": MESSAGES}, CHAT, "data.messages: chosen"),
        (
            {"prompt": "p", "completion": "a", "label": False},
            Data(path="x", response="completion"),
            "keep the rows whose label is true",
        ),
    ],
)
def test_preferences_are_refused_in_a_sentence(cells: dict[str, Any], data: Data, fix: str) -> None:
    with pytest.raises(DataError, match="preference data") as caught:
        read_conversation(cells, data, "f:1")
    assert fix in str(caught.value)


def test_wanted_answers_are_learnt_where_a_study_names_them() -> None:
    cells = {"prompt": "p", "chosen": "a", "rejected": "b"}
    assert read_conversation(cells, Data(path="x", response="chosen"), "f:1")[-1] == "a"
    known = cells | {"response": "c"}
    assert read_conversation(known, PAIRS, "f:1")[-1] == "c"
    whole = read_conversation(
        {"chosen": MESSAGES, "rejected": MESSAGES}, Data(path="x", messages="chosen"), "f:1"
    )
    assert whole[-1] == "a"


def test_the_column_of_messages_is_named_where_prompts_are_missing() -> None:
    with pytest.raises(DataError) as caught:
        read_conversation({"id": 3, "conversations": MESSAGES}, PAIRS, "f:1")
    assert caught.value.fix == "set data.messages: conversations"


def test_what_belongs_to_a_conversation_and_is_not_read_is_told() -> None:
    cells = {"instruction": "i", "input": "x", "output": "o", "system": "s", "history": [], "id": 3}
    assert [told.split()[1] for told in list_unread(cells, ALPACA)] == ["'system'"]
    assert list_unread({"messages": json.dumps(MESSAGES)}, CHAT) == [
        "messages after the last answer are not read"
    ]
    thought = [MESSAGES[1], MESSAGES[2] | {"reasoning_content": "hm"}]
    assert list_unread({"messages": thought, "tools": "[]..."}, CHAT) == [
        "column 'tools' is not read: tools are not read",
        "'reasoning_content' of messages is not read",
    ]


SHAREGPT = [
    {"from": "system", "value": "s"},
    {"from": "human", "value": "u"},
    {"from": "gpt", "value": "a"},
    {"from": "human", "value": "left out"},
]
PARTS = [
    {"role": "developer", "content": [{"type": "text", "text": "s"}]},
    {"role": "user", "content": [{"type": "text", "text": "u"}]},
    {"role": "assistant", "content": [{"type": "text", "text": "a"}], "weight": 1},
]
CONVERSATION = ("system", "s", "user", "u", "assistant", "a")


def _write_jsonl(path: Path, cells: dict[str, Any]) -> None:
    path.write_text(json.dumps(cells) + "\n", encoding="utf-8")


def _write_csv(path: Path, cells: dict[str, Any]) -> None:
    """As pandas does: a list as Python prints it."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([cells.keys(), cells.values()])


def _write_json_cells(path: Path, cells: dict[str, Any]) -> None:
    _write_csv(
        path, {key: cell if isinstance(cell, str) else json.dumps(cell) for key, cell in cells.items()}
    )


def _write_parquet(path: Path, cells: dict[str, Any]) -> None:
    pq.write_table(pa.Table.from_pylist([cells]), path)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        *(("a.jsonl", _write_jsonl), ("a.csv", _write_csv)),
        *(("a.csv", _write_json_cells), ("a.parquet", _write_parquet)),
    ],
)
@pytest.mark.parametrize(
    ("cells", "settings"),
    [
        ({"messages": MESSAGES}, {"messages": "messages"}),
        ({"conversations": SHAREGPT}, {"messages": "conversations"}),
        ({"prompt": MESSAGES[:2], "completion": MESSAGES[2:3]}, {"response": "completion"}),
        ({"messages": PARTS}, {"messages": "messages"}),
    ],
)
def test_every_form_in_every_format(
    tmp_path: Path, name: str, write: Any, cells: dict[str, Any], settings: dict[str, str]
) -> None:
    write(tmp_path / name, cells)
    (row,) = load_rows(Data(path=str(tmp_path / name), **settings), "instruction")["train"]
    assert row.text == CONVERSATION


def test_the_loss_leaves_out_answers_that_are_context(tiny_bloom: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_bloom)
    set_chat_template(tokenizer, Prompts())
    greeting, answer = {"role": "assistant", "content": "hi"}, MESSAGES[2]
    text = read_conversation({"messages": [greeting, MESSAGES[1], answer]}, CHAT, "f:1")
    tokens = encode_conversations([text], tokenizer, 100)
    assert tokenizer.decode(tokens.input_ids) == ("<assistant>: hi</s>\n<human>: u\n<assistant>: a</s>")
    assert tokens.loss_mask is not None
    assert tokenizer.decode(tokens.input_ids[tokens.loss_mask]) == " a</s>"
