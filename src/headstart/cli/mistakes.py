"""Says what is wrong with the words of a command line, with the command, option or key that was meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, Final

from headstart.errors import HeadstartError

#: What other tools call our commands.
_SYNONYMS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("train", "fit", "finetune", "fine-tune", "start", "resume", "continue"), "run"),
    **dict.fromkeys(("evaluate", "eval", "test", "results", "show", "stats"), "compare"),
    **dict.fromkeys(("classify", "label", "infer"), "predict"),
    **dict.fromkeys(("chat", "answer", "ask"), "generate"),
    **dict.fromkeys(("merge", "convert"), "export"),
    **dict.fromkeys(("new", "create"), "init"),
    **dict.fromkeys(("check", "validate", "estimate"), "plan"),
    **dict.fromkeys(("count", "size", "parameters"), "params"),
}


def describe_mistake(error: Any) -> HeadstartError:
    """What typer says of words that it cannot parse, in our form."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "headstart"
    option = getattr(error, "option_name", None)
    if option and type(error).__name__ == "NoSuchOption":
        return _describe_option(option, context, command)
    message = error.format_message()
    word = _find_command(message)
    if word is not None and context is not None:
        return _describe_command(word, context)
    return _describe_words(error, message, command)


def _describe_words(error: Any, message: str, command: str) -> HeadstartError:
    """What typer says of one word or its absence, in our words."""
    fix = f"see {command} --help"
    hint = _name_parameter(error)
    if hint and message.startswith("Missing "):
        return HeadstartError(f"{hint} is missing", where=command, fix=fix)
    if hint and (invalid := _find_invalid(error)) is not None:
        value, expected = invalid
        return HeadstartError(value, where=hint, expected=expected, fix=fix)
    if message.startswith("Got unexpected extra argument"):
        return HeadstartError(
            f"unexpected argument: {message.rpartition('(')[2].rstrip(').')}", where=command, fix=fix
        )
    where = command if getattr(error, "ctx", None) is not None else None
    return HeadstartError(f"{message[:1].lower()}{message[1:].rstrip('.')}", where=where, fix=fix)


def _name_parameter(error: Any) -> str | None:
    """`--repo`, or what help calls an argument, where the error is about one."""
    parameter = getattr(error, "param", None)
    if parameter is None:
        return None
    options = [name for name in parameter.opts if name.startswith("--")]
    return str(options[0] if options else parameter.metavar or parameter.name.upper())


def _find_invalid(error: Any) -> tuple[str, str] | None:
    """The value of a wrong type or size, and what was expected, from the error of pydantic behind it."""
    cause = error.__cause__ or error.__context__
    if not hasattr(cause, "errors"):
        return None
    found = cause.errors()[0]
    if found["type"] == "value_error":  # of a library: it says what is wrong, not what was expected
        return None
    words = (
        found["msg"]
        .partition(",")[0]
        .removeprefix("Input should be ")
        .replace("valid integer", "whole number")
    )
    got = str(found["input"])
    is_number = got.lstrip("+-").replace(".", "", 1).isdigit()
    return got if is_number else repr(got), words.replace("a valid ", "a ").replace(
        "greater than or equal to", "at least"
    )


def _find_command(message: str) -> str | None:
    """The word in `No such command 'word'`."""
    _, found, rest = message.partition("No such command ")
    return rest[1:].partition(rest[0])[0] if found and rest else None


def _describe_command(word: str, context: Any) -> HeadstartError:
    names = context.command.list_commands(context)
    meant = suggest(word, [*names, *_SYNONYMS])
    fix = f"did you mean {_SYNONYMS.get(meant, meant)}?" if meant else "see headstart --help"
    return HeadstartError(f"no such command: {word}", expected=f"one of {', '.join(names)}", fix=fix)


def _describe_option(option: str, context: Any, command: str) -> HeadstartError:
    mine = _list_options(context.command, context) if context is not None else []
    meant, key = suggest(option, mine), _find_key(option, context)
    if key is not None and (meant is None or key.rpartition(".")[2] == _name_key(option)):
        fix = f"it is a key of the study: {key}=VALUE"
    elif meant is not None:
        fix = f"did you mean {meant}?"
    elif others := _find_elsewhere(option, context):
        fix = f"it is an option of {', '.join(others)}; see {command} --help"
    else:
        fix = f"see {command} --help"
    return HeadstartError(f"no such option: {option}", where=command, fix=fix)


def _list_options(command: Any, context: Any) -> list[str]:
    return [name for one in command.get_params(context) for name in (*one.opts, *one.secondary_opts)
            if name.startswith("--")]  # fmt: skip


def _find_key(option: str, context: Any) -> str | None:
    """The key of a study that an option is called like, where the command takes keys."""
    if context is None or not any(one.name == "overrides" for one in context.command.get_params(context)):
        return None
    from headstart.config.problems import suggest_path

    return suggest_path(_name_key(option))


def _name_key(option: str) -> str:
    """`--learning-rate` as a key is written."""
    return option.lstrip("-").replace("-", "_")


def _find_elsewhere(option: str, context: Any) -> list[str]:
    """The other commands that have this very option."""
    program = context.find_root() if context is not None else None
    commands = getattr(program.command, "commands", {}) if program is not None else {}
    return [name for name, command in commands.items() if option in _list_options(command, program)]


def suggest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was most likely meant, if any is near."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return close[0] if close else None
