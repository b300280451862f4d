"""Tells that a table which a run left cannot be read, or holds what is never written there; reads nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from headstart.errors import DamagedFileError


@contextmanager
def telling_damage(file: Path, what: str) -> Iterator[None]:
    """Have what is met in the block told of the file: no Parquet, other columns, or other values in them.

    Raises:
        DamagedFileError: something was.
    """
    try:
        yield
    except (OSError, pa.ArrowException, LookupError, ValueError, TypeError, AttributeError) as error:
        raise DamagedFileError(
            f"{what} cannot be read: {_describe_cause(error)}",
            where=str(file),
            fix="run the study again: the run is redone, and the old files are kept in set-aside/",
        ) from error


def _describe_cause(error: Exception) -> str:
    """What a library says of a file, on one line."""
    return " ".join(str(error).split()) or type(error).__name__
