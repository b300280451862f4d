"""Which training examples a run learns from, by its seed: all, some, all but a fold, a bootstrap sample."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from headstart.config.sizes import Size
from headstart.config.study import Data
from headstart.data.corpus import Examples, Row
from headstart.data.row_table import RowTable
from headstart.data.splits import draw_stratified_order, draw_subset, list_strata
from headstart.errors import DataError
from headstart.seeds import make_generator


def draw_training_texts(train: Examples, size: Size, seed: int, data: Data) -> np.ndarray:
    """Indices, ascending, of the texts that a run of this size and seed learns from; the same for all arms.

    A number of texts is drawn anew for each seed; `data.training_texts` says whether `all` are.
    """
    if size == "all" and data.training_texts == "folds":
        return leave_out_fold(train, data.folds, seed)
    if size == "all" and data.training_texts == "bootstrap":
        return draw_bootstrap(train, seed)
    return draw_subset(train, size, seed)


def leave_out_fold(train: Examples, n_folds: int, seed: int) -> np.ndarray:
    """All texts but those of one fold: seeds 0 to k-1 leave out the k folds of one division, the next k those
    of another (repeated k-fold cross-validation), so that no two seeds learn from the same texts.

    Folds are stratified where labels are class numbers, and hold whole groups where there are groups.
    """
    division, left_out = divmod(seed, n_folds)
    draws = make_generator(division, "texts", "folds", n_folds)
    if train.groups is None:
        folds = np.array_split(draw_stratified_order(list_strata(train), draws), n_folds)
    else:
        folds = _deal_groups(train.groups, n_folds, draws)
    return np.setdiff1d(np.arange(len(train)), folds[left_out])


def _deal_groups(groups: np.ndarray, n_folds: int, draws: np.random.Generator) -> list[np.ndarray]:
    """Indices of each fold: groups in random order, each to the fold that has the fewest texts by then."""
    members = _list_members(groups)
    folds: list[list[int]] = [[] for _ in range(n_folds)]
    for i in draws.permutation(len(members)):
        min(folds, key=len).extend(members[i])
    return [np.array(fold, np.int64) for fold in folds]


def draw_bootstrap(train: Examples, seed: int) -> np.ndarray:
    """As many texts as there are, drawn with replacement (Efron 1979); where there are groups as many of
    these, each with all its texts (the cluster bootstrap)."""
    draws = make_generator(seed, "texts", "bootstrap")
    if train.groups is None:
        return np.sort(draws.integers(len(train), size=len(train)))
    members = _list_members(train.groups)
    drawn = draws.integers(len(members), size=len(members))
    return np.sort(np.concatenate([members[i] for i in drawn]))


def _list_members(groups: np.ndarray) -> list[np.ndarray]:
    """The indices of each group's texts."""
    order = np.argsort(groups, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)


def number_groups(rows: Sequence[Row]) -> np.ndarray | None:
    """Of which group each row is, as numbers [N]; None where rows have no groups."""
    groups = RowTable.of(rows).groups
    present = [str(groups.values[code]) for code in np.unique(groups.codes)]
    if present == ["None"] and groups[0] is None:
        return None
    rank = {name: i for i, name in enumerate(sorted(set(present)))}
    numbers = np.array([rank.get(str(value), -1) for value in groups.values], np.int64)
    return np.asarray(numbers[groups.codes])


def check_folds(train: Examples, data: Data) -> None:
    """See that no fold is empty.

    Raises:
        DataError: there are more folds than texts, or than groups of them.
    """
    what = "training examples" if train.groups is None else "groups of training examples"
    count = len(train) if train.groups is None else len(np.unique(train.groups))
    if data.training_texts == "folds" and data.folds > count:
        raise DataError(
            f"{data.folds} folds of {count} {what}", where="data.folds", expected=f"at most {count}"
        )
