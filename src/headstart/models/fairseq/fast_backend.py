"""Makes a fast tokenizer of a backend whose ids are rows of a dictionary: special tokens, template."""

from __future__ import annotations

from typing import Any

from tokenizers import AddedToken, Tokenizer
from transformers import PreTrainedTokenizerFast

from headstart.data.fairseq.dictionary import BOS, EOS, MASK, PAD, UNK, Dictionary
from headstart.models.fairseq.row_names import find_special_ids
from headstart.models.roberta_template import make_mask_token, make_template


def finish_fast_tokenizer(backend: Tokenizer, dictionary: Dictionary) -> PreTrainedTokenizerFast:
    """The tokenizer with fairseq's special tokens: `<s> A </s>`, and `<s> A </s> </s> B </s>` of a pair."""
    # As transformers' RoBERTa has it: the mask takes the space before it along.
    backend.add_special_tokens(
        [AddedToken(t, lstrip=t == MASK, normalized=False) for t in find_special_ids(dictionary)]
    )
    backend.post_processor = make_template(dictionary.bos, dictionary.eos)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        model_input_names=["input_ids", "attention_mask"],
        clean_up_tokenization_spaces=False,
        **list_special_tokens(dictionary),
    )


def list_special_tokens(dictionary: Dictionary) -> dict[str, Any]:
    """What transformers' tokenizers are told of their special tokens; a dictionary without mask has none."""
    named = {"bos_token": BOS, "cls_token": BOS, "eos_token": EOS, "sep_token": EOS}
    named |= {"unk_token": UNK, "pad_token": PAD}
    if dictionary.mask is None:
        return named
    return named | {"mask_token": make_mask_token()}
