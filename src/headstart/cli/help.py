"""Writes `--help` of the program and its commands: two columns at any width, and examples."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import typer
from rich.text import Text
from typer.core import TyperCommand, TyperGroup

from headstart.cli.examples import EXAMPLES
from headstart.report.console import make_console

if TYPE_CHECKING:
    from rich.console import Console

#: Widest column of options, and the share of a line that it takes at most.
_WIDEST, _SHARE = 28, 0.4
#: Wider lines are harder to read.
_LONGEST_LINE = 100
_INDENT = "  "


class Command(TyperCommand):
    """A command whose help is written here; typer's own breaks names of options at 60 columns."""

    def format_help(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]
        """Print the help; what typer prints of `formatter` stays empty."""
        _print_help(self, ctx, ())


class Group(TyperGroup):
    """The program, with its commands."""

    def format_help(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]
        """Print the help, with a line for each command."""
        names = self.list_commands(ctx)
        commands = [(name, self.get_command(ctx, name)) for name in names]
        summaries = [(name, _summarise(command.help or "")) for name, command in commands if command]
        _print_help(self, ctx, summaries)


def _print_help(command: Any, context: Any, commands: Sequence[tuple[str, str]]) -> None:
    console = make_console()
    for line in _write_help(command, context, commands, min(console.width, _LONGEST_LINE)):
        _print_line(console, line)


def _print_line(console: Console, line: Text) -> None:
    console.print(line, soft_wrap=True, highlight=False)


def _write_help(
    command: Any, context: Any, commands: Sequence[tuple[str, str]], width: int
) -> Iterator[Text]:
    shown = [one for one in command.get_params(context) if not getattr(one, "hidden", False)]
    arguments = [one for one in shown if one.param_type_name == "argument"]
    options = [one for one in shown if one.param_type_name == "option"]
    yield from _write_usage(context, arguments, bool(commands), width)
    for paragraph in (command.help or "").split("\n\n"):
        yield Text()
        yield from map(Text, textwrap.wrap(_flatten(paragraph), width))
    sections = (
        ("Arguments", [(_name_argument(one, is_usage=False), one.help or "") for one in arguments]),
        ("Commands", commands),
        ("Options", [(_name_option(one), _describe_option(one)) for one in options]),
    )
    for title, rows in sections:
        yield from _write_section(title, rows, width)
    yield from _write_examples(EXAMPLES[command.name or "headstart"])


def _write_usage(context: Any, arguments: Sequence[Any], has_commands: bool, width: int) -> Iterator[Text]:
    words = [_name_argument(one, is_usage=True) for one in arguments]
    words = ["[OPTIONS]", *(["COMMAND ..."] if has_commands else words)]
    usage = " ".join(["Usage:", context.command_path, *words])
    lines = textwrap.wrap(
        usage, width, subsequent_indent=" " * 7, break_long_words=False, break_on_hyphens=False
    )
    return (Text(line, style="bold") for line in lines)


def _name_argument(argument: Any, *, is_usage: bool) -> str:
    """`STUDY`; in the line of usage with what says that it may be absent, or come several times."""
    name = argument.metavar or argument.name.upper()
    name += "..." if argument.nargs != 1 else ""
    return name if argument.required or not is_usage else f"[{name}]"


def _name_option(option: Any) -> str:
    names = sorted((*option.opts, *option.secondary_opts), key=lambda name: name.startswith("--"))
    name = ", ".join(names)
    return name if getattr(option, "is_flag", False) else f"{name} {option.metavar or ''}".rstrip()


def _describe_option(option: Any) -> str:
    default, help_text = option.default, option.help or ""
    if option.required:
        return f"{help_text.rstrip('.')} (required)."
    is_told = option.show_default is not False and not getattr(option, "is_flag", False)
    if not is_told or default in (None, (), [], ""):
        return help_text
    shown = f"{default:g}" if isinstance(default, float) else default
    return f"{help_text.rstrip('.')} (default: {shown})."


def _write_section(title: str, rows: Sequence[tuple[str, str]], width: int) -> Iterator[Text]:
    if not rows:
        return
    yield Text()
    yield Text(f"{title}:", style="bold")
    column = _choose_column([name for name, _ in rows], width)
    for name, help_text in rows:
        yield from _write_row(name, _flatten(help_text), column, width)


def _choose_column(names: Iterable[str], width: int) -> int:
    """Where the second column begins: names that are longer stand in a line of their own."""
    most = min(_WIDEST, int(width * _SHARE))
    return max((len(name) for name in names if len(name) <= most), default=most) + len(_INDENT) + 2


def _write_row(name: str, help_text: str, column: int, width: int) -> Iterator[Text]:
    lines = textwrap.wrap(help_text, max(20, width - column), break_long_words=False, break_on_hyphens=False)
    head = Text(_INDENT).append(name, style="cyan")
    if lines and len(head) + 2 <= column:
        head.append(" " * (column - len(head)) + lines.pop(0))
    yield head
    yield from (Text(" " * column + line) for line in lines)


def _write_examples(examples: Sequence[str]) -> Iterator[Text]:
    yield Text()
    yield Text("Examples:", style="bold")
    yield from (Text(f"{_INDENT}{example}") for example in examples)


def _summarise(text: str) -> str:
    """The first paragraph."""
    return text.partition("\n\n")[0]


def _flatten(text: str) -> str:
    return " ".join(text.split())
