"""Trains only the embedding rows that a study uses, and restores the others at the end; refuses tied tables.

A row that no text uses has gradient zero at every step: Adam's moments stay zero, the clipped norm does not
see it, and AdamW only shrinks it, p *= 1 - rate_t * weight_decay. So the row at the end follows from the
row at the start. In real numbers this is exact; in floating point it differs from full training by the
rounding of that product and of the order in which the gradient's norm is summed.

Shapes: V rows in the whole table, U of them in use, D wide.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import reduce
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from headstart.data.tokenise import Tokens
from headstart.errors import ModelError

#: Tokens looked through at a time, so that memory-mapped ones are never copied whole.
_CHUNK = 1 << 20


class CompactEmbedding(nn.Module):
    """An embedding that is asked for the ids of the whole table and holds only the rows in use.

    The model keeps seeing the original ids, because some architectures read them: RoBERTa counts positions
    by ids that are not padding, GPT-2 finds the last token by them. An id without a row is an IndexError on
    the CPU and a failed assertion on an accelerator.

    `weight` is [U, D], by ascending id; `lookup` is [V], the row of each id, or U where it has none;
    `padding_idx` is the row of the padding id, or None. The state dict has the one key of an ordinary
    embedding.
    """

    lookup: torch.Tensor

    def __init__(self, table: nn.Embedding, ids: torch.Tensor) -> None:
        """Copy the rows `ids` [U], ascending, out of `table`, the padding row among them."""
        super().__init__()
        self.weight = nn.Parameter(table.weight.detach()[ids], requires_grad=table.weight.requires_grad)
        # One past the last row: unlike -1, which counts from the end, any way of looking it up is an error.
        lookup = torch.full((table.num_embeddings,), len(ids), dtype=torch.int64, device=ids.device)
        lookup[ids] = torch.arange(len(ids), device=ids.device)
        self.register_buffer("lookup", lookup, persistent=False)
        self.padding_idx = None if table.padding_idx is None else int(lookup[table.padding_idx])
        self.num_embeddings, self.embedding_dim = self.weight.shape
        self.sparse = False

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Ids of the whole table, [...], to their vectors, [..., D]."""
        return F.embedding(self.lookup[ids], self.weight, self.padding_idx, sparse=self.sparse)

    def list_ids(self) -> torch.Tensor:
        """The id of each row, [U]."""
        return (self.lookup < self.num_embeddings).nonzero().flatten()


def find_used_ids(tokens: Iterable[Tokens], *extra: int) -> np.ndarray:
    """The ids that occur in `tokens`, and `extra` ones such as the padding id; ascending, int64."""
    chunks = (
        _mark_occurring(chunk) for part_tokens in tokens for chunk in _iter_chunks(part_tokens.input_ids)
    )
    return np.flatnonzero(reduce(_combine_marks, chunks, _mark_occurring(np.array(extra, np.int64))))


def _mark_occurring(ids: np.ndarray) -> np.ndarray:
    """Whether each id from 0 to the largest occurs, [largest + 1] booleans; many times faster than a sort."""
    return np.asarray(np.bincount(ids) > 0)


def _combine_marks(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """What occurs in one of two, which may reach to different ids."""
    shorter, longer = sorted((first, second), key=len)
    longer[: len(shorter)] |= shorter
    return longer


def _iter_chunks(ids: np.ndarray) -> Iterator[np.ndarray]:
    return (ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK))


def compact_embedding(model: Any, ids: np.ndarray) -> str | None:
    """Leave `model` only the rows `ids` of its input embedding, and that of its padding, in place.

    Gives None, or the reason why the model is left as it was. To be called before an optimiser takes the
    parameters, which would keep the whole table in memory and train it.

    Raises:
        ModelError: there are ids that the table has no row for.
    """
    table = get_input_embedding(model)
    reason = _find_obstacle(model, table)
    if reason is not None:
        return reason
    ids = _add_padding(ids, table)
    _check_ids(ids, table)
    if len(ids) == table.num_embeddings:
        return "every row of its embedding is in use"
    model.set_input_embeddings(CompactEmbedding(table, torch.from_numpy(ids).to(table.weight.device)))
    return None


def get_input_embedding(model: Any) -> Any:
    """The model's input embedding, or None for an architecture that does not say which it is."""
    try:
        return model.get_input_embeddings()
    except (AttributeError, NotImplementedError):
        return None


def find_embedding_path(model: nn.Module) -> str | None:
    """What the model calls its input embedding; None for an architecture that does not say which it is."""
    table = get_input_embedding(model)
    return next((path for path, module in model.named_modules() if module is table), None)


def _find_obstacle(model: nn.Module, table: Any) -> str | None:
    """Why rows of `table` cannot be left out without changing what the model learns; None if they can."""
    # Not isinstance: a subclass may scale its output, or do anything else.
    if type(table) is not nn.Embedding:
        return f"its input embedding is a {type(table).__name__}, not a plain table"
    # max_norm rewrites rows when they are read; sparse gradients have optimisers of their own.
    if table.max_norm is not None or table.sparse or table.scale_grad_by_freq:
        return "its input embedding has a max_norm, sparse gradients or gradients scaled by frequency"
    names = [name for name, p in model.named_parameters(remove_duplicate=False) if p is table.weight]
    if len(names) != 1:
        return f"its input embedding is tied: {' and '.join(names)} are one table"
    return None


def _add_padding(ids: np.ndarray, table: nn.Embedding) -> np.ndarray:
    """`ids` ascending, each once, and the table's own padding id, which may not be the tokenizer's."""
    padding = [] if table.padding_idx is None else [table.padding_idx]
    return np.union1d(ids, np.array(padding, np.int64)).astype(np.int64)


def _check_ids(ids: np.ndarray, table: nn.Embedding) -> None:
    if ids.size and not 0 <= ids[0] <= ids[-1] < table.num_embeddings:
        raise ModelError(
            f"the texts have token ids from {ids[0]} to {ids[-1]}",
            where="the model's input embedding",
            expected=f"ids from 0 to {table.num_embeddings - 1}: a tokenizer that belongs to the model",
        )


def restore_embedding(model: Any, table: Any, decay: float) -> None:
    """Give a compacted, trained `model` an ordinary embedding with all its rows again, in place.

    Args:
        table: the input embedding that `model` had before `compact_embedding`, so the same seed's. It becomes
            the model's: nobody else is to use it afterwards.
        decay: what training would have multiplied the rows left out by, see `compute_decay_factor`; 1 for a
            table that was frozen or is exempt from decay.
    """
    rows = model.get_input_embeddings()
    assert isinstance(rows, CompactEmbedding)
    assert len(rows.lookup) == table.num_embeddings
    with torch.no_grad():
        # Decayed in the finer of the two formats.
        table.to(rows.weight.device, torch.promote_types(table.weight.dtype, rows.weight.dtype))
        table.weight.mul_(decay)
        table.to(rows.weight.dtype)
        table.weight[rows.list_ids()] = rows.weight
    table.weight.requires_grad_(rows.weight.requires_grad)
    model.set_input_embeddings(table)


def compute_decay_factor(rates: Iterable[float], weight_decay: float) -> float:
    """What AdamW leaves of a weight without gradient after one step at each of `rates`."""
    return math.prod(1 - rate * weight_decay for rate in rates)
