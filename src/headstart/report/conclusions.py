"""Conclusions: findings and comparisons in sentences; every figure in them is in the tables too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from headstart.analysis.comparison import Comparison
from headstart.analysis.findings import Findings
from headstart.config.metrics import MetricInfo, describe_metric, is_better
from headstart.config.study import Size
from headstart.config.traits import get_method_traits
from headstart.records import Contrast, Margin, StoppingRule
from headstart.report.cautions import explain_missing_contrasts, explain_rounding, explain_seeds_apart
from headstart.report.collapsed import describe_mark, mark_verdict, qualify_arm
from headstart.report.groups import describe_samples, explain_groups, warn_of_few_groups
from headstart.report.looks import describe_at_once, explain_looks
from headstart.report.numbers import format_interval, format_metric, format_p, get_unit
from headstart.report.one_more_run import describe_errors, explain_one_more_run
from headstart.report.outcomes import describe_outcomes
from headstart.report.ranking import explain_ranking, explain_ranking_costs
from headstart.report.references import explain_reference
from headstart.report.stopping import (
    describe_anytime_interval,
    explain_stopping,
    is_of_median,
    select_difference,
)
from headstart.report.win_rates import explain_win_rates
from headstart.report.worth import describe_label_worth, explain_fall, explain_worth

_TWO_SEEDS: Final = (
    "Two seeds are few: an interval over two is several times as wide as one over three. "
    "Run with seeds=3 or more."
)


def draw_conclusions(findings: Findings) -> list[str]:
    """The study's conclusions: one sentence for each arm compared with the control, at the largest size."""
    metric, size = findings.study.metric, findings.study.sizes[-1]
    contrasts = [row for row in findings.contrasts if (row.metric, row.size) == (metric, size)]
    sentences = [_describe_contrast(row, findings) for row in contrasts]
    sentences += describe_outcomes(findings.outcomes, contrasts)
    sentences += _explain_cut_ends(contrasts, describe_metric(metric), findings.stopping_rule)
    if contrasts and findings.stopping_rule is None:
        sentences += explain_looks(findings.earlier_looks)
    if contrasts and findings.margin and findings.margin.stated == "after the results":
        sentences += explain_margin(findings.margin, metric)
    sentences += explain_ranking(findings.ranking)
    sentences += _name_beaten_models(findings, size)
    sentences += _describe_training_texts(contrasts)
    smallest = findings.study.sizes[0]
    worths = [row for row in findings.label_worth if row.size == smallest]
    sentences += [sentence for row in worths if (sentence := describe_label_worth(row))]
    sentences += explain_fall(worths)
    if any(row.n_seeds < 2 for row in contrasts):
        sentences.append("With one seed there is no interval: run with seeds=3 or more.")
    elif any(row.n_seeds == 2 for row in contrasts):
        sentences.append(_TWO_SEEDS)
    return [*sentences, *warn_of_few_groups(contrasts)]


def explain_comparison(comparison: Comparison) -> list[str]:
    """What the verdicts of a comparison are based on, and what they do not cover."""
    contrasts, rule = comparison.contrasts, comparison.stopping_rule
    notes = [*describe_outcomes(comparison.outcomes, contrasts)]
    legend = (explain_reference(comparison.reference, comparison.info), describe_mark(comparison.outcomes))
    notes += [f"{words}." for words in legend if words]
    notes += comparison.notes
    notes += [*explain_missing_contrasts(comparison), *explain_seeds_apart(comparison)]
    notes += explain_one_more_run(comparison)
    notes += explain_win_rates(comparison)
    notes += (
        _explain_seeds(comparison) if rule is None else explain_stopping(contrasts, comparison.metric, rule)
    )
    notes += explain_rounding(comparison) if rule is None else ()
    notes += [*explain_ranking(comparison.ranking), *explain_ranking_costs(comparison.ranking)]
    notes += _explain_tiers(comparison)
    notes += _explain_cut_ends(contrasts, comparison.info, rule)
    if rule is None and is_family(contrasts):
        chance = "" if comparison.earlier_looks else ": the chance that any verdict is false is 5% at most"
        notes.append(
            f"Intervals and p values allow for {contrasts[0].n_tests} contrasts (Bonferroni){chance}. "
            "Those of each contrast alone are in --json."
        )
    notes += explain_looks(comparison.earlier_looks) if rule is None and contrasts else ()
    notes += explain_margin(comparison.margin, comparison.info) if comparison.margin else ()
    notes += [f"Tuned arms: {comparison.grid_choice}."] if comparison.grid_choice else []
    notes += _describe_training_texts(contrasts)
    notes += explain_groups(contrasts, comparison.scores)
    notes += explain_worth(comparison.label_worth)
    notes += explain_worth(comparison.step_worth, "updates")
    if any(row.test_examples is None for row in contrasts):
        notes.append("Scores of single test examples are not known: intervals hold for this test set only.")
    if any(
        row.verdict == "undecided" and row.n_seeds > 1 and row.limiting_factor == "examples"
        for row in contrasts
    ):
        notes.append(
            "Where a verdict is undecided and test examples are the limiting factor, more seeds cannot help; "
            "more test examples would."
        )
    return notes


