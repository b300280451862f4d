"""Does the operations of a pickle on a stack, with plain values and records in place of objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from headstart.models.fairseq.pickle_calls import check_name, flatten_state, make_value, pair_items
from headstart.models.fairseq.pickle_limits import ENTRY_BYTES, MOST_BYTES, PickleError
from headstart.models.fairseq.pickle_tensors import make_storage
from headstart.models.fairseq.pickle_values import Name, Record, StorageRef


class Machine:
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
        if place not in self._memo:
            raise PickleError(f"it recalls number {place}, which it never kept")
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
        mapping.update(pair_items(items))

    def _name(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self.stack.append(check_name(module, name))

    def _name_from_stack(self, _: Any) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise PickleError("a name that is not text")
        self.stack.append(check_name(module, name))

    def _call(self, _: Any) -> None:
        arguments, target = self.stack.pop(), self.stack.pop()
        if type(arguments) is not tuple or not isinstance(target, Name):
            raise PickleError("a call of something that has no name")
        self._charge(arguments[0] if arguments else None)
        self.stack.append(make_value(target.path, arguments))

    def _call_with_names(self, _: Any) -> None:
        self.stack.pop()
        self._call(None)

    def _set_state(self, _: Any) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        for part in state if isinstance(state, tuple) else (state,):
            self._charge(part)
        if isinstance(target, Record):
            target.state.update(flatten_state(state))
        elif type(target) is not dict:  # of an OrderedDict it is torch's `_metadata`, versions of modules
            raise PickleError("attributes for something that has none")

    def _charge(self, source: Any) -> None:
        """See that copies have an end: a few bytes can have a large list copied again and again."""
        size = len(source) if isinstance(source, str | bytes | list | tuple | dict) else 0
        self._copied += size if isinstance(source, str | bytes) else size * ENTRY_BYTES
        if self._copied > MOST_BYTES:
            raise PickleError(f"more than {MOST_BYTES >> 20} MiB of copies")

    def _find_storage(self, _: Any) -> None:
        storage = make_storage(self.stack.pop())
        if self._storages.setdefault(storage.key, storage) != storage:
            raise PickleError(f"storage {storage.key} a second time, with another size")
        self.stack.append(storage)


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
    "MARK": Machine._push_mark,
    "POP": Machine._pop,
    "POP_MARK": lambda m, _: m._pop_mark() and None,
    "DUP": lambda m, _: m.stack.append(m.stack[-1]),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), Machine._note),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), Machine._recall),
    "TUPLE": lambda m, _: m._make_tuple(None),
    "TUPLE1": lambda m, _: m._make_tuple(1),
    "TUPLE2": lambda m, _: m._make_tuple(2),
    "TUPLE3": lambda m, _: m._make_tuple(3),
    **dict.fromkeys(("LIST", "FROZENSET"), lambda m, _: m._gather(list)),
    "DICT": lambda m, _: m._gather(pair_items),
    "APPEND": lambda m, _: m._append([m.stack.pop()]),
    **dict.fromkeys(("APPENDS", "ADDITEMS"), lambda m, _: m._append(m._pop_mark())),
    "SETITEM": lambda m, _: m._set_items([m.stack.pop() for _ in range(2)][::-1]),
    "SETITEMS": lambda m, _: m._set_items(m._pop_mark()),
    "GLOBAL": Machine._name,
    "STACK_GLOBAL": Machine._name_from_stack,
    **dict.fromkeys(("REDUCE", "NEWOBJ"), Machine._call),
    "NEWOBJ_EX": Machine._call_with_names,
    "BUILD": Machine._set_state,
    "BINPERSID": Machine._find_storage,
}
