"""Groups of test examples, which share what makes them hard: joined, numbered and counted; estimates nothing.

N examples in G groups are an array [N] of whole numbers, equal where two examples are of one group. None
stands for examples that are each a group of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

#: Groups below which an interval over them is said to rest on few.
FEW_GROUPS: Final = 10


def join_groups(divisions: Iterable[np.ndarray | None]) -> np.ndarray | None:
    """The finest groups [N] that keep every group of every division whole; None where each is of one.

    Groups of different divisions that share an example become one: the connected components of the graph
    that joins each example with its groups. They are numbered from 0 in the order of their first examples.
    """
    known = [groups for groups in divisions if groups is not None]
    if not known:
        return None
    n_examples = len(known[0])
    codes = [np.unique(groups, return_inverse=True)[1] for groups in known]
    starts = n_examples + np.cumsum([0, *(int(code.max(initial=-1)) + 1 for code in codes)])
    examples = np.tile(np.arange(n_examples), len(codes))
    nodes = np.concatenate([code + start for code, start in zip(codes, starts, strict=False)])
    edges = sparse.coo_array((np.ones(len(nodes)), (examples, nodes)), shape=(starts[-1], starts[-1]))
    components = csgraph.connected_components(edges, directed=False)[1][:n_examples]
    joined = _number_by_first(components)
    return None if count_groups(joined) == n_examples else joined


def _number_by_first(groups: np.ndarray) -> np.ndarray:
    """The same groups [N], numbered from 0 in the order of their first examples."""
    _, first, codes = np.unique(groups, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[codes])


def are_same_groups(divisions: Sequence[np.ndarray | None]) -> bool:
    """Whether all divisions of the same examples put the same ones together."""
    numbered = [groups if groups is None else _number_by_first(groups) for groups in divisions]
    first, *others = numbered
    return all(other is first or _are_equal(first, other) for other in others)


def _are_equal(first: np.ndarray | None, other: np.ndarray | None) -> bool:
    return first is not None and other is not None and np.array_equal(first, other)


def count_groups(groups: np.ndarray | None) -> int | None:
    """How many groups there are; None where each example is of its own."""
    return None if groups is None else len(np.unique(groups))
