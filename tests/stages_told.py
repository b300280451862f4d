"""Takes stages out of what a command printed on standard error: "reading ...", "tokenising ..." and so on."""

from __future__ import annotations

import re


def drop_stages(text: str) -> str:
    """The text without its lines that begin with a stage's verb."""
    return re.sub(r"(?m)^[a-z]+ing .*\n", "", text)
