"""The command that shows others a model: push."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headstart.cli.completions import complete_arms
from headstart.cli.options import AsJson, Quiet
from headstart.cli.output import print_json, print_rendered


def push(
    folder: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", help="A model's folder, or a study's.", show_default=False),
    ],
    repo: Annotated[str, typer.Option(metavar="USER/NAME", help="Repository; made if it is not there.")],
    arm: Annotated[
        str | None,
        typer.Option(metavar="ARM", help="Of a study's folder: whose model.", autocompletion=complete_arms),
    ] = None,
    public: Annotated[bool, typer.Option("--public", help="Let everybody see it; default: private.")] = False,
    revision: Annotated[str, typer.Option(metavar="BRANCH", help="Branch to push to.")] = "main",
    message: Annotated[str | None, typer.Option(metavar="TEXT", help="Message of the commit.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be sent, and connect to nothing.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Push into a repository that holds other files.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Upload a model to the Hugging Face hub.

    The token is that of `hf auth login`, or HF_TOKEN.
    """
    from headstart.commands.push import push as push_model

    pushed = push_model(
        folder,
        repo,
        arm=arm,
        public=public,
        revision=revision,
        message=message,
        dry_run=dry_run,
        force=force,
    )
    if as_json:
        print_json(pushed.to_dict())
        return
    from headstart.report.push import render_push

    print_rendered(render_push(pushed))
