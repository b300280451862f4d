"""Makes matplotlib's SVG small and fit for a page: colours as variables, arms as groups, tips."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final
from xml.etree import ElementTree as ET

from headstart.report.figures.palette import VARIABLES

_SVG: Final = "{http://www.w3.org/2000/svg}"
_HREF: Final = "{http://www.w3.org/1999/xlink}href"
_NUMBER: Final = re.compile(r"-?\d+\.\d+(?:e-?\d+)?|-?\d+e-?\d+")
_VARIABLE: Final = re.compile(r"var\(--[a-z0-9-]+,(#[0-9a-f]{6})\)")
_FONT: Final = re.compile(r"(\d+(?:\.\d+)?)px")
#: What marks that look alike have in common.
_LOOKS: Final = (
    *("style", "stroke-width", "stroke-dasharray", "stroke-opacity", "fill-opacity", "opacity", "fill"),
    *("stroke", "text-anchor", "font-size", "font-weight"),
)
#: Where it stands once for a figure; others are what matplotlib's own font looks like.
_ROOT_STYLE: Final = (
    "font:7px 'DejaVu Sans',Verdana,system-ui,sans-serif;stroke-linejoin:round;max-width:100%"
)


@dataclass(frozen=True)
class Mark:
    """Whose a mark is, and what it says where it is pointed at."""

    arm: str | None
    tip: str


@dataclass
class _Pass:
    """One figure on its way: shapes that markers share by what they look like, with their ids."""

    name: str
    marks: Mapping[str, Mark]
    shapes: dict[str, str] = field(default_factory=dict)
    named: dict[str, str] = field(default_factory=dict)


def compress(svg: str, name: str, title: str, description: str, marks: Mapping[str, Mark]) -> str:
    """`svg` as `Figure.svg` is, of what matplotlib wrote.

    Args:
        name: with which all ids begin.
        marks: by the ids that matplotlib was given.
    """
    old = ET.fromstring(svg)  # noqa: S314 - matplotlib wrote it just now
    work = _Pass(name, marks)
    ids = {"aria-labelledby": f"{name}-title {name}-desc"}
    root = ET.Element("svg", {"xmlns": _SVG[1:-1], "viewBox": old.attrib["viewBox"], "role": "img", **ids})
    root.set("style", _ROOT_STYLE)
    ET.SubElement(root, "title", {"id": f"{name}-title"}).text = title
    ET.SubElement(root, "desc", {"id": f"{name}-desc"}).text = description
    defs = ET.SubElement(root, "defs")
    root.extend(_join_arms(_rebuild(old, work, None)))
    for shape, key in work.shapes.items():
        ET.SubElement(defs, "path", {"id": key, "d": shape})
    if not work.shapes:
        root.remove(defs)
    return ET.tostring(root, encoding="unicode")


def make_standalone(svg: str) -> str:
    """As a file of its own: colours resolved, on white, 3.3 inches wide."""
    text = _VARIABLE.sub(r"\1", svg)
    width, height = re.findall(r"[\d.]+", text.split('viewBox="', 1)[1].split('"', 1)[0])[2:4]
    size = f'<svg width="{width}pt" height="{height}pt"'
    return text.replace("<svg", size, 1).replace(";max-width:100%", ";background:#fff", 1) + "\n"


def _rebuild(old: ET.Element, work: _Pass, arm: str | None) -> Iterator[ET.Element]:
    """What is to be seen in `old`, flat but for the marks, which are groups where they have several parts."""
    for child in old:
        kind = child.tag.removeprefix(_SVG)
        mark = work.marks.get(child.get("id", ""))
        if kind == "defs":
            _note_shapes(child, work)
        elif mark is not None:
            yield from _rebuild_mark(child, mark, work)
        elif kind == "g":
            yield from _rebuild(child, work, arm)
        elif kind in ("path", "use", "text"):
            yield _rebuild_leaf(child, kind, work, None)


def _rebuild_mark(old: ET.Element, mark: Mark, work: _Pass) -> Iterator[ET.Element]:
    """The mark's parts, each with its tip, and with its arm noted for `_join_arms`."""
    all_shapes = list(old.iter(f"{_SVG}defs"))
    for shapes in all_shapes:
        _note_shapes(shapes, work)
    inside = {id(node) for shapes in all_shapes for node in shapes}
    for child in old.iter():
        kind = child.tag.removeprefix(_SVG)
        if kind not in ("path", "use", "text") or id(child) in inside:
            continue
        new = _rebuild_leaf(child, kind, work, mark.arm)
        if mark.arm is not None:
            new.set("data-arm", mark.arm)
        if mark.tip:
            new.set("data-tip", mark.tip)
            ET.SubElement(new, "title").text = mark.tip
        yield new


