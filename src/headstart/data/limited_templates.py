"""Compiles chat templates as transformers does, in its sandbox, with limits: see `template_budget`.

Every operation, filter and method that may take long, or make something large of something small, is weighed
first; `counted_templates` has loops and macros count their turns. What a template within the limits writes is
what transformers writes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache, update_wrapper
from typing import Any, Final

from jinja2 import nodes, pass_context
from jinja2.environment import Template
from jinja2.runtime import Context, str_join
from jinja2.sandbox import ImmutableSandboxedEnvironment, SandboxedFormatter

from headstart.data.counted_templates import count_turns
from headstart.data.template_budget import Budget, TemplateLimitError
from headstart.data.template_weights import OPERATIONS, POINTER, check_small, weigh_call, weigh_made

#: Characters of a template's source.
_MOST_SOURCE: Final = 1 << 20
#: Filters that take no time worth counting, and those that look at one item after the other.
_FREE: Final = frozenset({"length", "count", "first", "last", "default", "d", "attr", "abs", "float"})
_ITERATING: Final = frozenset({"map", "select", "reject", "selectattr", "rejectattr"})
#: Tests that look at the whole of what they are given.
_LOOKING: Final = frozenset(
    {"in", "eq", "==", "equalto", "ne", "!=", "lt", "<", "lessthan", "le", "<=", "gt", ">", "greaterthan"}
    | {"ge", ">=", "lower", "upper", "divisibleby"}
)


class LimitedEnvironment(ImmutableSandboxedEnvironment):
    """The sandbox of one chat template; `budget` is that of the rendering at hand."""

    budget: Budget
    intercepted_binops = frozenset(OPERATIONS)
    optimized = False  # else constants would be computed, unlimited, when it is compiled

    def limit(self) -> None:
        """Put limits around what transformers has put into the environment."""
        self.budget = Budget()
        filters: dict[str, Any] = self.filters
        for name in filters.keys() - _FREE:
            filters[name] = self._limit(name, filters[name])
        tests: dict[str, Any] = self.tests
        for name in _LOOKING & tests.keys():
            tests[name] = self._limit(name, tests[name])
        paragraphs: Any = self.globals.get("lipsum")
        if paragraphs is not None:
            self.globals["lipsum"] = _limit_paragraphs(paragraphs)
        # A function of the context, so that jinja2 gives it no constant beforehand.
        self.finalize = pass_context(lambda _, value: self._write(value))

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        return count_turns(super()._parse(source, name, filename), self)

    def _write(self, value: Any) -> Any:
        """What stands in `{{ }}`."""
        self.budget.step(len(value) if type(value) is str else self.budget.weigh(value))
        return value

    def take_turn(self, characters: int) -> bool:
        """Take a turn of a loop or macro that has so much text; always true, to stand in a condition."""
        self.budget.step(characters)
        return True

    def join_parts(self, *parts: Any) -> str:
        """What `~` does."""
        self.budget.make(sum(map(self.budget.weigh, parts)))
        return str_join(parts)

    def look_at(self, value: Any) -> Any:
        """A value that is compared, copied, or made of others."""
        self.budget.make(len(value) if type(value) is str else self.budget.weigh(value))
        return value

    def copy(self, value: Any) -> Any:
        """A part of a text or a list."""
        self.budget.make(POINTER * len(value) if hasattr(value, "__len__") else 0)
        return value

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """As the sandbox does, weighed first."""
        OPERATIONS[operator](self.budget, left, right)
        return self.binop_table[operator](left, right)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805
        """As the sandbox does, weighed first."""
        owner = getattr(__obj, "__self__", None)
        if owner is __self:  # a count that was put into the template
            return __obj(*args)
        if owner is None:
            __self.budget.step()
        else:
            name = str(getattr(__obj, "__name__", ""))
            args = tuple(map(__self._read, args)) if name == "join" else args
            weigh_call(__self.budget, name, owner, args, kwargs)
        made = ImmutableSandboxedEnvironment.call(__self, __context, __obj, *args, **kwargs)
        weigh_made(__self.budget, made)
        return made

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """As the sandbox does, with widths that are weighed."""
        wrapped = super().wrap_str_format(value)
        if wrapped is None:
            return None
        text, formatter = str(value.__self__), _LimitedFormatter(self)

        def format_text(*args: Any, **kwargs: Any) -> str:
            self.budget.make(len(text) + text.count("{") * self.budget.weigh([args, kwargs]))
            is_map = value.__name__ == "format_map" and len(args) == 1
            formatter.vformat(text, () if is_map else args, args[0] if is_map else kwargs)
            return str(wrapped(*args, **kwargs))

        return update_wrapper(format_text, wrapped)

    def _limit(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """A filter or test that weighs what it is given first."""
        first = 1 if hasattr(function, "jinja_pass_arg") else 0

        def limited(*args: Any, **kwargs: Any) -> Any:
            if len(args) <= first:
                return function(*args, **kwargs)
            read = self._count if name in _ITERATING else self._read
            owner, given = read(args[first]), args[first + 1 :]
            weigh_call(self.budget, name, owner, given, kwargs)
            made = function(*args[:first], owner, *given, **kwargs)
            weigh_made(self.budget, made)
            return made

        return update_wrapper(limited, function)

    def _read(self, value: Any) -> Any:
        """What only gives one item after the other as a list, which can be weighed."""
        return list(self._count(value)) if isinstance(value, Iterator) else value

    def _count(self, value: Any) -> Any:
        """The items of a value, a step for each."""
        if not isinstance(value, Iterable):
            return value
        return (item for item in value if self.take_turn(0))


class _LimitedFormatter(SandboxedFormatter):
    """Writes no field that is too large."""

    def __init__(self, environment: LimitedEnvironment) -> None:
        super().__init__(environment)
        self._budget = environment.budget

    def format_field(self, value: Any, format_spec: str) -> Any:
        """As Python does, weighed first."""
        self._budget.make_field(format_spec)
        return super().format_field(value, format_spec)


def _limit_paragraphs(function: Callable[..., Any]) -> Callable[..., Any]:
    def limited(*args: Any, **kwargs: Any) -> Any:
        check_small("lipsum", (*args, *kwargs.values()))
        return function(*args, **kwargs)

    return update_wrapper(limited, function)


@lru_cache(maxsize=64)
def compile_template(source: str) -> Template:
    """The template in the environment that transformers makes for each, limited.

    Raises:
        TemplateError: it is no template, or too long.
        RecursionError, SyntaxError, MemoryError: it is nested too deeply.
    """
    from transformers.utils.chat_template_utils import _cached_compile_jinja_template

    if len(source) > _MOST_SOURCE:
        raise TemplateLimitError(f"the template has {len(source)} characters; {_MOST_SOURCE} at most")
    # Its own for each, in releases too that keep what they have compiled; the template itself has to wait.
    name = hashlib.sha256(source.encode(errors="replace")).hexdigest()
    environment: Any = _cached_compile_jinja_template(f"{{# {name} #}}").environment
    environment.__class__ = LimitedEnvironment
    environment.limit()
    template: Template = environment.from_string(source)
    return template


def render_limited(
    source: str, values: Mapping[str, Any], given: int, *, with_blocks: bool
) -> tuple[str, list[tuple[int, int]]]:
    """What the template writes, and where its `{% generation %}` blocks stand, where they are asked for.

    Args:
        values: what it is given, plain values alone; `given` is how many characters those have.

    Raises:
        TemplateError: whatever the template does wrong, too much included.
    """
    template = compile_template(source)
    environment: Any = template.environment
    environment.budget = Budget(given)
    if not with_blocks:
        return template.render(**values), []
    written: list[str] = []
    blocks: list[tuple[int, int]] = []
    with environment.activate_tracker(written, blocks):
        for piece in template.generate(**values):
            written.append(piece)  # noqa: PERF402 - blocks are placed by what is there
    return "".join(written), blocks
