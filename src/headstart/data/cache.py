"""The user's cache of tokens, features and assets: each entry is named by all that it depends on."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import platformdirs

#: Entries that stay in a folder of the cache.
MAX_ENTRIES: Final = 64
#: A temporary this old was left by a process that was killed: no writer takes as long.
LEFTOVER_SECONDS: Final = 24 * 3600.0


def get_cache_folder() -> Path:
    """Where assets, tokens and features are kept: `HEADSTART_CACHE`, or the platform's user cache."""
    return Path(os.environ.get("HEADSTART_CACHE") or platformdirs.user_cache_dir("headstart"))


def remove_oldest(folder: Path) -> None:
    """Keep a folder of the cache small: the entries used longest ago go, and what killed writers left."""
    remove_leftovers(folder)
    entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    for entry in sorted(entries, key=lambda entry: entry.stat().st_mtime)[:-MAX_ENTRIES]:
        _remove(entry)


def remove_leftovers(folder: Path) -> None:
    """Remove what writers that were killed left in a folder of the cache; not what others write just now."""
    for entry in folder.glob(".*"):
        with suppress(FileNotFoundError):  # its writer may end in this very moment
            if time.time() - entry.stat().st_mtime > LEFTOVER_SECONDS:
                _remove(entry)


def _remove(entry: Path) -> None:
    if entry.is_dir():
        shutil.rmtree(entry, ignore_errors=True)
    else:
        entry.unlink(missing_ok=True)
