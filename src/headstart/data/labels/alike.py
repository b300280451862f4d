"""Finds labels that people would take for one: alike but for case, spaces, or how characters are coded."""

from __future__ import annotations

import math
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Final

from headstart.records import StudyWarning

#: Groups of labels that are warned of one by one.
_MOST_WARNED: Final = 5


def find_alike(names: Sequence[str]) -> Iterator[StudyWarning]:
    """Warns of names that are one but for spelling: 'Positive' and 'positive', é as one code and as two."""
    groups: dict[Hashable, list[str]] = defaultdict(list)
    for name in names:
        groups[make_alike_key(name)].append(name)
    alike = [group for group in groups.values() if len(group) > 1]
    for group in alike[:_MOST_WARNED]:
        yield _warn(
            f"labels {' and '.join(show_alike(group))} differ {_describe_difference(group)}: are they "
            "the same label?"
        )
    if len(alike) > _MOST_WARNED:
        yield _warn(f"{len(alike) - _MOST_WARNED} more groups of similar labels")


def _warn(message: str) -> StudyWarning:
    return StudyWarning(kind="labels-alike", message=message)


def name_alike(name: str, known: Iterable[str]) -> str | None:
    """One of the known names that is alike."""
    key = make_alike_key(name)
    return next((other for other in sorted(known) if make_alike_key(other) == key), None)


def make_alike_key(name: str) -> Hashable:
    """What is equal for names that are alike; of numbers their value."""
    folded = _drop_unseen(unicodedata.normalize("NFKC", name).casefold())
    try:
        value = float(folded)
    except ValueError:
        return folded
    return value if math.isfinite(value) else folded


def show_alike(names: Sequence[str]) -> list[str]:
    """Names in quotation marks, with Python's escapes where they would look the same without."""
    looks = {_drop_unseen(unicodedata.normalize("NFC", name)) for name in names}
    return [repr(name) if len(looks) == len(names) else ascii(name) for name in names]


def _describe_difference(group: Sequence[str]) -> str:
    """How the names of a group differ, by the mildest change that makes them one."""
    ways: dict[str, Callable[[str], Hashable]] = {
        "in spaces or invisible characters": _drop_unseen,
        "in Unicode encoding (normalization)": lambda name: unicodedata.normalize("NFKC", name),
        "in case": str.casefold,
        "in how a number is written": float,
    }
    for way, change in ways.items():
        try:
            if len({change(name) for name in group}) == 1:
                return way
        except ValueError:
            continue
    return "in case, spaces or Unicode encoding"


def _drop_unseen(name: str) -> str:
    """The name with single spaces, and without characters that do not show, such as U+200B."""
    shown = (c for c in name if unicodedata.category(c) not in ("Cf", "Cc") or c.isspace())
    return " ".join("".join(shown).split())
