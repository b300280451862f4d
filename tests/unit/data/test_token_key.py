"""Tokens in the cache are one tokenizer's alone: whatever changes a token changes the key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tokenizers import normalizers, processors
from transformers import ByT5Tokenizer

from headstart.data import token_key
from headstart.data.token_key import hash_tokenizer, hashing_once
from headstart.data.tokenise import tokenise
from tiny_checkpoints import make_tokenizer

TEXT = "the film was good and the story felt warm"


def _set(name: str, value: Any) -> Callable[[Any], Any]:
    return lambda tokenizer: setattr(tokenizer, name, value)


CHANGES: dict[str, Callable[[Any], Any]] = {
    "truncation side": _set("truncation_side", "left"),
    "added token": lambda t: t.add_tokens(["storyline"]),
    "added special token": lambda t: t.add_special_tokens({"sep_token": "<sep>"}),
    "normaliser": lambda t: setattr(t.backend_tokenizer, "normalizer", normalizers.Lowercase()),
    "ends": lambda t: setattr(
        t.backend_tokenizer,
        "post_processor",
        processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 3)]),
    ),
    "special tokens in texts": _set("split_special_tokens", True),
    "template": _set("chat_template", "{{ messages }}"),
    "inputs": _set("model_input_names", ["input_ids", "token_type_ids"]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_tokens_changes_the_key(change: str) -> None:
    tokenizer = make_tokenizer()
    before = hash_tokenizer(tokenizer)
    CHANGES[change](tokenizer)
    assert hash_tokenizer(tokenizer) != before


def test_limits_of_earlier_calls_change_nothing() -> None:
    tokenizer = make_tokenizer()
    before = hash_tokenizer(tokenizer)
    tokenizer([TEXT, "a film"], truncation=True, max_length=3, padding=True)
    assert hash_tokenizer(tokenizer) == before == hash_tokenizer(make_tokenizer())


def test_each_tokenizer_of_a_study_is_hashed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its training, valid and test texts are three sets of tokens."""
    hashed: list[Any] = []
    take = token_key._hash

    def listen(tokenizer: Any) -> str:
        hashed.append(tokenizer)
        return take(tokenizer)

    monkeypatch.setattr(token_key, "_hash", listen)
    first, second = make_tokenizer(), make_tokenizer(truncation_side="left")
    with hashing_once():
        keys = [hash_tokenizer(one) for one in (first, second, first, second)]
    assert hashed == [first, second]
    assert keys == [hash_tokenizer(first), hash_tokenizer(second)] * 2
    first.add_tokens(["storyline"])
    with hashing_once():
        assert hash_tokenizer(first) != keys[0], "what was known of one study is not known of the next"


def test_settings_of_slow_tokenizers_change_the_key() -> None:
    first, second = ByT5Tokenizer(), ByT5Tokenizer(pad_token="<none>")
    assert hash_tokenizer(first) == hash_tokenizer(ByT5Tokenizer()) != hash_tokenizer(second)
    second = ByT5Tokenizer()
    second.add_tokens(["film"])
    assert hash_tokenizer(first) != hash_tokenizer(second)


def test_a_text_is_cut_on_the_side_that_its_tokenizer_says() -> None:
    left = make_tokenizer(truncation_side="left")
    right = make_tokenizer()
    ids = right(TEXT).input_ids
    assert tokenise([TEXT], right, 3).input_ids.tolist() == ids[:3]
    assert tokenise([TEXT], left, 3).input_ids.tolist() == ids[-3:]