def select_interval(row: Contrast, rule: StoppingRule | None) -> tuple[float | None, float | None]:
    """The interval that verdicts follow: the one that holds for all contrasts at once, and where seeds were
    added by a rule the confidence sequence, which does so too."""
    return (row.family_low, row.family_high) if rule is None else (row.sequence_low, row.sequence_high)


def format_verdict(row: Contrast, rule: StoppingRule | None) -> str:
    """The verdict of a table; where the margin holds an interval that leaves zero out, that it does."""
    low, high = select_interval(row, rule)
    is_clear = low is not None and high is not None and not low <= 0 <= high
    verdict = "within margin" if is_clear and row.verdict == "no difference" else row.verdict
    return mark_verdict(verdict, row)


def is_family(rows: Sequence[Contrast]) -> bool:
    """Whether verdicts allow for several contrasts."""
    return any(row.n_tests > 1 for row in rows)


def is_adjusted(rows: Sequence[Contrast]) -> bool:
    """Whether they allow for several contrasts, or looks."""
    return is_family(rows) or any(row.n_looks > 1 for row in rows)


def describe_level(rows: Sequence[Contrast]) -> str:
    """What the intervals beside verdicts hold for: `95%`, or `95%, all 6` at once, `95%, 2 looks`."""
    at_once = f", all {rows[0].n_tests}" if is_family(rows) else ""
    looks = f", {rows[0].n_looks} looks" if rows and rows[0].n_looks > 1 else ""
    return f"95%{at_once}{looks}"


def _name_beaten_models(findings: Findings, size: Size) -> Iterator[str]:
    """Pretrained models that are not better than a baseline without a checkpoint."""
    study, metric = findings.study, findings.study.metric
    means = {row.arm: row.mean for row in findings.summary if (row.size, row.metric) == (size, metric)}
    has_model = {name: get_method_traits(arm.method).has_checkpoint for name, arm in study.arms.items()}
    for baseline in (name for name in study.arms if name in means and not has_model[name]):
        method = study.arms[baseline].method.replace("-", " ")
        for name, arm in study.arms.items():
            is_pretrained = has_model[name] and arm.init != "random" and name in means
            if is_pretrained and not is_better(metric, means[name], means[baseline]):
                mine, theirs = format_metric(metric, means[name]), format_metric(metric, means[baseline])
                yield f"{name} does not beat the {method} ({baseline}): {mine} against {theirs}."


def _describe_contrast(row: Contrast, findings: Findings) -> str:
    mine, theirs = (_format_mean(findings, arm, row) for arm in (row.arm, row.control))
    rule = findings.stopping_rule
    shown = select_difference(row, rule)
    difference = f"{format_metric(row.metric, abs(shown))} {get_unit(row.metric)}"
    against = f"{mine} against {theirs} {row.metric} on test"
    if is_of_median(rule):  # never a mean beside a median's interval, unless it is called one
        difference, against = f"a median of {difference}", f"means {against}"
    interval = f" ({_describe_interval(row, findings)})"
    if rule is None and row.low is None and row.n_seeds > 1 and row.difference:
        side = "above" if row.difference > 0 else "below"
        return (
            f"{row.arm} is {difference} {side} {row.control}, the same with every seed, so without an "
            f"interval{_describe_signs(row)}: {against}."
        )
    if row.verdict == "undecided":
        return f"Between {row.arm} and {row.control} nothing is decided: {against}{interval}."
    if row.verdict in ("no difference", "not worse"):
        return _describe_by_margin(row, findings, f"{against}{interval}.")
    verb = "beats" if row.verdict == "better" else "is behind"
    errors = describe_errors(row, describe_metric(row.metric))
    by = f"{difference}, {errors}" if errors else difference
    control = qualify_arm(row.control, row.n_control_collapsed)
    return f"{qualify_arm(row.arm, row.n_collapsed)} {verb} {control} by {by}: {against}{interval}."


