"""A figure on the page is the one that was drawn, said in fewer words."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from headstart.report.page.inline_svg import shorten_svg

SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9" aria-labelledby="a-b-title a-b-desc">'
    '<title id="a-b-title">A</title><desc id="a-b-desc">see a-b-9, a-b-title</desc>'
    '<defs><path id="a-b-0" d="M0 0L0 2" /></defs>'
    '<use href="#a-b-0" x="1" y="2" stroke-width="0.5" '
    'style="fill:var(--muted,#5e5e5e);stroke:var(--muted,#5e5e5e)" />'
    '<text x="1" y="2" style="fill:var(--ink,#1c1c1c)">d=&quot;M0 0L1 1&quot;</text>'
    '<path d="M34.8 98.7L44.9 94.25L44.9 101.3" data-tip="x: 1"><title>x: 1</title></path>'
    '<path d="M0 1.5C0.4 1.5 0.8 1.3 1 1z" /></svg>'
)


def test_lines_marks_and_names_stay() -> None:
    short = shorten_svg(SVG, "a-b", "f3")
    tree = ET.fromstring(short)
    assert len(short) < 0.75 * len(SVG)
    assert "data-tip" not in short
    assert "<title>x: 1</title>" in short
    assert re.findall(r' id="([^"]*)"', short) == ["f3-title", "f3-desc", "f3-0"]
    assert tree.get("aria-labelledby") == "f3-title f3-desc"
    assert [use.get("href") for use in tree.iter("use")] == ["#f3-0"]
    assert [text.text for text in tree.iter("text")] == ['d="M0 0L1 1"']


def test_a_line_goes_through_the_same_places() -> None:
    paths = re.findall(r' d="m([^"]*)"', shorten_svg(SVG, "a-b", "f3"))
    numbers = [float(number) for number in re.findall(r"-?[\d.]+", paths[-1])]
    assert (sum(numbers[0::2]), sum(numbers[1::2])) == pytest.approx((44.9, 101.3))
    assert numbers == pytest.approx([34.8, 98.7, 10.1, -4.45, 0, 7.05])
