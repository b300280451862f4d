"""Reads the weights of a fairseq checkpoint that are taken along, under the names of transformers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import torch

from headstart.errors import ModelError
from headstart.models.fairseq.archive import CheckpointFile, get_format
from headstart.models.fairseq.heads import FairseqHead, Kind
from headstart.models.fairseq.keys import FairseqKeys
from headstart.models.fairseq.names import LAYOUTS, Layout, name_body
from headstart.models.fairseq.pickle_names import STORAGES
from headstart.models.fairseq.pickle_values import TensorRef
from headstart.wording import format_names

_FLOATS: Final = ("float32", "float16", "bfloat16", "float64")
#: Times that weights may be as large as the file: a tied table stands in it under two names.
_MOST_SHARED: Final = 2
_EMBEDDING: Final = "embed_tokens.weight"


def count_parameters(keys: FairseqKeys, *, is_tied: bool) -> dict[str, int]:
    """Parameters by part, as fairseq counts them: a tied table once, buffers not."""
    parts = {"body": keys.body, "lm_head": keys.lm_head, **{f"head {n}": w for n, w in keys.heads.items()}}
    counts = {part: sum(ref.size for ref in weights.values()) for part, weights in parts.items()}
    if is_tied and "weight" in keys.lm_head:
        counts["lm_head"] -= keys.lm_head["weight"].size
    return {part: count for part, count in counts.items() if count}


def list_formats(keys: FairseqKeys) -> tuple[str, ...]:
    """The formats of numbers of a checkpoint's body."""
    return tuple(sorted({STORAGES[ref.storage.kind] for ref in keys.body.values()}))


def read_weights(
    file: CheckpointFile, keys: FairseqKeys, family: str, head: FairseqHead, *, is_tied: bool
) -> dict[str, torch.Tensor]:
    """Body and head in float32, by the names that the family gives them.

    Raises:
        ModelError: a tensor cannot be read or holds what are no finite numbers; tied tables differ.
    """
    layout = LAYOUTS[family]
    names = _name_all(keys, layout, head, str(file.path))
    _check_amount(names, file)
    weights = {name: _read(file, ref, name) for name, ref in names.items()}
    prefix = _get_prefix(layout, head)
    embedding = weights[f"{prefix}embeddings.word_embeddings.weight"]
    # fairseq has no token types: a row of zeros adds nothing.
    weights[f"{prefix}embeddings.token_type_embeddings.weight"] = torch.zeros(1, embedding.shape[1])
    if head.kind is Kind.MASKED_LM:
        _tie(weights, embedding, file, is_tied=is_tied)
    return weights


def _name_all(keys: FairseqKeys, layout: Layout, head: FairseqHead, where: str) -> dict[str, TensorRef]:
    named = {name: name_body(name, layout) for name in keys.body}
    lost = [name for name, new in named.items() if new is None]
    if lost:
        raise ModelError(
            f"{format_names(lost, 5)}: its family in transformers has no such weights", where=where
        )
    prefix = _get_prefix(layout, head)
    refs = {f"{prefix}{named[name]}": ref for name, ref in keys.body.items()}
    if head.kind is Kind.CLASSIFIER and head.name is not None:
        refs |= {f"classifier.{name}": ref for name, ref in keys.heads[head.name].items()}
    if head.kind is Kind.MASKED_LM:
        places = {"weight": "decoder.weight"}
        refs |= {f"lm_head.{places.get(name, name)}": ref for name, ref in keys.lm_head.items()}
    return refs


def _get_prefix(layout: Layout, head: FairseqHead) -> str:
    """Before the names of the body's weights: none in a model that is a body alone."""
    return "" if head.kind is Kind.NONE else layout.prefix


def _read(file: CheckpointFile, ref: TensorRef, name: str) -> torch.Tensor:
    kind = STORAGES[ref.storage.kind]
    if kind not in _FLOATS:
        raise ModelError(
            f"{name} is in {kind}", where=str(file.path), expected=f"one of {', '.join(_FLOATS)}"
        )
    # fairseq loads half precision into a network in float32 as well.
    tensor = file.read_tensor(ref).to(torch.float32)
    if not bool(tensor.isfinite().all()):
        raise ModelError(
            f"{name} contains nan or infinity", where=str(file.path), fix="take an earlier checkpoint"
        )
    return tensor


def _check_amount(refs: Mapping[str, TensorRef], file: CheckpointFile) -> None:
    """See that the file holds its weights: a hostile one points to the same numbers again and again."""
    size, held = sum(map(_count_bytes, refs.values())), file.path.stat().st_size
    if size > _MOST_SHARED * held:
        raise ModelError(
            f"weights of {size:,} bytes in a file of {held:,}",
            where=str(file.path),
            expected="numbers of its own for each table, except a head's that is tied",
        )


def _count_bytes(ref: TensorRef) -> int:
    return ref.size * get_format(ref.storage).itemsize


def _tie(
    weights: dict[str, torch.Tensor], embedding: torch.Tensor, file: CheckpointFile, *, is_tied: bool
) -> None:
    """Have the head's table be that of the tokens, or one of its own; and its bias known under both names."""
    table = weights.get("lm_head.decoder.weight")
    if is_tied:
        if table is not None and not torch.equal(table, embedding):
            raise ModelError(
                "lm_head.weight is not embed_tokens.weight, and untie_weights_roberta is not set",
                where=str(file.path),
                expected="one table, or the setting that says that there are two",
            )
        weights["lm_head.decoder.weight"] = embedding
    elif table is None:
        raise ModelError("untie_weights_roberta is set, and lm_head.weight is missing", where=str(file.path))
    # Where tables are not tied, neither are the two names of the bias.
    weights["lm_head.decoder.bias"] = weights["lm_head.bias"] if is_tied else weights["lm_head.bias"].clone()
