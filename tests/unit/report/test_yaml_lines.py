"""Lines of YAML are read back as what was written, whatever the names are."""

from __future__ import annotations

import pytest
from ruamel.yaml import YAML

from headstart.report.yaml_lines import format_line, quote, quote_all

NAMES = [
    "no",
    "a: b",
    "#1",
    "l'avis",
    "été",
    " x",
    "[a]",
    "1",
    "null",
    "~",
    "-",
    "",
    "a\nb",
    'q"\\',
    "\u2028",
    "x" * 99,
]


@pytest.mark.parametrize("name", NAMES)
def test_any_text_comes_back(name: str) -> None:
    assert YAML(typ="safe").load(format_line("key", quote(name), "a comment")) == {"key": name}


def test_lists_of_texts_come_back() -> None:
    assert YAML(typ="safe").load(format_line("key", quote_all(NAMES))) == {"key": NAMES}


def test_comments_stand_in_one_column() -> None:
    lines = [format_line("a", "1", "x"), format_line("longer", "value", "y", indent=2)]
    assert len({line.index("#") for line in lines}) == 1
    assert format_line("arms", "") == "arms:"