def _note_shapes(defs: ET.Element, work: _Pass) -> None:
    """Markers that look alike are one shape, whatever matplotlib calls them."""
    for path in defs.iter(f"{_SVG}path"):
        shape = _shorten_path(path.get("d", ""), digits=2)
        key = work.shapes.setdefault(shape, f"{work.name}-{len(work.shapes)}")
        work.named[path.get("id", "")] = key


def _rebuild_leaf(old: ET.Element, kind: str, work: _Pass, arm: str | None) -> ET.Element:
    new = ET.Element(kind)
    if kind == "path":
        new.set("d", _shorten_path(old.get("d", "")))
    if kind == "use":
        new.set("href", f"#{work.named[old.get(_HREF, '')[1:]]}")
    for key in ("x", "y"):
        if key in old.attrib and kind != "path":
            new.set(key, _round(old.attrib[key]))
    if kind == "text":
        new.text = old.text
        _turn(new, old.get("transform", ""))
    for key, value in _list_styles(old.get("style", ""), kind, arm):
        new.set(key, value)
    return new


def _turn(text: ET.Element, transform: str) -> None:
    """Keep what moves or turns it; matplotlib also turns by nothing."""
    angle = re.search(r"rotate\((-?[\d.]+)", transform)
    if "translate" in transform or (angle and float(angle[1])):
        text.set("transform", _NUMBER.sub(lambda match: _round(match[0]), transform))


def _list_styles(style: str, kind: str, arm: str | None) -> Iterator[tuple[str, str]]:
    """As attributes; colours as CSS, which alone knows variables everywhere."""
    coloured = []
    for key, _, value in (part.strip().partition(": ") for part in style.split(";") if part.strip()):
        if key in ("fill", "stroke") and value != "none":
            coloured.append(f"{key}:{_name_colour(value.strip(), arm)}")
        elif key in ("font", "font-size"):
            size = _FONT.search(value)
            if size and float(size[1]) != 7:
                yield "font-size", _round(size[1])
            if "bold" in value or "700" in value:
                yield "font-weight", "bold"
        elif key in (
            "fill",
            "stroke",
            "stroke-width",
            "text-anchor",
            "fill-opacity",
            "stroke-opacity",
            "opacity",
        ):
            yield key, value.strip()
        elif key == "stroke-dasharray":
            yield key, ",".join(_round(part) for part in value.split(","))
        elif key == "font-weight" and value.strip() in ("700", "bold"):
            yield key, "bold"
    if kind == "path" and "fill" not in style:
        yield "fill", "none"
    if coloured:
        yield "style", ";".join(coloured)


def _name_colour(value: str, arm: str | None) -> str:
    name = VARIABLES.get(value)
    return value if name is None else f"var({name},{value})"


def _join_arms(parts: Iterator[ET.Element]) -> Iterator[ET.Element]:
    """Neighbouring marks of an arm in one group, whose parts then need not say whose they are."""
    for arm, marks in groupby(parts, key=lambda part: part.attrib.pop("data-arm", None)):
        if arm is None:
            yield from _share_styles(marks)
        else:
            group = ET.Element("g", {"class": "arm", "data-arm": arm})
            group.extend(_share_styles(marks))
            yield group


def _share_styles(parts: Iterable[ET.Element]) -> Iterator[ET.Element]:
    """Neighbours that look alike in a group that says so once."""
    for look, alike in groupby(parts, key=_list_looks):
        some = list(alike)
        if len(some) < 3 or not look:
            yield from some
            continue
        group = ET.Element("g", dict(look))
        for part in some:
            for key, _ in look:
                del part.attrib[key]
        group.extend(some)
        yield group


def _list_looks(part: ET.Element) -> tuple[tuple[str, str], ...]:
    return tuple((key, value) for key, value in part.attrib.items() if key in _LOOKS)


def _shorten_path(d: str, digits: int = 1) -> str:
    """With few decimals, and without spaces that nobody needs."""
    text = _NUMBER.sub(lambda match: _round(match[0], digits), " ".join(d.split()))
    return re.sub(r" ?([MLCQZz]) ?", r"\1", text)


def _round(number: str, digits: int = 1) -> str:
    text = f"{float(number):.{digits}f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
