"""Makes a figure's SVG short, as its page allows: what the page's style and script say is not said twice."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

from markupsafe import Markup

#: The page defines every variable.
_FALLBACK: Final = re.compile(r"var\((--[a-z0-9-]+),\s*#[0-9a-f]{3,8}\)")
#: The script takes it from the mark's `<title>`, which alone says it where there is no script.
_TIP: Final = re.compile(r' data-tip="[^"]*"')
#: What axes repeat, by what `page.css` says in its place.
_STYLES: Final = {
    ' xmlns="http://www.w3.org/2000/svg"': "",
    ' stroke-width="0.5" style="fill:var(--muted);stroke:var(--muted)"': ' class="t"',
    ' fill="none" stroke-width="0.4" style="stroke:var(--grid)"': ' class="g"',
    ' style="fill:var(--ink)"': "",
    " />": "/>",
}
_PATH: Final = re.compile(r' d="(M[-\d. ]+(?:L[-\d. ]+)+)"')


def shorten_svg(svg: str, name: str, key: str) -> Markup:
    """The same figure, inside of a page of ours.

    Args:
        name: what its ids begin with.
        key: what they begin with on the page.
    """
    text = _TIP.sub("", _FALLBACK.sub(r"var(\1)", svg))
    for long, short in _STYLES.items():
        text = text.replace(long, short)
    text = re.sub(rf'(["# ]){re.escape(name)}-(?=title\b|desc\b|\d+")', rf"\g<1>{key}-", text)
    return Markup(_PATH.sub(lambda found: f' d="{_make_relative(found[1])}"', text))  # noqa: S704 - ours


def _make_relative(path: str) -> str:
    """A line by its steps, which have fewer digits than its places."""
    places = [[float(number) for number in place.split()] for place in re.split("[ML]", path) if place]
    steps = [[b - a for a, b in zip(*pair, strict=True)] for pair in pairwise(places)]
    return "m" + _join([*places[0], *(number for step in steps for number in step)])


def _join(numbers: list[float]) -> str:
    """With two decimals at most; a minus parts numbers as a space does."""
    words = [f"{number:.2f}".rstrip("0").rstrip(".") for number in numbers]
    words = ["0" if word == "-0" else word for word in words]
    return words[0] + "".join(word if word.startswith("-") else f" {word}" for word in words[1:])
