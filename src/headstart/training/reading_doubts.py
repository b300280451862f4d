"""Warns of texts that are read otherwise than their writer may think: cut, dropped, or not learnt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final

import numpy as np

from headstart.config.traits import get_task_traits
from headstart.data.batches import count_loss_tokens
from headstart.data.conversations import find_answers, iterate_contents
from headstart.data.corpus import PARTS, Corpus, Part
from headstart.data.special_tokens import SpecialTokens
from headstart.data.tokenise import Tokens
from headstart.errors import DataError
from headstart.models.checkpoints import Checkpoint
from headstart.models.padding import READS_PADDING
from headstart.models.tokenizers import find_other_reading
from headstart.prepared import TokensKey
from headstart.records import StudyWarning
from headstart.wording import format_count, format_names

#: A share of cut examples above this is worth a warning.
MAX_TRUNCATED_SHARE: Final = 0.01
#: Training examples by which two readings of one tokenizer are compared.
_COMPARED: Final = 100


def find_reading_doubts(
    corpus: Corpus,
    checkpoints: Mapping[str, Checkpoint],
    tokens: Mapping[TokensKey, Mapping[Part, Tokens]],
) -> list[StudyWarning]:
    """What is worth a warning of how texts are read.

    Raises:
        DataError: no prompt of train leaves room for an answer.
    """
    doubts: list[StudyWarning] = []
    for checkpoint in checkpoints.values():
        doubts += _warn_of_tokenizer_class(corpus, checkpoint)
        doubts += _warn_of_padding(checkpoint)
        doubts += _warn_of_special_tokens(corpus, checkpoint)
    for (name, limit), parts in tokens.items():
        doubts += _warn_of_no_tokens(parts, checkpoints[name])
        doubts += _warn_of_truncation(parts, limit, checkpoints[name])
        doubts += _warn_of_no_room(parts["train"], limit)
        doubts += _warn_of_lone_answers(corpus, parts["train"], limit)
    return list(dict.fromkeys(doubts))


def _warn_of_tokenizer_class(corpus: Corpus, checkpoint: Checkpoint) -> Iterator[StudyWarning]:
    """A tokenizer that the library reads in another way than it was written."""
    texts = islice(iterate_contents(corpus, ("train",)), _COMPARED)
    other = find_other_reading(checkpoint.location, checkpoint.tokenizer, list(texts))
    if other is not None:
        kind = type(checkpoint.tokenizer).__name__
        yield StudyWarning(
            kind="tokenizer-class",
            message=f"{checkpoint.name}: transformers reads its tokenizer as a {kind}, which "
            f"gives different tokens than its tokenizer.json, such as for {other[:40]!r}; "
            "to use tokenizer.json as it is, set tokenizer_class to "
            "PreTrainedTokenizerFast in tokenizer_config.json",
        )


def _warn_of_padding(checkpoint: Checkpoint) -> Iterator[StudyWarning]:
    """A network that reads what pads a text."""
    family = checkpoint.config.model_type
    if family in READS_PADDING and not checkpoint.is_causal:
        yield StudyWarning(
            kind="padding-read",
            message=f"{checkpoint.name}: a {family} also reads padding, so predictions depend "
            "on the other texts of a batch; choose another checkpoint if they must "
            "not",
        )


def _warn_of_special_tokens(corpus: Corpus, checkpoint: Checkpoint) -> Iterator[StudyWarning]:
    """Texts that name special tokens of the tokenizer, which are text there."""
    special = SpecialTokens.of(checkpoint.tokenizer)
    count, names = 0, set[str]()
    for text in iterate_contents(corpus, PARTS):
        found = special.pattern.findall(text)
        count += bool(found)
        names.update(found)
    if count:
        yield StudyWarning(
            kind="special-tokens",
            message=f"{format_count(count, 'example')} with names of special tokens of {checkpoint.name} "
            f"({format_names(sorted(names))}): they are read as plain text, without special meaning",
        )


def _warn_of_no_tokens(parts: Mapping[Part, Tokens], checkpoint: Checkpoint) -> Iterator[StudyWarning]:
    """Texts of which a tokenizer leaves nothing but the special tokens around every text, such as
    characters that do not show: all such look the same to the model."""
    if get_task_traits(checkpoint.task).generates:
        return
    # Pairs have tokens of either text: the fewest of a text alone tell both.
    fewest = checkpoint.tokenizer.num_special_tokens_to_add(pair=False)
    empty = sum(int((of_part.lengths <= fewest).sum()) for of_part in parts.values())
    if empty:
        what = f"{checkpoint.name}: its tokenizer returns no tokens for {format_count(empty, 'text')}"
        yield StudyWarning(kind="no-tokens", message=f"{what}: remove these rows")


def _warn_of_truncation(
    parts: Mapping[Part, Tokens], limit: int, checkpoint: Checkpoint
) -> Iterator[StudyWarning]:
    """More than a few examples that are cut."""
    cut, n_examples = sum(part.truncated for part in parts.values()), sum(map(len, parts.values()))
    if cut > MAX_TRUNCATED_SHARE * n_examples:
        share, verb = f"{100 * cut / n_examples:.1f}%", "is" if cut == 1 else "are"
        what = f"{format_count(cut, 'example')} ({share}) {verb} cut at {limit} tokens"
        most = checkpoint.max_length
        way_out = f": {checkpoint.name} takes up to {most:,} (training.max_length)" if limit < most else ""
        yield StudyWarning(kind="truncated", message=f"{what}{way_out}")


def _warn_of_no_room(train: Tokens, limit: int) -> Iterator[StudyWarning]:
    """Examples whose prompts leave no room for an answer.

    Raises:
        DataError: all of them.
    """
    empty = int((count_loss_tokens(train) == 0).sum())
    if empty == len(train):
        raise DataError(
            f"no prompt leaves room for an answer in {limit} tokens",
            where="training.max_length",
            fix="set training.max_length higher",
        )
    if empty:
        what = f"{format_count(empty, 'prompt')} of train without room for an answer in {limit} tokens"
        yield StudyWarning(kind="no-room", message=f"{what}: nothing is learnt from them")


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
            message=f"in {format_count(lone, 'conversation')} of train only the last answer is learnt: the "
            "chat template writes earlier ones otherwise than they were asked for",
        )


def _count_runs(mask: np.ndarray) -> int:
    """How many stretches of a mask are set."""
    return int((np.diff(mask.astype(np.int8), prepend=0) == 1).sum())
