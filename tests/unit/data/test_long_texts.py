"""Very long texts are cut before they are encoded, and their tokens are those of the whole."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from headstart.data import long_texts
from headstart.data.long_texts import TextTooLongError, cut_long_texts
from headstart.data.tokenise import encode_texts

WORDS = ["film", "\u00c9tude", "cafe\u0301", "\ufb01n", "x" * 30, "it's", "3.14", "\u00a8a", "\u0308"]
WORDS += ["a\u200bb", "a\u200b", "\u2581", "\uff26\uff35\uff2c\uff2c", "na\u00a8"]
GAPS = [" ", " ", "  ", "\n", "\t ", " \u3000", "\u00a0", " \n\n "]


def make_text(seed: int, words: int = 600) -> str:
    draws = random.Random(seed)
    return "".join(draws.choice(WORDS) + draws.choice(GAPS) for _ in range(words))


def train(model: Any, trainer: Callable[..., Any], normalizer: Any, split: Any, **more: Any) -> Any:
    tokenizer = Tokenizer(model)
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, split
    tokenizer.train_from_iterator([make_text(i) for i in range(3)], trainer(vocab_size=300, **more))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>")


SPECIAL = {"special_tokens": ["<pad>", "<unk>"], "show_progress": False}
KINDS: dict[str, Callable[[], Any]] = {
    "wordpiece": lambda: train(
        models.WordPiece(unk_token="<unk>"),
        trainers.WordPieceTrainer,
        normalizers.BertNormalizer(),
        pre_tokenizers.BertPreTokenizer(),
        **SPECIAL,
    ),
    "bytes": lambda: train(
        models.BPE(),
        trainers.BpeTrainer,
        normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()]),
        pre_tokenizers.ByteLevel(add_prefix_space=False),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        **SPECIAL,
    ),
    "bpe": lambda: train(
        models.BPE(unk_token="<unk>"),
        trainers.BpeTrainer,
        normalizers.Sequence([normalizers.NFKC(), normalizers.Strip()]),
        pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Digits()]),
        **SPECIAL,
    ),
    "unigram": lambda: train(
        models.Unigram(),
        trainers.UnigramTrainer,
        normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]),
        pre_tokenizers.Metaspace(),
        unk_token="<unk>",
        **SPECIAL,
    ),
}


@pytest.fixture(scope="module", params=KINDS)
def tokenizer(request: pytest.FixtureRequest) -> Any:
    return KINDS[request.param]()


@pytest.mark.parametrize("max_length", [1, 7, 64])
def test_tokens_are_those_of_the_whole_text(
    tokenizer: Any, max_length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [make_text(seed) for seed in range(20)] + ["short one", "  " + make_text(99)]
    whole = tokenizer(texts, truncation=True, max_length=max_length)["input_ids"]
    monkeypatch.setattr(long_texts, "LONG", 1000)
    cut = cut_long_texts(texts, tokenizer, max_length)
    assert sum(map(len, cut)) < sum(map(len, texts)) / 2
    tokens = encode_texts(texts, tokenizer, max_length)
    starts = tokens.starts
    assert [tokens.input_ids[a:b].tolist() for a, b in pairwise(starts)] == whole
    assert tokens.truncated == sum(len(ids) > max_length for ids in tokenizer(texts)["input_ids"])


@pytest.mark.parametrize("swap", [False, True])
def test_pairs_of_a_long_and_a_short_text_keep_their_tokens(
    tokenizer: Any, swap: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = [(make_text(seed), "a film " * (seed % 4)) for seed in range(8)]
    pairs = [(second, first) for first, second in pairs] if swap else pairs
    columns = [list(column) for column in zip(*pairs, strict=True)]
    whole = tokenizer(*columns, truncation=True, max_length=33)["input_ids"]
    monkeypatch.setattr(long_texts, "LONG", 1000)
    tokens = encode_texts(pairs, tokenizer, 33)
    assert tokens.input_ids.tolist() == [i for ids in whole for i in ids]


def test_one_word_is_never_cut(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_texts, "LONG", 1000)
    assert cut_long_texts(["x" * 5000], tokenizer, 4) == ["x" * 5000]


def _without_split(tokenizer: Any) -> Any:
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(split=False)
    return tokenizer


def _with_words_across(tokenizer: Any) -> Any:
    tokenizer.add_tokens(["new york"])
    return tokenizer


def _cut_left(tokenizer: Any) -> Any:
    tokenizer.truncation_side = "left"
    return tokenizer


def _with_any_replacement(tokenizer: Any) -> Any:
    tokenizer.backend_tokenizer.normalizer = normalizers.Replace(Regex("a b"), "c")
    return tokenizer


@pytest.mark.parametrize("change", [_without_split, _with_words_across, _cut_left, _with_any_replacement])
def test_where_tokens_may_reach_over_a_space_nothing_is_cut(
    change: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(long_texts, "LONG", 1000)
    text = make_text(5)
    assert cut_long_texts([text], change(KINDS["unigram"]()), 4) == [text]


@pytest.mark.parametrize(
    "text", ["x" * 2000, ("ab " * 700, "cd " * 700), ("question", "y" * 2000)], ids=["word", "pair", "short"]
)
def test_what_cannot_be_cut_and_is_too_long_is_refused(text: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_texts, "LONG", 100)
    monkeypatch.setattr(long_texts, "MOST_WHOLE", 1500)
    with pytest.raises(
        TextTooLongError, match=r"characters, beginning with[\s\S]*fix: shorten the text"
    ) as caught:
        cut_long_texts([text], KINDS["wordpiece"](), 16)
    assert caught.value.text == text
    assert cut_long_texts(["ab " * 700], KINDS["wordpiece"](), 16)[0] != "ab " * 700


def test_a_long_text_for_a_tokenizer_that_may_join_words_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Llama 3 and Qwen split by an expression of their own: nothing is known of where its words end."""
    tokenizer = KINDS["bytes"]()
    split = pre_tokenizers.Split(Regex(r"\p{L}+|\s+"), "isolated")
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    monkeypatch.setattr(long_texts, "LONG", 100)
    monkeypatch.setattr(long_texts, "MOST_WHOLE", 1500)
    with pytest.raises(TextTooLongError, match=r"2,100 characters, beginning with 'ab ab"):
        encode_texts(["short", "ab " * 700], tokenizer, 16)
