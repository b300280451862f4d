"""Checks that tokenizers fit texts and models before anything trains: unknown words, ids without a row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from headstart.data.conversations import sample_contents
from headstart.data.corpus import PARTS, Corpus, Part
from headstart.data.tokenise import Tokens
from headstart.data.unknown_words import MAX_TEXTS, measure_unknown_words
from headstart.errors import ModelError
from headstart.models.checkpoints import Checkpoint
from headstart.models.padding import make_no_row_error
from headstart.prepared import TokensKey
from headstart.records import StudyWarning
from headstart.stages import tell_stage

#: A share of unknown words above which a tokenizer is another language's, or a stub; and one worth a warning.
MOST_UNKNOWN: Final = 0.9
NOTICEABLE_UNKNOWN: Final = 0.05


def check_words(corpus: Corpus, checkpoints: Mapping[str, Checkpoint]) -> Iterator[StudyWarning]:
    """Warn of each tokenizer that does not know a noticeable share of the words.

    Raises:
        ModelError: it knows hardly any.
    """
    texts = sample_contents(corpus, PARTS, MAX_TEXTS)
    for name, checkpoint in checkpoints.items():
        tell_stage(f"looking for words that {name} does not know")
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
        yield StudyWarning(kind="unknown-words", message=f"{name}: {sentence}: it cannot tell these apart")


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
            f"its tokenizer puts no end token, {shown}, after {without} texts, and a {family} "
            "classifies from it",
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
