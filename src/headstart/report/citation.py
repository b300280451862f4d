"""How Headstart is cited, in BibTeX: the entry that CITATION.cff stands for, with a version."""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

_ENTRY: Final = """\
@software{{headstart,
  title   = {{Headstart: fine-tuning text models with the control arm included}},
  author  = {{{{The Headstart founders}}}},
  version = {{{version}}},
  license = {{Apache-2.0}}
}}"""


def format_citation(made_by: str | None = None) -> str:
    """The entry, of the version that made the study, or else of the one that is installed."""
    return _ENTRY.format(version=made_by or version("headstart"))
