"""Answers are those of the library's own `generate`; files are answered row by row; mistakes are named."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from headstart.cli.output import print_piece
from headstart.commands.generate import generate, generate_file, open_generator
from headstart.engine.generate import GenerationConfig
from headstart.errors import DataError, ModelError

CONFIG = GenerationConfig(max_new_tokens=6)


def answer_with_the_library(folder: Path, prompt: str) -> str:
    """Greedily, after the prompt as the default template writes it."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    ids = tokenizer(
        f"<human>: {prompt}\n<assistant>:", return_tensors="pt", add_special_tokens=False
    ).input_ids
    with torch.inference_mode():
        whole = model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=6, do_sample=False, eos_token_id=2
        )
    return str(tokenizer.decode(whole[0, ids.shape[1] :], skip_special_tokens=True)).strip()


def test_answers_are_the_librarys(tiny_bloom: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headstart.commands.generate.choose_precision", lambda *_: "fp32")
    prompts = ["say a", "say bb 12"]
    answers = generate(str(tiny_bloom), prompts, CONFIG)
    assert [answer.text for answer in answers] == [answer_with_the_library(tiny_bloom, p) for p in prompts]


def test_a_file_gets_an_answer_a_row(tiny_bloom: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "prompts.csv", tmp_path / "answers.csv"
    source.write_text("id,question\n7,say a\n8,say b\n", encoding="utf-8")
    assert generate_file(str(tiny_bloom), source, target, CONFIG, column="question") == 2
    rows = list(csv.DictReader(target.open(encoding="utf-8")))
    expected = [answer.text for answer in generate(str(tiny_bloom), ["say a", "say b"], CONFIG)]
    assert [(row["id"], row["answer"]) for row in rows] == list(zip(("7", "8"), expected, strict=True))
    assert {row["stopped"] for row in rows} <= {"True", "False"}


def test_a_prompt_that_is_absent_is_named_by_line(tiny_bloom: Path, tmp_path: Path) -> None:
    source = tmp_path / "prompts.csv"
    source.write_text("question\nsay a\n", encoding="utf-8")
    with pytest.raises(DataError, match="no prompt in column 'prompt'") as caught:
        generate_file(str(tiny_bloom), source, tmp_path / "answers.csv", CONFIG)
    assert caught.value.where == f"{source}:2"
    assert not (tmp_path / "answers.csv").exists()


def test_a_folder_without_a_causal_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no usable checkpoint"):
        generate(str(tmp_path), ["say a"])


def test_what_is_told_is_the_answer(tiny_bloom: Path) -> None:
    pieces: list[str] = []
    answers = open_generator(str(tiny_bloom)).generate(["say a"], CONFIG, tell=pieces.append)
    assert "".join(pieces) == answers[0].text != ""


@pytest.mark.parametrize("prompt", ["", " \n"])
def test_an_empty_prompt_is_refused(tiny_bloom: Path, prompt: str) -> None:
    with pytest.raises(DataError, match="the prompt is empty"):
        generate(str(tiny_bloom), ["say a", prompt], CONFIG)


@pytest.mark.parametrize(("is_terminal", "shown"), [(True, r"\x1b[31mred"), (False, "\x1b[31mred")])
def test_a_terminal_gets_no_control_characters(
    is_terminal: bool, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = io.StringIO()
    monkeypatch.setattr(out, "isatty", lambda: is_terminal)
    monkeypatch.setattr(sys, "stdout", out)
    print_piece("\x1b[31mred")
    assert out.getvalue() == shown


def test_a_file_of_messages_is_answered(tiny_bloom: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "talks.jsonl", tmp_path / "answers.jsonl"
    talks = [
        [("user", "say a")],
        [("system", "be brief"), ("user", "say a"), ("assistant", "a"), ("user", "say b")],
    ]
    rows = [{"messages": [{"role": role, "content": text} for role, text in talk]} for talk in talks]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert generate_file(str(tiny_bloom), source, target, CONFIG, column="messages") == 2
    answers = [json.loads(line)["answer"] for line in target.read_text("utf-8").splitlines()]
    flat = tuple(text for message in talks[1] for text in message)
    expected = open_generator(str(tiny_bloom)).generate(["say a", flat], CONFIG)
    assert answers == [answer.text for answer in expected]


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ([{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}], "the assistant's"),
        (
            [{"role": "tool", "content": "q"}],
            r"a tool turn[^$]*fix: write the tool call and its result as text$",
        ),
        ("half \ud800", "an unpaired surrogate"),
        ("  ", "'  ' in column"),
    ],
)
def test_what_is_no_question_is_named_by_line(
    tiny_bloom: Path, tmp_path: Path, cell: object, message: str
) -> None:
    source = tmp_path / "talks.jsonl"
    source.write_text(json.dumps({"prompt": "say a"}) + "\n" + json.dumps({"prompt": cell}) + "\n")
    with pytest.raises(DataError, match=message) as caught:
        generate_file(str(tiny_bloom), source, tmp_path / "answers.jsonl", CONFIG)
    assert caught.value.where == f"{source}:2"


def test_half_a_character_in_a_prompt_is_refused(tiny_bloom: Path) -> None:
    """As a terminal gives bytes that are not UTF-8."""
    with pytest.raises(DataError, match="an unpaired surrogate in the prompt"):
        generate(str(tiny_bloom), ["say \udcff"], CONFIG)
