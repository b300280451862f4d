"""The command that makes a page of results: report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headstart.cli.options import AsJson, Force, Quiet
from headstart.cli.output import print_json, print_text
from headstart.stages import tell_stage


def report(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="FOLDER", help="A study's folder; several become one page.", show_default=False
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help="Folder to write; default: report in the study's folder, or here for several studies.",
        ),
    ] = None,
    texts: Annotated[
        bool, typer.Option("--texts/--no-texts", help="Show single texts of the data, prompts and answers.")
    ] = True,
    force: Force = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Write results as one page to send around.

    It opens anywhere without a network. Figures and tables for a paper lie beside it.
    """
    tell_stage(f"reading {', '.join(map(str, sources))}")
    from headstart.commands.report import write_report
    from headstart.report.report import render_report

    written = write_report(*sources, output=output, texts=texts, force=force)
    if as_json:
        print_json(written.to_dict())
    else:
        print_text(render_report(written))
