"""All tables of a comparison, by name, with captions; any one can be selected."""

from __future__ import annotations

from collections.abc import Iterator

from headstart.analysis.comparison import Comparison
from headstart.errors import HeadstartError
from headstart.report.arm_tables import make_arms_table, make_models_table, make_tiers_table
from headstart.report.contrast_table import make_contrasts_table
from headstart.report.named_tables import SIZE, NamedTable, add_size
from headstart.report.one_more_run import make_one_more_run_table
from headstart.report.ranking import describe_ranking_table, make_ranking_table
from headstart.report.table_formats import Rows
from headstart.report.win_rates import list_win_rate_sizes, make_win_rates_table
from headstart.report.worth_tables import name_worth_tables
from headstart.report.written_answers import CAPTION as ANSWERS_CAPTION
from headstart.report.written_answers import make_answers_table
from headstart.wording import capitalise


def select_tables(comparison: Comparison, name: str | None) -> list[NamedTable]:
    """All tables, or the one of this name.

    Raises:
        HeadstartError: there is none.
    """
    tables = list(name_tables(comparison))
    chosen = [table for table in tables if name in (None, table.name)]
    if not chosen:
        names = ", ".join(table.name for table in tables)
        raise HeadstartError(f"no table is called {name!r}", where="--table", expected=f"one of {names}")
    return chosen


def make_tables(comparison: Comparison) -> Iterator[Rows]:
    """The rows of each table."""
    return (table.rows for table in name_tables(comparison))


def name_tables(comparison: Comparison) -> Iterator[NamedTable]:
    """Arms, contrasts, ranking, one more run, prompts won, worth in labels and updates."""
    metric, versus = comparison.metric, comparison.control or "its namesake in the first study"
    has_sizes = any(row.size != "all" for row in comparison.summary)
    keys = 2 if has_sizes else 1
    if comparison.tiers:
        caption = f"{capitalise(metric)} of each arm, the best mean first, and which arms beat it."
        yield NamedTable("tiers", caption, make_tiers_table(comparison))
        return
    if comparison.of_models:
        caption = f"{capitalise(metric)} of each arm, one run each, with 95% confidence intervals (CI)."
        yield NamedTable("arms", caption, make_models_table(comparison))
    else:
        caption = (
            f"{capitalise(metric)} of each arm: mean ± sample standard deviation over seeds, with 95% "
            "confidence intervals (CI) of the mean."
        )
        yield NamedTable("arms", caption, make_arms_table(comparison, has_sizes), keys)
    if comparison.contrasts:
        caption = f"Differences in {metric} from {versus}, with confidence intervals (CI)."
        yield NamedTable("contrasts", caption, make_contrasts_table(comparison, has_sizes), keys)
    if ranking := make_ranking_table(comparison.ranking):
        yield NamedTable("ranking", describe_ranking_table(comparison.ranking), ranking)
    if one_run := make_one_more_run_table(comparison):
        sizes = [SIZE, *(row.size for row in comparison.summary)]
        rows = [add_size(cells, size, has_sizes) for cells, size in zip(one_run, sizes, strict=True)]
        caption = f"What one more run would give: {metric}, and how often it beats one of {versus}."
        yield NamedTable("one-run", caption, rows, keys)
    if won := make_win_rates_table(comparison):
        sizes = [SIZE, *list_win_rate_sizes(comparison)]
        rows = [add_size(cells, size, has_sizes) for cells, size in zip(won, sizes, strict=True)]
        yield NamedTable("prompts", f"How often answers are better than those of {versus}.", rows, keys)
    if answers := make_answers_table(comparison.answers):
        yield NamedTable("answers", f"Answers to test prompts: {ANSWERS_CAPTION}.", answers)
    yield from name_worth_tables(comparison, has_sizes)
