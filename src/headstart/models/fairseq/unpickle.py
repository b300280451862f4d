"""Reads a pickle as data: its operations build plain values and records; no class is loaded, nothing called.

`torch.load(weights_only=True)` calls what it allows, `bytearray` of any size among it; and of older files it
reads every storage, those of the optimiser too.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from typing import IO, Any, Final

from headstart.models.fairseq.pickle_names import STORAGES, is_allowed, normalise_name
from headstart.models.fairseq.pickle_values import Name, Record, StorageRef, TensorRef

#: Operations and bytes of the largest pickle: those of models with thousands of tensors have some 100,000.
_MOST_STEPS: Final = 2_000_000
MOST_BYTES: Final = 64 << 20
_LONGEST_LINE: Final = 4096
_MOST_DIMENSIONS: Final = 8
_LARGEST: Final = 2**48
_KEYS: Final = (str, int, float, bool, bytes, type(None), Name)


class PickleError(ValueError):
    """A pickle that is damaged, or asks for what no checkpoint needs."""


class ForbiddenNameError(PickleError):
    """A pickle names a class or function that is not on the list."""


class _Bounded:
    """A stream that gives no more than a pickle's most bytes, whatever length the pickle states."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._left = stream, MOST_BYTES

    def read(self, count: int) -> bytes:
        self._left -= count
        if self._left < 0 or count < 0:
            raise PickleError(f"more than {MOST_BYTES >> 20} MiB of settings")
        return self._stream.read(count)

    def readline(self) -> bytes:
        line = self._stream.readline(_LONGEST_LINE)
        self._left -= len(line)
        if not line.endswith(b"\n"):
            raise PickleError("a line without end")
        return line

    def tell(self) -> int:
        return self._stream.tell()


def read_pickle(stream: IO[bytes], storages: dict[str, StorageRef] | None = None) -> Any:
    """What the pickle at a stream's place holds; the stream then stands behind it.

    Args:
        storages: gets each storage that is named, by its key.

    Of objects there are only a `Record` and a `TensorRef`; sets come as lists or tuples.

    Raises:
        PickleError: it is damaged or too large; ForbiddenNameError: it names what is not allowed.
    """
    machine = _Machine({} if storages is None else storages)
    try:
        for step, (operation, argument, _) in enumerate(pickletools.genops(_Bounded(stream))):  # type: ignore[arg-type]
            if step > _MOST_STEPS:
                raise PickleError(f"more than {_MOST_STEPS:,} operations")
            machine.run(operation.name, argument)
        return machine.stack.pop()
    except PickleError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
        raise PickleError(str(error)[:200] or type(error).__name__) from error


