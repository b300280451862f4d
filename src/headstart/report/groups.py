"""What is said of test examples and the groups that they are in: counts, and what intervals rest on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from headstart.analysis.scores import ArmScores, have_other_groups
from headstart.records import Contrast
from headstart.stats.groups import FEW_GROUPS
from headstart.wording import format_count


def format_groups(count: int | None) -> str:
    """` in 40 groups`, to stand after a number of test examples; empty where each is by itself."""
    return "" if count is None else f" in {format_count(count, 'group')}"


def covers_examples(row: Contrast) -> bool:
    """Whether intervals are over test examples too: these are known, and not all of one group."""
    return row.test_examples is not None and row.test_groups != 1


def describe_samples(row: Contrast) -> str:
    """What an interval is over: `3 seeds and 2,563 test examples in 40 groups`."""
    seeds = format_count(row.n_seeds, "seed")
    if row.test_examples is None or not covers_examples(row):
        return seeds
    return f"{seeds} and {row.test_examples:,} test examples{format_groups(row.test_groups)}"


def name_groups(rows: Sequence[Contrast]) -> str:
    """` in 40 groups` where all contrasts have the same; empty where there are none, or several numbers."""
    counts = {row.test_groups for row in rows}
    return format_groups(counts.pop()) if len(counts) == 1 else ""


def warn_of_few_groups(rows: Sequence[Contrast]) -> Iterator[str]:
    """What intervals do not cover, or cover by little evidence, as test examples are in few groups."""
    counts = [row.test_groups for row in rows if row.test_groups is not None]
    fewest = min(counts, default=FEW_GROUPS)
    if fewest == 1:
        yield "All test examples are in one group: intervals are over seeds, and hold for this test set only."
    elif fewest < FEW_GROUPS:
        yield (
            f"Intervals are based on few groups of test examples ({fewest}): they are wide, and "
            "assume roughly normal group means. More groups would help, more examples per group "
            "would not."
        )


def explain_groups(rows: Sequence[Contrast], scores: Sequence[ArmScores]) -> Iterator[str]:
    """That test examples are in groups, how few there are, and whether arms knew other ones."""
    for count in sorted({row.test_groups for row in rows if row.test_groups is not None} - {1}):
        yield (
            f"Test examples are in {count:,} groups: intervals, bootstraps and McNemar's test use "
            "groups as units, as examples within one are not independent."
        )
    yield from warn_of_few_groups(rows)
    if have_other_groups(scores):
        yield "Runs group the same test examples differently: groups that share an example are merged."
