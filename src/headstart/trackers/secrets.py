"""Hides passwords and tokens in what libraries say: their messages go to logs and records."""

from __future__ import annotations

import os
import re
from typing import Final

_HIDDEN: Final = "***"
_IN_URI: Final = re.compile(r"(?<=//)[^/\s@]+(?=@)")
_PARAMETER: Final = re.compile(r"(?i)(\b[\w-]*(?:key|token|password|passwd|secret)=)[^&\s'\"]+")
_NAME: Final = re.compile(r"(?i).*(key|token|password|passwd|secret)")
#: A shorter value may be part of any word.
_SHORTEST: Final = 6


def hide_secrets(text: str) -> str:
    """The text without users and passwords of URIs, and without what environment variables keep secret."""
    for name, value in os.environ.items():
        if len(value) >= _SHORTEST and _NAME.fullmatch(name):
            text = text.replace(value, _HIDDEN)
    return _PARAMETER.sub(rf"\1{_HIDDEN}", _IN_URI.sub(_HIDDEN, text))
