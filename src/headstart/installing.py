"""How Headstart and its extras are installed, in the words of README: no package index has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

#: Where the command is to be given: `constraints.txt` and `.` are of that folder.
PLACE: Final = "the folder of Headstart's source"


def format_install(extras: Sequence[str] = ()) -> str:
    """The command that installs it, with these extras; it is given in `PLACE`."""
    what = f"'.[{','.join(extras)}]'" if extras else "."
    return f"pip install -c constraints.txt {what}"
