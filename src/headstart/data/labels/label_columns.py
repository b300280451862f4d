"""What a whole column of sets of labels says: whether 0 and 1 are names or places, what separates names."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from headstart.config.study import Data
from headstart.data.corpus import Row
from headstart.data.labels.list_cells import parse_list
from headstart.data.texts import shorten
from headstart.errors import DataError

_FLAGS: Final = {"0": False, "1": True, "0.0": False, "1.0": True, "false": False, "true": True}
#: What else people write between labels.
_SEPARATORS: Final = (",", ";", "/", "\t")
_SPACED_FLAGS: Final = re.compile(r"[01](?: [01])+")


def name_places(rows: Sequence[Row], lists: Sequence[list[str]], data: Data) -> Sequence[list[str]]:
    """The lists of N rows with names in place of 0 and 1, where these are one for each label in one order.

    So they are where all lists are as long as each other and hold nothing else, one of them a number twice,
    which no set of labels does. Names are those of the study, or the places counted from 0.

    Raises:
        DataError: lists of 0 and 1 of different lengths, or not as long as the study's names.
    """
    if any(isinstance(row.label, dict) for row in rows) or not _are_places(rows, lists, data):
        return lists
    names = data.label_names or tuple(map(str, range(len(lists[0]))))
    return [
        [name for name, flag in zip(names, flags, strict=True) if _FLAGS[flag.lower()]] for flags in lists
    ]


def _are_places(rows: Sequence[Row], lists: Sequence[list[str]], data: Data) -> bool:
    values = {value.lower() for flags in lists for value in flags}
    if not values <= _FLAGS.keys():
        if data.label_names is not None:
            raise _refuse_names(rows, lists)
        return False
    has_repeats = any(len(set(flags)) < len(flags) for flags in lists)
    # Lists that are all [0, 1] or [1, 0] are places too: as names, every text would have both.
    are_pairs = len({_FLAGS[value] for value in values}) == 2 and all(len(flags) == 2 for flags in lists)
    if not (has_repeats or are_pairs or data.label_names is not None):
        return False
    length = len(data.label_names) if data.label_names is not None else max(map(len, lists))
    for row, flags in zip(rows, lists, strict=True):
        if len(flags) != length:
            raise DataError(
                f"label {shorten(row.label)} has {len(flags)} flags of 0 or 1",
                where=row.where,
                expected=f"{length}, as {'data.label_names has' if data.label_names else 'other rows have'}",
            )
    return True


def _refuse_names(rows: Sequence[Row], lists: Sequence[list[str]]) -> DataError:
    at = next(i for i, flags in enumerate(lists) if any(flag.lower() not in _FLAGS for flag in flags))
    return DataError(
        f"label {shorten(rows[at].label)}, and data.label_names",
        where=rows[at].where,
        expected="0 or 1 for each of data.label_names",
        fix="unset data.label_names where cells hold names",
    )


def check_separators(rows: Sequence[Row], data: Data) -> None:
    """Refuse cells whose names stand between another separator than the study's, which none has.

    Raises:
        DataError: a part of one cell stands in others too.
    """
    cells = [(row, row.label) for row in rows if isinstance(row.label, str) and not _is_list(row.label)]
    is_said = "label_separator" in data.model_fields_set
    if is_said or any(data.label_separator in cell for _, cell in cells):
        return
    others = [*_SEPARATORS, *([" "] if all(_SPACED_FLAGS.fullmatch(cell) for _, cell in cells) else [])]
    for other in others:
        shared = _find_shared({cell for _, cell in cells}, other)
        for row, cell in cells:
            parts = [part.strip() for part in cell.split(other)]
            common = next((part for part in parts if len(parts) > 1 and part in shared), None)
            if common is not None:
                raise DataError(
                    f"label {shorten(cell)}, and {common!r} is in others too: separated by {other!r}?",
                    where=row.where,
                    expected=f"labels separated by {data.label_separator!r}, or a list",
                    fix=f'set data.label_separator: "{other}"; or "{data.label_separator}" if it is one name',
                )


def _is_list(cell: str) -> bool:
    try:
        return parse_list(cell) is not None
    except ValueError:
        return False


def _find_shared(cells: set[str], separator: str) -> set[str]:
    """The parts that stand in several of the different cells."""
    holders: dict[str, int] = defaultdict(int)
    for cell in cells:
        for part in {part.strip() for part in cell.split(separator)} - {""}:
            holders[part] += 1
    return {part for part, count in holders.items() if count > 1}
