"""Builds the byte-level BPE tokenizer of GPT-2 whose numbers are the symbols of a fairseq dictionary."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from headstart.data.fairseq.dictionary import Dictionary
from headstart.data.fairseq.gpt2_files import read_encoder
from headstart.data.lines import read_raw_lines
from headstart.errors import ModelError
from headstart.models.fairseq.fast_backend import finish_fast_tokenizer
from headstart.models.fairseq.row_names import find_special_ids, make_up, name_rows

_VERSION: Final = "#version"


def build_gpt2(encoder: Path, merges: Path, dictionary: Dictionary) -> Any:
    """The fast tokenizer of `encoder.json` and `vocab.bpe`: an id is the row of the token's number.

    Raises:
        ModelError: a file is not of this kind, or the dictionary lacks tokens that texts are divided into: a
            fast tokenizer cannot give them the id of `<unk>`.
    """
    numbers = read_encoder(encoder)
    pairs = _read_merges(merges, numbers)
    vocabulary = _map_rows(numbers, dictionary)
    reachable = {*pre_tokenizers.ByteLevel.alphabet(), *map("".join, pairs)} & numbers.keys()
    if absent := sorted(reachable - vocabulary.keys(), key=numbers.__getitem__):
        raise _refuse_absent(absent, len(reachable), encoder)
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=pairs))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return finish_fast_tokenizer(backend, dictionary)


def _map_rows(numbers: Mapping[str, int], dictionary: Dictionary) -> dict[str, int]:
    """A token for every row: GPT-2's where the symbol is its number."""
    tokens = {str(number): token for token, number in numbers.items()}
    special = find_special_ids(dictionary)
    rows = [tokens.get(name, name) for name in name_rows(dictionary)]
    ids = {token: i for i, token in enumerate(rows)} | special
    return {(token if ids[token] == i else make_up(i)): i for i, token in enumerate(rows)}


def _read_merges(path: Path, numbers: Mapping[str, int]) -> list[tuple[str, str]]:
    merges: list[tuple[str, str]] = []
    for i, line in enumerate(read_raw_lines(path), start=1):
        if not line.strip() or (i == 1 and line.startswith(_VERSION)):
            continue
        first, _, second = line.rstrip("\r\n").partition(" ")
        if not {first, second, first + second} <= numbers.keys():
            raise ModelError(
                f"not a merge of tokens in the vocabulary: {line.rstrip()[:80]!r}",
                where=f"{path}:{i}",
                expected="two tokens with a space between, as in GPT-2's vocab.bpe",
            )
        merges.append((first, second))
    return merges


def _refuse_absent(absent: list[str], total: int, encoder: Path) -> ModelError:
    return ModelError(
        f"dict.txt lacks {len(absent)} of the {total} tokens that texts are made of, such as {absent[0]!r}",
        where=str(encoder),
        expected="a dictionary with all of them, as the dict.txt that fairseq hands out with these files",
        fix="preprocess with --srcdict gpt2_bpe/dict.txt, and train with that; a fast tokenizer cannot give "
        "a token the id of <unk>",
    )
