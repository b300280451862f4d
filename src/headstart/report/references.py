"""The reference beside the arms of a table: what always giving the same answer scores."""

from __future__ import annotations

from headstart.config.metrics import MetricInfo
from headstart.records import Reference
from headstart.report.numbers import format_metric


def make_reference_row(
    reference: Reference | None, metric: str | MetricInfo, head: list[str]
) -> list[str] | None:
    """Its row of a table whose first column names arms: the name, the score below the metric's heading, and
    in the last column that it is a reference; None where it has no score."""
    name = metric.name if isinstance(metric, MetricInfo) else metric
    score = None if reference is None else reference.scores.get(name)
    if reference is None or score is None:
        return None
    column = next((i for i, title in enumerate(head) if title in (name, f"test {name}")), None)
    if column is None:
        return None
    cells = ["-"] * len(head)
    cells[0], cells[column], cells[-1] = reference.name, format_metric(metric, score), "reference"
    return cells


def explain_reference(reference: Reference | None, metric: str | MetricInfo) -> str:
    """What the row is, in a sentence without a stop; empty where there is none."""
    name = metric.name if isinstance(metric, MetricInfo) else metric
    if reference is None or name not in reference.scores:
        return ""
    thing = {
        "majority": "the most frequent class",
        "majority set": "the most frequent set of labels",
        "median": "the median",
    }[reference.name]
    texts = (
        "training examples"
        if reference.part == "train"
        else "test examples (training labels are not on record)"
    )
    return (
        f"{reference.name}: always answering {reference.answer_in_words}, {thing} of the {texts}; "
        "a reference, not an arm"
    )
