"""Renders a comparison for a terminal, in Markdown or in LaTeX: the same cells, with notes below."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.text import Text

from headstart.analysis.comparison import Comparison
from headstart.config.metrics import MetricInfo
from headstart.data.markdown import escape_markdown_cell
from headstart.errors import HeadstartError
from headstart.records import Contrast, SummaryRow, TierRow, WorthRow
from headstart.report.collapsed import explain_mark, mark_mean
from headstart.report.conclusions import (
    close_comparison,
    describe_level,
    explain_comparison,
    format_verdict,
    is_adjusted,
)
from headstart.report.intervals import format_ends
from headstart.report.numbers import (
    format_interval,
    format_metric,
    format_p,
    format_worth,
    format_worth_interval,
    get_unit,
)
from headstart.report.one_more_run import make_one_more_run_table
from headstart.report.ranking import describe_ranking_table, format_ranks, make_ranking_table
from headstart.report.references import make_reference_row
from headstart.report.stopping import is_of_median, select_difference
from headstart.report.table_formats import (
    Rows,
    render_latex_table,
    render_markdown_table,
)
from headstart.report.tables import drop_empty, make_table
from headstart.report.win_rates import list_win_rate_sizes, make_win_rates_table
from headstart.report.worth import is_told
from headstart.report.written_answers import CAPTION as ANSWERS_CAPTION
from headstart.report.written_answers import make_answers_table, render_answers
from headstart.wording import format_names

#: Columns whose cells may take several lines.
_WRAPS: Final = ("verdict", "beaten by")
_SIZE: Final = "train size"
_OVER_SEEDS: Final = "95% CI over seeds"
_OVER_EXAMPLES: Final = "95% CI over test examples"
_NEEDS_BOOKTABS: Final = "Needs \\usepackage{booktabs}."


@dataclass(frozen=True)
class NamedTable:
    """Rows, the heading first, with the name that `--table` selects by and a caption. The first `keys`
    columns name the rows."""

    name: str
    caption: str
    rows: Rows
    keys: int = 1


def describe_comparison(comparison: Comparison) -> dict[str, Any]:
    """Plain values, for `--json`, with every sentence about them."""
    return comparison.to_dict() | {"sentences": explain_comparison(comparison)}


def render_comparison(
    comparison: Comparison, table: str | None = None, *, all_notes: bool = False
) -> RenderableType:
    """Tables and the notes that matter most, or all of them, for a terminal.

    Args:
        table: the name of one that is shown alone, without notes.

    Raises:
        HeadstartError: there is none of this name.
    """
    # The table of answers stands above their samples, unless it is shown alone.
    tables = [one for one in select_tables(comparison, table) if table or one.name != "answers"]
    # That a contrast has no interval is to be seen; that no arm's is known, a note says.
    rows = [drop_empty(one.rows) if one.name == "arms" else one.rows for one in tables]
    shown = [make_table(r, keys=one.keys, wraps=_WRAPS) for r, one in zip(rows, tables, strict=True)]
    marked = [i for i, cells in enumerate(rows) if explain_mark(cells)]
    if marked:  # once, below the last of them, whichever sentences are shown
        shown[marked[-1]] = replace(shown[marked[-1]], caption=explain_mark(rows[marked[-1]]))
    parts: list[RenderableType] = [part for one in shown for part in (one, Text())]
    answers = render_answers(comparison.answers) if table is None else []
    parts += [*answers[1:], Text()] if answers else []
    notes = explain_comparison(comparison) if all_notes else close_comparison(comparison, "add --all")
    notes = notes if table is None else []
    return Group(*parts, *map(Text, notes))


def render_comparison_markdown(comparison: Comparison, table: str | None = None) -> str:
    """The same in Markdown."""
    chosen = select_tables(comparison, table)
    tables = [render_markdown_table(one.rows) for one in chosen]
    alone = [note for one in chosen if (note := explain_mark(one.rows))]
    notes = explain_comparison(comparison) if table is None else alone
    return "\n\n".join([*tables, *map(escape_markdown_cell, notes)]) + "\n"


def render_comparison_latex(comparison: Comparison, table: str | None = None) -> str:
    """The same in LaTeX, for the package booktabs; notes as comments."""
    tables = [
        render_latex_table(one.rows, caption=_add_mark(one), label=one.name)
        for one in select_tables(comparison, table)
    ]
    notes = explain_comparison(comparison) if table is None else []
    comments = [f"% {' '.join(note.split())}" for note in (_NEEDS_BOOKTABS, *notes)]
    return "\n\n".join([comments[0], *tables, *comments[1:]]) + "\n"


def _add_mark(table: NamedTable) -> str:
    """The caption, with what the mark means where a cell has it: the table may stand alone in a paper."""
    note = explain_mark(table.rows)
    return f"{table.caption} {note}." if note else table.caption


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
    """Arms, contrasts, ranking, one more run, prompts won, answers, worth in labels and updates."""
    metric, versus = comparison.metric, comparison.control or "its namesake in the first study"
    has_sizes = any(row.size != "all" for row in comparison.summary)
    keys = 2 if has_sizes else 1
    if comparison.tiers:
        caption = f"{_capitalise(metric)} of each arm, the best mean first, and which arms beat it."
        yield NamedTable("tiers", caption, _make_tiers_table(comparison))
        return
    if comparison.of_models:
        caption = f"{_capitalise(metric)} of each arm, one run each, with 95% confidence intervals (CI)."
        yield NamedTable("arms", caption, _make_models_table(comparison))
    else:
        caption = (
            f"{_capitalise(metric)} of each arm: mean ± sample standard deviation over seeds, with 95% "
            "confidence intervals (CI) of the mean."
        )
        yield NamedTable("arms", caption, _make_arms_table(comparison, has_sizes), keys)
    if comparison.contrasts:
        caption = f"Differences in {metric} from {versus}, with confidence intervals (CI)."
        yield NamedTable("contrasts", caption, _make_contrasts_table(comparison, has_sizes), keys)
    if ranking := make_ranking_table(comparison.ranking):
        yield NamedTable("ranking", describe_ranking_table(comparison.ranking), ranking)
    if one_run := make_one_more_run_table(comparison):
        sizes = [_SIZE, *(row.size for row in comparison.summary)]
        rows = [_add_size(cells, size, has_sizes) for cells, size in zip(one_run, sizes, strict=True)]
        caption = f"What one more run would give: {metric}, and how often it beats one of {versus}."
        yield NamedTable("one-run", caption, rows, keys)
    if won := make_win_rates_table(comparison):
        sizes = [_SIZE, *list_win_rate_sizes(comparison)]
        rows = [_add_size(cells, size, has_sizes) for cells, size in zip(won, sizes, strict=True)]
        yield NamedTable("prompts", f"How often answers are better than those of {versus}.", rows, keys)
    if answers := make_answers_table(comparison.answers):
        yield NamedTable("answers", f"Answers to test prompts: {ANSWERS_CAPTION}.", answers)
    yield from _name_worth_tables(comparison, has_sizes)


def _name_worth_tables(comparison: Comparison, has_sizes: bool) -> Iterator[NamedTable]:
    metric, control = comparison.metric, comparison.control
    label_worth = [row for row in comparison.label_worth if is_told(row)]
    if label_worth:
        head = _make_worth_head(comparison, "label worth", "labels", metric)
        rows = [head, *(_format_worth_row(row, comparison.info) for row in label_worth)]
        caption = f"How many labels {control} needs for the {metric} that an arm has with its own."
        yield NamedTable("label-worth", caption, rows, keys=2)
    step_worth = [row for row in comparison.step_worth if is_told(row)]
    if step_worth:
        head = _make_worth_head(comparison, "worth in updates", "updates", f"valid {metric}")
        cells = [
            _add_size(_format_worth_row(row, comparison.info), row.size, has_sizes) for row in step_worth
        ]
        rows = [_add_size(head, _SIZE, has_sizes), *cells]
        caption = f"How many updates {control} needs for the {metric} that an arm has after its own."
        yield NamedTable("step-worth", caption, rows, keys=2 if has_sizes else 1)


def _capitalise(text: str) -> str:
    return text[:1].upper() + text[1:]


def _add_size(cells: list[str], size: object, has_sizes: bool) -> list[str]:
    """With the training-set size after the arm, in studies that have several."""
    return [cells[0], str(size), *cells[1:]] if has_sizes else cells


def _make_tiers_table(comparison: Comparison) -> Rows:
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


def _make_models_table(comparison: Comparison) -> Rows:
    """Of arms with a single run, which has no spread over seeds."""
    head = ["arm", comparison.metric, _OVER_EXAMPLES]
    rows = comparison.summary
    return [head, *([row.arm, *_format_examples(row, comparison.info)] for row in rows)]


def _format_examples(row: SummaryRow, metric: MetricInfo) -> list[str]:
    """The mean, and its interval over examples."""
    return [format_metric(metric, row.mean), format_interval(metric, row.examples_low, row.examples_high)]


def _make_arms_table(comparison: Comparison, has_sizes: bool) -> Rows:
    head = ["arm", "seeds", comparison.metric, "pop. std", _OVER_SEEDS, _OVER_EXAMPLES, "worst", "best"]
    by_cell = {scores.cell: scores.by_seed for scores in comparison.scores}
    rows = [
        _add_size(_format_arm(row, by_cell[row.arm, row.size], comparison), row.size, has_sizes)
        for row in comparison.summary
    ]
    titles = _add_size(head, _SIZE, has_sizes)
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


def _make_contrasts_table(comparison: Comparison, has_sizes: bool) -> Rows:
    versus = f"vs {comparison.control}" if comparison.control else "B vs A"
    rule = comparison.stopping_rule
    columns = ["95% CI, anytime", "seeds"] if rule else _name_columns(comparison)
    median = "median " if is_of_median(rule) else ""
    head = [versus, f"{median}difference, {get_unit(comparison.info)}", *columns, "verdict"]
    cells = [
        _add_size(_format_contrast(row, comparison), row.size, has_sizes) for row in comparison.contrasts
    ]
    return [_add_size(head, _SIZE, has_sizes), *cells]


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


def _make_worth_head(comparison: Comparison, title: str, unit_of_worth: str, score: str) -> list[str]:
    amount = _SIZE if unit_of_worth == "labels" else unit_of_worth
    return [title, amount, score, f"{unit_of_worth} of {comparison.control}", "95% CI"]


def _format_worth_row(row: WorthRow, metric: MetricInfo) -> list[str]:
    """How many labels, or updates, the control needs for the same score."""
    amount = f"{row.amount:,}" if row.amount else "-"
    score = format_metric(metric, row.score)
    return [row.arm, amount, score, format_worth(row, "worth"), format_worth_interval(row)]
