"""Takes fields of other libraries' JSON, of the kind that their format says; refuses others by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from headstart.errors import DataError

_T = TypeVar("_T")
_NAMES: Final[dict[type, str]] = {dict: "an object", list: "a list", int: "a whole number", str: "a text"}


def take_field(cells: Mapping[str, Any], name: str, kind: type[_T], where: str) -> _T:
    """The field `name`, which is to be there.

    Raises:
        DataError: it is absent, or of another kind.
    """
    return check_kind(cells.get(name), kind, name, where)


def check_kind(value: Any, kind: type[_T], name: str, where: str) -> _T:
    """The value of a field.

    Raises:
        DataError: it is of another kind.
    """
    if isinstance(value, kind) and not isinstance(value, bool):
        return value
    what = "absent" if value is None else f"a JSON {type(value).__name__}"
    raise DataError(f"{name} is {what}", where=where, expected=f"{_NAMES[kind]}, as its library writes it")
