"""Warns of warm-ups that outlast all steps of a run, whose rate never reaches its peak; changes none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from headstart.config.traits import get_method_traits
from headstart.engine.schedule import count_total_steps
from headstart.prepared import PreparedRun
from headstart.records import StudyWarning


def warn_of_warmups(runs: Sequence[PreparedRun]) -> Iterator[StudyWarning]:
    """A warning of all arms whose warm-up, as a count, is longer than the steps of some run."""
    steps: dict[str, int] = {}
    longest = 0.0
    for prepared in runs:
        run, training = prepared.run, prepared.run.training
        if training.warmup < 1 or not get_method_traits(run.method).has_steps:
            continue
        total = count_total_steps(training, prepared.train_count)
        if training.warmup > total:
            steps[run.arm] = min(total, steps.get(run.arm, total))
            longest = max(longest, training.warmup)
    if steps:
        arms = ", ".join(f"{arm} ({total:,} steps)" for arm, total in steps.items())
        yield StudyWarning(
            kind="warmup",
            message=f"training.warmup {longest:,g} is more than all steps of runs of {arms}, whose "
            "learning rate never reaches its peak: set a share of the steps, such as 0.06",
        )
