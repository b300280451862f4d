"""Views of what is compared: of arms' scores, of people's judgements, and of a sheet for these."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Final

from rich.text import Text

from headstart.analysis.answer_pairs import JudgingSheet
from headstart.analysis.comparison import Comparison
from headstart.analysis.judgements import Judgements
from headstart.report.comparison import render_comparison
from headstart.report.judge import describe_sheet, render_judgements
from headstart.report.views.base import ReportView
from headstart.report.views.figures import draw_comparison
from headstart.report.views.frames import Row, dump_row
from headstart.wording import format_count

_TABLES_OF_JUDGEMENTS: Final = ("judges", "agreements", "notes")


def _summarise(comparison: Comparison) -> str:
    against = f", control {comparison.control}" if comparison.control else ""
    arms = len({row.arm for row in comparison.summary})
    contrasts = format_count(len(comparison.contrasts), "contrast")
    return f"{comparison.source}, {comparison.metric} of {format_count(arms, 'arm')}{against}, {contrasts}"


def _list_contrasts(comparison: Comparison) -> list[Row]:
    return [dump_row(row, without=["each_seed"]) for row in comparison.contrasts]


def _list_seeds(comparison: Comparison) -> Iterator[Row]:
    """Differences of each seed by itself."""
    for row in comparison.contrasts:
        place = {name: getattr(row, name) for name in ("arm", "control", "size", "metric")}
        yield from (place | dict(dump_row(seed)) for seed in row.each_seed)


def _list_scores(comparison: Comparison) -> Iterator[Row]:
    """The score of each run."""
    for scores in comparison.scores:
        for seed, score in scores.by_seed.items():
            yield {"arm": scores.arm, "size": scores.size, "seed": seed, comparison.metric: score}


def _list_judged(found: Judgements) -> list[Row]:
    return [{name: value for name, value in asdict(found).items() if name not in _TABLES_OF_JUDGEMENTS}]


COMPARISON: Final = ReportView(
    _summarise,
    partial(render_comparison, all_notes=True),
    {
        "contrasts": _list_contrasts,
        "summary": lambda comparison: map(dump_row, comparison.summary),
        "scores": _list_scores,
        "seeds": _list_seeds,
        "tiers": lambda comparison: map(dump_row, comparison.tiers),
        "label_worth": lambda comparison: map(dump_row, comparison.label_worth),
        "step_worth": lambda comparison: map(dump_row, comparison.step_worth),
        "outcomes": lambda comparison: map(dump_row, comparison.outcomes),
    },
    draw_comparison,
)
JUDGEMENTS: Final = ReportView(
    lambda found: f"{found.arm} against {found.control}: {found.verdict}, {found.prompts} prompts",
    render_judgements,
    {
        "contrasts": _list_judged,
        "judges": lambda found: map(asdict, found.judges),
        "agreements": lambda found: map(asdict, found.agreements),
    },
)
SHEET: Final = ReportView(
    lambda sheet: f"{sheet.path}, {format_count(sheet.rows, 'row')} to judge",
    lambda sheet: Text(describe_sheet(sheet, _find_study(sheet))),
)


def _find_study(sheet: JudgingSheet) -> Path:
    """The folder of the study that the sheet's key lies in."""
    return sheet.key.parent.parent
