"""Keeps special tokens that a text names text: `</s>` in a review is characters, and ends nothing.

Special are tokens that a tokenizer declares so. Other added tokens, such as a domain's words or `<think>`,
stay tokens wherever they stand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tokenizers import Tokenizer

#: Code points that Unicode keeps free for a program's own use: no text is sent with them.
_NONCHARACTERS = tuple(map(chr, range(0xFDD0, 0xFDF0)))


def list_special_tokens(tokenizer: Any) -> dict[str, int]:
    """The tokens that a tokenizer declares special, with their ids."""
    added = {token.content: i for i, token in tokenizer.added_tokens_decoder.items() if token.special}
    declared = dict(zip(tokenizer.all_special_tokens, tokenizer.all_special_ids, strict=True))
    return {name: i for name, i in (added | declared).items() if name}


def encode_as_text(tokenizer: Any, text: str) -> list[int]:
    """The ids of a text without start and end tokens; names of special tokens in it are text."""
    return list(tokenizer(text, add_special_tokens=False, split_special_tokens=True, verbose=False).input_ids)


@dataclass(frozen=True)
class SpecialTokens:
    """Encodes texts in which some names of special tokens are the text's own.

    `ids` are the names, with their ids.
    """

    tokenizer: Any = field(repr=False)
    ids: Mapping[str, int]

    @classmethod
    def of(cls, tokenizer: Any, more: Mapping[str, int] | None = None) -> SpecialTokens:
        """Those that a tokenizer declares, and `more`."""
        return cls(tokenizer, list_special_tokens(tokenizer) | dict(more or {}))

    @cached_property
    def _names(self) -> str:
        """A regular expression of all names, of which the longest comes first."""
        # By how they begin, for speed: a tokenizer may have a thousand.
        groups: dict[str, list[str]] = {}
        for name in sorted(self.ids, key=len, reverse=True):
            groups.setdefault(name[:2], []).append(re.escape(name[2:]))
        kinds = [f"{re.escape(start)}(?:{'|'.join(rest)})" for start, rest in groups.items()]
        return "|".join(kinds) or "(?!)"

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Matches a name."""
        return re.compile(self._names)

    def are_named_in(self, texts: Iterable[str | tuple[str, ...]]) -> bool:
        """Whether a text, or a part of one, holds a name."""
        return any(self.pattern.search(part) for text in texts for part in _list_parts(text))

    @cached_property
    def _sentinels(self) -> dict[str, str]:
        """For each name what no text holds, and what normalisation of texts leaves as it is."""
        return {name: f"{_NONCHARACTERS[0]}{i}{_NONCHARACTERS[1]}" for i, name in enumerate(self.ids)}

    @cached_property
    def _backend(self) -> Tokenizer:
        """The fast tokenizer with other names for its special tokens, and the same ids."""
        return _rename_tokens(self.tokenizer, self._sentinels)

    def choose_mark(self, texts: Iterable[str]) -> str:
        """A character that occurs in none of the texts."""
        joined = "".join(texts)
        return next(char for char in _NONCHARACTERS[2:] if char not in joined)

    def mark(self, text: str, mark: str) -> str:
        """The text with `mark` behind the first character of each name, by which it is known for text."""
        if not self.pattern.search(text):
            return text
        return re.sub(f"(?=(?:{self._names}))(.)", rf"\1{mark}", text, flags=re.DOTALL)

    def encode(self, text: str, mark: str) -> list[int]:
        """The ids of a text without start and end tokens: names are special but where `mark` is in them."""
        if mark not in text:
            encoded = self.tokenizer(
                text, add_special_tokens=False, split_special_tokens=False, verbose=False
            )
            return list(encoded.input_ids)
        if self.tokenizer.is_fast:
            own = re.compile(f"(?:{self._names})(?!{mark})")
            text = own.sub(lambda match: self._sentinels[match[0]], text).replace(mark, "")
            return list(self._backend.encode(text, add_special_tokens=False).ids)
        return self._encode_marked_slowly(text, mark)

    def _encode_marked_slowly(self, text: str, mark: str) -> list[int]:
        """Piece by piece: a tokenizer in Python either knows all special tokens or none."""
        marked = "|".join(re.escape(name[0] + mark + name[1:]) for name in self.ids)
        ids: list[int] = []
        for i, piece in enumerate(re.split(f"({marked})", text)):
            is_text, piece = i % 2 == 1, piece.replace(mark, "")
            ids += self.tokenizer(piece, add_special_tokens=False, split_special_tokens=is_text).input_ids
        return ids

    def copy_for_texts(self) -> Tokenizer:
        """A copy of the fast tokenizer for which every name in a text is text, and no text too long."""
        return _rename_tokens(self.tokenizer, self._sentinels)

    def encode_batch(self, texts: Sequence[Any], max_length: int) -> Any:
        """As the tokenizer's own call on texts or pairs, cut at `max_length`; every name is text."""
        if not self.tokenizer.is_fast:
            return self._encode_batch_slowly(texts, max_length)
        self._backend.enable_truncation(max_length, direction=self.tokenizer.truncation_side)
        encodings = self._backend.encode_batch(list(texts))
        columns = {"input_ids": [encoding.ids for encoding in encodings]}
        if "token_type_ids" in self.tokenizer.model_input_names:
            columns["token_type_ids"] = [encoding.type_ids for encoding in encodings]
        return _make_batch(columns, encodings)

    def _encode_batch_slowly(self, texts: Sequence[Any], max_length: int) -> Any:
        options = {"truncation": True, "max_length": max_length, "return_attention_mask": False}
        rows = [self.encode_slowly(text, **options) for text in texts]
        return _make_batch({key: [row[key] for row in rows] for key in rows[0]}, None)

    def encode_slowly(self, text: str | tuple[str, ...], **options: Any) -> Any:
        """The call of a tokenizer in Python on one text or pair; every name is text.

        One at a time, so that added tokens which are not special stay whole in texts that name none.
        """
        named = self.are_named_in([text])
        return self.tokenizer(*_list_parts(text), split_special_tokens=named, verbose=False, **options)


