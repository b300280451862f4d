"""Sees that every arm of a study has a folder of its own, where a file system takes two names for one."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from headstart.errors import OutputError

#: What Windows takes for a device, whatever stands behind a dot.
_DEVICES: Final = frozenset(
    ("con", "prn", "aux", "nul", *(f"{port}{i}" for port in ("com", "lpt") for i in range(1, 10)))
)


def check_names(arms: Iterable[str], out: Path) -> None:
    """See that the names of arms are names of folders below `out`, each of its own; writes nothing.

    Raises:
        OutputError: one is a device's, or two differ in small and capital letters alone, where that matters.
    """
    names = list(arms)
    if os.name == "nt":
        _refuse_devices(names, out)
    alike = _find_alike(names)
    if alike and ignores_case(out):
        raise OutputError(
            f"arms {' and '.join(alike)} would share a folder: file names here ignore case",
            where=str(out),
            expected="names that differ in more than case",
            fix="rename one; or name a folder on another file system: out=FOLDER",
        )


def _refuse_devices(names: Iterable[str], out: Path) -> None:
    for name in names:
        if name.lower() in _DEVICES:
            raise OutputError(
                f"arm {name} would have the folder {name}, which is a device name on Windows",
                where=str(out),
                expected="another name",
                fix="rename the arm",
            )


def _find_alike(names: Iterable[str]) -> list[str]:
    """The first names that are one in small letters."""
    by_small: defaultdict[str, list[str]] = defaultdict(list)
    for name in names:
        by_small[name.lower()].append(name)
    return next((group for group in by_small.values() if len(group) > 1), [])


def ignores_case(folder: Path) -> bool:
    """Whether the file system takes small and capital letters for the same, by folders that are there."""
    for place in (folder.absolute(), *folder.absolute().parents):
        other = place.with_name(place.name.swapcase()) if place.name else place
        if place.exists() and other.name != place.name:
            return other.exists() and other.samefile(place)
    return False
