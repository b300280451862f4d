"""Draws confusion matrices: how often examples of each class were given each class."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import numpy as np

from headstart.analysis.details.classes import Confusion
from headstart.report.figures.canvas import WIDTH, Canvas, open_canvas
from headstart.report.figures.figure import Figure, make_figure, name_figure
from headstart.report.figures.palette import ArmStyle
from headstart.report.figures.words import describe_size, measure, shorten
from headstart.wording import format_count

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_CLASSES: Final = 20
#: Up to here cells hold their counts.
_MOST_COUNTED: Final = 10
_LONGEST: Final = 14


def draw_confusion(confusion: Confusion, styles: dict[str, ArmStyle]) -> Figure | None:
    """Of one arm at one size: of many classes those 20 that are most confused. None without predictions."""
    if not confusion.counts.sum():
        return None
    kept = _choose_classes(confusion.counts)
    counts = confusion.counts[np.ix_(kept, kept)]
    names = [shorten(confusion.names[i], _LONGEST) for i in kept]
    left = 16 + max(measure(name) for name in names)
    cell = min((WIDTH - left - 4) / len(names), 22.0)
    with open_canvas(cell * len(names) + left + 4) as canvas:
        axes = _add_plot(canvas, names, left, cell)
        for i, j in zip(*np.nonzero(counts), strict=True):
            _draw_cell(canvas, axes, confusion, kept, (int(i), int(j)), styles[confusion.arm])
        return make_figure(
            canvas,
            name_figure("classes", list(styles).index(confusion.arm), confusion.arm, confusion.size),
            f"Classes given to test examples by {shorten(confusion.arm, 60)}{describe_size(confusion.size)}",
            " ".join(_describe(confusion, kept)),
            "classes",
            None,
            confusion.size,
        )


def _choose_classes(counts: np.ndarray) -> list[int]:
    """All, in order; of many those with most errors, given and taken."""
    wrong = counts - np.diag(np.diag(counts))
    errors = wrong.sum(0) + wrong.sum(1)
    order = np.argsort(-errors, kind="stable")[:MOST_CLASSES]
    return sorted(int(i) for i in order)


def _add_plot(canvas: Canvas, names: list[str], left: float, cell: float) -> Axes:
    count = len(names)
    axes = canvas.add_axes(left, left, WIDTH - left - cell * count, 4)
    axes.set_xlim(-0.5, count - 0.5)
    axes.set_ylim(count - 0.5, -0.5)
    for side in axes.spines.values():
        side.set_linewidth(0.3)
        side.set_visible(True)
    axes.tick_params(length=0)
    axes.set_xticks(range(count), names, rotation=90)
    axes.set_yticks(range(count), names)
    canvas.write(left + cell * count / 2, 1, "given", ha="center", va="bottom")
    canvas.write(1, left + cell * count / 2, "true", rotation=90, ha="left", va="center")
    return axes


def _draw_cell(
    canvas: Canvas, axes: Axes, confusion: Confusion, kept: list[int], place: tuple[int, int], style: ArmStyle
) -> None:
    from matplotlib.patches import Rectangle

    true, given = kept[place[0]], kept[place[1]]
    count, of = int(confusion.counts[true, given]), int(confusion.counts[true].sum())
    corner = (place[1] - 0.5, place[0] - 0.5)
    cell = Rectangle(corner, 1, 1, facecolor=style.colour, alpha=0.05 + 0.5 * count / of, linewidth=0)
    names = [shorten(confusion.names[i], 40) for i in (true, given)]
    canvas.mark(axes.add_patch(cell), style.arm, f"{names[0]} given {names[1]}: {count:,} of {of:,}")
    if len(kept) <= _MOST_COUNTED:
        label = axes.text(place[1], place[0], _format_count(count), ha="center", va="center", fontsize=6)
        canvas.mark(label, style.arm)


def _format_count(count: int) -> str:
    return str(count) if count < 10_000 else f"{count / 1000:.0f}k"


def _describe(confusion: Confusion, kept: list[int]) -> Iterator[str]:
    counts, names = confusion.counts, confusion.names
    right, every = int(np.trace(counts)), int(counts.sum())
    yield f"{right:,} of {every:,} answers are right, over {format_count(confusion.n_seeds, 'seed')}."
    wrong = counts - np.diag(np.diag(counts))
    for place in np.argsort(-wrong, axis=None, kind="stable")[:3]:
        i, j = np.unravel_index(place, wrong.shape)
        if wrong[i, j]:
            yield f"{shorten(names[i], 40)} given {shorten(names[j], 40)}: {int(wrong[i, j]):,}."
    if len(kept) < len(names):
        yield f"Of {len(names)} classes the {len(kept)} that are most confused are drawn."
