"""Vectors of token ids from what stands near them in texts: truncated SVD of positive PMI; no labels.

Shapes: U ids that have a vector, D wide.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

import numpy as np
from scipy import linalg, sparse
from scipy.sparse.linalg import svds

from headstart.data.tokenise import Tokens

#: Tokens on each side that count as near.
WINDOW: Final = 5
#: Ids below which the whole decomposition is as quick as a part of it.
_FEW: Final = 512


def count_near(tokens: Tokens, left_out: Collection[int] = ()) -> tuple[np.ndarray, Any]:
    """The ids that occur, ascending, and how often each two stand within `WINDOW` tokens of a text, [U, U].

    Args:
        left_out: ids that are not counted; what remains of a text moves together.
    """
    ids, text = np.asarray(tokens.input_ids), np.repeat(np.arange(len(tokens)), tokens.lengths)
    counted = ~np.isin(ids, np.array(sorted(left_out), np.int64))
    known, rows = np.unique(ids[counted], return_inverse=True)
    text, size = text[counted], len(known)
    total = sparse.csr_array((size, size), dtype=np.float64)
    for step in range(1, min(WINDOW, len(rows) - 1) + 1):
        near = text[:-step] == text[step:]
        pairs = rows[:-step][near], rows[step:][near]
        total = total + sparse.coo_array((np.ones(near.sum()), pairs), shape=(size, size)).tocsr()
    return known.astype(np.int64), (total + total.T).tocsr()


def compute_ppmi(counts: Any) -> Any:
    """max(0, log #(w,c) #(D) / (#(w) #(c))), sparse [U, U]: positive pointwise mutual information.

    Levy and Goldberg 2014, "Neural word embedding as implicit matrix factorization", section "Shifted
    PPMI", not shifted.
    """
    table = counts.tocoo()
    sums, whole = np.asarray(counts.sum(axis=1)).ravel(), float(counts.sum())
    pmi = np.log(table.data * whole / (sums[table.row] * sums[table.col]))
    found = sparse.coo_array((np.maximum(pmi, 0), (table.row, table.col)), shape=table.shape).tocsr()
    found.eliminate_zeros()
    return found


def factorise(ppmi: Any, width: int) -> np.ndarray:
    """U_d sqrt(Sigma_d), float32 [U, at most `width`]: the symmetric factor of Levy and Goldberg 2014,
    section "Spectral dimensionality reduction", with the strongest directions first.

    Each column's sign is that which makes its largest entry positive, so that it is one and not one of two.
    """
    size = ppmi.shape[0]
    if size == 0:
        return np.zeros((0, 0), np.float32)
    if size <= max(_FEW, width + 1):
        left, strengths, _ = linalg.svd(ppmi.toarray())
        left, strengths = left[:, :width], strengths[:width]
    else:
        # A start of its own: the library would draw one.
        start = np.full(size, size**-0.5)
        left, strengths, _ = svds(ppmi, k=width, v0=start)
        left, strengths = left[:, ::-1], strengths[::-1]
    left = left * np.sign(left[np.abs(left).argmax(axis=0), np.arange(left.shape[1])])
    return np.asarray(left * np.sqrt(strengths), np.float32)


def compute_vectors(tokens: Tokens, left_out: Collection[int], width: int) -> tuple[np.ndarray, np.ndarray]:
    """The ids that stand near others, ascending [U], and their vectors [U, at most `width`].

    Of texts of single words there are none.
    """
    ids, counts = count_near(tokens, left_out)
    ppmi = compute_ppmi(counts)
    near = np.flatnonzero(np.diff(ppmi.indptr))
    return ids[near], factorise(ppmi[near][:, near], width)
