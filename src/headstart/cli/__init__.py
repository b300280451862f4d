"""The command line: each command parses its words, calls one function, and prints what it gives."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated, Final

import typer

from headstart.cli import (
    importing,
    model_facts,
    models,
    pretraining,
    replaying,
    reports,
    results,
    sharing,
    studies,
    working,
)
from headstart.cli.bugs import escape_tracebacks
from headstart.cli.help import Command, Group
from headstart.cli.mistakes import describe_mistake
from headstart.cli.options import Quiet
from headstart.cli.output import prepare_streams, print_error, print_news, print_text, silence_news
from headstart.cli.stages import show_stages
from headstart.errors import HeadstartError
from headstart.interrupts import Interrupted, end_children, name_interrupt, raise_interrupts
from headstart.os_faults import explain_system_error, is_of_the_machine

#: Whatever typer says of words that it cannot parse: click's error, which typer brings along, and hides.
_WordsError: Final[type[Exception]] = typer.BadParameter.__mro__[2]

_HELP: Final = {"help_option_names": ["-h", "--help"]}

app = typer.Typer(
    name="headstart",
    help="Fine-tune text models with the control arm included.",
    cls=Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings=_HELP,
)


def _print_version(show_version: bool) -> None:
    if show_version:
        print_text(f"headstart {version('headstart')}")
        raise typer.Exit


@app.callback()
def _describe_program(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Fine-tune text models with the control arm included."""


#: In the order in which help lists them.
for _command in (
    studies.init,
    studies.plan,
    studies.run,
    working.work,
    pretraining.pretrain,
    models.predict,
    models.generate,
    models.export,
    importing.import_,
    sharing.push,
    results.compare,
    reports.report,
    reports.watch,
    replaying.replay,
    results.judge,
    results.power,
    model_facts.params,
    model_facts.explain,
    studies.schema,
    studies.demo,
):
    app.command(_command.__name__.rstrip("_"), cls=Command, context_settings=_HELP)(_command)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and give its exit code; a user's mistake is one message and code 2.

    Where a signal ends it, the code is 128 and the signal's number.
    """
    prepare_streams()
    silence_news(False)
    try:
        with raise_interrupts() as raised, show_stages():
            code = app(arguments, prog_name="headstart", standalone_mode=False)
            if not code:  # else it was said, or something worse was
                raised.raise_seen()
    except (Interrupted, KeyboardInterrupt) as interrupt:
        end_children()
        name, code = name_interrupt(interrupt)
        print_news(f"interrupted by {name}: no partial files are left")
        return code
    except HeadstartError as error:
        print_error(str(error))
        return 2
    except (OSError, RuntimeError, MemoryError) as error:  # RuntimeError: no thread can be started
        if not is_of_the_machine(error):
            raise
        print_error(str(explain_system_error(error)))
        return 2
    except _WordsError as error:
        return _explain_words(error)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    finally:
        escape_tracebacks()  # after typer, which has its own
    return code if isinstance(code, int) else 0


def _explain_words(error: Exception) -> int:
    """Say what is wrong with the words of the command line; where there are none, how it is used."""
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError" and context is not None:
        print_text(context.get_help(), end="")
    else:
        print_error(str(describe_mistake(error)))
    return 2
