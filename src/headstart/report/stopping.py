"""What is shown where a rule added seeds: its own figure beside its interval, and what verdicts rest on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from headstart.records import Contrast, StoppingRule
from headstart.report.groups import covers_examples, describe_samples, name_groups
from headstart.report.numbers import format_interval, format_margin
from headstart.stats.sequential import find_min_seeds


def select_difference(row: Contrast, rule: StoppingRule | None) -> float:
    """The figure that the interval is of: beside one of signs the median over seeds, else the mean."""
    is_median = is_of_median(rule) and row.median_difference is not None
    return row.median_difference if is_median and row.median_difference is not None else row.difference


def is_of_median(rule: StoppingRule | None) -> bool:
    """Whether verdicts are about medians over seeds, in place of means."""
    return rule is not None and rule.sequence == "signs"


def describe_anytime_interval(row: Contrast, rule: StoppingRule) -> str:
    """The interval that verdicts follow, in words."""
    if row.sequence_low is None:
        return f"no interval yet; {describe_samples(row)}"
    ends = format_interval(row.metric, row.sequence_low, row.sequence_high, signed=True)
    return f"95% at any number of seeds, {_name_object(rule)}, {ends}, {describe_samples(row)}"


def describe_anytime_brackets(rows: Sequence[Contrast], rule: StoppingRule) -> str:
    """What the intervals of a table cover."""
    is_known = all(covers_examples(row) for row in rows)
    over = f"over seeds and test examples{name_groups(rows)}" if is_known else "over seeds, on this test set"
    return f"95% at any number of seeds, {_name_object(rule)}, {over}"


def _name_object(rule: StoppingRule) -> str:
    """What an interval is of, or assumes."""
    return "of the median" if is_of_median(rule) else "if differences are normal"


def explain_stopping(rows: Sequence[Contrast], metric: str, rule: StoppingRule) -> Iterator[str]:
    """The rule, and what the verdicts of these contrasts hold for."""
    is_known = all(covers_examples(row) for row in rows)
    yield (
        "Seeds were added until each contrast was decided, or its interval narrower than "
        f"{format_margin(rule.metric, rule.width)} (at most {rule.most_seeds} seeds): verdicts follow the "
        f"confidence sequence, which holds whenever one stops, {_describe_object(rule)}, "
        f"{'for other seeds and test examples' if is_known else 'on this test set only'}. p values assume a "
        "fixed number of seeds, so none are shown."
    )
    if metric != rule.metric:
        yield f"The rule was for {rule.metric}: it may not have settled {metric}."
    if any(row.sequence_low is None for row in rows):
        n_tests = max(row.n_tests for row in rows)
        fewest = find_min_seeds(n_tests, covers_examples=is_known, sequence=rule.sequence)
        yield f"It needs {fewest} seeds or more."


def _describe_object(rule: StoppingRule) -> str:
    if is_of_median(rule):
        return "of the median over seeds"
    return "of the mean, on the assumption that differences over seeds are normal (a t e-process)"
