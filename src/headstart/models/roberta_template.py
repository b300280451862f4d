"""What RoBERTa's tokenizers put around texts, and their mask token."""

from __future__ import annotations

from tokenizers import AddedToken
from tokenizers.processors import TemplateProcessing


def make_template(bos: int, eos: int) -> TemplateProcessing:
    """`<s> A </s>`, and `<s> A </s> </s> B </s>` of a pair; `bos`, `eos`: ids of `<s>`, `</s>`."""
    return TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", bos), ("</s>", eos)],
    )


def make_mask_token() -> AddedToken:
    """`<mask>`, which stands for a word with the space before it: it takes that along."""
    return AddedToken("<mask>", lstrip=True, normalized=False, special=True)
