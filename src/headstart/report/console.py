"""Makes the consoles that everything is printed on: what texts and labels hold is shown, and never obeyed."""

from __future__ import annotations

from typing import IO

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderableType, RenderHook, RenderResult
from rich.measure import Measurement
from rich.segment import Segment

from headstart.data.controls import escape_hidden


class _Escaped:
    """A renderable whose texts have escapes in place of control characters; rich's own codes stay."""

    def __init__(self, renderable: RenderableType) -> None:
        self._renderable = renderable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self._renderable, options):
            yield segment if segment.control else Segment(escape_hidden(segment.text), segment.style)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement.get(console, options, self._renderable)


class _EscapeAll(RenderHook):
    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_Escaped(renderable) for renderable in renderables]


def make_console(*, stderr: bool = False, file: IO[str] | None = None, width: int | None = None) -> Console:
    """A console on which control characters of what is printed are escaped.

    Args:
        file: where it prints, without colours, in place of the terminal; `width` characters a line.
    """
    if file is None:
        console = Console(stderr=stderr)
    else:
        console = Console(
            file=file, width=width, color_system=None, force_terminal=False, force_jupyter=False
        )
    console.push_render_hook(_EscapeAll())
    return console


def is_live(console: Console) -> bool:
    """Whether lines on it can be written over: it is a terminal that obeys control characters."""
    return console.is_terminal and not console.is_dumb_terminal
