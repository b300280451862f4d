"""Weighs what the operations, filters and methods of a template may make, before they make it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from headstart.data.template_budget import Budget, TemplateLimitError

#: Filters and methods whose numbers are sizes.
_SIZED: Final = frozenset(
    {"center", "ljust", "rjust", "zfill", "slice", "batch", "wordwrap", "truncate", "to_bytes"}
)
#: Those whose numbers are written at many places of the owner.
_INDENTING: Final = frozenset({"indent", "expandtabs", "tojson"})
#: Those that write what they are given at many places.
_WOVEN: Final = frozenset({"join", "translate", "wordwrap", "indent"})
#: Those that cut a text into a list.
_CUTTING: Final = frozenset({"split", "rsplit", "splitlines", "list", "wordcount", "urlize"})
#: All of these: what another writes is no larger than what it reads.
_COUNTED: Final = _SIZED | _INDENTING | _WOVEN | _CUTTING | {"replace", "sum", "format", "round"}
#: Numbers that some take at most.
_SMALL: Final = {"round": 300, "lipsum": 100, "tojson": 64}
#: What a place in a list takes, in characters, and how deep nested values may be indented.
POINTER, _DEEP = 8, 100


def weigh_call(budget: Budget, name: str, owner: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Weigh what a filter or method of that name may make of its owner and of what it is given.

    Raises:
        TemplateLimitError: too much.
    """
    weight = len(owner) if type(owner) is str else budget.weigh(owner)
    given = (*args, *kwargs.values()) if kwargs else args
    for one in given:
        weight += budget.weigh(one)
    if name not in _COUNTED:
        budget.make(weight)
        return
    check_small(name, given)
    if name == "format" and isinstance(owner, str):
        budget.make_format(owner, args or kwargs)
    numbers = sum(abs(one) for one in given if isinstance(one, int))
    if name in _SIZED:
        weight += numbers
    if name in _INDENTING:
        weight += numbers * _count_lines(owner, budget)
    if name in _WOVEN:
        weight += _count_places(owner, given) * max(map(budget.weigh, given), default=0)
    if name == "replace" and isinstance(owner, str | bytes):
        weight += _weigh_replaced(owner, given)
    if name == "sum" and any(isinstance(one, list | tuple) for one in given):
        weight *= _count_places(owner, ())
    budget.make(weight * POINTER if name in _CUTTING else weight)


def weigh_made(budget: Budget, made: Any) -> None:
    """Count what was made."""
    if isinstance(made, str | bytes):
        budget.make(len(made))
    elif isinstance(made, list | tuple | Mapping):
        budget.make(budget.weigh(made))


def check_small(name: str, given: Sequence[Any]) -> None:
    """See that a number is one that the function of this name takes.

    Raises:
        TemplateLimitError: it is too large.
    """
    most = _SMALL.get(name)
    if most is not None and any(isinstance(one, int) and abs(one) > most for one in given):
        raise TemplateLimitError(f"it asks {name} for more than {most}")


def _count_lines(owner: Any, budget: Budget) -> int:
    """Places where an indent may be written, each so deep."""
    if isinstance(owner, str):
        return 1 + owner.count("\n") + owner.count("\t")
    nodes = budget.weigh(owner) // POINTER
    return nodes * min(nodes, _DEEP)


def _count_places(owner: Any, given: Sequence[Any]) -> int:
    """How often one of what is given may be written: between the owner's parts, or those of a list."""
    return 1 + max((len(one) for one in (owner, *given) if hasattr(one, "__len__")), default=0)


def _weigh_replaced(owner: Any, given: Sequence[Any]) -> int:
    if len(given) < 2 or not all(isinstance(one, type(owner)) for one in given[:2]):
        return 0
    return int(owner.count(given[0])) * len(given[1])


def _weigh_sum(budget: Budget, left: Any, right: Any) -> None:
    if isinstance(left, str | bytes):
        budget.make(len(left) + (len(right) if isinstance(right, str | bytes) else 0))
    elif isinstance(left, list | tuple) and isinstance(right, list | tuple):
        budget.make(POINTER * (len(left) + len(right)))
    elif isinstance(left, int) and isinstance(right, int):
        budget.check_bits(max(left.bit_length(), right.bit_length()))


def _weigh_product(budget: Budget, left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int):
        budget.check_bits(left.bit_length() + right.bit_length())
        return
    for one, times in ((left, right), (right, left)):
        if isinstance(times, int) and hasattr(one, "__len__"):
            budget.make(budget.weigh(one) * max(times, 1))


def _weigh_power(budget: Budget, left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int):
        budget.check_bits(left.bit_length() * abs(right))


def _weigh_rest(budget: Budget, left: Any, right: Any) -> None:
    if isinstance(left, str | bytes):
        budget.make_format(left if isinstance(left, str) else left.decode("latin-1"), right)


#: What each operation may make.
OPERATIONS: Final[dict[str, Callable[[Budget, Any, Any], None]]] = {
    "+": _weigh_sum,
    "*": _weigh_product,
    "**": _weigh_power,
    "%": _weigh_rest,
}
