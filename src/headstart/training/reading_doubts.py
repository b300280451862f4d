"""Warns of texts that are read otherwise than their writer may think: special tokens, answers not learnt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from headstart.data.conversations import find_answers
from headstart.data.corpus import PARTS, Corpus, Part, Text
from headstart.data.special_tokens import SpecialTokens
from headstart.data.tokenise import Tokens
from headstart.models.checkpoints import Checkpoint
from headstart.prepared import TokensKey
from headstart.records import StudyWarning

#: Names that a warning shows.
_NAMED = 3


def find_reading_doubts(
    corpus: Corpus,
    checkpoints: Mapping[str, Checkpoint],
    tokens: Mapping[TokensKey, Mapping[Part, Tokens]],
) -> list[StudyWarning]:
    """What is worth a warning of how texts are read."""
    doubts = [doubt for one in checkpoints.values() for doubt in _warn_of_special_tokens(corpus, one)]
    for (_, limit), parts in tokens.items():
        doubts += _warn_of_lone_answers(corpus, parts["train"], limit)
    return list({doubt.message: doubt for doubt in doubts}.values())


def _warn_of_special_tokens(corpus: Corpus, checkpoint: Checkpoint) -> Iterator[StudyWarning]:
    """Texts that name special tokens of the tokenizer, which are text there."""
    special = SpecialTokens.of(checkpoint.tokenizer)
    texts = [text for part in PARTS for text in corpus.parts[part].texts]
    naming = [" ".join(_list_words(text)) for text in texts if special.are_named_in([text])]
    if naming:
        names = sorted({name for text in naming for name in special.pattern.findall(text)})
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        yield StudyWarning(
            kind="special-tokens",
            message=f"{len(naming)} examples name special tokens of {checkpoint.name} "
            f"({', '.join(names[:_NAMED])}{more}): they are read as text, and end or part nothing",
        )


def _list_words(text: Text) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else text


def _warn_of_lone_answers(corpus: Corpus, tokens: Tokens, limit: int) -> Iterator[StudyWarning]:
    """Conversations of several answers of which the last alone is learnt."""
    if tokens.loss_mask is None:
        return
    lone = sum(
        len(find_answers(text)) > 1 and _count_runs(tokens.loss_mask[start:end]) == 1
        for text, start, end in zip(
            corpus.parts["train"].texts, tokens.starts, tokens.starts[1:], strict=False
        )
        if end - start < limit and not tokens.loss_mask[start]
    )
    if lone:
        yield StudyWarning(
            kind="last-answer",
            message=f"in {lone} conversations of train only the last answer is learnt: the chat template "
            "writes earlier ones otherwise than they were asked for",
        )


def _count_runs(mask: np.ndarray) -> int:
    """How many stretches of a mask are set."""
    return int((np.diff(mask.astype(np.int8), prepend=0) == 1).sum())
