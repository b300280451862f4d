"""Tokenizers' files beside a fairseq checkpoint, damaged or of any content: a tokenizer, or one error."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fairseq_files import SENTENCES, load_sentencepiece, train_sentencepiece
from fuzzing import damage, own_folder, run_to_end
from headstart.data.fairseq.dictionary import read_dictionary
from headstart.models.fairseq.tokenizer import build_tokenizer
from odd_values import values

LETTERS = "abcdehilnort"


@cache
def make_sentencepiece(kind: str) -> tuple[bytes, str]:
    """A model, and the lines of a dictionary for it."""
    model = train_sentencepiece(kind)
    processor = load_sentencepiece(model)
    return model, "".join(f"{processor.id_to_piece(i)} 1\n" for i in range(3, len(processor)))


def encode(folder: Path) -> Any:
    """What texts become by the tokenizer in a folder."""
    tokenizer = build_tokenizer(folder, read_dictionary(folder / "dict.txt"))
    return [tokenizer(text).input_ids for text in (*SENTENCES[:2], "a <mask> \x00 b", "")]


byte_changes = st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), max_size=6)


@given(byte_changes, st.integers(0, 60), st.sampled_from(["unigram", "bpe"]), st.booleans())
def test_damaged_sentencepiece_models(
    changes: list[tuple[int, int]], cut: int, kind: str, is_whole: bool
) -> None:
    model, lines = make_sentencepiece(kind)
    with own_folder() as folder:
        (folder / "dict.txt").write_text(lines if is_whole else lines[: len(lines) // 2], encoding="utf-8")
        (folder / "sentencepiece.bpe.model").write_bytes(damage(model, changes, cut))
        run_to_end(encode, folder, folder=folder)


@given(st.binary(max_size=200))
def test_any_bytes_as_a_sentencepiece_model(content: bytes) -> None:
    with own_folder() as folder:
        (folder / "dict.txt").write_text("a 1\n", encoding="utf-8")
        (folder / "sentencepiece.bpe.model").write_bytes(content)
        run_to_end(encode, folder, folder=folder)


@given(
    numbers=st.one_of(
        values(),
        st.dictionaries(st.text(LETTERS + "Ġ", max_size=3), st.integers(-2, 1 << 70) | values(), max_size=20),
        st.builds(lambda: {letter: i for i, letter in enumerate(LETTERS)}),
    ),
    merges=st.one_of(
        st.binary(max_size=80),
        st.lists(st.text(LETTERS + " Ġ#", max_size=6), max_size=8).map(lambda rows: "\n".join(rows).encode()),
    ),
    cut=st.integers(0, 3),
)
def test_odd_files_of_gpt2(numbers: Any, merges: bytes, cut: int) -> None:
    with own_folder() as folder:
        text = json.dumps(numbers, default=str).encode()
        (folder / "encoder.json").write_bytes(text[: len(text) - cut % (len(text) + 1)])
        (folder / "vocab.bpe").write_bytes(merges)
        (folder / "dict.txt").write_text("".join(f"{i} 1\n" for i in range(12)), encoding="utf-8")
        run_to_end(encode, folder, folder=folder)


@given(
    codes=st.one_of(
        st.binary(max_size=80),
        st.lists(st.text(LETTERS + " </w>@9", max_size=12), max_size=8).map("\n".join).map(str.encode),
    ),
    lines=st.lists(st.text(LETTERS + "@ 1<s>#", max_size=8), max_size=8),
)
def test_odd_codes_of_fastbpe(codes: bytes, lines: list[str]) -> None:
    with own_folder() as folder:
        (folder / "bpe.codes").write_bytes(codes)
        (folder / "dict.txt").write_text("\n".join(lines), encoding="utf-8")
        run_to_end(encode, folder, folder=folder)
