"""The command pretrain: trains a language model from text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from headstart.cli.completions import complete_pretraining_keys
from headstart.cli.options import AsJson, Quiet, Wait
from headstart.cli.output import is_quiet, print_json, print_news, print_rendered, print_text
from headstart.cli.stages import show_stages
from headstart.interrupts import Interrupted, end_children, name_interrupt
from headstart.stages import LOADING, listen_to_stages, tell_stage

PretrainingFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="The pretraining file.", show_default=False)
]
Keys = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="KEY=VALUE",
        help="Keys to set, such as training.steps=1000.",
        autocompletion=complete_pretraining_keys,
    ),
]


def pretrain(
    file: PretrainingFile,
    overrides: Keys = None,
    wait: Wait = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Pretrain a language model on text.

    The same command resumes one that was interrupted.
    """
    with show_stages(after=0.0):
        tell_stage(f"reading {file}")
        from headstart.config.load_pretraining import load_pretraining

        settings = load_pretraining(file, overrides or ())
    try:
        with _listen() as (on_event, log):
            tell_stage(LOADING)
            from headstart.commands.pretrain import pretrain as train
            from headstart.engine.memory import keep_freed_memory

            keep_freed_memory()  # this process does nothing else
            result = train(settings, on_event, log, wait=wait)
    except (Interrupted, KeyboardInterrupt) as interrupt:
        end_children()
        name, code = name_interrupt(interrupt)
        print_text(f"interrupted by {name}: the same command resumes from the last saved state", err=True)
        raise typer.Exit(code) from None
    if as_json:
        print_json(result.to_dict())
        return
    from headstart.report.pretrain import render_pretraining

    print_rendered(render_pretraining(result.record, result.folder))


@contextmanager
def _listen() -> Iterator[tuple[Callable[[Any], None], Callable[[str], None]]]:
    """Who listens to events and sentences: progress on standard error, or nobody but for warnings."""
    from headstart.events import ignore_events
    from headstart.report.pretraining_progress import PretrainingProgress

    if is_quiet():
        yield ignore_events, print_news
        return
    with PretrainingProgress() as progress, listen_to_stages(progress.on_stage):
        yield progress.on_event, progress.log
