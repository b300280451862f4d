"""Checks what tokenizers made of a study's texts before anything trains: unknown words, ids without a row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

import numpy as np

from headstart.config.traits import get_task_traits
from headstart.data.conversations import iterate_messages
from headstart.data.corpus import PARTS, Corpus, Part, Text
from headstart.data.tokenise import Tokens
from headstart.data.unknown_words import measure_unknown_words
from headstart.errors import ModelError
from headstart.models.checkpoints import Checkpoint
from headstart.models.padding import READS_PADDING, make_no_row_error
from headstart.models.tokenizers import find_other_reading
from headstart.prepared import TokensKey
from headstart.records import StudyWarning

#: A share of unknown words above which a tokenizer is another language's, or a stub; and one worth a warning.
MOST_UNKNOWN: Final = 0.9
NOTICEABLE_UNKNOWN: Final = 0.05
#: Training texts by which two readings of one tokenizer are compared.
_COMPARED: Final = 100


def check_words(corpus: Corpus, checkpoints: Mapping[str, Checkpoint]) -> Iterator[StudyWarning]:
    """Warn of each tokenizer that does not know a noticeable share of the words.

    Raises:
        ModelError: it knows hardly any.
    """
    for name, checkpoint in checkpoints.items():
        texts = [text for part in PARTS for text in _join_texts(corpus.parts[part].texts, checkpoint)]
        unknown = measure_unknown_words(texts, checkpoint.tokenizer)
        if unknown.share <= NOTICEABLE_UNKNOWN:
            continue
        examples = ", ".join(map(repr, unknown.examples))
        sentence = f"its tokenizer does not know {100 * unknown.share:.0f}% of the words, such as {examples}"
        if unknown.share > MOST_UNKNOWN:
            raise ModelError(
                sentence,
                where=name,
                expected="the tokenizer of this checkpoint, and a checkpoint for texts of this language",
                fix="see that the folder holds the tokenizer's files, or name another model",
            )
        yield StudyWarning(kind="unknown-words", message=f"{name}: {sentence}: these look all the same to it")


def warn_of_readings(corpus: Corpus, checkpoints: Mapping[str, Checkpoint]) -> Iterator[StudyWarning]:
    """Warn of tokenizers that the library reads in another way than they were written, and of networks that
    read padding."""
    for name, checkpoint in checkpoints.items():
        texts = list(islice(_join_texts(corpus.parts["train"].texts, checkpoint), _COMPARED))
        other = find_other_reading(checkpoint.location, checkpoint.tokenizer, texts)
        if other is not None:
            kind = type(checkpoint.tokenizer).__name__
            what = f"{name}: transformers reads its tokenizer as a {kind}, which gives other tokens than its"
            shown = f"{what} tokenizer.json, such as for {other[:40]!r}"
            yield StudyWarning(kind="tokenizer-class", message=shown)
        family = checkpoint.config.model_type
        if family in READS_PADDING and not checkpoint.is_causal:
            what = f"{name}: a {family} reads what pads a text"
            yield StudyWarning(
                kind="padding-read", message=f"{what}: its answers change with the texts beside it"
            )


def warn_of_no_tokens(
    tokens: Mapping[TokensKey, Mapping[Part, Tokens]], checkpoints: Mapping[str, Checkpoint]
) -> Iterator[StudyWarning]:
    """Warn of texts of which a tokenizer leaves nothing but the special tokens around every text, such as
    characters that do not show: all such look the same to the model."""
    for name, checkpoint in checkpoints.items():
        if get_task_traits(checkpoint.task).generates:
            continue
        parts = next(of_parts for (of, _), of_parts in tokens.items() if of == name)
        empty = sum(_count_empty(parts[part], checkpoint) for part in PARTS)
        if empty:
            what = f"{name}: its tokenizer makes nothing of {empty} {'text' if empty == 1 else 'texts'}"
            yield StudyWarning(kind="no-tokens", message=f"{what}: leave these rows out")


def _count_empty(tokens: Tokens, checkpoint: Checkpoint) -> int:
    """Texts without a token of their own; pairs have some of either text."""
    return int((tokens.lengths <= checkpoint.tokenizer.num_special_tokens_to_add(pair=False)).sum())


def _join_texts(texts: Sequence[Text], checkpoint: Checkpoint) -> Iterator[str]:
    """What is read of each example, as one string."""
    for text in texts:
        if isinstance(text, str):
            yield text
        elif get_task_traits(checkpoint.task).generates:
            yield "\n".join(content for _, content in iterate_messages(text))
        else:
            yield "\n".join(text)


def check_ids(
    tokens: Mapping[TokensKey, Mapping[Part, Tokens]], checkpoints: Mapping[str, Checkpoint]
) -> Iterator[StudyWarning]:
    """See that every id of the examples has a row; warn of tokens without a row that do not occur.

    Raises:
        ModelError: an id, or a token type, has none.
    """
    for (name, _), parts in tokens.items():
        for part_tokens in parts.values():
            check_rows(part_tokens, checkpoints[name])
    for checkpoint in checkpoints.values():
        yield from _warn_of_rowless(checkpoint)


def _warn_of_rowless(checkpoint: Checkpoint) -> Iterator[StudyWarning]:
    """A warning where the tokenizer has tokens that the embedding has no row for."""
    rows = checkpoint.embedding_rows
    vocabulary = {} if rows is None else checkpoint.tokenizer.get_vocab()
    beyond = sorted((token for token, i in vocabulary.items() if i >= rows), key=vocabulary.__getitem__)
    if beyond:
        what = f"{len(beyond)} of its tokens, such as {beyond[0]}, have no row in its embedding of {rows}"
        yield StudyWarning(
            kind="token-without-row",
            message=f"{checkpoint.name}: {what}; no example has one, and `predict` refuses texts that do",
        )


def check_rows(tokens: Tokens, checkpoint: Checkpoint) -> None:
    """See that every id and token type of `tokens` has a row in the checkpoint's tables, and texts their end.

    Raises:
        ModelError: one has none; names the tokens.
    """
    _check_ids(tokens.input_ids, checkpoint)
    _check_types(tokens, checkpoint)
    if getattr(checkpoint.config, "is_encoder_decoder", False) and not checkpoint.is_causal:
        _check_ends(tokens, checkpoint)


def _check_ends(tokens: Tokens, checkpoint: Checkpoint) -> None:
    """Classifiers of encoder-decoders (BART, T5) read the last end token of what they are given."""
    tokenizer, end = checkpoint.tokenizer, checkpoint.config.eos_token_id
    family, shown = checkpoint.config.model_type, tokenizer.convert_ids_to_tokens(end)
    if tokenizer.pad_token_id == end:
        raise ModelError(
            f"its tokenizer pads with {shown}, the end token, by which a {family} finds what it classifies",
            where=checkpoint.name,
            expected="a padding token of its own in tokenizer_config.json",
        )
    without = int((tokens.input_ids[tokens.starts[1:] - 1] != end).sum())
    if without:
        raise ModelError(
            f"its tokenizer puts no end token, {shown}, behind {without} texts: a {family} classifies by it",
            where=checkpoint.name,
            expected="a tokenizer that ends every text, as the family's own does",
        )


def check_prompt_ids(prompts: Sequence[Sequence[int]], checkpoint: Checkpoint) -> None:
    """As `check_rows`, of prompts that a model is to answer."""
    _check_ids(np.array([i for ids in prompts for i in ids], np.int64), checkpoint)


def _check_ids(ids: np.ndarray, checkpoint: Checkpoint) -> None:
    rows = checkpoint.embedding_rows
    if rows is None or int(ids.max(initial=0)) < rows:
        return
    beyond = np.unique(ids[ids >= rows]).tolist()
    texts = dict(zip(beyond, checkpoint.tokenizer.convert_ids_to_tokens(beyond), strict=True))
    raise make_no_row_error(checkpoint.name, texts, rows, "what its tokenizer makes of the texts:")


def _check_types(tokens: Tokens, checkpoint: Checkpoint) -> None:
    types, known = tokens.token_type_ids, _count_types(checkpoint.config)
    if types is None or known is None or not len(types) or int(types.max()) < known:
        return
    raise ModelError(
        f"its tokenizer gives token types up to {int(types.max())}, and the model knows {known}",
        where=checkpoint.name,
        expected=f"token types below {known}",
        fix='take "token_type_ids" out of model_input_names in its tokenizer_config.json',
    )


def _count_types(config: Any) -> int | None:
    """Rows of the table of token types; None where a family has none."""
    known = getattr(config, "type_vocab_size", None)
    return int(known) if known else None
