"""Builds the tokenizer of a fairseq checkpoint: its pieces, and the rows of its dictionary as their ids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from headstart.data.fairseq.dictionary import Dictionary
from headstart.models.fairseq.fast_bpe import build_fast_bpe
from headstart.models.fairseq.gpt2_bpe import build_gpt2
from headstart.models.fairseq.sentencepiece_pieces import build_sentencepiece
from headstart.models.fairseq.tokenizer_files import find_tokenizer_files


def build_tokenizer(folder: Path, dictionary: Dictionary, *, kind: str | None = None) -> Any:
    """The tokenizer whose files are in `folder`, which gives the ids that fairseq gives.

    It is fast where a fast tokenizer can give them all. Where the dictionary lacks pieces that texts are
    divided into, as one that was built from data does, it is one of transformers' own that looks pieces up in
    a dictionary. Either is saved by `save_pretrained`, and read again by `AutoTokenizer`.

    Args:
        kind: sentencepiece, gpt2 or fastbpe; None: seen from the files.

    Raises:
        ModelError: its files are absent, of several kinds or damaged, or transformers cannot give such ids.
        MissingExtraError: SentencePiece is needed, and not installed.
    """
    files = find_tokenizer_files(folder, kind)
    if files.kind == "sentencepiece":
        return build_sentencepiece(files.paths[0], dictionary)
    if files.kind == "gpt2":
        return build_gpt2(files.paths[0], files.paths[1], dictionary)
    return build_fast_bpe(files.paths[0], dictionary)