def _describe_signs(row: Contrast) -> str:
    """What the sign-flip test says of differences without spread."""
    if row.p_sign_flip is None:
        return ""
    allowed = f" for {row.n_tests} contrasts" if row.n_tests > 1 else ""
    allowed += f" at look {row.n_looks}" if row.n_looks > 1 else ""
    return f" (sign-flip test p {format_p(row.p_sign_flip)}, {row.verdict}{allowed})"


def _describe_by_margin(row: Contrast, findings: Findings, figures: str) -> str:
    margin = f"{findings.margin.value:g} {get_unit(row.metric)}" if findings.margin else "the margin"
    if row.verdict == "no difference":
        return f"{row.arm} and {row.control} differ by less than {margin}: {figures}"
    return f"{row.arm} is not worse than {row.control} by {margin} or more: {figures}"


def _describe_interval(row: Contrast, findings: Findings) -> str:
    """The interval that the verdict follows, in words."""
    if findings.stopping_rule is not None:
        return describe_anytime_interval(row, findings.stopping_rule)
    ends = format_interval(row.metric, row.family_low, row.family_high, signed=True)
    if row.family_low is None:
        return "the same with every seed" if row.n_seeds > 1 else "one seed"
    return f"95% interval{describe_at_once(row)} {ends}, {describe_samples(row)}"


def _format_mean(findings: Findings, arm: str, contrast: Contrast) -> str:
    return next(
        format_metric(row.metric, row.mean)
        for row in findings.summary
        if (row.arm, row.size, row.metric) == (arm, contrast.size, contrast.metric)
    )


def _explain_cut_ends(
    rows: Sequence[Contrast], metric: MetricInfo, rule: StoppingRule | None
) -> Iterator[str]:
    """Where an interval that is shown ends at what a difference can be."""
    most = metric.bounds[1] - metric.bounds[0]
    if any(end is not None and abs(end) == most for row in rows for end in select_interval(row, rule)):
        amount = f"{format_metric(metric, most)} {get_unit(metric)}"
        yield f"An end at {amount} is the most that is possible, not a measurement."


def _describe_training_texts(rows: Sequence[Contrast]) -> Iterator[str]:
    """For which training texts verdicts hold, which is another question at each size."""
    sizes = {row.size: row.holds_for for row in rows if row.holds_for}
    questions = dict.fromkeys(sizes.values())
    if len(questions) == 1:
        yield f"Verdicts hold {next(iter(questions))}."
    elif questions:
        yield "Verdicts hold " + ", ".join(f"at size {size} {what}" for size, what in sizes.items()) + "."


def explain_margin(margin: Margin, metric: str | MetricInfo) -> Iterator[str]:
    """When it was stated, which decides what a verdict by it is worth."""
    amount = f"{margin.value:g} {get_unit(metric)}"
    if margin.stated == "before the results":
        yield f"The margin, {amount}, stood in the study file before there were results."
    else:
        yield (
            f"The margin, {amount}, was stated after the results: verdicts by it explore. To test with it, "
            f"write margin: {margin.value:g} into the file of a study before that is run."
        )


def _explain_tiers(comparison: Comparison) -> Iterator[str]:
    if comparison.tiers:
        n_best = sum(row.may_be_best for row in comparison.tiers)
        yield (
            f"{n_best} of {len(comparison.tiers)} arms may be the best: no other beats them, by intervals of "
            f"all {len(comparison.contrasts)} pairs that hold at once with 95%. The contrasts are in --json; "
            "--control NAME shows those with one arm."
        )


def _explain_seeds(comparison: Comparison) -> Iterator[str]:
    if comparison.of_models:
        yield (
            "One run of each arm: intervals are over test examples, of these very models, and say nothing of "
            "what training or sampling again would give."
        )
        return
    min_ps = {row.n_seeds: row.min_p for row in comparison.contrasts if row.n_control_seeds is None}
    for n_seeds, min_p in min_ps.items():
        if n_seeds == 1:
            yield "With one seed there is no interval: run more seeds."
        elif n_seeds == 2:
            yield _TWO_SEEDS
        elif min_p > 0.05:
            yield (
                f"With {n_seeds} paired seeds a sign-flip test cannot go below p = {min_p:.3g}: verdicts "
                "rest on differences being roughly normal. With 6 seeds it can reach 0.031."
            )
