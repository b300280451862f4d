"""Trains a tokenizer on a corpus: SentencePiece's unigram model, or byte-level byte-pair encoding.

The same documents give the same tokenizer, to the last byte, on any number of processors.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, Final, Literal

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from headstart.errors import DataError
from headstart.models.roberta_template import make_mask_token, make_template
from headstart.models.train_unigram import make_size_error, train_unigram
from headstart.stages import tell_stage

TokenizerKind = Literal["unigram", "bpe"]
#: The tokens that come first, in the order of their ids: RoBERTa's and BLOOM's.
_MASKED: Final = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
_CAUSAL: Final = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
#: A pair that occurs once is no token.
_LEAST_COUNT: Final = 2
_BYTES: Final = 256


def train_tokenizer(
    documents: Iterable[str], kind: TokenizerKind, size: int, *, causal: bool = False
) -> PreTrainedTokenizerFast:
    """A fast tokenizer with a vocabulary of `size` tokens, special ones included, trained on `documents`.

    For masked-language models it has RoBERTa's special tokens, `<s>` 0, `<pad>` 1, `</s>` 2, `<unk>` 3 and
    `<mask>` last, and RoBERTa's template, `<s> A </s>` and `<s> A </s> </s> B </s>`. For causal ones it has
    BLOOM's, `<unk>` 0, `<s>` 1, `</s>` 2 and `<pad>` 3, and puts nothing around a text.

    Args:
        kind: "unigram": SentencePiece's (Kudo 2018), on text that is normalised by NFKC; "bpe": byte-level
            byte-pair encoding as GPT-2's, RoBERTa's and BLOOM's, which knows every byte.
        size: tokens of the vocabulary.
        causal: for a causal language model.

    Raises:
        DataError: the documents do not support so many tokens, or so few do not hold the documents.
        MissingExtraError: sentencepiece is not installed, and `kind` is "unigram".
    """
    tell_stage(f"training a {kind} tokenizer of {size:,} tokens")
    names = _CAUSAL if causal else _MASKED
    own = size if causal else size - 1
    documents = _check_first(documents)
    if kind == "unigram":
        backend = train_unigram(documents, own, names, size)
    else:
        backend = _train_bpe(documents, own, list(names.values()), size)
    if causal:
        # The first word of a text is the same token as further on.
        return _wrap(backend, names)
    backend.post_processor = make_template(bos=0, eos=2)
    return _wrap(backend, names | {"cls_token": "<s>", "sep_token": "</s>"}, mask_token=make_mask_token())


def _check_first(documents: Iterable[str]) -> Iterator[str]:
    """The same documents, of which there is one at least.

    Raises:
        DataError: there is none.
    """
    rest = iter(documents)
    first = next(rest, None)
    if first is None:
        raise DataError("no documents", expected="text to train a tokenizer on")
    return chain([first], rest)


def _wrap(backend: Tokenizer, names: dict[str, str], **more: Any) -> PreTrainedTokenizerFast:
    inputs = ["input_ids", "attention_mask"]
    return PreTrainedTokenizerFast(tokenizer_object=backend, model_input_names=inputs, **names, **more)


def _train_bpe(documents: Iterable[str], own: int, special: list[str], size: int) -> Tokenizer:
    least = _BYTES + len(special) + size - own
    if size < least:
        raise DataError(
            f"a vocabulary of {size:,} tokens",
            expected=f"at least {least:,}: byte-level BPE has a token for each of the {_BYTES} bytes",
            fix="a larger tokenizer.size, or the kind unigram",
        )
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=own,
        min_frequency=_LEAST_COUNT,
        special_tokens=special,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    backend.train_from_iterator(documents, trainer)
    if backend.get_vocab_size() < own:
        raise make_size_error(size, backend.get_vocab_size() + size - own)
    return backend
