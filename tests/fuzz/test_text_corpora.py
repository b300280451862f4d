"""Files of text to pretrain on, in every format, compressed and broken, as documents and as blocks."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from data_files import WHOLE
from fuzzing import own_folder, run_to_end
from headstart.data.text_corpus import DocumentUnit, TextCorpus, TextList, divide_corpus
from headstart.data.token_blocks import TokenBlocks, build_token_blocks
from headstart.models.train_tokenizer import train_tokenizer
from odd_values import mutated_bytes, texts

UNITS: tuple[DocumentUnit, ...] = ("line", "blank-line", "file")
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": lambda data: bytes(pa.Codec("zstd").compress(data, asbytes=True)),
}


def read_all(paths: tuple[Path, ...], unit: DocumentUnit) -> list[str]:
    """The documents of both sides of a division, which are those of the whole."""
    corpus = TextCorpus(paths, document=unit)
    documents = list(corpus.iterate())
    assert all(document.strip() for document in documents)
    sides = [side.held_out for side in divide_corpus(corpus, 0.5, seed=1)]
    assert all(sum(side is not None and side.holds(one) for side in sides) == 1 for one in documents)
    assert len(corpus.digest) == 64
    return documents


def read_file(name: str, content: bytes, unit: DocumentUnit = "line") -> None:
    """Read a file of this content."""
    with own_folder() as folder:
        (folder / name).write_bytes(content)
        run_to_end(read_all, (folder / name,), unit, folder=folder)


@given(st.data(), st.sampled_from(sorted(WHOLE)), st.sampled_from(sorted(PACKERS)))
def test_broken_bytes(data: st.DataObject, suffix: str, packed: str) -> None:
    content = PACKERS[packed](data.draw(mutated_bytes(WHOLE[suffix])))
    read_file(f"file{suffix}{packed}", content)


@given(st.data(), st.sampled_from(sorted(PACKERS)), st.sampled_from(UNITS))
def test_broken_frames(data: st.DataObject, packed: str, unit: DocumentUnit) -> None:
    whole = PACKERS[packed](b"one two\n\nthree\r\nfour\n" * 20)
    read_file(f"file.txt{packed}", data.draw(mutated_bytes(whole)), unit)


@given(st.binary(max_size=64), st.sampled_from(sorted(PACKERS)), st.sampled_from(UNITS))
def test_any_bytes(content: bytes, packed: str, unit: DocumentUnit) -> None:
    read_file(f"file.txt{packed}", content, unit)


@cache
def make_tokenizer() -> object:
    """Byte-level BPE of a few merges, which knows every text."""
    return train_tokenizer(["la rose et la mer, la mer et la rose"] * 3, "bpe", 268)


def build(documents: list[str], block: int, folder: Path) -> TokenBlocks:
    """Blocks in a cache of their own."""
    return build_token_blocks(TextList(documents), make_tokenizer(), block=block, folder=folder, workers=1)


@given(st.lists(texts(), max_size=5), st.integers(1, 9))
def test_odd_documents(documents: list[str], block: int) -> None:
    """Every byte of every document is in the blocks, but for what the last one drops."""
    known = [text for text in documents if _is_encodable(text)]
    with own_folder() as folder:
        blocks = run_to_end(build, known, block, folder)
    if blocks is not None:
        kept = sum(len(text.encode()) for text in known if text.strip())
        assert 0 <= blocks.n_bytes <= kept
        assert blocks.n_documents <= len(known)
        assert int(np.asarray(blocks.tokens).max()) < 268


def _is_encodable(text: str) -> bool:
    """Whether it has no half characters, which `TextCorpus` refuses."""
    return not any(0xD800 <= ord(char) < 0xE000 for char in text)
