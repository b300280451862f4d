"""Draws all figures of a study's report, in the order of its page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from headstart.analysis.details.study_details import StudyDetails
from headstart.config.sizes import Size
from headstart.report.figures.calibration import draw_calibration
from headstart.report.figures.confusion import draw_confusion
from headstart.report.figures.contrasts import draw_contrasts
from headstart.report.figures.cost import draw_cost
from headstart.report.figures.curves import draw_curve, draw_loss
from headstart.report.figures.figure import Figure
from headstart.report.figures.labels import draw_labels
from headstart.report.figures.palette import ArmStyle, style_arms
from headstart.report.figures.seeds import draw_seeds
from headstart.report.figures.tuning import draw_tuning

#: Of metrics other than the study's only the last size, where all of them would be more figures than this.
_MOST_PAIRS = 12
#: Confusion matrices and grids of more cells than a reader looks at.
MOST_MATRICES: Final = 12


def draw_figures(details: StudyDetails) -> tuple[Figure, ...]:
    """Every figure that has something to show."""
    findings = details.results.findings
    styles = style_arms(findings.study.arms, findings.study.control_arm)
    figures = tuple(figure for figure in _draw_each(details, styles) if figure is not None)
    return figures if len(findings.study.sizes) == 1 else tuple(map(_name_largest_size, figures))


def _name_largest_size(figure: Figure) -> Figure:
    """Say of how many examples a figure is where it stands among those of other sizes."""
    if figure.size != "all":
        return figure
    return replace(figure, title=f"{figure.title}, all training examples")


def _draw_each(details: StudyDetails, styles: dict[str, ArmStyle]) -> Iterator[Figure | None]:
    findings, sizes = details.results.findings, details.results.study.sizes
    pairs = _list_pairs(details)
    yield from (draw_seeds(findings, metric, size, styles) for metric, size in pairs)
    yield from (draw_contrasts(findings, metric, size, styles) for metric, size in pairs)
    by_metric = {curves.metric: curves for curves in details.curves}
    for metric, size in pairs:
        if metric in by_metric:
            yield draw_curve(by_metric[metric], "valid", size, styles)
            yield draw_curve(by_metric[metric], "test", size, styles)
    for curves in details.curves[:1]:
        yield from (draw_loss(curves, size, styles) for size in sizes)
    yield from (
        draw_labels(findings, metric, styles) for metric in dict.fromkeys(metric for metric, _ in pairs)
    )
    tuned = dict.fromkeys((row.arm, row.size) for row in findings.grid_rows)
    yield from (draw_tuning(findings, arm, size, styles) for arm, size in list(tuned)[-MOST_MATRICES:])
    yield from (draw_confusion(one, styles) for one in details.confusions[-MOST_MATRICES:])
    yield from (draw_calibration(details.calibrations, size, styles) for size in sizes)
    yield from (draw_cost(details.costs, findings, size, styles) for size in sizes)


def _list_pairs(details: StudyDetails) -> list[tuple[str, Size]]:
    """Metrics, the study's first, with sizes."""
    study, metrics = details.results.study, details.results.findings.metrics
    ordered = sorted(metrics, key=lambda metric: metric != study.metric)
    pairs = [(metric, size) for metric in ordered for size in study.sizes]
    if len(pairs) <= _MOST_PAIRS:
        return pairs
    return [pair for pair in pairs if study.metric == pair[0] or pair[1] == study.sizes[-1]]