class _Machine:
    """The stack of a pickle, and what it has noted for later."""

    def __init__(self, storages: dict[str, StorageRef]) -> None:
        self._storages = storages
        self.stack: list[Any] = []
        self._below: list[list[Any]] = []
        self._memo: dict[int, Any] = {}
        self._copied = 0

    def run(self, name: str, argument: Any) -> None:
        """Do one operation.

        Raises:
            PickleError: there is no such, or none that a checkpoint needs.
        """
        if name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name]())
        elif name in _LITERALS:
            self.stack.append(argument)
        elif name in _OPERATIONS:
            _OPERATIONS[name](self, argument)
        elif name not in _SILENT:
            raise PickleError(f"the operation {name}, which no checkpoint needs")

    def _pop_mark(self) -> list[Any]:
        items, self.stack = self.stack, self._below.pop()
        return items

    def _push_mark(self, _: Any) -> None:
        self._below.append(self.stack)
        self.stack = []

    def _pop(self, _: Any) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self._pop_mark()

    def _note(self, place: Any) -> None:
        self._memo[len(self._memo) if place is None else place] = self.stack[-1]

    def _recall(self, place: Any) -> None:
        self.stack.append(self._memo[place])

    def _make_tuple(self, count: int | None) -> None:
        items = self._pop_mark() if count is None else [self.stack.pop() for _ in range(count)][::-1]
        self.stack.append(tuple(items))

    def _gather(self, make: Callable[[list[Any]], Any]) -> None:
        items = self._pop_mark()
        self.stack.append(make(items))

    def _append(self, items: list[Any]) -> None:
        target = self.stack[-1]
        entries = target.entries if isinstance(target, Record) else target
        if type(entries) is not list:
            raise PickleError("entries for something other than a list")
        entries.extend(items)

    def _set_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        mapping = target.mapping if isinstance(target, Record) else target
        if type(mapping) is not dict:
            raise PickleError("keys for something other than a dictionary")
        mapping.update(_pair(items))

    def _name(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self.stack.append(_check_name(module, name))

    def _name_from_stack(self, _: Any) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise PickleError("a name that is not text")
        self.stack.append(_check_name(module, name))

    def _call(self, _: Any) -> None:
        arguments, target = self.stack.pop(), self.stack.pop()
        if type(arguments) is not tuple or not isinstance(target, Name):
            raise PickleError("a call of something that has no name")
        self._charge(arguments[0] if arguments else None)
        self.stack.append(_make_value(target.path, arguments))

    def _call_with_names(self, _: Any) -> None:
        self.stack.pop()
        self._call(None)

    def _set_state(self, _: Any) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        self._charge(state)
        if isinstance(target, Record):
            target.state.update(_flatten_state(state))
        elif type(target) is not dict:  # of an OrderedDict it is torch's `_metadata`, versions of modules
            raise PickleError("attributes for something that has none")

    def _charge(self, source: Any) -> None:
        """See that copies have an end: a few bytes can have a large list copied again and again."""
        self._copied += len(source) if isinstance(source, str | bytes | list | tuple | dict) else 0
        if self._copied > MOST_BYTES:
            raise PickleError(f"more than {MOST_BYTES >> 20} MiB of copies")

    def _find_storage(self, _: Any) -> None:
        storage = _make_storage(self.stack.pop())
        if self._storages.setdefault(storage.key, storage) != storage:
            raise PickleError(f"storage {storage.key} a second time, with another size")
        self.stack.append(storage)


def _check_name(module: str, name: str) -> Name:
    if not is_allowed(module, name):
        raise ForbiddenNameError(f"{module}.{name}")
    return Name(normalise_name(module, name))


def _pair(items: list[Any]) -> dict[Any, Any]:
    """A dictionary of keys and values by turns; keys are plain: a deep one could not be hashed."""
    for key in items[::2]:
        if not isinstance(key, (*_KEYS, Record)) and not _is_flat(key):
            raise PickleError("a key that is not plain")
    return dict(zip(items[::2], items[1::2], strict=True))


def _is_flat(key: Any) -> bool:
    return isinstance(key, tuple) and all(isinstance(part, _KEYS) for part in key)


def _flatten_state(state: Any) -> dict[Any, Any]:
    """Attributes of an object, and those of its slots, which a pickle holds beside them."""
    parts = state if isinstance(state, tuple) and len(state) == 2 else (state,)
    if all(part is None or type(part) is dict for part in parts):
        return {key: value for part in parts if part for key, value in part.items()}
    return {"": state}  # of a kind with a form of its own, such as numpy's dtype


def _make_value(path: str, arguments: tuple[Any, ...]) -> Any:
    """What a call of an allowed name stands for: a plain value or a tensor where it is one, else a record."""
    if path in ("collections.OrderedDict", "builtins.dict"):
        return _pair([part for pair in (arguments[0] if arguments else ()) for part in _check_pair(pair)])
    if path in ("builtins.set", "builtins.frozenset", "builtins.list"):
        return arguments[0] if arguments and isinstance(arguments[0], list | tuple) else []
    if path in ("torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2"):
        return _make_tensor(*arguments[:4])
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


def _make_storage(place: Any) -> StorageRef:
    """`("storage", torch.FloatStorage, key, device, count)`, with views of storages before torch 0.4."""
    if not isinstance(place, tuple) or len(place) < 5 or place[0] not in ("storage", b"storage"):
        raise PickleError("something other than a storage kept outside the pickle")
    kind, key, count = place[1], place[2], place[4]
    if len(place) > 5 and place[5] is not None:
        raise PickleError("views of storages, as torch wrote them before version 0.4")
    name = kind.path.removeprefix("torch.") if isinstance(kind, Name) else ""
    if name not in STORAGES:
        raise PickleError("a storage of an unknown kind of numbers")
    return StorageRef(str(key)[:80] if isinstance(key, str | int) else "", name, _check_count(count))


def _make_tensor(storage: Any, offset: Any, shape: Any, strides: Any) -> TensorRef:
    if not isinstance(storage, StorageRef):
        raise PickleError("a tensor without numbers")
    lengths, steps = _check_counts(shape), _check_counts(strides)
    if len(lengths) != len(steps):
        raise PickleError("a tensor whose strides are not those of its shape")
    tensor = TensorRef(storage, _check_count(offset), lengths, steps)
    last = tensor.offset + sum((n - 1) * step for n, step in zip(lengths, steps, strict=True))
    if tensor.size and (last >= storage.count or tensor.size > storage.count):
        raise PickleError(f"a tensor of shape {list(lengths)} in a storage of {storage.count:,} numbers")
    return tensor


def _check_counts(values: Any) -> tuple[int, ...]:
    parts = values.arguments[0] if isinstance(values, Record) and values.arguments else values
    if not isinstance(parts, tuple | list) or len(parts) > _MOST_DIMENSIONS:
        raise PickleError("a tensor without a shape")
    return tuple(map(_check_count, parts))


def _check_count(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= _LARGEST:
        raise PickleError("a size that is none")
    return value


_LITERALS: Final = frozenset(
    {
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
        *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE"),
        *("BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
    }
)
_SILENT: Final = frozenset({"PROTO", "FRAME", "STOP"})
_CONSTANTS: Final[dict[str, Callable[[], Any]]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_TUPLE": tuple,
    "EMPTY_SET": list,
}
_OPERATIONS: Final[dict[str, Callable[[Any, Any], None]]] = {
    "MARK": _Machine._push_mark,
    "POP": _Machine._pop,
    "POP_MARK": lambda m, _: m._pop_mark() and None,
    "DUP": lambda m, _: m.stack.append(m.stack[-1]),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), _Machine._note),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _Machine._recall),
    "TUPLE": lambda m, _: m._make_tuple(None),
    "TUPLE1": lambda m, _: m._make_tuple(1),
    "TUPLE2": lambda m, _: m._make_tuple(2),
    "TUPLE3": lambda m, _: m._make_tuple(3),
    **dict.fromkeys(("LIST", "FROZENSET"), lambda m, _: m._gather(list)),
    "DICT": lambda m, _: m._gather(_pair),
    "APPEND": lambda m, _: m._append([m.stack.pop()]),
    **dict.fromkeys(("APPENDS", "ADDITEMS"), lambda m, _: m._append(m._pop_mark())),
    "SETITEM": lambda m, _: m._set_items([m.stack.pop() for _ in range(2)][::-1]),
    "SETITEMS": lambda m, _: m._set_items(m._pop_mark()),
    "GLOBAL": _Machine._name,
    "STACK_GLOBAL": _Machine._name_from_stack,
    **dict.fromkeys(("REDUCE", "NEWOBJ"), _Machine._call),
    "NEWOBJ_EX": _Machine._call_with_names,
    "BUILD": _Machine._set_state,
    "BINPERSID": _Machine._find_storage,
}
