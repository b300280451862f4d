"""Blocks hold every token of every document once, in order, and come from the cache where they were built."""

from __future__ import annotations

import errno
import math
import threading
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats
from transformers import AutoTokenizer

from conftest import WORDS
from headstart.data import encode_documents, token_blocks
from headstart.data.cache_folder import leave_temporary_cache, tell_of_temporary_cache
from headstart.data.text_corpus import TextCorpus, TextList
from headstart.data.token_blocks import TokenBlocks, bits_per_byte, build_token_blocks, unigram_entropy
from headstart.data.token_files import ArrayFile
from headstart.errors import DataError
from headstart.stages import listen_to_stages

_WORDS = list(WORDS)


def _make_documents(count: int = 60) -> list[str]:
    rng = np.random.default_rng(0)
    return [" ".join(rng.choice(_WORDS, rng.integers(1, 30))) + " é!" for _ in range(count)]


def _group_texts(
    documents: Sequence[str], tokenizer: Any, block: int, end: tuple[int, ...] = ()
) -> np.ndarray:
    """As run_mlm.py of transformers has it (`group_texts`), for each document with its special tokens."""
    rows = [[*ids, *end] for ids in tokenizer(list(documents))["input_ids"]]
    joined = list(chain(*rows))
    total = len(joined) // block * block
    return np.array([joined[i : i + block] for i in range(0, total, block)])


@pytest.fixture(params=["tiny_model", "tiny_roberta", "tiny_bloom"])
def tokenizer(request: pytest.FixtureRequest) -> Any:
    return AutoTokenizer.from_pretrained(request.getfixturevalue(request.param))


def _build(documents: Sequence[str], tokenizer: Any, block: int = 16, workers: int = 2) -> TokenBlocks:
    return build_token_blocks(TextList(documents), tokenizer, block=block, workers=workers)


def test_blocks_are_those_of_group_texts(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encode_documents, "_PIECES", 7)
    documents = _make_documents()
    blocks = _build(documents, tokenizer)
    # BLOOM's template puts nothing around a text: the end token does.
    end = () if tokenizer.cls_token else (tokenizer.eos_token_id,)
    assert (blocks.tokens == _group_texts(documents, tokenizer, 16, end)).all()
    assert blocks.tokens.dtype == np.uint16
    assert blocks.tokens.shape == blocks.word_starts.shape
    assert isinstance(blocks.tokens, np.memmap)
    assert not blocks.tokens.flags.writeable


