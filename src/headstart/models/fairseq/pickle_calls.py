"""Gives what names, calls and attributes in a pickle stand for, as data; calls nothing."""

from __future__ import annotations

from typing import Any, Final

from headstart.models.fairseq.pickle_limits import LARGEST, MOST_DIMENSIONS, ForbiddenNameError, PickleError
from headstart.models.fairseq.pickle_names import is_allowed, normalise_name
from headstart.models.fairseq.pickle_tensors import make_tensor
from headstart.models.fairseq.pickle_values import Name, Record

_KEYS: Final = (str, int, float, bool, bytes, type(None), Name)


def check_name(module: str, name: str) -> Name:
    """The name, where a checkpoint may name it.

    Raises:
        ForbiddenNameError: it may not.
    """
    if not is_allowed(module, name):
        raise ForbiddenNameError(f"{module}.{name}")
    return Name(normalise_name(module, name))


def pair_items(items: list[Any]) -> dict[Any, Any]:
    """A dictionary of keys and values by turns; keys are plain: a deep one could not be hashed."""
    for key in items[::2]:
        if not isinstance(key, Record) and not _is_plain(key) and not _is_flat(key):
            raise PickleError("a key that is not plain")
    return dict(zip(items[::2], items[1::2], strict=True))


def _is_flat(key: Any) -> bool:
    return isinstance(key, tuple) and len(key) <= MOST_DIMENSIONS and all(map(_is_plain, key))


def _is_plain(key: Any) -> bool:
    """Whether a key's hash is quick to take, each time anew: that of a number grows with its digits."""
    return isinstance(key, _KEYS) and not (isinstance(key, int) and abs(key) > LARGEST)


def flatten_state(state: Any) -> dict[Any, Any]:
    """Attributes of an object, and those of its slots, which a pickle holds beside them."""
    parts = state if isinstance(state, tuple) and len(state) == 2 else (state,)
    if all(part is None or type(part) is dict for part in parts):
        return {key: value for part in parts if part for key, value in part.items()}
    return {"": state}  # of a kind with a form of its own, such as numpy's dtype


def make_value(path: str, arguments: tuple[Any, ...]) -> Any:
    """What a call of an allowed name stands for: a plain value or a tensor where it is one, else a record."""
    if path in ("collections.OrderedDict", "builtins.dict"):
        return pair_items(
            [part for pair in (arguments[0] if arguments else ()) for part in _check_pair(pair)]
        )
    if path in ("builtins.set", "builtins.frozenset", "builtins.list"):
        return arguments[0] if arguments and isinstance(arguments[0], list | tuple) else []
    if path in ("torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2"):
        return make_tensor(*arguments[:4])
    if path in ("torch._utils._rebuild_parameter", "torch.nn.parameter.Parameter"):
        return arguments[0] if arguments else None
    if path == "_codecs.encode":
        return str(arguments[0]).encode("latin-1") if isinstance(arguments[0], str) else b""
    if path == "copyreg._reconstructor" and arguments and isinstance(arguments[0], Name):
        return Record(arguments[0].path)
    return Record(path, arguments)


def _check_pair(pair: Any) -> tuple[Any, Any]:
    if not isinstance(pair, list | tuple) or len(pair) != 2:
        raise PickleError("an entry of a dictionary that is no pair")
    return pair[0], pair[1]
