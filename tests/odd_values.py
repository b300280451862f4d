"""Hypothesis strategies of values that people, machines and enemies put where something else was meant."""

from __future__ import annotations

import json
import math
from typing import Any, Final

from hypothesis import strategies as st

#: Texts that have gone wrong somewhere before: of terminals, shells, YAML, paths, templates and markup.
ODD_TEXTS: Final = (
    "",
    " ",
    "\x1b[31mred\x1b]0;title\x07",
    "\u202egnp.exe",
    "\u2066\u2069\u200b\ufeff",
    "a\u0085b\u2028c",
    "\r\nX: y",
    "`code` | cell <b>&amp;</b> **bold** [link](javascript:x)",
    "---\nlicense: mit\n---",
    "[red]markup[/red]",
    "[/]",
    "{{ 7 * 7 }}{% raw %}",
    "${HOME} $(id) `id` ; rm -rf",
    "../../../../etc/passwd",
    "/etc/passwd",
    "~nouser/x",
    "a" * 300,
    "é" * 150,
    "nan",
    "1e999",
    "0x1F",
    "null",
    "~",
    "auto",
    "words",
    "CON",
    "a.",
    "2020-13-45",
    "!!bool x",
    "&a [*a]",
    "\N{SLIGHTLY SMILING FACE}" * 3,
)


def texts(most: int = 12) -> st.SearchStrategy[str]:
    """Any text that UTF-8 can hold, or one of those that have gone wrong."""
    return st.one_of(
        st.sampled_from(ODD_TEXTS), st.text(st.characters(exclude_categories=["Cs"]), max_size=most)
    )


def numbers() -> st.SearchStrategy[int | float]:
    """Whole and other numbers of every size; NaN and both infinities too."""
    return st.one_of(
        st.integers(-3, 70),
        st.sampled_from((20261126, 2**31, 2**63, 10**30, -(10**18), 10**399, 10**400)),
        st.floats(),
        st.sampled_from((math.nan, math.inf, -math.inf, 5e-324, 1e308, -0.0)),
    )


def scalars() -> st.SearchStrategy[Any]:
    """What stands in one cell."""
    return st.one_of(st.none(), st.booleans(), numbers(), texts())


def values() -> st.SearchStrategy[Any]:
    """Scalars, lists and sections of these."""
    return st.recursive(
        scalars(),
        lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts(), inner, max_size=3)),
        max_leaves=6,
    )


def write_yaml(value: Any) -> str:
    """A value in YAML's flow style, which is JSON's but for what JSON has no word for."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {write_yaml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(write_yaml, value)) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    return json.dumps(value)


def write_json(value: Any) -> str:
    """A value in JSON, with NaN and Infinity as Python and others write them."""
    return json.dumps(value)


@st.composite
def mutated_bytes(draw: st.DrawFn, whole: bytes) -> bytes:
    """Bytes with a few pieces replaced, cut out, doubled, or the end cut off."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        length = draw(st.integers(0, 12))
        way = draw(st.sampled_from(("replace", "cut", "double", "end", "insert")))
        if way == "end":
            del data[start:]
        elif way == "double":
            data[start:start] = data[start : start + length] * draw(st.integers(1, 3))
        else:
            new = draw(st.binary(max_size=8)) if way != "cut" else b""
            data[start : start + (0 if way == "insert" else length)] = new
    return bytes(data)


def list_places(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where values stand in a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place, *(one for key, below in inner for one in list_places(below, (*place, key)))]


def replace_at(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    """The value with another one at a place."""
    if not place:
        return new
    copy = value.copy()
    copy[place[0]] = replace_at(value[place[0]], place[1:], new)
    return copy


def read_tree(content: bytes) -> Any:
    """The object or list that a file holds; None of one that is no JSON."""
    try:
        return json.loads(content) if content[:1] in (b"{", b"[") else None
    except ValueError:
        return None


@st.composite
def edited_json(draw: st.DrawFn, whole: bytes) -> bytes:
    """A JSON file with one or two of its values replaced; of another file, and by turns, its bytes."""
    content = None if draw(st.integers(0, 3)) == 0 else read_tree(whole)
    if content is None:
        return draw(mutated_bytes(whole))
    for _ in range(draw(st.integers(1, 2))):
        place = draw(st.sampled_from(list_places(content)))
        new = draw(st.one_of(values(), st.sampled_from((7.0, "done", 2, 10**9, [], {}))))
        content = replace_at(content, place, new)
    return write_json(content).encode("utf-8", "surrogatepass")