def _list_parts(text: str | tuple[str, ...]) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else text


def _make_batch(columns: Mapping[str, Any], encodings: Any) -> Any:
    from transformers import BatchEncoding

    return BatchEncoding(dict(columns), encodings)


def _rename_tokens(tokenizer: Any, names: Mapping[str, str]) -> Tokenizer:
    """A copy of the fast tokenizer in which tokens have other names; ids are what they were."""
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    for token in state["added_tokens"]:
        if token["content"] in names:
            # Neither name nor text is normalised before it is looked for, as is usual for special tokens.
            token |= {"content": names[token["content"]], "normalized": False}
    _rename_vocabulary(state["model"], names)
    backend = Tokenizer.from_str(json.dumps(state | {"truncation": None, "padding": None}))
    backend.encode_special_tokens = False
    return backend


def _rename_vocabulary(model: dict[str, Any], names: Mapping[str, str]) -> None:
    """Rename tokens of a tokenizer's model, in place: some models find the old names in texts."""
    vocabulary = model["vocab"]
    if isinstance(vocabulary, dict):
        model["vocab"] = {names.get(name, name): i for name, i in vocabulary.items()}
    else:
        model["vocab"] = [[names.get(name, name), score] for name, score in vocabulary]
    if model.get("unk_token") in names:
        model["unk_token"] = names[model["unk_token"]]
    if "merges" in model:
        model["merges"] = [pair for pair in model["merges"] if not _makes_one_of(pair, names)]


def _makes_one_of(pair: str | Sequence[str], names: Mapping[str, str]) -> bool:
    parts = pair.split(" ") if isinstance(pair, str) else pair
    return "".join(parts) in names or any(part in names for part in parts)
