"""Lists the steps of a fast tokenizer, such as its pre-tokenizers; judges none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def list_steps(step: Mapping[str, Any] | None, key: str) -> Iterator[Mapping[str, Any]]:
    """The steps of a sequence, one in another too.

    Args:
        step: what a tokenizer's state has as normalizer, pre_tokenizer or decoder.
        key: under which a sequence has its own: normalizers, pretokenizers or decoders.
    """
    if step is None:
        return
    if step["type"] == "Sequence":
        for one in step[key]:
            yield from list_steps(one, key)
    else:
        yield step
