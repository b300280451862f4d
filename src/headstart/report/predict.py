"""What `headstart predict` shows of texts: a table on a terminal, tab-separated lines in a pipe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text as Shown

from headstart.report.tables import start_table
from headstart.wording import cut_text

#: Characters of a text, and probabilities, that a row shows; and the latter of a single text.
_TEXT_SHOWN, _CLASSES_SHOWN, _SINGLE_SHOWN = 120, 3, 10
#: Columns that labels, and probabilities of several, take at most.
_LABEL_WIDTH = 24


class Labelled(Protocol):
    """A text with what a model says of it."""

    @property
    def text(self) -> Any:
        """The text, or pair of texts."""

    @property
    def predicted(self) -> object:
        """A label, several, or a number."""

    @property
    def probabilities(self) -> dict[str, float]:
        """By class; empty where there are none."""


def render_predictions(predictions: Sequence[Labelled]) -> RenderableType:
    """A table with a row for each text; of a single text, more of its classes."""
    has_classes = any(one.probabilities for one in predictions)
    table = start_table()
    table.add_column("predicted", no_wrap=True, max_width=_LABEL_WIDTH)
    if has_classes:
        table.add_column("probability", no_wrap=True, max_width=_LABEL_WIDTH, justify="right")
    table.add_column("text", overflow="fold")
    for one in predictions:
        cells = [Shown(_format_predicted(one.predicted, ", "))]
        cells += [Shown(_describe_probability(one))] if has_classes else []
        table.add_row(*cells, Shown(cut_text(_flatten(one.text), _TEXT_SHOWN)))
    return table if len(predictions) != 1 or not has_classes else _render_single(predictions[0])


def format_predictions(predictions: Sequence[Labelled]) -> str:
    """A line for each text: predicted, its probability where there are classes, and the text, with tabs."""
    return "".join("\t".join(_list_cells(one)) + "\n" for one in predictions)


def _list_cells(one: Labelled) -> list[str]:
    predicted, text = _format_predicted(one.predicted, "|"), _flatten(one.text)
    return [predicted, _describe_probability(one), text] if one.probabilities else [predicted, text]


def _render_single(one: Labelled) -> RenderableType:
    """Its classes, the likeliest first."""
    table = Table.grid(padding=(0, 2))
    table.add_column(overflow="fold")
    table.add_column(justify="right")
    chosen = len(one.predicted) if isinstance(one.predicted, list) else 1
    ranked = sorted(one.probabilities.items(), key=lambda pair: -pair[1])
    for i, (name, probability) in enumerate(ranked[: max(_SINGLE_SHOWN, chosen)]):
        style = "bold" if i < chosen else "dim"
        table.add_row(Shown(name, style=style), Shown(f"{100 * probability:.1f}%", style=style))
    return table


def _describe_probability(one: Labelled) -> str:
    """Of the predicted class, or of each where there are several or none."""
    if not isinstance(one.predicted, list):
        return f"{100 * max(one.probabilities.values()):.1f}%"
    ranked = sorted(one.probabilities.items(), key=lambda pair: -pair[1])
    return ", ".join(f"{name} {100 * value:.1f}%" for name, value in ranked[:_CLASSES_SHOWN])


def _format_predicted(predicted: object, between: str) -> str:
    if isinstance(predicted, list):
        return between.join(map(str, predicted)) or "-"
    return f"{predicted:.4g}" if isinstance(predicted, float) else str(predicted)


def _flatten(text: Any) -> str:
    """In one line without tabs."""
    return " ".join((text if isinstance(text, str) else " / ".join(text)).split())
