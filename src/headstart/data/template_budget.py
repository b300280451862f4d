"""Counts what a template does, in steps and characters, so that none runs for ever or fills the memory.

What would be large is weighed before it is made. Nothing is timed: a template that is refused is refused on
every machine.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from jinja2 import TemplateError
from jinja2.utils import Namespace

#: Turns of loops and calls of macros, filters and methods; characters that are made, and those of one value.
STEPS: Final = 1_000_000
CHARACTERS: Final = 128 << 20
LARGEST: Final = 8 << 20
#: What each character that a template is given adds to these.
_STEPS_EACH, _CHARACTERS_EACH, _LARGEST_EACH = 1, 1024, 16
#: What an item of a list weighs beside its content, in characters: the memory of a small object, and the time
#: that it takes to look at it.
_ITEM: Final = 64
#: Bits of whole numbers: beyond, Python itself does not write them in decimals.
_MOST_BITS: Final = 1 << 14
#: A width or a precision in a format: `%10.3f`, `{:>10}`.
_DIGITS: Final = re.compile(r"\d+")
_PERCENT: Final = re.compile(r"%(?:\([^)]*\))?[#0\- +]*(\*|\d*)(?:\.(\*|\d*))?")


class TemplateLimitError(TemplateError):
    """A template does more than any chat needs."""


class Budget:
    """What one rendering may still do; `given` is how many characters the template was given."""

    def __init__(self, given: int = 0) -> None:
        self.steps = STEPS + _STEPS_EACH * given
        self.characters = CHARACTERS + _CHARACTERS_EACH * given
        self.largest = LARGEST + _LARGEST_EACH * given

    def step(self, characters: int = 0) -> None:
        """Take a step that makes so many characters.

        Raises:
            TemplateLimitError: one step too many, or too many characters.
        """
        self.steps -= 1
        self.characters -= characters
        if self.steps < 0:
            raise TemplateLimitError("it does not end: too many loop iterations and calls")
        if self.characters < 0:
            raise TemplateLimitError("its output is too long: more characters than any conversation needs")

    def make(self, characters: int) -> None:
        """Make a value of so many characters.

        Raises:
            TemplateLimitError: it is too large, or one too many.
        """
        if characters > self.largest:
            raise TemplateLimitError(f"it creates a value of {characters} characters; {self.largest} at most")
        self.step(characters)

    def weigh(self, value: Any) -> int:
        """How many characters a value may become when it is written; all that it holds counts each time.

        Raises:
            TemplateLimitError: more than one value may have.
        """
        if type(value) is str or isinstance(value, str | bytes):
            return len(value)
        if value is None or isinstance(value, bool | int | float):
            return _ITEM
        weight, waiting = 0, [value]
        while waiting:
            one = waiting.pop()
            weight += len(one) if isinstance(one, str | bytes) else _ITEM
            weight += _ITEM * len(one) if isinstance(one, range) else 0
            waiting += _list_parts(one)
            if weight + len(waiting) > self.largest:
                raise TemplateLimitError("it creates a value that is too large")
        return weight

    def check_bits(self, bits: int) -> None:
        """See that a whole number of so many bits may be made.

        Raises:
            TemplateLimitError: it may not.
        """
        if bits > _MOST_BITS:
            raise TemplateLimitError("it creates a number of too many digits")

    def make_format(self, text: str, values: Any) -> None:
        """Make what `text % values` gives.

        Raises:
            TemplateLimitError: it is too large.
        """
        widths = [size for found in _PERCENT.findall(text) for size in found if size]
        sizes = sum(int(size[:12]) for size in widths if size != "*")
        if "*" in widths:
            numbers = values if isinstance(values, tuple) else (values,)
            sizes += sum(abs(number) for number in numbers if isinstance(number, int))
        self.make(len(text) + sizes + text.count("%") * self.weigh(values))

    def make_field(self, spec: str) -> None:
        """Make a field of `str.format` whose format is `spec`.

        Raises:
            TemplateLimitError: it is too large.
        """
        self.make(sum(int(size[:12]) for size in _DIGITS.findall(spec)))


def _list_parts(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return [*value.keys(), *value.values()]
    if isinstance(value, list | tuple | set | frozenset):
        return list(value)
    if isinstance(value, Namespace):
        return list(vars(value).values())
    return []
