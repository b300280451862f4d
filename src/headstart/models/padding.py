"""Gives configuration and tokenizer one padding token, so that no answer depends on its batch."""

from __future__ import annotations

import inspect
from typing import Any, Final

from torch import nn

from headstart.errors import ModelError
from headstart.wording import format_names

#: Families whose layers mix places whatever the mask says, or whose head reads the last place of a row: what
#: pads a text changes its answer. Found by trying families alone and beside a longer text (a test does).
READS_PADDING: Final = frozenset({"convbert", "fnet", "mobilebert", "nystromformer", "xlnet", "yoso"})


def forget_false_padding(config: Any) -> None:
    """Take a padding id that no table has a row for, such as -1, out of the configuration, in place."""
    for part in _list_parts(config):
        rows, padding = getattr(part, "vocab_size", None), getattr(part, "pad_token_id", None)
        if padding is not None and not 0 <= padding < (rows or padding + 1):
            part.pad_token_id = None


def pad_tokenizer(tokenizer: Any, name: str) -> None:
    """Give the tokenizer a padding token where it has none: its end token, masked by position; in place.

    Raises:
        ModelError: it has neither.
    """
    if tokenizer.pad_token_id is None:
        if tokenizer.eos_token is None:
            raise ModelError("its tokenizer has neither a padding nor an end token", where=name)
        tokenizer.pad_token = tokenizer.eos_token


def check_padding_row(tokenizer: Any, rows: int | None, name: str) -> None:
    """See that the embedding, of so many rows, has one for the tokenizer's padding token.

    Raises:
        ModelError: it has none.
    """
    if rows is not None and tokenizer.pad_token_id >= rows:
        tokens = {tokenizer.pad_token_id: str(tokenizer.pad_token)}
        raise make_no_row_error(name, tokens, rows, "its padding token")


def set_padding(config: Any, tokenizer: Any, skeleton: nn.Module) -> None:
    """Make the tokenizer's padding token the configuration's, in place.

    Heads of causal families find the last token of a text by it: with another id they read padding.
    """
    # RoBERTa and its kin count positions from the configuration's: another would move those of every text.
    if find_position_offset(skeleton) == 0:
        for part in _list_parts(config):
            part.pad_token_id = tokenizer.pad_token_id


def _list_parts(config: Any) -> list[Any]:
    """The configuration, and that of its text part where this is another."""
    return list({id(part): part for part in (config, config.get_text_config())}.values())


def make_no_row_error(name: str, tokens: dict[int, str], rows: int, what: str) -> ModelError:
    """What is said of `tokens` (their texts by id) whose ids lie beyond the embedding's `rows`."""
    shown = format_names([f"{text} ({i})" for i, text in tokens.items()])
    return ModelError(
        f"no row of its embedding of {rows} is for {what} {shown}",
        where=name,
        expected="a tokenizer that belongs to the model",
        fix="remove the token from the tokenizer, or save the model again after resize_token_embeddings",
    )


def find_position_offset(skeleton: nn.Module) -> int:
    """How many first rows of the position table no text reaches, in families that count from padding on."""
    offsets = [
        module.padding_idx + 1
        for path, module in skeleton.named_modules()
        if isinstance(module, nn.Embedding)
        and path.endswith("position_embeddings")
        and module.padding_idx is not None
    ]
    return max(offsets, default=0)


def drop_unread_types(tokenizer: Any, skeleton: nn.Module) -> None:
    """Take token types out of what the tokenizer gives where the network reads none, in place."""
    reads_types = "token_type_ids" in inspect.signature(skeleton.forward).parameters
    if not reads_types:
        names = tokenizer.model_input_names
        tokenizer.model_input_names = [name for name in names if name != "token_type_ids"]
