"""What contrasts say, in sentences: each with its figures, its interval and its training size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from headstart.config.metrics import MetricInfo
from headstart.config.sizes import Size
from headstart.records import Contrast, Margin, StoppingRule, SummaryRow
from headstart.report.collapsed import qualify_arm
from headstart.report.groups import describe_samples
from headstart.report.intervals import NO_USEFUL_INTERVAL, format_ends, is_tested
from headstart.report.looks import describe_at_once
from headstart.report.numbers import format_amount, format_margin, format_metric, format_p, format_score
from headstart.report.one_more_run import describe_errors
from headstart.report.stopping import describe_anytime_interval, is_of_median, select_difference

#: Contrasts with one control up to which each has a sentence; more share one for each verdict.
_ALONE: Final = 2
#: Arms that such a sentence names.
_NAMED: Final = 3
_VERDICTS: Final = ("better", "worse", "no difference", "not worse", "undecided")


@dataclass(frozen=True)
class Told:
    """What contrasts are told with: `names` of arms other than their own, and whether sizes are named."""

    metric: MetricInfo
    summary: Sequence[SummaryRow]
    rule: StoppingRule | None = None
    margin: Margin | None = None
    has_sizes: bool = False
    names: Mapping[str, str] = field(default_factory=dict)

    def name(self, arm: str) -> str:
        """How the arm is called."""
        return self.names.get(arm, arm)

    def format_mean(self, arm: str, row: Contrast) -> str:
        """The arm's mean at the size of the contrast."""
        cell = (arm, row.size, row.metric)
        means = (found.mean for found in self.summary if (found.arm, found.size, found.metric) == cell)
        return format_score(self.metric, next(means, None))

    def name_size(self, row: Contrast) -> str:
        """` with 64 training examples`, where there are several sizes."""
        return name_size(row.size) if self.has_sizes else ""


def name_size(size: Size) -> str:
    """` with 64 training examples`."""
    if size == "all":
        return " with all training examples"
    return f" with {size:,} training example{'' if size == 1 else 's'}"


def describe_answers(rows: Sequence[Contrast], told: Told) -> Iterator[str]:
    """A sentence for each contrast; where a control has more than two, one for each verdict."""
    for control in dict.fromkeys(row.control for row in rows):
        of_control = [row for row in rows if row.control == control]
        if len(of_control) <= _ALONE:
            yield from (describe_contrast(row, told) for row in of_control)
        else:
            yield from _describe_together(of_control, told)


def describe_contrast(row: Contrast, told: Told) -> str:
    """One contrast: who is better by how much, or that it is not clear."""
    arm = qualify_arm(told.name(row.arm), row.n_collapsed)
    control, size = qualify_arm(told.name(row.control), row.n_control_collapsed), told.name_size(row)
    figures = f"{told.format_mean(row.arm, row)} vs {told.format_mean(row.control, row)} {row.metric}"
    if is_of_median(told.rule):  # never a mean beside a median's interval, unless it is called one
        figures = f"means {figures}"
    shown = f"{figures} ({_describe_interval(row, told)})"
    if _is_same_with_every_seed(row, told):
        side = "above" if row.difference > 0 else "below"
        difference = format_amount(told.metric, row.difference)
        return f"{arm} is {difference} {side} {control}{size} with every seed: {shown}."
    if row.verdict == "undecided":
        return f"No clear difference between {arm} and {control}{size}: {shown}."
    if row.verdict == "no difference":
        return f"{arm} and {control} differ by less than {_name_margin(told)}{size}: {shown}."
    if row.verdict == "not worse":
        return f"{arm} is not worse than {control} by {_name_margin(told)} or more{size}: {shown}."
    verb = "beats" if row.verdict == "better" else "is worse than"
    return f"{arm} {verb} {control} by {_describe_difference(row, told)}{size}: {shown}."


