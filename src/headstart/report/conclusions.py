"""Conclusions: which sentences close a study or a comparison, and in which order; words are made elsewhere.

Every figure in them is in the tables too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from headstart.analysis.comparison import Comparison
from headstart.analysis.findings import Findings
from headstart.analysis.grid_search import OPTIMISTIC
from headstart.config.metrics import MetricInfo, describe_metric
from headstart.config.sizes import find_largest_size
from headstart.records import Contrast, Margin, OutcomeRow, StoppingRule
from headstart.report.advice import advise
from headstart.report.answers import Told, describe_answers
from headstart.report.cautions import explain_missing_contrasts, explain_rounding, explain_seeds_apart
from headstart.report.closing import SAID_ELSEWHERE, Ranked, choose_closing, list_texts, rank_first
from headstart.report.collapsed import describe_mark, explain_collapsed, mark_verdict
from headstart.report.groups import explain_groups
from headstart.report.intervals import holds_zero, is_tested
from headstart.report.looks import explain_looks
from headstart.report.numbers import format_margin
from headstart.report.one_more_run import explain_one_more_run
from headstart.report.outcomes import describe_failed_runs
from headstart.report.ranking import explain_ranking, explain_ranking_costs
from headstart.report.references import explain_reference
from headstart.report.stopping import explain_stopping
from headstart.report.win_rates import explain_win_rates
from headstart.report.worth import describe_label_worths, explain_fall, explain_worth, select_first_told


def draw_conclusions(findings: Findings) -> list[str]:
    """Every sentence about a study, the answer to its question first: what `results.json` has."""
    return list_texts(_rank_conclusions(findings))


def close_study(findings: Findings) -> list[str]:
    """The five at most that a terminal shows."""
    return choose_closing(_rank_conclusions(findings))


def _rank_conclusions(findings: Findings) -> list[Ranked]:
    study, size = findings.study, findings.study.sizes[-1]
    contrasts = [row for row in findings.contrasts if (row.metric, row.size) == (study.metric, size)]
    info = describe_metric(study.metric)
    told = Told(
        info, findings.summary, findings.stopping_rule, findings.margin, has_sizes=len(study.sizes) > 1
    )
    ranked = rank_first(describe_answers(contrasts, told), 0, 3, count=2)
    ranked += rank_first(explain_ranking(findings.ranking), 0, 0)
    ranked += _rank_outcomes(findings.outcomes, contrasts)
    ranked += rank_first(describe_answers(findings.baseline_contrasts, _name_baselines(told, findings)), 1, 4)
    first = select_first_told(findings.label_worth)
    ranked += rank_first(describe_label_worths(first), 2, 4)
    ranked += rank_first(advise(contrasts, info, findings.stopping_rule, study.out), 1, 2)
    if contrasts and findings.stopping_rule is None:
        ranked += rank_first(explain_looks(findings.earlier_looks), 0, 0)
    if contrasts and findings.margin and findings.margin.stated == "after the results":
        ranked += rank_first(explain_margin(findings.margin, info), 0, 0)
    ranked += rank_first(describe_training_texts(contrasts), SAID_ELSEWHERE, SAID_ELSEWHERE)
    return ranked + rank_first(explain_fall(first), 5, 5)


def _rank_outcomes(rows: Sequence[OutcomeRow], contrasts: Sequence[Contrast]) -> list[Ranked]:
    """Runs that collapsed or failed change what a verdict means: the first sentence of each is shown."""
    sizes = {row.size for row in contrasts}
    spoken_of = [row for row in rows if not sizes or row.size in sizes]
    collapsed = rank_first(explain_collapsed(spoken_of, contrasts), 0, 2)
    return collapsed + rank_first(describe_failed_runs(rows), 0, 0)


def _name_baselines(told: Told, findings: Findings) -> Told:
    """With baselines called by what they are: `the bag of words (words)`."""
    arms = findings.study.arms
    controls = {row.control for row in findings.baseline_contrasts}
    names = {name: f"the {arms[name].method.replace('-', ' ')} ({name})" for name in controls}
    return replace(told, names=names)


def explain_comparison(comparison: Comparison) -> list[str]:
    """Every sentence about a comparison: its answers, what they are based on, and what they do not cover."""
    return list_texts(_rank_explanations(comparison))


def close_comparison(comparison: Comparison, where: str) -> list[str]:
    """The five at most that a terminal shows; `where` says how to see the others."""
    return choose_closing(_rank_explanations(comparison), where)


def _rank_explanations(comparison: Comparison) -> list[Ranked]:
    contrasts, rule = comparison.contrasts, comparison.stopping_rule
    ranked = [] if comparison.tiers else rank_first(_answer_comparison(comparison), 0, 3, count=2)
    ranked += rank_first(_explain_tiers(comparison), 0, 0)
    ranked += rank_first(explain_ranking(comparison.ranking), 0, 0)
    ranked += _rank_outcomes(comparison.outcomes, contrasts)
    ranked += rank_first(explain_missing_contrasts(comparison), 1, 1)
    ranked += rank_first(explain_seeds_apart(comparison), 0, 3)
    ranked += rank_first(comparison.notes, 1, 2)
    ranked += rank_first(_explain_seeds(comparison), 1 if comparison.of_models else 3, 3)
    if not comparison.of_models:
        ranked += rank_first(_advise(comparison), 1, 2)
    if rule is not None:
        ranked += rank_first(explain_stopping(contrasts, comparison.metric, rule), 1, 2)
    else:
        ranked += rank_first(explain_rounding(comparison), 2, 3)
        ranked += rank_first(explain_looks(comparison.earlier_looks) if contrasts else (), 0, 0)
    if comparison.margin:
        rank = 0 if comparison.margin.stated == "after the results" else 2
        ranked += rank_first(explain_margin(comparison.margin, comparison.info), rank, rank)
    if comparison.grid_choice:
        rank = 0 if OPTIMISTIC in comparison.grid_choice else 4
        ranked += rank_first([f"Tuned arms: {comparison.grid_choice}."], rank, rank)
    ranked += rank_first(_explain_unknown_examples(contrasts), 2, 2)
    # Below a table of a terminal.
    mark = describe_mark(comparison.outcomes)
    ranked += rank_first([f"{mark}."] if mark else (), SAID_ELSEWHERE, SAID_ELSEWHERE)
    return ranked + rank_first(_list_legends(comparison), 4, 4)


def _list_legends(comparison: Comparison) -> Iterator[str]:
    """What the figures of tables are, and for what they hold."""
    contrasts = comparison.contrasts
    if reference := explain_reference(comparison.reference, comparison.info):
        yield f"{reference}."
    if comparison.stopping_rule is None and is_family(contrasts):
        chance = "" if comparison.earlier_looks else ": the chance that any verdict is false is 5% at most"
        yield (
            f"Intervals and p values allow for {contrasts[0].n_tests} contrasts (Bonferroni){chance}. "
            "Unadjusted ones are in --json."
        )
    yield from explain_ranking_costs(comparison.ranking)
    yield from explain_one_more_run(comparison)
    yield from explain_win_rates(comparison)
    yield from describe_training_texts(contrasts)
    yield from explain_groups(contrasts, comparison.scores)
    yield from explain_worth(comparison.label_worth)
    yield from explain_worth(comparison.step_worth, "updates")


def _answer_comparison(comparison: Comparison) -> Iterator[str]:
    """What contrasts say at the largest size; a table of scores need not have means of its own."""
    rows, summary = comparison.contrasts, comparison.summary
    if rows and summary:
        sizes = [row.size for row in rows]
        largest = find_largest_size(sizes)
        told = Told(
            comparison.info, summary, comparison.stopping_rule, comparison.margin, len(set(sizes)) > 1
        )
        yield from describe_answers([row for row in rows if row.size == largest], told)


def _advise(comparison: Comparison) -> Iterator[str]:
    """For the contrasts at every size; of two studies there is no one folder to ask."""
    is_study = bool(comparison.outcomes) and comparison.control is not None
    source = comparison.source if is_study else ""
    return advise(comparison.contrasts, comparison.info, comparison.stopping_rule, source)


def _explain_unknown_examples(rows: Sequence[Contrast]) -> Iterator[str]:
    if any(row.test_examples is None and is_tested(row) for row in rows):
        yield "Per-example scores are not available: intervals hold for this test set only."


def format_verdict(row: Contrast, rule: StoppingRule | None) -> str:
    """The verdict of a table; where the margin holds an interval that leaves zero out, that it does."""
    is_clear = holds_zero(row, rule) is False
    verdict = "within margin" if is_clear and row.verdict == "no difference" else row.verdict
    return mark_verdict(verdict, row)


def is_family(rows: Sequence[Contrast]) -> bool:
    """Whether verdicts allow for several contrasts; one seed has neither interval nor p value that could."""
    return any(row.n_tests > 1 and is_tested(row) for row in rows)


def is_adjusted(rows: Sequence[Contrast]) -> bool:
    """Whether they allow for several contrasts, or looks."""
    return is_family(rows) or any(row.n_looks > 1 for row in rows)


def describe_level(rows: Sequence[Contrast]) -> str:
    """What the intervals beside verdicts hold for: `95%`, or `95%, all 6` at once, `95%, 2 looks`."""
    at_once = f", all {rows[0].n_tests}" if is_family(rows) else ""
    looks = f", {rows[0].n_looks} looks" if rows and rows[0].n_looks > 1 else ""
    return f"95%{at_once}{looks}"


def describe_training_texts(rows: Sequence[Contrast]) -> Iterator[str]:
    """For which training examples verdicts hold, which is another question at each size."""
    sizes = {row.size: row.holds_for for row in rows if row.holds_for and is_tested(row)}
    questions = dict.fromkeys(sizes.values())
    draws = [f"for other draws of {size:,} of these training examples" for size in sizes if size != "all"]
    if len(questions) > 1 and list(sizes.values()) == draws:
        yield "Verdicts hold for other draws of as many of these training examples."
    elif len(questions) == 1:
        yield f"Verdicts hold {next(iter(questions))}."
    elif questions:
        yield "Verdicts hold " + ", ".join(f"at size {size} {what}" for size, what in sizes.items()) + "."


def explain_margin(margin: Margin, metric: MetricInfo) -> Iterator[str]:
    """When it was stated, which decides what a verdict by it is worth."""
    amount = format_margin(metric, margin.value)
    if margin.stated == "before the results":
        yield f"The margin, {amount}, was set in the study file before there were results."
    else:
        yield (
            f"The margin, {amount}, was set after the results: verdicts that use it are exploratory. "
            f"For a confirmatory test, set margin: {margin.value:g} in a study file before running it."
        )


def _explain_tiers(comparison: Comparison) -> Iterator[str]:
    if comparison.tiers:
        n_best = sum(row.may_be_best for row in comparison.tiers)
        yield (
            f"{n_best} of {len(comparison.tiers)} arms may be the best: no other beats them, by "
            f"simultaneous 95% intervals of all {len(comparison.contrasts)} pairs. The contrasts are "
            "in --json; --control NAME shows those with one arm."
        )


def _explain_seeds(comparison: Comparison) -> Iterator[str]:
    if comparison.of_models:
        yield (
            "One run of each arm: intervals are over test examples, for these models only: they do "
            "not cover another training run or another sampling."
        )
        return
    min_ps = {row.n_seeds: row.min_p for row in comparison.contrasts if row.n_control_seeds is None}
    if comparison.stopping_rule is None:
        for n_seeds, min_p in min_ps.items():
            if n_seeds > 2 and min_p > 0.05:
                yield (
                    f"With {n_seeds} paired seeds a sign-flip test cannot go below p = {min_p:.3g}: verdicts "
                    "assume that differences are roughly normal. With 6 seeds it can reach 0.031."
                )
