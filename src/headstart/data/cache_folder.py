"""Where the cache is: the user's folder, or a temporary one of this process where that cannot be written."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import platformdirs

from headstart.os_faults import MachineError, writing

_PREFIX: Final = "headstart-cache-"
#: The temporary cache of this process, and why it has one.
_TEMPORARY: list[tuple[Path, MachineError]] = []
#: The same until somebody has been told of it.
_UNTOLD: list[tuple[Path, MachineError]] = []


def get_cache_folder() -> Path:
    """Where assets, tokens and features are kept: `HEADSTART_CACHE`, or the platform's user cache."""
    if _TEMPORARY:
        return _TEMPORARY[0][0]
    named = os.environ.get("HEADSTART_CACHE", "").strip()
    return Path(named or platformdirs.user_cache_dir("headstart")).expanduser().absolute()


def use_temporary_cache(fault: MachineError) -> Path:
    """Take a temporary folder for the cache from now on, because of `fault`; it goes when this process ends.

    Raises:
        MachineError: there is none that can be written: that of the cache itself.
    """
    if _TEMPORARY:
        raise fault
    try:
        with writing(tempfile.gettempdir()):
            folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    except (OSError, MachineError):  # no folder for temporary files at all, or it is as full
        raise fault from None
    _TEMPORARY.append((folder, fault))
    _UNTOLD.append((folder, fault))
    atexit.register(_forget, folder, os.getpid())
    return folder


def tell_of_temporary_cache() -> Iterator[str]:
    """Once, that the cache could not be written, and what is used instead; nothing where all is well."""
    while _UNTOLD:
        folder, fault = _UNTOLD.pop()
        yield (
            f"the cache {fault.where} {fault.got}; tokens and features are kept in {folder} until "
            "this run ends (set HEADSTART_CACHE to use another folder)"
        )


def leave_temporary_cache() -> None:
    """Remove the temporary cache, if there is one, and go back to the user's."""
    _UNTOLD.clear()
    while _TEMPORARY:
        shutil.rmtree(_TEMPORARY.pop()[0], ignore_errors=True)


def _forget(folder: Path, owner: int) -> None:
    """Remove it in the process that made it: those that were forked from that one still read it."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)
