"""Reads YAML 1.2 that may come from anywhere: bounded in size, depth and aliases, and without tags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    Event,
    NodeEvent,
)
from ruamel.yaml.parser import RoundTripParser

#: Characters: 2,000 arms of ten settings each are a third of it.
_MOST_CHARACTERS: Final = 1 << 20
#: Of a file in UTF-8.
MOST_BYTES: Final = 4 * _MOST_CHARACTERS
#: A study's own sections lie five deep.
_MOST_DEPTH: Final = 32
#: Values once aliases are written out, by which nine lines can ask for a billion.
_MOST_VALUES: Final = 200_000


class YamlTextError(ValueError):
    """A text that is no YAML, or asks for more than a study does; `line` is from 1, where it is known."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


def read_yaml(text: str) -> Any:
    """The one document in `text` as ruamel's nodes, which know their lines.

    Raises:
        YamlTextError: it is not YAML, or larger or deeper than a study; it has a tag, or an alias of itself.
    """
    if len(text) > _MOST_CHARACTERS:
        raise YamlTextError(f"{len(text):,} characters, at most {_MOST_CHARACTERS:,} expected")
    reader = YAML(typ="rt")
    reader.Parser = _CountingParser
    try:
        return reader.load(text)
    except YamlTextError:
        raise
    except MarkedYAMLError as error:
        mark = error.problem_mark
        raise YamlTextError(f"not YAML: {error.problem}", mark.line + 1 if mark else None) from error
    except YAMLError as error:
        raise YamlTextError(f"not YAML: {str(error).splitlines()[0]}") from error
    # Of a scalar: a date such as 2020-13-45, a whole number of thousands of digits, U+110000.
    except (ValueError, OverflowError) as error:
        raise YamlTextError(f"not YAML: {str(error).split(';')[0]}") from error


@dataclass
class _Collection:
    """A list or a mapping that is open, and how many values it holds so far, aliases written out."""

    anchor: str | None
    values: int = 1


@dataclass
class _Walk:
    """Counts what a document's events would make, before anything is made of them."""

    stack: list[_Collection] = field(default_factory=lambda: [_Collection(None)])
    sizes: dict[str, int] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        """Count one event."""
        line = event.start_mark.line + 1
        if isinstance(event, AliasEvent):
            self._add(self._measure_alias(event.anchor, line), line)
        elif isinstance(event, CollectionEndEvent):
            closed = self.stack.pop()
            self._close(closed.anchor, closed.values, line)
        elif isinstance(event, NodeEvent):
            self._open(event, line)

    def _open(self, event: Any, line: int) -> None:
        if event.ctag is not None and str(event.ctag) not in ("None", ""):
            raise YamlTextError(f"the tag {event.ctag}: no tags expected, values tell their type", line)
        if not isinstance(event, CollectionStartEvent):
            self._close(event.anchor, 1, line)
            return
        self.stack.append(_Collection(event.anchor))
        if len(self.stack) > _MOST_DEPTH:
            raise YamlTextError(f"more than {_MOST_DEPTH} nested sections", line)

    def _close(self, anchor: str | None, values: int, line: int) -> None:
        if anchor is not None:
            self.sizes[anchor] = values
        self._add(values, line)

    def _add(self, values: int, line: int) -> None:
        self.stack[-1].values += values
        if self.stack[-1].values > _MOST_VALUES:
            raise YamlTextError(f"more than {_MOST_VALUES:,} values, once aliases are written out", line)

    def _measure_alias(self, anchor: str, line: int) -> int:
        if any(collection.anchor == anchor for collection in self.stack):
            raise YamlTextError(f"*{anchor} contains itself", line)
        return self.sizes.get(anchor, 1)


class _CountingParser(RoundTripParser):
    """Counts each event on its way to the nodes, which are made before any value of them is."""

    def __init__(self, loader: YAML) -> None:
        super().__init__(loader)
        self._walk = _Walk()

    def get_event(self) -> Event:
        """The next event, unless the document asks for too much by it."""
        event: Event = super().get_event()
        self._walk.take(event)
        return event


def convert_to_plain(node: Any) -> Any:
    """ruamel's annotated nodes as plain dicts, lists and scalars.

    Raises:
        YamlTextError: a key is no text, or a text holds half a character.
    """
    if isinstance(node, Mapping):
        return {_convert_key(key, node): convert_to_plain(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [convert_to_plain(value) for value in node]
    for kind in (bool, int, float):
        if isinstance(node, kind):
            return kind(node)
    return join_surrogates(str(node)) if isinstance(node, str) else node


def _convert_key(key: Any, section: Any) -> str:
    if isinstance(key, str | int) and not isinstance(key, bool):
        return str(convert_to_plain(key))
    line = getattr(getattr(section, "lc", None), "line", None)
    shown = "a list or a section" if isinstance(key, tuple | Mapping) else str(key).lower()
    raise YamlTextError(
        f"{shown} as a key: text expected, in quotation marks", None if line is None else line + 1
    )


def join_surrogates(text: str) -> str:
    """The text with each pair of escaped halves, as JSON writes characters, as the character.

    Raises:
        YamlTextError: a half stands alone; so do bytes of a command line that are not UTF-8.
    """
    if text.isascii():
        return text
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeError as error:
        shown = text[:40].encode("ascii", "backslashreplace").decode("ascii")
        raise YamlTextError(f"an unpaired surrogate, in '{shown}': text in UTF-8 expected") from error
