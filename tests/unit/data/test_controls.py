"""What a terminal would obey is shown, not obeyed; other characters stay."""

from __future__ import annotations

import pytest

from headstart.data.controls import escape_controls


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m\x07", r"\x1b[31mred\x1b[0m\x07"),
        ("\x9b2J", r"\x9b2J"),
        ("abc\u202edef", r"abc\u202edef"),
        ("a\r\nb\rc\td", "a\nb\nc\td"),
        ("caf\u00e9 \U0001f600 \u6f22\u5b57", "caf\u00e9 \U0001f600 \u6f22\u5b57"),
    ],
)
def test_controls_are_escaped(text: str, shown: str) -> None:
    assert escape_controls(text) == shown
