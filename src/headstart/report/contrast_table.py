"""The table of a comparison's contrasts: differences, intervals, p values and verdicts."""

from __future__ import annotations

from headstart.analysis.comparison import Comparison
from headstart.records import Contrast
from headstart.report.conclusions import describe_level, format_verdict, is_adjusted
from headstart.report.intervals import format_ends
from headstart.report.named_tables import SIZE, add_size
from headstart.report.numbers import format_metric, format_p, get_unit
from headstart.report.stopping import is_of_median, select_difference
from headstart.report.table_formats import Rows


def make_contrasts_table(comparison: Comparison, has_sizes: bool) -> Rows:
    """A row for each contrast; where a rule added seeds, with the interval that allows for it."""
    versus = f"vs {comparison.control}" if comparison.control else "B vs A"
    rule = comparison.stopping_rule
    columns = ["95% CI, anytime", "seeds"] if rule else _name_columns(comparison)
    median = "median " if is_of_median(rule) else ""
    head = [versus, f"{median}difference, {get_unit(comparison.info)}", *columns, "verdict"]
    cells = [add_size(_format_contrast(row, comparison), row.size, has_sizes) for row in comparison.contrasts]
    return [add_size(head, SIZE, has_sizes), *cells]


def _name_columns(comparison: Comparison) -> list[str]:
    """Of intervals and p values, which hold for all contrasts at once; signs of one run tell nothing."""
    names = [
        describe_level(comparison.contrasts).replace("95%", "95% CI"),
        "p, adjusted" if is_adjusted(comparison.contrasts) else "p",
    ]
    return names if comparison.of_models else [*names, "p, sign flip"]


def _format_contrast(row: Contrast, comparison: Comparison) -> list[str]:
    metric = comparison.info
    interval = format_ends(row, comparison.stopping_rule, metric) or "-"
    if comparison.stopping_rule is not None:
        figures = [interval, str(row.n_seeds)]
    else:
        signs = [] if comparison.of_models else [format_p(row.p_sign_flip)]
        figures = [interval, format_p(row.p_adjusted), *signs]
    rule = comparison.stopping_rule
    difference = select_difference(row, rule)
    return [row.arm, format_metric(metric, difference, signed=True), *figures, format_verdict(row, rule)]
