"""Arguments and options that several commands of the command line have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from headstart.cli.completions import complete_keys
from headstart.cli.output import silence_news

StudyFile = Annotated[Path, typer.Argument(metavar="STUDY", help="The study file.", show_default=False)]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY=VALUE", help="Keys to set, such as seeds=5.", autocompletion=complete_keys),
]
#: Of a seed on the command line, as in a study file.
LARGEST_SEED: Final = 2**63 - 1
Wait = Annotated[bool, typer.Option("--wait", help="If another headstart is using the folder, wait for it.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite existing files.")]


def _silence(quiet: bool) -> None:
    if quiet:
        silence_news()


Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        callback=_silence,
        is_eager=True,
        help="No progress: only errors, warnings and the result.",
    ),
]
