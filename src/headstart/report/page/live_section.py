"""The section of a study under way: how far it is, who trains it, and the runs that have not ended."""

from __future__ import annotations

from headstart.analysis.details.live import LiveStudy, RunUnderWay
from headstart.config.metrics import describe_metric
from headstart.report.numbers import format_metric
from headstart.report.page.blocks import Block, PageTable, Section, Sentences
from headstart.wording import format_count

#: Curves of a run under way are read from TensorBoard's files alone.
_NO_EVENTS = "The study has no tracker tensorboard: a run's curves are shown once it has ended."


def make_live_section(live: LiveStudy, metric: str, *, is_held: bool, has_events: bool = True) -> Section:
    """How far the study is.

    Args:
        is_held: some process trains it now.
        has_events: runs write what curves under way are read from.
    """
    blocks: list[Block] = [Sentences(tuple(_describe(live, is_held=is_held)), leads=True)]
    if not has_events:
        blocks.append(Sentences((_NO_EVENTS,)))
    if live.under_way:
        blocks.append(_make_table(live, metric))
    return Section("now", "Now", tuple(blocks))


def _describe(live: LiveStudy, *, is_held: bool) -> list[str]:
    done = f"{live.done:,} of {format_count(live.total, 'run')} are done"
    failed = f", {live.failed:,} failed" if live.failed else ""
    if is_held:
        return [f"{done}{failed}.", "The study is being trained."]
    rest = "Nobody trains it now." if live.is_whole else "Nobody trains it now: headstart run continues it."
    return [f"{done}{failed}.", rest]


def _make_table(live: LiveStudy, metric: str) -> PageTable:
    heads = ["arm", "train size", "seed", "epochs", "step", f"valid {metric}", "training loss"]
    rows = [heads, *(_list_cells(run, metric) for run in live.under_way)]
    arms = frozenset(run.arm for run in live.under_way)
    return PageTable("now", "Runs that began and have not ended", rows, keys=3, arms=arms)


def _list_cells(run: RunUnderWay, metric: str) -> list[str]:
    valid, losses = run.curve.valid, run.curve.loss.losses
    return [
        run.arm,
        str(run.size),
        str(run.seed),
        f"{run.epochs} of {run.total_epochs}",
        f"{run.step:,}",
        format_metric(describe_metric(metric), valid[-1]) if valid else "-",
        f"{losses[-1]:.3f}" if losses else "-",
    ]