def _describe_difference(row: Contrast, told: Told) -> str:
    difference = format_amount(told.metric, select_difference(row, told.rule))
    if is_of_median(told.rule):
        return f"a median of {difference}"
    errors = describe_errors(row, told.metric)
    return f"{difference}, {errors}" if errors else difference


def _is_same_with_every_seed(row: Contrast, told: Told) -> bool:
    """Whether there is a difference, and no spread that would give it an interval."""
    return told.rule is None and row.low is None and row.n_seeds > 1 and bool(row.difference)


def _name_margin(told: Told) -> str:
    if told.margin is None:
        return "the margin"
    when = " (a margin stated after the results)" if told.margin.stated == "after the results" else ""
    return f"{format_margin(told.metric, told.margin.value)}{when}"


def _describe_interval(row: Contrast, told: Told) -> str:
    """The interval that the verdict follows, in words, or why there is none."""
    ends = format_ends(row, told.rule, told.metric)
    if ends == NO_USEFUL_INTERVAL:
        return f"{ends}; {describe_samples(row)}"
    if told.rule is not None:
        return describe_anytime_interval(row, told.rule)
    if ends:
        return f"95% interval{describe_at_once(row)} {ends}; {describe_samples(row)}"
    return "one seed, so no interval" if row.n_seeds == 1 else f"no interval{_describe_signs(row)}"


def _describe_signs(row: Contrast) -> str:
    """What the sign-flip test says of differences without spread."""
    if row.p_sign_flip is None:
        return ": no spread between seeds"
    verdict = "no clear difference" if row.verdict == "undecided" else row.verdict
    allowed = f" for {row.n_tests} contrasts" if row.n_tests > 1 else ""
    allowed += f" at look {row.n_looks}" if row.n_looks > 1 else ""
    return f": no spread between seeds; sign-flip test p {format_p(row.p_sign_flip)}, {verdict}{allowed}"


def _describe_together(rows: Sequence[Contrast], told: Told) -> Iterator[str]:
    """A sentence for each verdict, with each arm's difference and interval."""
    of_first = rows[0]
    name = qualify_arm(told.name(of_first.control), of_first.n_control_collapsed)
    control = f"{name}{told.name_size(of_first)}"
    mean = f"{told.format_mean(of_first.control, of_first)} {of_first.metric}"
    level = _describe_level(rows, told)
    for verdict in _VERDICTS:
        group = [row for row in rows if row.verdict == verdict]
        if group:
            ordered = sorted(group, key=lambda row: -abs(select_difference(row, told.rule)))
            arms = ", ".join(_describe_arm(row, told) for row in ordered[:_NAMED])
            more = f", and {len(group) - _NAMED} more" if len(group) > _NAMED else ""
            yield f"{_open_group(verdict, control, told)} ({mean}; {level}): {arms}{more}."


def _describe_level(rows: Sequence[Contrast], told: Told) -> str:
    """What the intervals in brackets are; with one seed there are none."""
    if not any(map(is_tested, rows)):
        return "one seed, so no intervals" if rows[0].n_seeds == 1 else "no intervals"
    if told.rule is not None:
        return "intervals of 95% at any number of seeds"
    return f"intervals of 95%{describe_at_once(rows[0])}"


def _open_group(verdict: str, control: str, told: Told) -> str:
    words = {
        "better": f"Better than {control}",
        "worse": f"Worse than {control}",
        "no difference": f"Within {_name_margin(told)} of {control}",
        "not worse": f"Not worse than {control} by {_name_margin(told)} or more",
    }
    return words.get(verdict, f"No clear difference from {control}")


def _describe_arm(row: Contrast, told: Told) -> str:
    """`lora +5.2 points (+1.0 to +9.4)`."""
    difference = format_metric(told.metric, select_difference(row, told.rule), signed=True)
    ends = format_ends(row, told.rule, told.metric)
    arm = qualify_arm(told.name(row.arm), row.n_collapsed)
    interval = f" ({ends or 'no interval'})" if is_tested(row) else ""
    return f"{arm} {difference} {told.metric.unit}{interval}"
