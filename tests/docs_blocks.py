"""Fenced blocks of the documentation, with what stands before them, and the commands that they hold."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
PAGES: Final = ("README.md", *sorted(f"docs/{file.name}" for file in (ROOT / "docs").glob("*.md")))
#: Languages whose blocks are commands: lines that begin with `$ `, with what they print below, or all lines.
CONSOLE: Final = "console"
SHELL: Final = "bash"
#: `<!-- not run: why -->` or `<!-- output not compared: why -->` in the line above a block.
_MARK: Final = re.compile(r"<!-- (not run|output not compared): (\S.*) -->")
_FENCE: Final = "```"


@dataclass(frozen=True)
class Block:
    """A fenced block: its page, the line of its fence, its language, its text, and what its mark says."""

    page: str
    line: int
    language: str
    text: str
    mark: str = ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Command:
    """A line of a shell: the words, without redirections and comments, and what is printed below it.

    `is_piped` where it reads what another command writes.
    """

    block: Block
    words: tuple[str, ...]
    output: str
    is_piped: bool = False

    def __str__(self) -> str:
        return f"{self.block} {' '.join(self.words)}"


def list_blocks(page: str) -> Iterator[Block]:
    """The page's blocks, in order."""
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
    start: int | None = None
    for i, line in enumerate(lines):
        if not line.startswith(_FENCE):
            continue
        if start is None:
            start = i
            continue
        found = _MARK.fullmatch(lines[start - 1].strip()) if start else None
        language = lines[start].removeprefix(_FENCE).strip()
        text = "\n".join(lines[start + 1 : i]) + "\n"
        yield Block(page, start + 1, language, text, found[1] if found else "")
        start = None
    assert start is None, f"{page}:{start}: a block without an end"


def list_all_blocks() -> list[Block]:
    """Those of all pages."""
    return [block for page in PAGES for block in list_blocks(page)]


def list_commands(block: Block) -> Iterator[Command]:
    """The commands of a block of a shell; a line that ends with a backslash goes on."""
    lines = block.text.replace("\\\n", " ").splitlines()
    if block.language == SHELL:
        for line in lines:
            yield from _split(block, line, "")
        return
    places = [i for i, line in enumerate(lines) if line.startswith("$ ")]
    for place, end in zip(places, [*places[1:], len(lines)], strict=True):
        output = "\n".join(lines[place + 1 : end])
        yield from _split(block, lines[place].removeprefix("$ "), output)


def _split(block: Block, line: str, output: str) -> Iterator[Command]:
    """The commands of one line, joined by `&&` or `|`; only the last one's output is known."""
    words: list[str] = []
    is_piped = False
    for word in [*shlex.split(line, comments=True), "&&"]:
        if word not in ("&&", "|", ";"):
            words.append(word)
            continue
        if words:
            plain = words[: words.index(">")] if ">" in words else words
            yield Command(block, tuple(plain), output, is_piped)
        words, is_piped = [], word == "|"
