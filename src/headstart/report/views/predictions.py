"""View of what a model says of texts: a row for each of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from headstart.report.predict import render_predictions
from headstart.report.views.base import ReportView
from headstart.report.views.frames import Row
from headstart.wording import format_count


def _list_rows(found: Any) -> Iterator[Row]:
    for one in found.predictions:
        is_pair = not isinstance(one.text, str)
        yield {
            **(dict(zip(("text_a", "text_b"), one.text, strict=True)) if is_pair else {"text": one.text}),
            "predicted": one.predicted,
            **{f"p_{name}": share for name, share in one.probabilities.items()},
        }


# Predictions are made by commands, above: this knows them by their shape.
PREDICTIONS: Final = ReportView(
    lambda found: f"{found.model}, {format_count(len(found.predictions), 'text')}",
    lambda found: render_predictions(found.predictions),
    {"predictions": _list_rows},
)
