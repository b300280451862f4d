"""Which tokens of a vocabulary begin a word, as its tokenizer marks them; looks at no text."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from headstart.data.special_tokens import list_special_tokens
from headstart.data.tokenizer_steps import list_steps

#: How byte-level tokenizers write the white space that stands before a word: space, tab, line ends.
_BYTE_SPACES: Final = tuple("ĠĉĊčĭČ")
#: How XLM marks the last token of a word.
_END: Final = "</w>"


@dataclass(frozen=True)
class WordMarks:
    """How tokens are marked: `table` [V], bool, says of each whether it begins a word; or where `of_next`,
    as fastBPE's `@@` and XLM's `</w>` have it, whether the token behind it does."""

    table: np.ndarray
    of_next: bool = False

    def mark(self, ids: np.ndarray) -> np.ndarray:
        """Which of the tokens of a text begin a word, of its shape [n]."""
        marked: np.ndarray = self.table[ids]
        if self.of_next:
            marked[1:] = marked[:-1].copy()
            marked[:1] = True
        return marked


def find_word_marks(tokenizer: Any) -> WordMarks:
    """How a tokenizer marks where words begin."""
    if not tokenizer.is_fast and getattr(tokenizer, "bpe_ranks", None) is not None:
        return WordMarks(_tabulate(tokenizer, _choose_ends(tokenizer.get_vocab())), of_next=True)
    return WordMarks(find_word_starts(tokenizer))


def _choose_ends(vocabulary: Mapping[str, int]) -> Callable[[str], bool]:
    """Whether a token of a BPE in Python ends a word: of XLM and FlauBERT, or of PhoBERT and BERTweet."""
    if any(token.endswith(_END) for token in vocabulary):
        return lambda token: token.endswith(_END)
    return lambda token: not token.endswith("@@")


def find_word_starts(tokenizer: Any) -> np.ndarray:
    """Whether each token begins a word, shape [V], bool; special tokens do.

    As fairseq's `is_beginning_of_word` has it, by what tokens look like: a piece of SentencePiece begins a
    word with `▁`, one of a byte-level vocabulary with a space, one of WordPiece without `##`. So a word is
    what stands between spaces, and with WordPiece a punctuation mark is one too. Where a vocabulary marks
    no words, every token is one.
    """
    if not tokenizer.is_fast:
        return _tabulate(tokenizer, _choose_rule_by_look(tokenizer.get_vocab()))
    return _tabulate(tokenizer, _choose_rule(json.loads(tokenizer.backend_tokenizer.to_str())))


def _tabulate(tokenizer: Any, begins: Callable[[str], bool]) -> np.ndarray:
    vocabulary: Mapping[str, int] = tokenizer.get_vocab()
    starts = np.zeros(max(vocabulary.values()) + 1, np.bool_)
    for token, i in vocabulary.items():
        starts[i] = begins(token)
    starts[sorted(list_special_tokens(tokenizer).values())] = True
    return starts


def _choose_rule_by_look(vocabulary: Mapping[str, int]) -> Callable[[str], bool]:
    """The rule of a tokenizer in Python, whose steps nothing tells."""
    if any(token.startswith("▁") for token in vocabulary):
        return lambda token: token.startswith("▁")
    return lambda token: not token.startswith("##")


def _choose_rule(state: Mapping[str, Any]) -> Callable[[str], bool]:
    listed = [
        *list_steps(state["pre_tokenizer"], "pretokenizers"),
        *list_steps(state["decoder"], "decoders"),
    ]
    steps = {step["type"]: step for step in listed}
    if state["model"]["type"] == "WordPiece":
        prefix = state["model"]["continuing_subword_prefix"]
        return lambda token: not token.startswith(prefix)
    if "Metaspace" in steps:
        mark = steps["Metaspace"]["replacement"]
        return lambda token: token.startswith(mark)
    if "ByteLevel" in steps:
        return lambda token: token.startswith(_BYTE_SPACES)
    if any("▁" in json.dumps(state[key], ensure_ascii=False) for key in ("normalizer", "decoder")):
        return lambda token: token.startswith("▁")
    return lambda token: True
