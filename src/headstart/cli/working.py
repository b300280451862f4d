"""The command of workers: work."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from headstart.cli.options import AsJson, Quiet
from headstart.cli.output import print_json, print_news, print_rendered, print_text
from headstart.cli.stages import show_stages
from headstart.errors import HeadstartError
from headstart.interrupts import Interrupted, end_children, name_interrupt
from headstart.stages import LOADING, tell_stage


def work(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The study's folder, its `out`.", show_default=False)
    ],
    workers: Annotated[
        str,
        typer.Option(metavar="N|auto", help="Processes; auto: one for each GPU, or as the CPU allows."),
    ] = "auto",
    most_packs: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Packs to take at most; default: all.", show_default=False),
    ] = None,
    wait: Annotated[
        float, typer.Option(metavar="SECONDS", min=0, help="How long to wait for the study to begin.")
    ] = 0.0,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train packs of a study that runs elsewhere.

    It is the worker of headstart run --no-local-workers: any number may run, on any machines that see the
    folder.
    """
    count = _parse_workers(workers)
    try:
        with show_stages(after=0.0):
            tell_stage(LOADING)
            from headstart.commands.work import work as take_packs
            from headstart.report.work import render_work

            done = take_packs(folder, _tell_end, print_news, workers=count, most_packs=most_packs, wait=wait)
    except (Interrupted, KeyboardInterrupt) as interrupt:
        raise _end_work(interrupt) from None
    if as_json:
        print_json(done.to_dict())
    else:
        print_rendered(render_work(done))
    if done.failed:
        raise typer.Exit(1)


def _parse_workers(word: str) -> int | Literal["auto"]:
    if word == "auto":
        return "auto"
    if word.isascii() and word.isdigit() and len(word) < 6:
        return int(word)
    raise HeadstartError(word, where="--workers", expected="auto, or how many processes, such as 4")


def _tell_end(event: object) -> None:
    """A line for each run that ends."""
    from headstart.events import RunEnded

    if isinstance(event, RunEnded):
        record = event.record
        failed = f"failed: {record.error}" if record.error else "done"
        print_news(f"{record.key}: {failed}")


def _end_work(interrupt: BaseException) -> typer.Exit:
    """Say what becomes of the packs in hand; gives what ends the command."""
    end_children()
    name, code = name_interrupt(interrupt)
    by = "" if name == "SIGINT" else f" by {name}"
    print_text(f"interrupted{by}: packs in hand are given back, with what was learnt; others go on", err=True)
    return typer.Exit(code)
