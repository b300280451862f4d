"""The only way out to the terminal: what is printed is escaped where a terminal would obey or hide it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from rich.console import RenderableType
from rich.text import Text

from headstart.data.controls import escape_hidden, escape_hidden_json
from headstart.report.console import make_console
from headstart.wording import Caution

#: Of JSON, each a key, a value or a mark, that are written at a time.
_MOST_PIECES: Final = 100_000


@dataclass
class _Loudness:
    """Whether what goes on is told; of the one command that this process runs."""

    is_quiet: bool = False


_LOUDNESS: Final = _Loudness()


def silence_news(is_quiet: bool = True) -> None:
    """Have `print_news` print warnings alone from now on, or all again."""
    _LOUDNESS.is_quiet = is_quiet


def is_quiet() -> bool:
    """Whether only errors, warnings and results are printed."""
    return _LOUDNESS.is_quiet


@dataclass
class _LiveLine:
    """What takes the line away that is written over and over, before anything is printed."""

    hide: Callable[[], None] = lambda: None


_LIVE: Final = _LiveLine()


def set_live_line(hide: Callable[[], None]) -> Callable[[], None]:
    """Have `hide` called before anything is printed; gives what was called until now."""
    former, _LIVE.hide = _LIVE.hide, hide
    return former


def prepare_streams() -> None:
    """Have three standard streams that take any text: one that was closed leads nowhere.

    The next file that is opened would else have a closed stream's number, and get what libraries print.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def print_text(text: str, *, end: str = "\n", err: bool = False) -> None:
    """Print lines as they are, but for what is escaped."""
    _write(escape_hidden(text) + end, err=err)


def print_notice(text: str) -> None:
    """Print a line beside the result, on standard error."""
    print_text(text, err=True)


def print_news(sentence: str) -> None:
    """Print a sentence of what goes on, on standard error; where that is silenced, only a warning."""
    if _LOUDNESS.is_quiet and not isinstance(sentence, Caution):
        return
    _LIVE.hide()
    make_console(stderr=True).print(Text(sentence, style="dim"), soft_wrap=True)


def print_rendered(renderable: RenderableType) -> None:
    """Print what a report rendered."""
    _LIVE.hide()
    make_console().print(renderable)


def print_json(values: dict[str, Any]) -> None:
    """Print values as JSON, in ASCII where output is not UTF-8."""
    is_utf = (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")
    pieces = json.JSONEncoder(indent=1, ensure_ascii=not is_utf).iterencode(values)
    # Some at a time: of a million seeds the whole text and its pieces would take more memory than all else.
    while some := "".join(islice(pieces, _MOST_PIECES)):
        _write(escape_hidden_json(some))
    _write("\n")


def describe_written(model: object, output: Path, rows: int) -> dict[str, Any]:
    """Values for `print_json`: a file with a model's answers to so many rows."""
    from headstart.records import SCHEMA_VERSION

    return {"schema_version": SCHEMA_VERSION, "model": str(model), "output": str(output), "rows": rows}


def print_piece(piece: str) -> None:
    """Of an answer as it comes; what a terminal would obey is escaped there, and left as it is in a pipe."""
    _write(escape_hidden(piece, is_part=True) if sys.stdout.isatty() else piece)


def print_error(message: str) -> None:
    """Print the one message of what went wrong."""
    _LIVE.hide()
    # Not broken into lines of 80 where there is no terminal: a path in it must stay one path.
    text = Text("error: ", style="bold red").append(message, style="not bold default")
    make_console(stderr=True).print(text, soft_wrap=True)


def _write(text: str, *, err: bool = False) -> None:
    _LIVE.hide()
    stream = sys.stderr if err else sys.stdout
    try:
        # Not `typer.echo`, which takes colours off what goes into a pipe: an answer stays what it is.
        print(text, end="", file=stream, flush=True)
    except BrokenPipeError:
        # Nobody reads on, as after `| head`: what is left to flush at the end goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        raise SystemExit(1) from None
