"""The commands that show results as a page: report and watch."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from headstart.cli.options import AsJson, Force, Quiet
from headstart.cli.output import print_json, print_text
from headstart.records import SCHEMA_VERSION
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


def watch(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A study's folder.", show_default=False)],
    port: Annotated[int, typer.Option(metavar="PORT", help="Where it is served; default: a free one.")] = 0,
    opens: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    texts: Annotated[
        bool, typer.Option("--texts/--no-texts", help="Show single texts of the data, prompts and answers.")
    ] = True,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Show a study under way as a page that follows it.

    Only this machine can open the page. Ctrl-C ends it; the study goes on.
    """
    tell_stage(f"reading {folder}")
    from headstart.commands.watch import watch as watch_study

    with watch_study(folder, port=port, texts=texts) as server:
        if as_json:
            print_json({"schema_version": SCHEMA_VERSION, "address": server.address})
        else:
            print_text(f"{server.address} (Ctrl-C ends it)")
        if opens:
            webbrowser.open(server.address)
        server.serve_forever()
