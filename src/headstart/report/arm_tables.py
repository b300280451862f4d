"""Tables of a comparison's arms: over seeds, of single models, and by tier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from headstart.analysis.comparison import Comparison
from headstart.config.metrics import MetricInfo
from headstart.records import SummaryRow, TierRow
from headstart.report.collapsed import mark_mean
from headstart.report.named_tables import SIZE, add_size
from headstart.report.numbers import format_interval, format_metric
from headstart.report.ranking import format_ranks
from headstart.report.references import make_reference_row
from headstart.report.table_formats import Rows
from headstart.wording import format_names

_OVER_SEEDS: Final = "95% CI over seeds"


_OVER_EXAMPLES: Final = "95% CI over test examples"


def make_tiers_table(comparison: Comparison) -> Rows:
    """Arms, the best mean first, and which of them may be the best: intervals of ranks, as chance orders
    means."""
    of_arm = {row.arm: row for row in comparison.summary}
    places = ["tier", "rank (95%)", "may be best", "beaten by"]
    head = ["arm", "runs", comparison.metric, _OVER_EXAMPLES, *places]
    return [head, *(_format_tier(row, of_arm[row.arm], comparison.info) for row in comparison.tiers)]


def _format_tier(row: TierRow, summary: SummaryRow, metric: MetricInfo) -> list[str]:
    return [
        row.arm,
        str(summary.n_seeds),
        *_format_examples(summary, metric),
        str(row.tier),
        format_ranks(row),
        "yes" if row.may_be_best else "no",
        format_names(row.beaten_by) or "-",
    ]


def make_models_table(comparison: Comparison) -> Rows:
    """Of arms with a single run, which has no spread over seeds."""
    head = ["arm", comparison.metric, _OVER_EXAMPLES]
    rows = comparison.summary
    return [head, *([row.arm, *_format_examples(row, comparison.info)] for row in rows)]


def _format_examples(row: SummaryRow, metric: MetricInfo) -> list[str]:
    """The mean, and its interval over examples."""
    return [format_metric(metric, row.mean), format_interval(metric, row.examples_low, row.examples_high)]


def make_arms_table(comparison: Comparison, has_sizes: bool) -> Rows:
    """Of arms over seeds, with what always answering the same scores, where that is known."""
    head = ["arm", "seeds", comparison.metric, "pop. std", _OVER_SEEDS, _OVER_EXAMPLES, "worst", "best"]
    by_cell = {scores.cell: scores.by_seed for scores in comparison.scores}
    rows = [
        add_size(_format_arm(row, by_cell[row.arm, row.size], comparison), row.size, has_sizes)
        for row in comparison.summary
    ]
    titles = add_size(head, SIZE, has_sizes)
    reference = make_reference_row(comparison.reference, comparison.info, titles)
    return [titles, *rows, *([reference] if reference else [])]


def _format_arm(row: SummaryRow, by_seed: Mapping[int, float], comparison: Comparison) -> list[str]:
    metric = comparison.info
    mean = format_metric(metric, row.mean)
    return [
        row.arm,
        str(row.n_seeds),
        mark_mean(
            f"{mean} ± {format_metric(metric, row.std)}" if row.std is not None else mean,
            row,
            comparison.outcomes,
        ),
        format_metric(metric, row.std_population) if row.n_seeds > 1 else "-",
        format_interval(metric, row.seeds_low, row.seeds_high),
        format_interval(metric, row.examples_low, row.examples_high),
        *(
            f"{format_metric(metric, by_seed[seed])} (seed {seed})"
            for seed in (row.worst_seed, row.best_seed)
        ),
    ]