@pytest.mark.parametrize("workers", [1, 3])
def test_the_number_of_threads_changes_nothing(
    tokenizer: Any, workers: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    documents = _make_documents()
    whole = _build(documents, tokenizer)
    monkeypatch.setattr(encode_documents, "_PIECES", 3)
    other = build_token_blocks(TextList(documents), tokenizer, block=16, folder=tmp_path, workers=workers)
    assert (whole.tokens == other.tokens).all()
    assert (whole.word_starts == other.word_starts).all()
    assert (whole.n_bytes, whole.n_documents, whole.digest) == (
        other.n_bytes,
        other.n_documents,
        other.digest,
    )


def test_bytes_and_documents_are_those_of_whole_blocks(tiny_bloom: Path) -> None:
    """Of a byte-level vocabulary without merges, a token is a byte."""
    tokenizer = AutoTokenizer.from_pretrained(tiny_bloom)
    documents = ["abcdé", "fg", "hij", "k"]  # 6, 2, 3 and 1 bytes, and an end token each
    for block in range(1, 17):
        left, n_bytes, n_documents = 16 // block * block, 0, 0
        for size in (6, 2, 3, 1):
            n_bytes, n_documents = n_bytes + min(size, max(left, 0)), n_documents + (left > 0)
            left -= size + 1
        blocks = _build(documents, tokenizer, block)
        assert (blocks.n_bytes, blocks.n_documents) == (n_bytes, n_documents)


def test_words_begin_where_the_vocabulary_says(tiny_model: Path, tiny_bloom: Path) -> None:
    bloom = AutoTokenizer.from_pretrained(tiny_bloom)
    blocks = _build(["ab c", "de"], bloom, 7)  # a b Ġ c </s> d e
    assert blocks.word_starts.tolist() == [[True, False, True, False, True, True, False]]
    bert = AutoTokenizer.from_pretrained(tiny_model)
    words = _build([f"{_WORDS[0]} {_WORDS[1]}"], bert, 4)
    assert words.word_starts.all()


def test_names_of_special_tokens_in_a_text_are_text(tiny_roberta: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_roberta)
    blocks = _build([f"{_WORDS[0]} </s> {_WORDS[1]} <mask>"] * 4, tokenizer, 8)
    flat = blocks.tokens.reshape(-1)
    assert (flat == tokenizer.mask_token_id).sum() == 0
    assert (flat == tokenizer.sep_token_id).sum() == blocks.n_documents


def test_long_documents_are_encoded_in_pieces(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    document = " ".join(_make_documents())
    whole = _build([document], tokenizer)
    monkeypatch.setattr(encode_documents, "_LONGEST_PIECE", 50)
    monkeypatch.setattr(token_blocks, "_FORMAT", "another")
    pieces = _build([document], tokenizer)
    assert (whole.tokens == pieces.tokens).all()
    assert (whole.word_starts == pieces.word_starts).all()
    assert whole.n_documents == pieces.n_documents == 1
    assert abs(whole.n_bytes - pieces.n_bytes) <= 1  # a space where the last block ends


def test_a_document_without_spaces_is_read_to_the_end(
    tiny_bloom: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encode_documents, "_LONGEST_PIECE", 10)
    tokenizer = AutoTokenizer.from_pretrained(tiny_bloom)
    blocks = _build(["x" * 95], tokenizer, 96)
    assert tokenizer.decode(blocks.tokens[0]) == "x" * 95 + "</s>"


def test_a_second_build_takes_the_first_and_says_so(tiny_model: Path, tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    (tmp_path / "a.txt").write_text("\n".join(_make_documents()), encoding="utf-8")
    told: list[str] = []
    with listen_to_stages(told.append):
        first, second, longer = (
            build_token_blocks(TextCorpus((tmp_path / "a.txt",)), tokenizer, block=block)
            for block in (16, 16, 32)
        )
    assert [stage.split()[0] for stage in told] == [
        "hashing", "tokenising", "hashing", "taking", "hashing", "tokenising",
    ]  # fmt: skip
    assert first.digest == second.digest != longer.digest
    assert first.tokens.filename == second.tokens.filename  # type: ignore[attr-defined]


def test_a_build_that_fails_leaves_nothing(tiny_model: Path, tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    text = tmp_path / "a.txt"
    text.write_bytes("\n".join(_make_documents()).encode() + b"\nbad \xff\n")
    cache = tmp_path / "cache"
    with pytest.raises(DataError, match="not UTF-8"):
        build_token_blocks(TextCorpus((text,)), tokenizer, block=16, folder=cache)
    assert {path.name for path in (cache / "blocks").iterdir()} <= {".lock", ".in-use"}


def test_a_file_that_grows_meanwhile_is_no_entry(tiny_model: Path, tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    text = tmp_path / "a.txt"
    text.write_text("\n".join(_make_documents()), encoding="utf-8")
    corpus = TextCorpus((text,))
    assert corpus.digest
    with text.open("a", encoding="utf-8") as file:
        file.write("\none more\n")
    with pytest.raises(DataError, match="changed while it was read") as caught:
        build_token_blocks(corpus, tokenizer, block=16, folder=tmp_path / "cache")
    assert caught.value.where == str(text)
    assert len(build_token_blocks(TextCorpus((text,)), tokenizer, block=16))


@pytest.mark.parametrize(
    ("documents", "got"), [([], "no documents"), (["a"], "1 document with 3 tokens in all")]
)
def test_a_corpus_that_fills_no_block_is_refused(documents: list[str], got: str, tiny_model: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    with pytest.raises(DataError, match=got):
        _build(documents, tokenizer)


def test_the_entropy_is_scipys(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_blocks, "_COUNTED_AT_ONCE", 100)
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    blocks = _build(_make_documents(), tokenizer)
    counts = np.bincount(blocks.tokens.reshape(-1))
    assert unigram_entropy(blocks) == pytest.approx(scipy.stats.entropy(counts))
    special = tokenizer.all_special_ids
    counts[[i for i in special if i < len(counts)]] = 0
    assert unigram_entropy(blocks, special) == pytest.approx(scipy.stats.entropy(counts))
    one = TokenBlocks(np.zeros((2, 4), np.uint16), np.ones((2, 4), np.bool_), 4, 1, "")
    assert unigram_entropy(one) == 0.0
    assert unigram_entropy(one, [0]) == 0.0


def test_a_uniform_model_of_bytes_needs_eight_bits() -> None:
    """Two tokens a byte at ln 16 nats each are eight bits."""
    blocks = TokenBlocks(np.zeros((2, 4), np.uint16), np.ones((2, 4), np.bool_), 4, 1, "")
    assert bits_per_byte(math.log(16), blocks) == pytest.approx(8.0)


@pytest.fixture
def full_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A cache on a disk that is full once the first tokens are on it; the temporary one is not."""
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path))
    append = ArrayFile.append

    def fill(self: ArrayFile, numbers: np.ndarray) -> None:
        if str(self._stream.name).startswith(str(tmp_path)):
            raise OSError(errno.ENOSPC, "no space left")
        append(self, numbers)

    monkeypatch.setattr(ArrayFile, "append", fill)
    yield
    leave_temporary_cache()


@pytest.mark.usefixtures("full_cache")
def test_a_cache_that_is_full_amid_a_corpus_is_done_without(tiny_roberta: str) -> None:
    """The threads that encoded for it have to be gone: the next ones wait for them."""
    built = list[TokenBlocks]()
    tokenizer = AutoTokenizer.from_pretrained(tiny_roberta)
    build = threading.Thread(target=lambda: built.append(_build(_make_documents(), tokenizer)), daemon=True)
    build.start()
    build.join(60)
    assert len(built) == 1, "no end"
    assert len(list(tell_of_temporary_cache())) == 1
