"""A figure: inline SVG with title and description, and how it is saved as SVG, PNG and PDF."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from headstart.config.sizes import Size
from headstart.report.figures.canvas import Canvas
from headstart.report.figures.svg import make_standalone

Section = Literal[
    "seeds", "contrasts", "curves", "loss", "labels", "tuning", "classes", "calibration", "cost"
]
#: Files of a figure, by the ends of their names.
FORMATS: Final = ("svg", "png", "pdf")
_PREFIX: Final = ContextVar("prefix of figures' names", default="")


@dataclass(frozen=True)
class Figure:
    """One figure of a report, of a paper's column width: 3.3 inches.

    Attributes:
        name: the stem of its files, unique on a page, of `a-z`, `0-9` and `-`; ids in `svg` begin with it.
        title: what it shows, one line.
        description: what it shows with the figures that matter, for those who cannot see it.
        svg: an `<svg>` with a `viewBox` and no size. What belongs to an arm is in `<g class="arm"
            data-arm="NAME">`; what has a value has it in `data-tip` and in a `<title>`. Colours are CSS
            variables with fallbacks: `--arm-0` (the control) to `--arm-9`, `--ink`, `--muted`, `--grid`,
            `--paper`.
        section: where on the page it belongs.
        metric: what is drawn; None where it is no metric, or several.
        size: of which training size; None where of all.
    """

    name: str
    title: str
    description: str
    svg: str
    section: Section
    metric: str | None = None
    size: Size | None = None
    canvas: Canvas | None = field(default=None, repr=False, compare=False)


def save_figure(figure: Figure, folder: Path) -> tuple[Path, ...]:
    """Write `name.svg`, colours resolved, and where the figure was drawn here `name.png` (300 dpi) and
    `name.pdf`; the same bytes each time. Gives the files written.

    Raises:
        OSError: `folder` is not there, or cannot be written to.
    """
    paths = tuple(folder / f"{figure.name}.{end}" for end in FORMATS)
    paths[0].write_text(make_standalone(figure.svg), encoding="utf-8")
    if figure.canvas is None:
        return paths[:1]
    for path in paths[1:]:
        path.write_bytes(figure.canvas.render(path.suffix[1:]))
    return paths


def name_figure(*parts: object) -> str:
    """The stem of a figure's files: `curves-macro-f1-all`, after the prefix of `prefix_names`."""
    return _PREFIX.get() + re.sub(r"[^a-z0-9]+", "-", "-".join(map(str, parts)).lower()).strip("-")


@contextmanager
def prefix_names(prefix: str) -> Iterator[None]:
    """Have names of figures that are drawn meanwhile, and so all ids in them, begin with `prefix`."""
    token = _PREFIX.set(prefix)
    try:
        yield
    finally:
        _PREFIX.reset(token)


def make_figure(
    canvas: Canvas,
    name: str,
    title: str,
    description: str,
    section: Section,
    metric: str | None = None,
    size: Size | None = None,
) -> Figure:
    """What is drawn, as a figure."""
    svg = canvas.render_inline(name, title, description)
    return Figure(name, title, description, svg, section, metric, size, canvas)
