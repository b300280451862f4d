"""Arguments and options that several commands of the command line have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

StudyFile = Annotated[Path, typer.Argument(metavar="STUDY", help="The study file.", show_default=False)]
Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Keys to set, such as seeds=5.")
]
#: Of a seed on the command line, as in a study file.
LARGEST_SEED: Final = 2**63 - 1
Wait = Annotated[
    bool, typer.Option("--wait", help="Wait for another headstart that uses the folder, then go on.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
