"""Finds groups of texts, such as those of one author, that stand in train and in valid or test."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final

import numpy as np

from headstart.data.corpus import Part
from headstart.data.groups import GroupColumn
from headstart.data.row_table import RowTable, ValueColumn
from headstart.records import StudyWarning
from headstart.wording import cut_text, format_count

#: The kind of the warning, which comparisons show too.
GROUP_LEAK: Final = "group-leak"
#: Characters of a group's name that are shown.
_SHOWN: Final = 40


def find_leaked_groups(
    rows: Mapping[Part, RowTable], column: GroupColumn | None, divided: Collection[Part]
) -> Iterator[StudyWarning]:
    """Warns of groups of valid or test that are in train too, with how many texts they have there.

    Args:
        divided: the parts that Headstart itself splits off.
    """
    if column is None or (column.key is None and len(_list_names(rows["test"].test_groups)) < 2):
        return  # nobody said that it names groups, and one value tells no texts apart
    of_train = set(_list_names(rows["train"].test_groups))
    for part in ("valid", "test"):
        groups = rows[part].test_groups
        shared = [name for name in _list_names(groups) if name in of_train]
        if shared:
            fix = _say_fix(column.name, part, is_divided=part in divided)
            yield StudyWarning(
                kind=GROUP_LEAK, message=f"{_describe(groups, shared, column.name, part)}; {fix}"
            )


def _list_names(groups: ValueColumn) -> list[str]:
    """The different names of groups, in the order of their first texts."""
    return list(dict.fromkeys(name for name in groups.list_distinct() if name is not None))


def _describe(groups: ValueColumn, shared: list[str], column: str, part: Part) -> str:
    known = set(shared)
    is_shared = np.array([value in known for value in groups.values], bool)
    count, total = int(is_shared[groups.codes].sum()), len(groups.codes)
    verb, example = "is" if len(shared) == 1 else "are", cut_text(shared[0], _SHOWN)
    such = f" ({example})" if len(shared) == 1 else f", such as {example},"
    return (
        f"{format_count(len(shared), 'group')} of {part}{such} by column {column} {verb} also in train, "
        f"with {format_count(count, 'text')} of {part} ({100 * count / total:.1f}%): "
        "scores may be higher than for new groups"
    )


def _say_fix(column: str, part: Part, *, is_divided: bool) -> str:
    if is_divided:
        return f"set data.split.group: {column}, so that no group stands in two parts"
    return f"remove their texts from {part} or from train"
