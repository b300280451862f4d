"""Builds a fastBPE tokenizer, as of PhoBERT and BERTweet: codes divide words, pieces are looked up."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from transformers import PhobertTokenizer

from headstart.data.fairseq.dictionary import UNK, Dictionary
from headstart.data.lines import read_raw_lines
from headstart.errors import ModelError
from headstart.models.fairseq.fast_backend import list_special_tokens
from headstart.models.fairseq.row_names import check_special_rows, write_rows
from headstart.models.library import silence_logs


def build_fast_bpe(codes: Path, dictionary: Dictionary) -> Any:
    """The tokenizer of fastBPE's `codes`, lines of `A B COUNT`: a piece that no line has is `<unk>`.

    It is transformers' `PhobertTokenizer`, which reads these two files.

    Raises:
        ModelError: a line is not a merge, or the dictionary overwrites `<s>`.
    """
    check_special_rows(dictionary, codes)
    merges = [_read_merge(line, f"{codes}:{i}") for i, line in enumerate(read_raw_lines(codes), start=1)]
    files = TemporaryDirectory(prefix="headstart-")
    vocabulary, own_codes = Path(files.name, "vocab.txt"), Path(files.name, "bpe.codes")
    write_rows(dictionary, vocabulary)
    own_codes.write_text("".join(f"{first} {second} 1\n" for first, second in merges), encoding="utf-8")
    named: dict[str, Any] = {"mask_token": UNK} | list_special_tokens(dictionary)
    with silence_logs():
        tokenizer = PhobertTokenizer(str(vocabulary), str(own_codes), **named)
    # It copies its files when it is saved: they are there as long as it is.
    tokenizer.own_files = files
    return tokenizer


def _read_merge(line: str, where: str) -> tuple[str, str]:
    parts = line.split()
    if len(parts) != 3:
        raise ModelError(
            f"not a merge: {line.rstrip()[:80]!r}",
            where=where,
            expected="A B COUNT, as fastBPE's learnbpe writes it",
        )
    return parts[0], parts[1]
