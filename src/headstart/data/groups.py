"""Finds what test examples have in common: a column's values, and texts that are equal; divides nothing.

Texts of one group (a film, an author, a document) are hard or easy together, so intervals are taken over
groups. `data.group` names the column.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from headstart.config.study import AUTO_GROUP, IDENTICAL_GROUP, Data
from headstart.data.assets import describe_groups
from headstart.data.formats import get_cell
from headstart.data.labels.base import LabelType
from headstart.data.row_table import RowTable, ValueColumn
from headstart.records import StudyWarning
from headstart.stats.groups import FEW_GROUPS, count_groups, join_groups

#: The column that is taken for groups where a study names none.
_USUAL_COLUMN: Final = "group"
_WAY_OUT: Final = "if this is not how test examples are grouped, set data.group to another column, or to null"


@dataclass(frozen=True)
class GroupColumn:
    """The column that names groups of test examples; `key` is where the study says so, if it does.

    `words` say in a plan what the groups are.
    """

    name: str
    key: str | None
    words: str

    def read(self, cells: Mapping[str, Any], where: str) -> str | None:
        """The name of a row's group; None where it is a group of its own.

        Raises:
            DataError: the study names the column, and it is not there.
        """
        value = cells.get(self.name) if self.key is None else get_cell(cells, self.name, where, self.key)
        return None if is_no_group(value) else str(value)


@dataclass(frozen=True)
class TextGroups:
    """The groups of N test examples [N], None where each is alone; what they are, and what is doubtful."""

    groups: np.ndarray | None = None
    source: str = ""
    warnings: tuple[StudyWarning, ...] = ()


def is_no_group(value: object) -> bool:
    """Whether a cell is empty, null or NaN."""
    return value is None or value != value or not str(value).strip()


def choose_group_column(data: Data, label_type: LabelType) -> GroupColumn | None:
    """The column that `data.group` names, else that of the division, else the usual one; None for none.

    A column of texts or labels is never taken unless it is named.
    """
    if data.group in (None, IDENTICAL_GROUP):
        return None
    if data.group != AUTO_GROUP:
        return GroupColumn(str(data.group), "data.group", f"column {data.group}")
    if data.split.group is not None:
        return GroupColumn(data.split.group, "data.split.group", f"column {data.split.group}")
    if data.asset is not None:
        return GroupColumn(_USUAL_COLUMN, None, describe_groups(data.asset))
    if _USUAL_COLUMN in label_type.list_columns(data):
        return None
    return GroupColumn(_USUAL_COLUMN, None, f"column {_USUAL_COLUMN}")


def group_texts(rows: RowTable, texts: np.ndarray, data: Data, column: GroupColumn | None) -> TextGroups:
    """The groups of the test's rows: those of `column`, joined where they share a text, and equal texts.

    Args:
        texts: digests [N] of the rows' texts, equal for equal texts.
    """
    if data.group is None:
        return TextGroups()
    named = _number(rows.test_groups)
    if column is not None and column.key is None and count_groups(named) == 1 < len(rows):
        # Nobody said that it names groups, and one value tells no texts apart.
        what = f"column {column.name} has one value in all test examples, so it is not used to group them"
        return _join(None, texts, "", (StudyWarning(kind="groups", message=what),))
    return _join(named, texts, column.words if column else "")


def _join(
    named: np.ndarray | None, texts: np.ndarray, words: str, warnings: tuple[StudyWarning, ...] = ()
) -> TextGroups:
    different, equal = np.unique(texts, return_inverse=True)
    groups = join_groups([named, None if len(different) == len(texts) else equal])
    if groups is None:
        return TextGroups(warnings=warnings)
    has_more = count_groups(groups) != count_groups(named)
    sources = [*([words] if named is not None else []), *(["identical texts"] if has_more else [])]
    source = " and ".join(sources)
    way_out = f"; {_WAY_OUT}" if named is not None else ""
    return TextGroups(groups, source, (*warnings, *_warn_of_few(groups, source, way_out)))


def _number(names: ValueColumn) -> np.ndarray | None:
    """Numbers [N] that are equal for equal names, None being equal to none; None where all differ."""
    known: dict[object, int] = {}
    of_values = np.array([-1 if v is None else known.setdefault(v, len(known)) for v in names.values])
    numbers = of_values[names.codes]
    alone = numbers < 0
    numbers[alone] = len(known) + np.arange(alone.sum())
    return None if len(np.unique(numbers)) == len(numbers) else numbers


def _warn_of_few(groups: np.ndarray, source: str, way_out: str) -> list[StudyWarning]:
    """A warning where groups are few, and not because texts are."""
    n_groups = len(np.unique(groups))
    if n_groups >= FEW_GROUPS or len(groups) < FEW_GROUPS:
        return []
    what = f"all test examples are in {n_groups} groups ({source}): intervals over so few are uncertain"
    if n_groups == 1:
        what = f"all test examples are in one group ({source}): intervals hold for this test set only"
    return [StudyWarning(kind="groups", message=f"{what}{way_out}")]
