"""What a terminal would show, as plain text: without colours, and cut to a screen where that is asked for."""

from __future__ import annotations

from io import StringIO
from shutil import get_terminal_size
from typing import Final

from rich.console import RenderableType

from headstart.report.console import make_console

#: Characters a line where no terminal tells.
_WIDTH: Final = 100


def render_text(renderable: RenderableType, width: int | None = None, lines: int | None = None) -> str:
    """The text, without spaces or empty lines at ends.

    Args:
        width: characters a line; the terminal's by default.
        lines: after which it is cut; the last of them then says so.
    """
    stream = StringIO()
    make_console(file=stream, width=width or get_terminal_size((_WIDTH, 0)).columns).print(renderable)
    whole = [line.rstrip() for line in stream.getvalue().rstrip().split("\n")]
    if lines is None or len(whole) <= lines:
        return "\n".join(whole)
    shown = whole[: lines - 1]
    return "\n".join([*shown, f"... {len(whole) - len(shown)} more lines: to_text() gives all of them"])
