"""Every link of the documentation leads to a file and a heading that are there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from docs_blocks import ROOT

PAGES: Final = sorted(
    page.relative_to(ROOT).as_posix()
    for folder in (".", "docs", "docs/decisions", "benchmarks")
    for page in (ROOT / folder).glob("*.md")
)
#: Addresses elsewhere, which no test asks for: one more has to be looked at by whoever adds it.
ELSEWHERE: Final = {"https://semver.org"}


def list_tokens(page: Path) -> Iterator[Token]:
    """All tokens of a page, those inside of lines too."""
    for token in MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8")):
        yield token
        yield from token.children or ()


def list_links(page: Path) -> Iterator[str]:
    for token in list_tokens(page):
        if token.type in ("link_open", "image"):
            yield str(token.attrGet("href") or token.attrGet("src"))


def list_anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    tokens = [*list_tokens(page)]
    titles = [after.content for before, after in pairwise(tokens) if before.type == "heading_open"]
    words = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title).lower() for title in titles]
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in words}


def find_fault(page: Path, link: str) -> str | None:
    """What is wrong with a link of a page."""
    if re.match(r"[a-z]+:", link):
        return None if link in ELSEWHERE else f"{link}: look whether it is there, and list it in ELSEWHERE"
    path, _, anchor = link.partition("#")
    target = page.parent / path if path else page
    if not target.exists():
        return f"{link}: no such file"
    if anchor and anchor not in list_anchors(target):
        return f"{link}: no such heading"
    return None


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    faults = [find_fault(ROOT / page, link) for link in list_links(ROOT / page)]
    assert [fault for fault in faults if fault] == []


@pytest.mark.parametrize("link", ["no-such.md", "CONTRIBUTING.md#no-such-heading", "https://example.org/x"])
def test_a_link_that_leads_nowhere_is_found(link: str) -> None:
    assert find_fault(ROOT / "README.md", link)
    assert find_fault(ROOT / "README.md", "CONTRIBUTING.md#house-rules") is None
