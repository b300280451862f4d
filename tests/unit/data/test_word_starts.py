"""Words begin where a vocabulary marks them, in each kind of tokenizer."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import BertJapaneseTokenizer, PreTrainedTokenizerFast

from headstart.data.word_starts import find_word_marks, find_word_starts

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


def test_word_pieces_of_a_tokenizer_in_python_have_their_prefix_too(tmp_path: Path) -> None:
    vocabulary = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "la", "##la", ",")
    (tmp_path / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    tokenizer = BertJapaneseTokenizer(
        tmp_path / "vocab.txt", word_tokenizer_type="basic", subword_tokenizer_type="wordpiece"
    )
    assert tokenizer.tokenize("la lala,") == ["la", "la", "##la", ","]
    marked = find_word_marks(tokenizer).mark(np.array(tokenizer("la lala,").input_ids))
    assert marked.tolist() == [True, True, True, False, True, True]


@pytest.mark.parametrize(
    "pieces", [("la</w>", "la", ",</w>", "la</w>"), ("la", "la@@", ",", "la")], ids=["XLM", "PhoBERT"]
)
def test_a_bpe_in_python_marks_where_words_end(pieces: tuple[str, ...]) -> None:
    """Of a vocabulary as theirs: XLM's tokenizer needs a package that is not always there."""
    ids = _make_vocabulary(*pieces)
    tokenizer = SimpleNamespace(
        is_fast=False,
        bpe_ranks={},
        get_vocab=lambda: ids,
        added_tokens_decoder={},
        all_special_tokens=["<unk>", "</s>"],
        all_special_ids=[0, 1],
    )
    marked = find_word_marks(tokenizer).mark(np.array([1, *map(ids.__getitem__, pieces), 1]))
    assert marked.tolist() == [True, True, True, False, True, True]
