"""Fetches a checkpoint of the hub at a revision that its name pins, and tells the commit of one without."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from huggingface_hub import constants, snapshot_download, try_to_load_from_cache
from huggingface_hub.errors import HfHubHTTPError, HFValidationError

from headstart.errors import ModelError

#: An id, and a commit, a tag or a branch.
_PINNED: Final = re.compile(r"(?P<id>\w[\w.-]*(?:/\w[\w.-]*)?)@(?P<revision>[\w.-]+(?:/[\w.-]+)*)")
#: What a checkpoint is read from, beside its weights.
_FILES: Final = ("*.json", "*.txt", "*.model", "*.tiktoken", "*.codes", "*.jinja")
_SAFE, _PICKLES = "*.safetensors", "*.bin"


def is_pinned(name: str) -> bool:
    """Whether it is written `id@revision`, and no folder is called so."""
    return _PINNED.fullmatch(name) is not None and not Path(name).exists()


def fetch_revision(name: str) -> Path:
    """The folder of `id@revision` in the hub's cache, filled on first use; pickles where nothing else is.

    Raises:
        ModelError: there is no such id or revision, or the hub is not reached and the cache does not hold it.
    """
    found = _PINNED.fullmatch(name)
    assert found is not None
    try:
        folder = Path(_fetch(found["id"], found["revision"], [*_FILES, _SAFE]))
        if not any(folder.glob(_SAFE)):
            _fetch(found["id"], found["revision"], [_PICKLES])
    except (OSError, ValueError, HfHubHTTPError) as error:
        raise ModelError(
            f"no usable checkpoint: {(str(error).strip().splitlines() or [type(error).__name__])[0]}",
            where=name,
            expected="ID@REVISION: an existing commit, tag or branch, on the hub or in its cache",
        ) from error
    return folder


def fetch_snapshot(name: str, commit: str) -> Path | None:
    """The folder of an id's commit in the hub's cache, with its weights; None where it cannot be filled."""
    try:
        return fetch_revision(f"{name}@{commit}")
    except ModelError:
        return None


def find_commit(name: str) -> str | None:
    """The commit that the hub's cache holds of an id that was loaded; None where it holds none."""
    # transformers notes it in a configuration as `_commit_hash`, in some of its versions.
    folder = find_cached_folder(name)
    return None if folder is None else folder.name


def find_cached_folder(name: str) -> Path | None:
    """Where the hub's cache holds the files of an id that was loaded; None where it holds none."""
    try:
        file = try_to_load_from_cache(name, "config.json", cache_dir=constants.HF_HUB_CACHE)
    except HFValidationError:
        return None
    return Path(file).parent if isinstance(file, str) else None


def _fetch(name: str, revision: str, patterns: list[str]) -> str:
    return str(
        snapshot_download(name, revision=revision, allow_patterns=patterns, cache_dir=constants.HF_HUB_CACHE)
    )
