"""The command that trains a run again: replay."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headstart.cli.completions import complete_runs
from headstart.cli.listening import listen
from headstart.cli.options import AsJson, Quiet
from headstart.cli.output import print_json, print_rendered
from headstart.stages import LOADING, tell_stage


def replay(
    study: Annotated[Path, typer.Argument(metavar="FOLDER", help="A study's folder.", show_default=False)],
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="ARM/SIZE/SEED of a run that is done; /GRID POINT behind it in a tuned arm.",
            show_default=False,
            autocompletion=complete_runs,
        ),
    ],
    keep: Annotated[
        Path | None,
        typer.Option(
            "--keep", metavar="FOLDER", help="New folder for what is trained; default: none is kept."
        ),
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train a run again and compare it with its record.

    Equal to the bit, or what differs, by how much, and under which other conditions. Exit code: 0 equal,
    3 different, 4 the record or its files were changed.
    """
    from headstart.commands.load import read_metric

    with listen(read_metric(study)) as listeners:
        tell_stage(LOADING)
        from headstart.commands.replay import replay as replay_run
        from headstart.report.replay import render_replay

        replayed = replay_run(study, run, *listeners, keep=keep)
    if as_json:
        print_json(replayed.to_dict())
    else:
        print_rendered(render_replay(replayed))
    if replayed.exit_code:
        raise typer.Exit(replayed.exit_code)
