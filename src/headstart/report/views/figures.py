"""The figures that a notebook shows below a result's tables: drawn when shown, from records alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from headstart.analysis.comparison import Comparison
from headstart.analysis.details.curves import find_curves
from headstart.analysis.results import Results
from headstart.config.metrics import describe_metric
from headstart.config.sizes import find_largest_size

if TYPE_CHECKING:
    from headstart.report.figures.figure import Figure


def draw_results(results: Results) -> tuple[Figure, ...]:
    """Seeds, differences and curves by the study's metric, at its largest size."""
    return tuple(figure for figure in _draw_results(results) if figure is not None)


def _draw_results(results: Results) -> Iterator[Figure | None]:
    # Imported only now: what draws takes a second to load.
    from headstart.report.figures.contrasts import draw_contrasts
    from headstart.report.figures.curves import draw_curve
    from headstart.report.figures.palette import style_arms
    from headstart.report.figures.seeds import draw_seeds

    findings, study = results.findings, results.study
    styles = style_arms(study.arms, study.control_arm)
    metric, size = study.metric, find_largest_size(study.sizes)
    yield draw_seeds(findings, metric, size, styles)
    yield draw_contrasts(findings, metric, size, styles)
    curves = find_curves(findings.chosen, metric, {}, chosen_by=metric)
    yield draw_curve(curves, "valid", size, styles)
    yield draw_curve(curves, "test", size, styles)


def draw_comparison(comparison: Comparison) -> tuple[Figure, ...]:
    """Its differences at the largest size, of a metric of Headstart's own."""
    rows = comparison.contrasts
    if not rows or describe_metric(comparison.metric) != comparison.info:
        return ()
    from headstart.report.figures.contrasts import DrawnContrasts, draw_contrast_rows
    from headstart.report.figures.palette import style_arms

    size = find_largest_size([row.size for row in rows])
    arms = dict.fromkeys((*(row.arm for row in comparison.summary), *(row.arm for row in rows)))
    shown = [row for row in rows if row.size == size]
    drawn = DrawnContrasts(shown, comparison.margin, comparison.stopping_rule)
    figure = draw_contrast_rows(drawn, style_arms(arms, comparison.control))
    return () if figure is None else (figure,)
