"""Reads the JSON files of a study's folder: strictly, and their version before all else."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from headstart.errors import DamagedFileError
from headstart.json_text import join_pairs, parse_json, refuse_constant
from headstart.os_faults import reading
from headstart.records import Record
from headstart.store.schema import check_version
from headstart.wording import cut_text

_R = TypeVar("_R", bound=Record)
_FIX = "restore it, or name another folder: out=FOLDER"


def read_versioned(kind: type[_R], file: Path, out: Path) -> _R:
    """A file of the study's folder `out` as what it is to hold.

    Raises:
        DamagedFileError: it cannot be read, or holds something else.
        OutputError: it is of another schema version.
    """
    values = read_json(file)
    check_version(values, file, out)
    return validate(kind, values, file)


def read_json(file: Path) -> dict[str, Any]:
    """The object that a file holds. NaN and Infinity, which are no JSON, and a key twice are refused.

    Raises:
        DamagedFileError: it cannot be read, or holds no such object.
        MachineError: the machine cannot read it; what it holds may be whole.
    """
    try:
        if not file.is_file():
            raise DamagedFileError("is not a file", where=str(file), expected="a file of JSON", fix=_FIX)
        with reading(file):
            text = file.read_bytes().decode("utf-8-sig")  # an editor may have put the mark there
        values = parse_json(text, join_pairs, constant=refuse_constant)
    except OSError as error:
        raise make_damage(f"cannot be read: {error.strerror}", file) from error
    except UnicodeDecodeError as error:
        raise make_damage("is not UTF-8 text", file) from error
    except ValueError as error:
        raise make_damage(f"is not complete JSON: {error}" if text.strip() else "is empty", file) from error
    if not isinstance(values, dict):
        raise make_damage("is not a JSON object", file)
    return values


def validate(kind: type[_R], values: dict[str, Any], file: Path) -> _R:
    """The values as what they are to be.

    Raises:
        DamagedFileError: they are not; says which key.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = cut_text(".".join(map(str, first["loc"])))
        raise make_damage(f"{key}: {first['msg']}" if key else first["msg"], file) from error


def make_damage(what: str, file: Path) -> DamagedFileError:
    """The error of a file that is not as it was written."""
    return DamagedFileError(what, where=str(file), expected="the file as Headstart wrote it", fix=_FIX)
