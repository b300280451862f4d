"""Reads a checkpoint's JSON files before transformers does; refuses the too large, too deep or unclear."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, NoReturn

from headstart.errors import ModelError
from headstart.files import find_file_fault
from headstart.json_text import join_pairs, parse_json

#: Bytes of a configuration: names of a million classes have some 60 MB.
_LARGEST: Final = 100 << 20
_MARK: Final = b"\xef\xbb\xbf"


class _UnclearError(ValueError):
    """JSON that Python reads, and that says two things or none."""


def read_strict_json(file: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        ModelError: it is no regular file, too large, no JSON, no object, nested too deeply, or it has a key
            twice or nan in it; names the file.
    """
    refuse_irregular(file)
    size = file.stat().st_size
    if size > _LARGEST:
        raise _make_error(file, f"has {size:,} bytes", f"a configuration, of at most {_LARGEST:,} bytes")
    try:
        value = parse_json(_read_text(file), join_pairs, constant=_refuse_nan)
    except (OSError, ValueError) as error:
        raise _make_error(file, f"cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise _make_error(file, f"holds a {type(value).__name__}", "a JSON object: {...}")
    return value


def refuse_irregular(file: Path) -> None:
    """See that a file is one that can be read, or is not there; a pipe or a device is not opened.

    Raises:
        ModelError: it is neither.
    """
    fault = find_file_fault(file)
    if fault is not None:
        raise ModelError(
            f"{file.name} is {fault}",
            where=str(file.parent),
            expected="a file that can be read",
            fix="copy or download the file itself to that place, or remove this one",
        )


def _make_error(file: Path, got: str, expected: str = "a JSON object") -> ModelError:
    fix = "correct it, or copy or download it again"
    return ModelError(f"{file.name} {got}", where=str(file.parent), expected=expected, fix=fix)


def _read_text(file: Path) -> str:
    content = file.read_bytes()
    if content.startswith(_MARK):
        # transformers stops at it too, in words that name no file.
        raise _UnclearError("it begins with a byte-order mark; save it as UTF-8 without one")
    return content.decode("utf-8")


def _refuse_nan(name: str) -> float:
    """Infinity is a limit in some families' configurations; nan says nothing."""
    return float(name) if "Infinity" in name else _refuse(name)


def _refuse(name: str) -> NoReturn:
    raise _UnclearError(f"{name} is not a number")
