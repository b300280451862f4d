"""Words begin where a vocabulary marks them, in each kind of tokenizer."""

from __future__ import annotations

from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from headstart.data.word_starts import find_word_starts

_NAMES = {"unk_token": "<unk>", "eos_token": "</s>"}


def _wrap(backend: Tokenizer) -> Any:
    return PreTrainedTokenizerFast(tokenizer_object=backend, **_NAMES)


def _find(backend: Tokenizer) -> dict[str, bool]:
    tokenizer = _wrap(backend)
    starts = find_word_starts(tokenizer).tolist()
    return {name: starts[i] for name, i in tokenizer.get_vocab().items()}


def _make_vocabulary(*tokens: str) -> dict[str, int]:
    return {token: i for i, token in enumerate(("<unk>", "</s>", *tokens))}


def test_pieces_of_sentencepiece_begin_a_word_with_their_mark() -> None:
    pieces = [(token, -1.0) for token in _make_vocabulary("▁la", "▁", "la", ",")]
    backend = Tokenizer(models.Unigram(pieces, unk_id=0))
    backend.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Metaspace()])
    expected = {"<unk>": True, "</s>": True, "▁la": True, "▁": True, "la": False, ",": False}
    assert _find(backend) == expected


def test_a_mark_that_a_normalizer_puts_counts_too() -> None:
    """As in Llama's first tokenizers, which have no pre-tokenizer."""
    backend = Tokenizer(models.BPE(_make_vocabulary("▁la", "la"), [], unk_token="<unk>"))
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    backend.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse()])
    assert _find(backend) == {"<unk>": True, "</s>": True, "▁la": True, "la": False}


def test_byte_level_tokens_begin_a_word_with_white_space() -> None:
    backend = Tokenizer(models.BPE(_make_vocabulary("Ġla", "la", "Ċ", "Ã"), [], unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel()
    expected = {"<unk>": True, "</s>": True, "Ġla": True, "la": False, "Ċ": True, "Ã": False}
    assert _find(backend) == expected


def test_word_pieces_begin_a_word_without_their_prefix() -> None:
    backend = Tokenizer(models.WordPiece(_make_vocabulary("la", "##la", ","), unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    assert _find(backend) == {"<unk>": True, "</s>": True, "la": True, "##la": False, ",": True}


@pytest.mark.parametrize("split", [pre_tokenizers.Whitespace(), None])
def test_without_marks_every_token_is_a_word(split: Any) -> None:
    backend = Tokenizer(models.WordLevel(_make_vocabulary("la", ","), unk_token="<unk>"))
    if split is not None:
        backend.pre_tokenizer = split
    assert all(_find(backend).values())
