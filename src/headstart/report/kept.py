"""What is said of an interrupted study: how many runs are finished, and what is kept of the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from headstart.planning.kept import KeptRun, KeptRuns
from headstart.wording import format_count

#: Unfinished runs that are listed.
_LISTED: Final = 8


def describe_kept(kept: KeptRuns, signal_name: str) -> str:
    """The lines that are printed; Ctrl-C needs no name, another signal does."""
    return "\n".join(_list_lines(kept, signal_name))


def _list_lines(kept: KeptRuns, signal_name: str) -> Iterator[str]:
    by = "" if signal_name == "SIGINT" else f" by {signal_name}"
    runs = format_count(kept.total, "run")
    why = "to resume" if kept.finished < kept.total else "to see the findings"
    yield f"interrupted{by}: {kept.finished} of {runs} finished; repeat the command {why}"
    yield from (f"  {_describe_run(one)}" for one in kept.unfinished[:_LISTED])
    if len(kept.unfinished) > _LISTED:
        yield f"  and {len(kept.unfinished) - _LISTED} more unfinished runs"


def _describe_run(one: KeptRun) -> str:
    """How far an unfinished run is kept: whole epochs where it can be said so."""
    run, state = one.run, one.state
    if state is None:
        return f"{run.key} starts over"
    if run.training.steps is not None:
        return f"{run.key} is kept up to step {state.steps:,} of {run.training.steps:,}"
    epochs = run.training.epochs
    if state.steps == state.epoch_steps:
        return f"{run.key} is kept up to epoch {state.epochs} of {epochs}"
    return f"{run.key} is kept up to step {state.steps:,}, in epoch {state.epochs + 1} of {epochs}"
